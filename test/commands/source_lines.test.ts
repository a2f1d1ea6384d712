// What commands add where debug information of the code is there: made here of a few entries, for code of a synthetic kernel.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { VirtAddr } from '../../src/base/address.ts';
import { NotFoundError } from '../../src/base/errors.ts';
import { dis } from '../../src/commands/code/dis.ts';
import { sym } from '../../src/commands/code/sym.ts';
import { mod } from '../../src/commands/system/mod.ts';
import { sys } from '../../src/commands/system/sys.ts';
import { whatis } from '../../src/commands/types/whatis.ts';
import { DwarfFile } from '../../src/debuginfo/dwarf/dwarf_file.ts';
import { DwarfInfo } from '../../src/debuginfo/dwarf/dwarf_info.ts';
import { ElfFile } from '../../src/debuginfo/elf/elf_file.ts';
import { CommandKernel } from '../support/command_kernel.ts';
import { tempDirectory } from '../support/dump_writers/temp_files.ts';
import { DwarfWriter, entry } from '../support/dwarf_writer.ts';
import { memoryFile } from '../support/elf_writer.ts';

/** nop; nop; ret, of lines 10, 11 and 12 of fs/a.c. */
function kernelWithLines(file = 'fs/a.c'): { kernel: CommandKernel; run: VirtAddr } {
  const kernel = new CommandKernel('struct page { unsigned long flags; unsigned long next; };');
  const run = kernel.code('run', '90 90 c3');
  const writer = new DwarfWriter();
  const rows = [
    [run, 1, 10],
    [run + 1n, 1, 11],
    [run + 2n, 1, 12],
    [run + 3n, null],
  ] as const;
  const stmtList = {
    section: writer.lines(
      ['/build'],
      [
        [file, 0],
        [file, 0],
      ],
      [...rows],
    ),
  };
  writer.unit(
    [
      entry('baseType', { name: 'int', byteSize: 4, encoding: 5 }, [], 'int'),
      entry('subprogram', { name: 'run', prototyped: true, type: { ref: 'int' }, lowPc: { address: run }, highPc: 3 }, [
        entry('formalParameter', { name: 'fd', type: { ref: 'int' } }),
      ]),
      entry('variable', {
        name: 'some_global',
        type: { ref: 'int' },
        location: { expression: [3, 0, 0, 0, 0, 0, 0, 0, 1] },
      }),
      entry('structureType', { name: 'elsewhere', byteSize: 8 }, [
        entry('member', { name: 'page', type: { ref: 'pointer' }, dataMemberLocation: 0 }),
      ]),
      entry('structureType', { name: 'page', declaration: true }, [], 'page'),
      entry('pointerType', { byteSize: 8, type: { ref: 'page' } }, [], 'pointer'),
    ],
    { compDir: '/build', stmtList, lowPc: { address: run }, highPc: 3 },
  );
  kernel.addDebugInfo(new DwarfInfo(new DwarfFile(new ElfFile(memoryFile(writer.elf()))), 'vmlinux', 0n));
  return { kernel, run };
}

function sourceTree(t: TestContext, path: string, lines: number): string {
  const dir = tempDirectory(t);
  mkdirSync(join(dir, path, '..'), { recursive: true });
  writeFileSync(join(dir, path), Array.from({ length: lines }, (_, i) => `line ${i + 1}\n`).join(''));
  return dir;
}

describe('dis and sym with lines', () => {
  test('dis -l puts each line above the code that comes from it', () => {
    const { kernel, run } = kernelWithLines();
    const at = (offset: number): string => (run + BigInt(offset)).toString(16);
    assert.equal(
      kernel.run(dis, '-l run').text,
      `/build/fs/a.c: 10
0x${at(0)} <run>:\tnop
/build/fs/a.c: 11
0x${at(1)} <run+1>:\tnop
/build/fs/a.c: 12
0x${at(2)} <run+2>:\tret
`,
    );
  });

  test('dis -s shows the line with those around it, or says that the source is not there', (t) => {
    const { kernel } = kernelWithLines();
    assert.match(
      kernel.run(dis, '-s run').text,
      /^FILE: fs\/a.c\nLINE: 10\n\ndis: run: source code is not available\n/,
    );
    kernel.context.src = sourceTree(t, 'fs/a.c', 30);
    const { text } = kernel.run(dis, '-s run');
    assert.match(text, /^FILE: fs\/a.c\nLINE: 10\n\n {3}5 {2}line 5\n/);
    assert.match(text, /\n {3}9 {2}line 9\n\* 10 {2}line 10\n {2}11 {2}line 11\n/);
    assert.match(kernel.run(dis, '-s run 1').text, /\* 10 {2}line 10\n {2}11 {2}line 11\n\n$/);
  });

  test('a path in debug information does not lead out of the source tree', (t) => {
    const { kernel } = kernelWithLines('../../../etc/passwd');
    kernel.context.src = sourceTree(t, 'fs/a.c', 3);
    assert.match(kernel.run(dis, '-s run').text, /source code is not available/);
  });

  test('what escapes a terminal knows in a file name is made safe', () => {
    const { kernel } = kernelWithLines('fs/\x1b[31m.c');
    assert.match(kernel.run(dis, '-l run').text, /fs\/\\x1b\[31m\.c: 10/);
  });

  test('sym tells the line of code, and none of data', () => {
    const { kernel, run } = kernelWithLines();
    kernel.allocate('struct page', 'a_page');
    assert.match(kernel.run(sym, 'run').text, /\(t\) run \/build\/fs\/a.c: 10\n$/);
    assert.match(kernel.run(sym, (run + 1n).toString(16)).text, /run\+1 \/build\/fs\/a.c: 11\n$/);
    assert.match(kernel.run(sym, 'a_page').text, /a_page\n$/);
  });
});

describe('whatis', () => {
  test('nothing of that name, or of a type that nobody knows', () => {
    const { kernel } = kernelWithLines();
    kernel.code('hand_written', 'c3');
    assert.throws(() => kernel.run(whatis, 'nosuch'), NotFoundError);
    assert.throws(() => kernel.run(whatis, 'hand_written'), /no debug information here knows it/);
    assert.throws(() => kernel.run(whatis, '-r twelve'), /invalid size or range/);
    assert.throws(() => kernel.run(whatis, '-r 12 page'));
    assert.throws(() => kernel.run(whatis, ''));
  });

  test('an array is as long as it is, a text has no length', () => {
    const { kernel } = kernelWithLines();
    kernel.define('__per_cpu_offset', 0xffff_8880_0000_0000n, 64);
    kernel.define('linux_banner', 0xffff_8880_0000_1000n, 64);
    assert.equal(kernel.run(whatis, '__per_cpu_offset').text, 'unsigned long __per_cpu_offset[8];\n');
    assert.equal(kernel.run(whatis, 'linux_banner').text, 'const char linux_banner[];\n');
  });

  test('sizes are in the session’s radix', () => {
    const { kernel } = kernelWithLines();
    kernel.context.variables.set('radix', '16');
    assert.match(kernel.run(whatis, '-o struct page').text, /\[0x8\] unsigned long next;\n\}\nSIZE: 0x10\n$/);
  });

  test('types, variables and functions', () => {
    const { kernel } = kernelWithLines();
    assert.equal(
      kernel.run(whatis, 'page').text,
      'struct page {\n    unsigned long flags;\n    unsigned long next;\n}\nSIZE: 16\n',
    );
    assert.match(kernel.run(whatis, '-o struct page').text, /\[8\] unsigned long next;/);
    assert.equal(kernel.run(whatis, 'run').text, 'int run(int);\n');
    assert.equal(kernel.run(whatis, 'some_global').text, 'int some_global;\n');
    kernel.code('run', 'c3');
    assert.equal(kernel.run(whatis, '&run').text, 'int (*)(int)\n', 'of an expression its type');
  });

  test('searches by size and by what is contained', () => {
    const { kernel } = kernelWithLines();
    const all = kernel.run(whatis, '-r 1-64').text;
    for (const line of ['   2  u16', '   4  unsigned int', '   8  elsewhere', '  16  page'])
      assert.ok(all.split('\n').includes(line), line);
    assert.equal(kernel.run(whatis, '-r 16').text, 'SIZE  TYPE\n  16  __int128\n  16  page\n  16  unsigned __int128\n');
    assert.equal(kernel.run(whatis, '-m page -r 0-8').text, 'SIZE  TYPE\n   8  elsewhere\n');
    assert.equal(kernel.run(whatis, '-r 4000').text, '');
  });
});

describe('mod without files', () => {
  test('a session without files says so, and names a module that is not loaded', () => {
    const { kernel } = kernelWithLines();
    assert.throws(() => kernel.run(mod, '-s widget'), /module not found: widget/);
    assert.throws(() => kernel.run(mod, '-s widget -D'), /exclude each other/);
    assert.throws(() => kernel.run(mod, 'widget.ko'));
  });
});

test('sys -c has the line of each system call, with .. for the folder that the kernel was built in', () => {
  const { kernel, run } = kernelWithLines();
  const other = kernel.code('other', 'c3');
  const table = kernel.allocate('struct page', 'sys_call_table'); // two words
  kernel.set(table, 'flags', run);
  kernel.set(table, 'next', other);
  assert.equal(
    kernel.run(sys, '-c').text,
    `NUM  SYSTEM CALL                FILE AND LINE NUMBER
  0  run                        ../fs/a.c: 10
  1  other
`,
  );
});
