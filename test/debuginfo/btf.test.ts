import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError, InquestError, UnsupportedError } from '../../src/base/errors.ts';
import { BtfTypes } from '../../src/debuginfo/btf.ts';
import { DistilledBase } from '../../src/debuginfo/btf_distilled.ts';
import { kinds } from '../../src/debuginfo/btf_records.ts';
import { declare, definition } from '../../src/debuginfo/c_declaration.ts';
import {
  type CompoundType,
  findMember,
  offsetOf,
  sizeOf,
  strip,
  type Type,
  typeName,
} from '../../src/debuginfo/type.ts';
import { BtfWriter } from '../support/btf_writer.ts';

/** Blob with one of everything. */
function everything(): BtfWriter {
  const btf = new BtfWriter();
  const int = btf.int('int', 4, { signed: true });
  const char = btf.int('char', 1, { signed: true });
  const ulong = btf.int('long unsigned int', 8);
  const list = btf.struct('list_head', 16, [
    ['next', btf.next + 1, 0],
    ['prev', btf.next + 1, 64],
  ]);
  const listPointer = btf.pointer(list);
  const inner = btf.union('', 8, [
    ['counter', ulong, 0],
    ['other', listPointer, 0],
  ]);
  const task = btf.struct('task', 48, [
    ['pid', int, 0],
    ['on_rq', int, 32, 2],
    ['comm', btf.next + 1, 64],
    ['', inner, 192],
    ['tasks', list, 256],
  ]);
  btf.array(char, 16);
  btf.typedef('task_t', btf.qualified('const', task));
  btf.enum('state', { DEAD: 0, ALIVE: 5 });
  btf.enum('sign', { MINUS: -1, PLUS: 1 }, { signed: true });
  btf.enum64('wide', { BIG: 1n << 40n });
  btf.forward('elsewhere');
  btf.float('double', 8);
  btf.typeTag('user', int);
  btf.declTag('tag', task);
  const write = btf.function(
    'write',
    btf.prototype(
      int,
      [
        ['list', listPointer],
        ['n', ulong],
      ],
      true,
    ),
  );
  assert.ok(write > 0);
  btf.section('.data..percpu', [{ variable: btf.variable('current', listPointer), offset: 64, size: 8 }]);
  return btf;
}

function struct(types: BtfTypes, name: string): CompoundType {
  const found = types.find(name);
  assert.ok(found?.kind === 'struct' || found?.kind === 'union', `${name} is a struct`);
  return found;
}

/** Looks at everything that a type leads to, as commands would. */
function visit(types: BtfTypes): void {
  const use = (look: () => unknown) => {
    try {
      look();
    } catch (error) {
      assert.ok(error instanceof InquestError, String(error));
    }
  };
  for (let id = 0; id <= Math.min(types.end, 200); id++) {
    use(() => {
      const type = types.typeById(id);
      use(() => typeName(type));
      use(() => sizeOf(type));
      use(() => declare(type, 'x'));
      use(() => definition(type, { radix: 10 }));
      use(() => findMember(type, 'absent'));
      use(() => findMember(type, 'comm[3]'));
    });
  }
  for (const name of ['task', 'list_head', 'int', 'write', 'x']) {
    use(() => types.find(name));
    use(() => types.functionType(name));
    use(() => types.variable(name));
  }
  use(() => [...types.all()]);
  use(() => [...types.variables()]);
}

test('a blob that is not BTF is refused by one clear error', () => {
  const good = everything().bytes();
  assert.throws(() => new BtfTypes(new Uint8Array(0)), FormatError);
  assert.throws(() => new BtfTypes(new Uint8Array(64)), /magic is 0x0, expected 0xeb9f/);
  const foreign = good.slice();
  foreign.set([0xeb, 0x9f]);
  assert.throws(() => new BtfTypes(foreign), UnsupportedError);
  const long = good.slice();
  long[4] = 0xff;
  long[7] = 0xff;
  assert.throws(() => new BtfTypes(long), FormatError);
});

test('a cut blob keeps the types before the cut and says that it is damaged', () => {
  const whole = everything().bytes();
  for (let length = 24; length < whole.length; length += 7) {
    const types = new BtfTypes(whole.slice(0, length));
    assert.ok(types.problem !== null, `cut at ${length}`);
    visit(types);
  }
});

test('bytes changed at random cost types, never more than an error', () => {
  const whole = everything().bytes();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
      (changes) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) if (at >= 8) bytes[at] = value;
        visit(new BtfTypes(bytes));
      },
    ),
    { numRuns: 300 },
  );
});

test('types made of themselves are errors, not endless', () => {
  const btf = new BtfWriter();
  const pointer = btf.pointer(btf.next);
  const typedef = btf.typedef('loop', btf.next);
  const array = btf.array(btf.next, 3);
  const big = btf.next;
  btf.struct(
    'big',
    8,
    Array.from({ length: 300 }, () => ['', big, 0] as const),
  );
  const prototype = btf.prototype(0, [
    ['a', btf.next + 1],
    ['b', btf.next + 1],
  ]);
  const toPrototype = btf.pointer(prototype);
  const types = new BtfTypes(btf.bytes());
  for (const id of [pointer, typedef, array]) assert.throws(() => types.typeById(id), /made of itself/);
  assert.throws(() => findMember(types.typeById(big), 'x'), FormatError);
  assert.throws(() => declare(types.typeById(toPrototype), 'f'), FormatError);
});

test('members have names, offsets, widths and types', () => {
  const types = new BtfTypes(everything().bytes());
  const task = struct(types, 'struct task');
  assert.equal(task.size, 48);
  assert.deepEqual(
    task.members.map(({ name, bitOffset, bitSize }) => [name, bitOffset, bitSize]),
    [
      ['pid', 0, 0],
      ['on_rq', 32, 2],
      ['comm', 64, 0],
      ['', 192, 0],
      ['tasks', 256, 0],
    ],
  );
  assert.equal(offsetOf(task, 'other'), 24);
  assert.equal(offsetOf(task, 'tasks.prev'), 40);
  assert.equal(strip(findMember(task, 'tasks.next')!.type).kind, 'pointer');
});

test('bit fields of kernels before 4.20 are told by their integers', () => {
  const btf = new BtfWriter();
  const three = btf.int('unsigned int', 4, { bits: 3, offset: 4 });
  const int = btf.int('int', 4, { signed: true });
  btf.oldStruct('s', 8, [
    ['a', int, 0],
    ['b', btf.typedef('bits', three), 32],
  ]);
  const whole = btf.int('unsigned int', 4);
  const types = new BtfTypes(btf.bytes());
  const [a, b] = struct(types, 's').members;
  assert.deepEqual([a!.bitOffset, a!.bitSize, b!.bitOffset, b!.bitSize], [0, 0, 36, 3]);
  assert.equal(types.find('unsigned int'), types.typeById(whole), 'a bit field is not the type of that name');
});

test('a bare name is a struct first, and a definition before a declaration', () => {
  const btf = new BtfWriter();
  btf.forward('page');
  const int = btf.int('int', 4, { signed: true });
  btf.typedef('page', int);
  btf.enum('page', { A: 1 });
  btf.struct('page', 8, [['x', int, 0]]);
  btf.union('mm', 4, [['x', int, 0]]);
  btf.enum('color', {});
  btf.enum('color', { RED: 1 });
  const types = new BtfTypes(btf.bytes());
  assert.deepEqual(
    types.findAll('page').map(({ kind }) => kind),
    ['struct', 'enum', 'typedef', 'incomplete'],
  );
  assert.equal(types.find('page')!.kind, 'struct');
  assert.equal(types.find('enum page')!.kind, 'enum');
  assert.equal(types.find('union page'), null);
  assert.equal(types.find('struct mm'), null);
  assert.equal(types.find('  union   mm ')!.kind, 'union');
  assert.equal(types.find('color')!.kind, 'enum');
});

test('base types are found by every spelling and named as gdb names them', () => {
  const btf = new BtfWriter();
  btf.int('long unsigned int', 8);
  btf.int('short int', 2, { signed: true });
  btf.int('long long int', 8, { signed: true });
  btf.int('_Bool', 1, { bool: true });
  const types = new BtfTypes(btf.bytes());
  for (const name of ['unsigned long', 'long unsigned int', 'unsigned long int', 'long unsigned']) {
    assert.equal(typeName(types.find(name)!), 'unsigned long', name);
  }
  assert.equal(typeName(types.find('short')!), 'short');
  assert.equal(typeName(types.find('long long')!), 'long long');
  const bool = types.find('_Bool');
  assert.ok(bool?.kind === 'int' && bool.encoding === 'bool');
});

test('enumerators keep their signs in every form', () => {
  const values = (types: BtfTypes, name: string) => {
    const type = types.find(name);
    assert.equal(type?.kind, 'enum');
    return type.values.map(({ value }) => value);
  };
  const types = new BtfTypes(everything().bytes());
  assert.deepEqual(values(types, 'sign'), [-1n, 1n]);
  assert.deepEqual(values(types, 'wide'), [1n << 40n]);
  const unsigned = everything();
  unsigned.enum('flags', { TOP: 0x8000_0000 });
  assert.deepEqual(values(new BtfTypes(unsigned.bytes()), 'flags'), [0x8000_0000n]);
  // before 6.0 no enum said that it is signed, and all were
  const old = new BtfWriter();
  old.enum('sign', { MINUS: -1, PLUS: 1 });
  assert.deepEqual(values(new BtfTypes(old.bytes()), 'sign'), [-1n, 1n]);
});

test('variables and functions are found by name', () => {
  const types = new BtfTypes(everything().bytes());
  const current = types.variable('current');
  assert.deepEqual([current?.section, current?.offset, current?.size], ['.data..percpu', 64, 8]);
  assert.equal(declare(types.functionType('write')!, 'write'), 'int write(struct list_head *, unsigned long, ...)');
  assert.equal(types.functionType('read'), null);
  assert.equal(types.find('write'), null, 'a function is no type');
});

test('headers and kinds of the future are stepped over as far as the blob tells how', () => {
  const btf = everything();
  assert.ok(new BtfTypes(btf.bytes(new Uint8Array(16))).find('task') !== null, 'longer header');
  btf.record('new', 30, 3, false, 0, [1, 2, 3]);
  btf.struct('behind', 8);
  const plain = new BtfTypes(btf.bytes());
  assert.match(plain.problem!.message, /unknown kind 30/);
  assert.ok(plain.find('task') !== null);

  // a table of kinds behind the strings: bytes after the head, bytes for each of the count
  const extra = new Uint8Array(8);
  const blob = btf.bytes(extra);
  const view = new DataView(blob.buffer);
  view.setUint32(24, blob.length - 32, true);
  view.setUint32(28, 31 * 4, true);
  const table = new Uint8Array(31 * 4);
  table.set([0, 4], 30 * 4);
  const told = new BtfTypes(new Uint8Array(Buffer.concat([blob, table])));
  assert.equal(told.problem, null);
  assert.equal(struct(told, 'behind').size, 8);
});

test('control characters in names do not come through', () => {
  const btf = new BtfWriter();
  const id = btf.struct('a\x1b[2Jb', 4);
  assert.equal(typeName(new BtfTypes(btf.bytes()).typeById(id)), 'struct a\\x1b[2Jb');
});

test("a module's types go on from the kernel's", () => {
  const kernel = everything();
  const module = new BtfWriter(kernel);
  const list = new BtfTypes(kernel.bytes());
  const task = module.struct('item', 24, [
    ['pid', 1, 0],
    ['link', 4, 64],
  ]);
  module.struct('task', 8, [['mine', 1, 0]]);
  module.function('item_write', module.prototype(1, [['item', module.pointer(task)]]));
  const types = new BtfTypes(module.bytes(), list);
  assert.equal(offsetOf(types.find('item')!, 'link.prev'), 16);
  assert.equal(typeName(types.find('list_head')!), 'struct list_head');
  assert.equal(sizeOf(types.find('task')!), 8, "the module's own struct of a name that the kernel has, too");
  assert.equal(types.findAll('task').length, 2);
  assert.equal(list.find('item'), null);
  assert.deepEqual([...types.own()].map(typeName), ['struct item', 'struct task']);
  assert.ok(types.variable('current') !== null);
  assert.equal(declare(types.functionType('item_write')!, 'f'), 'int f(struct item *)');
  visit(types);
});

test("a module's distilled base is matched with the running kernel's types by name and size", () => {
  const distilled = new BtfWriter();
  const int = distilled.int('int', 4, { signed: true });
  const task = distilled.struct('task', 48);
  const gone = distilled.struct('gone', 12);
  const module = new BtfWriter(distilled);
  module.struct('item', 80, [
    ['id', int, 0],
    ['owner', task, 64],
    ['old', gone, 448],
    ['tasks', module.pointer(task), 576],
  ]);
  const kernel = new BtfTypes(everything().bytes());
  const types = new BtfTypes(module.bytes(), new DistilledBase(distilled.bytes(), kernel));
  const item = types.find('item')!;
  assert.equal(offsetOf(item, 'owner.tasks.prev'), 8 + 40, 'members come from the kernel');
  assert.equal(sizeOf(findMember(item, 'old')!.type), 12, 'what the kernel no longer has keeps its size');
  assert.equal(types.find('list_head'), kernel.find('list_head'));
  visit(types);
});

test('whatever structs are written are read back', () => {
  const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,12}$/);
  const member = fc.record({ name, bits: fc.integer({ min: 0, max: 31 }) });
  const shape = fc.uniqueArray(fc.record({ name, members: fc.array(member, { maxLength: 8 }) }), {
    selector: (s) => s.name,
    maxLength: 40,
  });
  fc.assert(
    fc.property(shape, (shapes) => {
      const btf = new BtfWriter();
      const int = btf.int('unsigned int', 4);
      for (const { name, members } of shapes) {
        btf.struct(
          name,
          members.length * 4,
          members.map((m, i) => [m.name, int, i * 32, m.bits] as const),
        );
      }
      const types = new BtfTypes(btf.bytes());
      for (const { name, members } of shapes) {
        const found: Type = types.find(`struct ${name}`)!;
        assert.equal(found.kind, 'struct');
        assert.deepEqual(
          found.members.map((m) => [m.name, m.bitOffset, m.bitSize]),
          members.map((m, i) => [m.name, i * 32, m.bits]),
        );
      }
      assert.equal([...types.all()].length, shapes.length + 1);
      assert.equal(types.find('no such name'), null);
    }),
  );
});

test('every kind that the writer knows is a kind that the reader knows', () => {
  const types = new BtfTypes(everything().bytes());
  assert.equal(types.problem, null);
  assert.throws(() => types.typeById(types.end), FormatError);
  assert.throws(() => types.typeById(types.end - 1), /is no type/);
  assert.equal(Object.keys(kinds).length, 19);
});
