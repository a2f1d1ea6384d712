// struct, union, *: definitions and objects, in crash(8)'s layout, and what cannot be had of them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MemoryFault, NotFoundError, UsageError } from '../../src/base/errors.ts';
import { toJson } from '../../src/commands/command.ts';
import { interpretUnknown } from '../../src/commands/session/fallback.ts';
import { pointerTo, struct, union } from '../../src/commands/types/struct.ts';
import { CommandKernel, lines } from '../support/command_kernel.ts';

const declarations = `
  struct list_head { struct list_head *next, *prev; };
  union both { int whole; char parts[4]; };
  typedef int number_t;
  struct load { u64 weight; u32 inverse; };
  struct item {
    int id; char name[8]; struct list_head link; unsigned on : 1; unsigned off : 3;
    struct item *parent; char *label; void *data;
    union { u64 wide; struct { u32 low; u32 high; }; };
    u64 load[3];
  };
  struct big { char fill[4088]; u64 last; u64 over; };
`;

function machine() {
  const kernel = new CommandKernel(declarations, [0n, 0x10000n]);
  const item = kernel.allocate('struct item', 'first_item');
  kernel.set(item, 'id', -1);
  kernel.set(item, 'name', 'abc');
  kernel.set(item, 'link.next', item.address + 16n);
  kernel.set(item, 'off', 5);
  kernel.set(item, 'wide', 0x1234_0000_5678n);
  return { kernel, item, hex: item.address.toString(16) };
}

describe('struct, wrong usage', () => {
  const { kernel } = machine();
  const refused: [line: string, error: typeof UsageError | typeof NotFoundError][] = [
    ['', UsageError],
    ['-z item', UsageError],
    ['item first_item 1 2', UsageError],
    ['item first_item 0', UsageError],
    ['item first_item -2', UsageError],
    ['item first_item x', UsageError],
    ['both', UsageError],
    ['nosuch', NotFoundError],
    ['nosuch 0', NotFoundError],
    ['item.nosuch first_item', NotFoundError],
    ['item nosuch', NotFoundError],
    ['item -l item.nosuch first_item', NotFoundError],
    ['item -l item first_item', UsageError],
  ];
  for (const [line, error] of refused) {
    test(`"${line}" is refused`, () => assert.throws(() => kernel.run(struct, line), error));
  }
  test('a struct is no union', () => assert.throws(() => kernel.run(union, 'item'), UsageError));
});

describe('struct, memory that is not there', () => {
  test('nothing of it: an error that says why', () => {
    const { kernel, item } = machine();
    kernel.space.exclude(item.address);
    assert.throws(
      () => kernel.run(struct, 'item first_item'),
      (e) => e instanceof MemoryFault && e.reason === 'excluded',
    );
  });
  test('a part of it: the rest is shown', () => {
    const { kernel } = machine();
    const big = kernel.allocate('struct big', 'big');
    kernel.set(big, 'last', 7);
    kernel.space.exclude(big.address + 4096n);
    const output = kernel.run(struct, 'big.last,over big');
    assert.deepEqual(lines(output).slice(0, 1), ['  last = 7,']);
    assert.equal(output.faults[0]?.reason, 'excluded');
  });
  test('of several members, one that this kernel lacks costs itself alone', () => {
    const { kernel } = machine();
    const output = kernel.run(struct, 'item.id,nosuch,on first_item');
    assert.deepEqual(lines(output), ['  id = -1,', '  on = 0,']);
    assert.match(output.faults[0]!.message, /nosuch/);
  });
  test('an array that runs into a hole shows what is before it', () => {
    const { kernel } = machine();
    const bytes = kernel.reserve(8192);
    kernel.space.exclude(bytes + 4096n);
    const output = kernel.run(struct, `list_head ${(bytes + 4064n).toString(16)} 4`);
    assert.equal(output.text.match(/struct list_head/g)?.length, 2);
    assert.equal(output.faults.length, 1);
  });
});

describe('struct, definitions', () => {
  const { kernel } = machine();
  test('members in order, with the size', () => {
    assert.deepEqual(lines(kernel.run(struct, 'load')), [
      'struct load {',
      '    u64 weight;',
      '    u32 inverse;',
      '}',
      'SIZE: 16',
    ]);
  });
  test('-o has offsets', () => {
    assert.deepEqual(lines(kernel.run(struct, '-o load')).slice(1, 3), ['   [0] u64 weight;', '   [8] u32 inverse;']);
  });
  test('a member, and a path into one', () => {
    assert.deepEqual(lines(kernel.run(struct, 'item.name')), ['struct item {', '   [4] char name[8];', '}']);
    assert.match(kernel.run(struct, 'item.link.prev').text, /^struct item \{\n {2}\[24\] .*\*link\.prev;\n\}\n$/);
  });
  test('-x has sizes in hexadecimal', () => assert.match(kernel.run(struct, '-x list_head').text, /SIZE: 0x10\n$/));
  test('* gives typedefs and unions, too', () => {
    assert.equal(kernel.run(pointerTo, 'number_t').text, 'typedef int number_t;\nSIZE: 4\n');
    assert.match(kernel.run(pointerTo, 'both').text, /^union both \{/);
  });
  test('JSON has every member with its offset', () => {
    const data = JSON.parse(toJson(kernel.run(struct, 'item').data)) as {
      size: number;
      members: { name: string; offset: number }[];
    };
    assert.equal(data.members.find(({ name }) => name === 'link')?.offset, 16);
  });
});

describe('struct, objects', () => {
  const { kernel, item, hex } = machine();
  test('values as gdb writes them', () => {
    assert.deepEqual(lines(kernel.run(struct, 'list_head first_item+0x10')), [
      'struct list_head {',
      `  next = 0x${(item.address + 16n).toString(16)} <first_item+16>,`,
      '  prev = 0x0',
      '}',
    ]);
  });
  test('members, paths, elements, bit fields, members of what has no name', () => {
    assert.deepEqual(lines(kernel.run(struct, 'item.id,name,link.prev,load[1],off first_item')), [
      '  id = -1,',
      '  name = "abc\\000\\000\\000\\000",',
      '  link.prev = 0x0',
      '  load[1] = 0,',
      '  off = 5,',
    ]);
    assert.match(kernel.run(struct, 'item.high first_item').text, /high = 4660/);
  });
  test('-x and -d choose the radix', () => {
    assert.equal(kernel.run(struct, 'item.off -x first_item').text, '  off = 0x5,\n');
    kernel.context.variables.set('radix', '16');
    assert.equal(kernel.run(struct, 'item.off -d first_item').text, '  off = 5,\n');
    kernel.context.variables.set('radix', '10');
  });
  test('several of an array, a blank line between; -c counts backwards', () => {
    const second = `${(item.address + 16n).toString(16)}`;
    const ahead = kernel.run(struct, `-o list_head.next ${hex} 2`).text;
    assert.equal(kernel.run(struct, `-o list_head.next -c -2 ${second}`).text, ahead);
    assert.match(ahead, new RegExp(`\\[${hex}\\][^]*\\n\\n[^]*\\[${second}\\]`));
  });
  test('-l goes from an embedded member to the whole', () => {
    for (const offset of ['item.link', '16', '0x10']) {
      assert.equal(kernel.run(struct, `item.id -l ${offset} first_item+16`).text, '  id = -1,\n');
    }
  });
  test('-r is memory as words', () => {
    assert.match(
      kernel.run(struct, '-r list_head first_item').text,
      new RegExp(`^${hex}:  [0-9a-f]{16} [0-9a-f]{16}   `),
    );
  });
  test('-p says what pointers point to', () => {
    const label = kernel.reserve(16);
    kernel.space.write(label, Buffer.from('a label\0'));
    const other = kernel.allocate('struct item', 'other');
    kernel.set(other, 'label', label);
    kernel.set(other, 'parent', item);
    kernel.set(other, 'data', 0x5555n);
    const text = kernel.run(struct, '-p item.parent,label,data,id other').text;
    assert.match(text, /^ {2}.*item \*parent = 0x\w+\n {2}-> <first_item> \{\n {7}id = -1,\n/);
    assert.match(text, /\n {5}\}\n {2}char \*label = 0x\w+\n {2}-> "a label"\n/);
    assert.match(text, /\n {2}void \*data = 0x5555\n {2}-> \(unknown target type\)\n {2}id = 0,\n$/);
    assert.match(kernel.run(struct, '-p item.parent first_item').text, /= 0x0\n {2}-> NULL\n$/);
  });
  test('-p of the whole has what has no name, too; of a struct inside, nothing is followed', () => {
    const text = kernel.run(struct, '-p item first_item').text;
    assert.match(text, /\n {2}\{\n {4}wide = \d+,\n {4}\{\n {6}low = \d+,\n/);
    assert.match(kernel.run(struct, '-p item.link.next first_item').text, /^ {2}link\.next = 0x\w+.*\n$/);
  });
  test('each CPU has its own object', () => {
    kernel.define('__per_cpu_start', 0x1000n);
    kernel.define('__per_cpu_end', item.address + 0x1000n);
    kernel.space.map(item.address + 0x10000n, 256);
    assert.match(
      kernel.run(struct, 'item.id first_item:a').text,
      new RegExp(`^\\[0\\]: ${hex}\\n {2}id = -1,\\n\\[1\\]: .*\\n {2}id = 0,\\n$`),
    );
    assert.throws(() => kernel.run(struct, 'item.id first_item'), /first_item:a/);
    assert.throws(() => kernel.run(struct, 'item.id first_item:7'), UsageError);
  });
});

describe('struct, as data', () => {
  test('JSON is a tree of values: 64-bit ones as text, pointers too', () => {
    const { kernel, item } = machine();
    const output = kernel.run(struct, 'item first_item');
    const data = JSON.parse(toJson(output.data)) as {
      objects: { object: { value: { id: number; name: string; low: number; link: object; load: number[] } } }[];
    };
    const value = data.objects[0]?.object.value;
    assert.equal(value?.id, -1);
    assert.equal(value?.name, 'abc');
    assert.equal(value?.low, 0x5678);
    assert.deepEqual(value?.link, { next: `0x${(item.address + 16n).toString(16)}`, prev: '0x0' });
    assert.deepEqual(value?.load, [0, 0, 0]);
    assert.equal(toJson(output.data).includes('struct item {'), false);
  });
});

describe('words that are no command', () => {
  const { kernel } = machine();
  kernel.define('list_head_cache', 0xffff_8880_0100_0000n);
  const meaning = (line: string) => interpretUnknown(kernel.context, line.split(' '));
  test('a symbol is printed, a type shown', () => {
    assert.deepEqual(meaning('first_item'), { name: 'p', args: ['first_item'] });
    assert.deepEqual(meaning('first_item.id'), { name: 'p', args: ['first_item.id'] });
    assert.deepEqual(meaning('item.id first_item 2'), { name: '*', args: ['item.id', 'first_item', '2'] });
    assert.deepEqual(meaning('number_t'), { name: '*', args: ['number_t'] });
    assert.deepEqual(meaning('p/x first_item.id'), { name: 'p', args: ['--format', 'x', 'first_item.id'] });
  });
  test("gdb's print tells no names", () => {
    assert.deepEqual(meaning('print first_item.id'), { name: 'p', args: ['--format', 's', 'first_item.id'] });
  });
  test('any other is not', () => {
    for (const line of ['nosuch', '', '-x', '.', '12', 'int']) assert.equal(meaning(line), null);
  });
});

test('no line of options and words makes struct fail in any way but an error that it knows', () => {
  const { kernel } = machine();
  const word = fc.constantFrom(
    'item',
    'item.id',
    'item.load[2]',
    'item.load[99]',
    'first_item',
    'first_item:a',
    '-o',
    '-x',
    '-p',
    '-r',
    '-l',
    '-c',
    '-2',
    '3',
    'both',
    '0',
    'ffff',
    '-oxpr',
    'item.',
    '.id',
    'item..id',
    ':',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      try {
        kernel.run(struct, words.join(' '));
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
