// search: a hit that is missed, or that is where nothing is, sends people the wrong way.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { search } from '../../src/commands/memory/search.ts';
import { CommandKernel, lines } from '../support/command_kernel.ts';

function machine() {
  const kernel = new CommandKernel(`
    struct list_head { struct list_head *next, *prev; };
    struct vm_struct { struct vm_struct *next; void *addr; u64 size; u64 flags; void *pages; unsigned int nr_pages; u64 phys_addr; void *caller; };
    struct vmap_area { u64 va_start; u64 va_end; struct list_head list; struct vm_struct *vm; };
    struct words { u64 w[1024]; };
  `);
  const words = kernel.allocate('struct words', 'words');
  const areas = kernel.allocate('struct list_head', 'vmap_area_list');
  kernel.link(areas.address);
  return { kernel, at: words.address, areas };
}

const found = (kernel: CommandKernel, line: string): string[] => lines(kernel.run(search, line));

describe('search, wrong usage', () => {
  const { kernel } = machine();
  for (const line of [
    '',
    '-k -p 1',
    '-m zz 1',
    '-w 100000000',
    '-h 12345',
    '-s words+8 -e words 1',
    '-c -w x',
    '-e words -l 8 1',
    '-x 0 1',
  ]) {
    test(`"${line}" is refused`, () => assert.throws(() => kernel.run(search, line), UsageError));
  }
  test('an unknown symbol is named', () => assert.throws(() => kernel.run(search, 'nosuch'), NotFoundError));
});

describe('search', () => {
  test('words, at multiples of their size only', () => {
    const { kernel, at } = machine();
    kernel.space.words(at + 0x10n, 0xdead_beefn, 0xffff_ffff_dead_beefn);
    kernel.space.write(at + 0x44n, Buffer.from('efbeadde00000000', 'hex'));
    const hits = (line: string) => found(kernel, `-s words -l 2000 ${line}`).map((l) => l.trim());
    assert.deepEqual(hits('deadbeef'), [`${(at + 0x10n).toString(16)}: 00000000deadbeef`]);
    assert.equal(hits('-w deadbeef').length, 3);
    assert.equal(hits('-h dead').length, 3);
    assert.equal(hits('-m ffffffff00000000 deadbeef').length, 2);
  });
  test('a symbol, a sum in parentheses, and several values at once', () => {
    const { kernel, at } = machine();
    kernel.space.words(at + 0x80n, at + 8n, 7n, at);
    assert.deepEqual(
      found(kernel, '-s words -l 2000 words (words+8)').map((l) => l.split(':')[0]),
      [at + 0x80n, at + 0x90n].map((n) => n.toString(16)),
    );
  });
  test('context: the words around each hit, as many on both sides', () => {
    const { kernel, at } = machine();
    kernel.space.words(at + 0x10n, 1n, 2n, 0xfeedn, 3n);
    assert.deepEqual(
      found(kernel, '-s words -l 2000 -x 1 feed').filter((l) => l !== ''),
      [
        `${(at + 0x18n).toString(16)}:  0000000000000002                    ........`,
        `${(at + 0x20n).toString(16)}:  000000000000feed `,
        `${(at + 0x28n).toString(16)}:  0000000000000003                    ........`,
      ],
    );
  });
  test('strings, across pages too; what is not printable cannot come out', () => {
    const { kernel, at } = machine();
    kernel.space.write(at + 0xffcn, Buffer.from('needle\x1b[31m and more', 'latin1'));
    const [line, ...more] = found(kernel, '-s words -e words+0x1800 -c needle');
    assert.match(line ?? '', new RegExp(`^${(at + 0xffcn).toString(16)}: needle\\.\\[31m and more\\.+$`));
    assert.deepEqual(more, []);
  });
  test('a hole is stepped over, and the range ends where it is said to', () => {
    const { kernel, at } = machine();
    kernel.space.words(at + 0x8n, 0xabcdn);
    kernel.space.words(at + 0x1008n, 0xabcdn);
    kernel.space.exclude(at);
    assert.deepEqual(found(kernel, '-s words -l 4104 abcd'), []);
    assert.equal(found(kernel, '-s words -l 4112 abcd').length, 1, 'a length is decimal');
    assert.equal(found(kernel, '-s words -l 0x1010 abcd').length, 1);
  });
  test('all of kernel memory: by every address that a page is mapped at', () => {
    const { kernel, at, areas } = machine();
    const area = kernel.allocate('struct vmap_area');
    const vm = kernel.allocate('struct vm_struct');
    kernel.set(area, 'va_start', at);
    kernel.set(area, 'va_end', at + 0x1000n);
    kernel.set(area, 'vm', vm);
    kernel.link(areas.address, area.member('list').address);
    kernel.space.words(at + 0x18n, 0x1234_5678_9abcn);
    const hits = found(kernel, '123456789abc').map((l) => l.split(':')[0]);
    assert.ok(hits.includes((at + 0x18n).toString(16)));
    assert.deepEqual(
      found(kernel, '-V 123456789abc').map((l) => l.split(':')[0]),
      [(at + 0x18n).toString(16)],
    );
    const physical = kernel.space.translate(at) + 0x18;
    assert.deepEqual(
      found(kernel, '-p 123456789abc').map((l) => l.split(':')[0]),
      [physical.toString(16)],
    );
  });
});
