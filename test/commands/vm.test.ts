// vm: what a process has mapped, and where each page of it is.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { vm } from '../../src/commands/memory/vm.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { FileWorld, fileTypes, modes } from '../support/file_writer.ts';
import { mapleTypes, writeMapleTree } from '../support/maple_tree_writer.ts';
import { run as runCommand } from '../support/run_command.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const { task, types } = fileTypes();

/** A process (5) with three pages of /tmp/lib.so and two of its own, and a kernel thread (2). */
class World extends FileWorld {
  readonly mm: KernelObject;
  readonly library: KernelObject;
  readonly heap: KernelObject;
  readonly table: bigint;
  readonly context: CommandContext;

  constructor(library = 'lib.so') {
    super(
      machine({
        more: {
          task,
          types: `${types} ${mapleTypes} struct vm_area_struct { unsigned long vm_start; unsigned long vm_end;
            unsigned long vm_flags; struct file *vm_file; unsigned long vm_pgoff; };`,
          mm: 'struct maple_tree mm_mt;',
        },
      }),
    );
    const { kernel } = this;
    this.mm = kernel.allocate('struct mm_struct');
    kernel.set(this.mm, 'total_vm', 5);
    kernel.set(this.mm, 'rss_stat[0].count', 1);
    const file = this.file(this.onTmp, this.dentry(library, this.tmpTop, modes.regular));
    this.library = this.area(0x40_0000, 3, 0x8000075, file, 2);
    this.heap = this.area(0x50_0000, 2, 0x100073, null, 0x500);
    writeMapleTree(kernel, this.mm.member('mm_mt'), [
      [0x40_0000n, 0x40_2fffn, this.library.address],
      [0x50_0000n, 0x50_1fffn, this.heap.address],
    ]);
    // pgd -> pud -> pmd -> the table of the first 2 MiB behind 0x400000
    const tables = [kernel.reserve(4096), kernel.reserve(4096), kernel.reserve(4096), kernel.reserve(4096)] as const;
    this.table = tables[3];
    const lead = (from: bigint, index: number, to: bigint) =>
      kernel.space.words(from + BigInt(index * 8), BigInt(kernel.space.translate(to as never)) | 7n);
    lead(tables[0], 0, tables[1]);
    lead(tables[1], 0, tables[2]);
    lead(tables[2], 2, tables[3]);
    kernel.set(this.mm, 'pgd', tables[0]);
    this.entry(1, 0x765_4000n | 0x25n);
    this.entry(0x100, 0x800_1000n | 0x67n);

    const process = newTask(kernel, { pid: 5, comm: 'app' });
    kernel.set(process, 'mm', this.mm);
    const thread = newTask(kernel, { pid: 2, comm: 'kthreadd', flags: 0x20_0000 });
    linkTasks(kernel, [process, thread]);
    this.context = new CommandContext(kernel);
  }

  private area(start: number, pages: number, flags: number, file: KernelObject | null, offset: number): KernelObject {
    const area = this.kernel.allocate('struct vm_area_struct');
    this.kernel.set(area, 'vm_start', start);
    this.kernel.set(area, 'vm_end', start + pages * 4096);
    this.kernel.set(area, 'vm_flags', flags);
    this.kernel.set(area, 'vm_pgoff', offset);
    if (file !== null) this.kernel.set(area, 'vm_file', file);
    return area;
  }

  /** Writes an entry of the table for 0x400000 and on. */
  entry(index: number, value: bigint): void {
    this.kernel.space.words(this.table + BigInt(index * 8), value);
  }

  run(...words: string[]): string {
    return runCommand(vm, this.context, words).text;
  }
}

/** Addresses of structs differ with how a test allocates. */
const masked = (text: string): string => text.replace(/ffff8[0-9a-f]{11}/g, 'ADDRESS'.padEnd(16));
const header = 'PID: 5        TASK: ADDRESS           CPU: 0    COMMAND: "app"\n';
const whole = `${header}       MM               PGD          RSS    TOTAL_VM\nADDRESS           ADDRESS             4k      20k   \n`;
const columns = '      VMA           START       END     FLAGS FILE\n';

describe('wrong usage', () => {
  for (const words of [['-f', 'zz'], ['-p', '-m'], ['-v', '-R', '1'], ['77']]) {
    test(`vm ${words.join(' ')}`, () => assert.throws(() => new World().run(...words), UsageError));
  }
});

describe('vm', () => {
  test('every VMA with its file; the path made safe', () => {
    assert.equal(
      masked(new World().run('5')),
      `${whole}${columns}ADDRESS              400000     403000 8000075 /tmp/lib.so\nADDRESS              500000     502000 100073 \n`,
    );
    assert.match(new World('l\x1b.so').run('5'), /l\\x1b\.so/);
  });

  test('a kernel thread has none', () => {
    assert.equal(
      masked(new World().run('2')),
      'PID: 2        TASK: ADDRESS           CPU: 0    COMMAND: "kthreadd"\n       MM               PGD          RSS    TOTAL_VM\n       0                 0            0k       0k   \n',
    );
  });

  test('pages: in memory, in a file, on swap, nowhere', () => {
    const world = new World();
    world.entry(0x101, ~(7n << 9n) & 0x7ff_ffff_ffff_fe00n);
    assert.equal(
      masked(world.run('-p', '5')),
      [
        `${whole}${columns}ADDRESS              400000     403000 8000075 /tmp/lib.so`,
        'VIRTUAL     PHYSICAL ',
        '400000      FILE: /tmp/lib.so  OFFSET: 2000',
        '401000        7654000',
        '402000      FILE: /tmp/lib.so  OFFSET: 4000',
        `${columns}ADDRESS              500000     502000 100073 `,
        'VIRTUAL     PHYSICAL ',
        '500000        8001000',
        '501000      SWAP: (unknown)  OFFSET: 7',
        '',
      ].join('\n'),
    );
    world.entry(0x101, 0xffff_ffff_ffff_f600n);
    assert.match(world.run('-p', '5'), /^501000 {6}\(type 31, offset 4\)$/m);
    assert.match(new World().run('-p', '5'), /^501000 {6}\(not mapped\)$/m);
  });

  test('pages of one VMA; one that the process has not', () => {
    const world = new World();
    const text = world.run('-P', world.heap.address.toString(16), '5');
    assert.match(text, /500000 {8}8001000\n/);
    assert.doesNotMatch(text, /lib\.so|400000/);
    assert.match(world.run('-P', world.mm.address.toString(16), '5'), /\(not found\)\n$/);
  });

  test('references: by path, VMA, flags, physical address, offset in the file; none for what is not there', () => {
    const world = new World();
    const found = (word: string) => masked(world.run('-R', word, '5')).replace(whole, '');
    const library = `${columns}ADDRESS              400000     403000 8000075 /tmp/lib.so\n`;
    assert.equal(found('lib'), library);
    assert.equal(found(world.library.address.toString(16)), library);
    assert.equal(found('8000075'), library);
    assert.equal(found('7654000'), `${library}VIRTUAL     PHYSICAL \n401000        7654000\n`);
    assert.equal(found('4000'), `${library}VIRTUAL     PHYSICAL \n402000      FILE: /tmp/lib.so  OFFSET: 4000\n`);
    assert.equal(found(world.mm.address.toString(16)), '');
    assert.equal(world.run('-R', 'nosuch', '5'), '');
  });

  test('the mm of a task that has left its own', () => {
    const world = new World();
    assert.match(world.run('-M', world.mm.address.toString(16), '2'), /lib\.so/);
  });

  test('structs', () => {
    const world = new World();
    assert.match(world.run('-m', '5'), /^struct mm_struct \{\n {2}total_vm = 5,$/m);
    assert.match(world.run('-v', '-x', '5'), /vm_start = 0x400000,.*vm_start = 0x500000,/s);
  });

  test('names of flags', () => {
    assert.equal(new World().run('-f', '8000075'), '8000075: (READ|EXEC|MAYREAD|MAYWRITE|MAYEXEC|SOFTDIRTY)\n');
  });

  test('a page table that is not in the dump: where its pages are is unknown', () => {
    const world = new World();
    world.kernel.space.lose(world.table);
    const { text, faults } = runCommand(vm, world.context, ['-p', '5']);
    assert.match(text, /^400000 {6}\(unknown\)$/m);
    assert.match(faults[0]!.message, /PTE table/);
  });
});
