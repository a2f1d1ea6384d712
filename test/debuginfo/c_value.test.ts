import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { virtAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import { BtfTypes } from '../../src/debuginfo/btf.ts';
import { charLiteral, stringLiteral } from '../../src/debuginfo/c_string.ts';
import { readValue, type ValueReading } from '../../src/debuginfo/c_value.ts';
import * as draw from '../../src/debuginfo/c_value_text.ts';
import { KernelObject } from '../../src/debuginfo/object.ts';
import { findMember, type Type } from '../../src/debuginfo/type.ts';
import { BtfWriter } from '../support/btf_writer.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const base = 0xffff_8880_0000_0000n;

/** How values are read and shown. */
type ValueStyle = ValueReading & draw.ValueStyle;

const valueText = (object: KernelObject, style: ValueStyle): string => draw.valueText(readValue(object, style), style);
const printText = (object: KernelObject, style: ValueStyle): string =>
  draw.printText(object.type, readValue(object, style), style);
const memberText = (object: KernelObject, path: string, style: ValueStyle): string | null =>
  findMember(object.type, path) === null
    ? null
    : draw.memberText(object.type, path, readValue(object.member(path), style), style);

function types(): BtfTypes {
  const btf = new BtfWriter();
  const int = btf.int('int', 4, { signed: true });
  const unsigned = btf.int('unsigned int', 4);
  const long = btf.int('long unsigned int', 8);
  const char = btf.int('char', 1, { signed: true });
  const u8 = btf.typedef('u8', btf.int('unsigned char', 1));
  const bool = btf.typedef('bool', btf.int('_Bool', 1, { bool: true }));
  btf.int('__int128 unsigned', 16);
  btf.float('double', 8);
  const list = btf.struct('list_head', 16, [
    ['next', btf.next + 1, 0],
    ['prev', btf.next + 1, 64],
  ]);
  btf.pointer(list);
  const handler = btf.pointer(btf.prototype(0, [['arg', long]]));
  const state = btf.enum('state', { DEAD: 0, ALIVE: 5, TWICE: 6 });
  const flags = btf.enum('flags', { F_READ: 1, F_WRITE: 2, F_MODE: 12 });
  const empty = btf.struct('empty', 0);
  const rcu = btf.struct('', 8, [
    ['users', int, 0],
    ['late', int, 32],
  ]);
  btf.struct('thing', 96, [
    ['pid', int, 0],
    ['mode', u8, 32],
    ['on', bool, 40],
    ['low', unsigned, 48, 3],
    ['high', int, 51, 5],
    ['comm', btf.array(char, 8), 64],
    ['link', list, 128],
    ['', rcu, 256],
    ['handler', handler, 320],
    ['state', state, 384],
    ['flags', flags, 416],
    ['nothing', empty, 448],
    ['links', btf.array(list, 2), 448],
    ['tail', btf.array(long, 0), 704],
  ]);
  btf.struct('pair', 16, [
    ['name', btf.pointer(btf.qualified('const', char)), 0],
    ['bytes', btf.pointer(u8), 64],
  ]);
  return new BtfTypes(btf.bytes());
}

class Machine {
  readonly space = new SyntheticSpace();
  readonly types = types();

  object(type: string | Type, address = base): KernelObject {
    return KernelObject.at(this, type, virtAddr(address));
  }

  array(element: string, length: number, address = base): KernelObject {
    return this.object({ kind: 'array', element: this.types.find(element)!, length }, address);
  }
}

function style(more: Partial<ValueStyle> = {}): ValueStyle {
  const symbolize = (a: bigint) =>
    a >= 0xffff_ffff_8100_0000n && a < 0xffff_ffff_8200_0000n ? `schedule+${a - 0xffff_ffff_8100_0000n}` : null;
  return { radix: 10, symbolize, ...more };
}

function thing(): { machine: Machine; object: KernelObject } {
  const machine = new Machine();
  machine.space.map(base, 4096);
  machine.space.write(base, Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x41, 1, 0b1111_1101, 0]));
  machine.space.write(base + 8n, Buffer.from('init\0\x019\0', 'latin1'));
  machine.space.words(base + 16n, base + 0x100n, 0xffff_ffff_8100_0010n, 7n | (9n << 32n), 0xffff_ffff_8100_0000n);
  machine.space.words(base + 48n, 5n | (7n << 32n));
  return { machine, object: machine.object('thing') };
}

const text = `{
  pid = -2,
  mode = 65 'A',
  on = true,
  low = 5,
  high = -1,
  comm = "init\\000\\0019",
  link = {
    next = 0xffff888000000100,
    prev = 0xffffffff81000010 <schedule+16>
  },
  {
    users = 7,
    late = 9
  },
  handler = 0xffffffff81000000 <schedule+0>,
  state = ALIVE,
  flags = (F_READ | F_WRITE | F_MODE),
  nothing = {<No data fields>},
  links = {{
      next = 0x0,
      prev = 0x0
    }, {
      next = 0x0,
      prev = 0x0
    }},
  tail = 0xffff888000000058
}`;

test('a struct is laid out as gdb lays it out, value by value', () => {
  const { object } = thing();
  assert.equal(valueText(object, style()), text);
});

test('in radix 16 integers, characters and booleans change; pointers, enums and strings do not', () => {
  const { object } = thing();
  const expected = text
    .replace('pid = -2', 'pid = 0xfffffffe')
    .replace("mode = 65 'A'", 'mode = 0x41')
    .replace('on = true', 'on = 0x1')
    .replace('low = 5', 'low = 0x5')
    .replace('high = -1', 'high = 0x1f')
    .replace('users = 7', 'users = 0x7')
    .replace('late = 9', 'late = 0x9');
  assert.equal(valueText(object, style({ radix: 16 })), expected);
});

test('in a format of gdb everything is a number: characters, pointers and enums, too', () => {
  const { object } = thing();
  const shown = (path: string, format: 'x' | 'd' | 'a'): string => valueText(object.member(path), style({ format }));
  assert.equal(shown('pid', 'x'), '0xfffffffe');
  assert.equal(shown('comm', 'd'), '{105, 110, 105, 116, 0, 1, 57, 0}', 'with the last NUL');
  assert.equal(shown('link.prev', 'x'), '0xffffffff81000010');
  assert.equal(shown('link.prev', 'a'), '0xffffffff81000010 <schedule+16>');
  assert.equal(shown('high', 'x'), '0x1f');
  assert.equal(shown('state', 'd'), '5');
  assert.equal(printText(object.member('link.prev'), style({ format: 'x' })), '0xffffffff81000010', 'without its type');
});

test('print_array has each element of an array on a line of its own', () => {
  const { object } = thing();
  assert.equal(
    valueText(object.member('links'), style({ isTall: true })),
    '{\n  {\n    next = 0x0,\n    prev = 0x0\n  },\n  {\n    next = 0x0,\n    prev = 0x0\n  }\n}',
  );
});

test('a member is printed as if cut out of the whole', () => {
  const { object } = thing();
  assert.equal(memberText(object, 'pid', style()), '  pid = -2,');
  assert.equal(memberText(object, 'users', style()), '    users = 7,');
  assert.equal(memberText(object, 'late', style()), '    late = 9');
  assert.equal(memberText(object, 'tail', style()), '  tail = 0xffff888000000058');
  assert.equal(memberText(object, 'link.prev', style()), '  link.prev = 0xffffffff81000010 <schedule+16>');
  assert.equal(memberText(object, 'link', style())?.split('\n')[1], '    next = 0xffff888000000100,');
  assert.equal(memberText(object, 'links[1].next', style()), '  links[1].next = 0x0,');
  assert.equal(memberText(object, 'absent', style()), null);
});

test('an excluded page costs the values on it and no others', () => {
  const machine = new Machine();
  const start = base + 4096n - 16n;
  machine.space.map(start, 8192);
  machine.space.words(start, 1n, 0x74_6e69n);
  machine.space.exclude(base + 4096n);
  const faults: MemoryFault[] = [];
  const lines = valueText(machine.object('thing', start), style({ onFault: (f) => faults.push(f) })).split('\n');
  assert.equal(lines[1], '  pid = 1,');
  assert.equal(lines[6], '  comm = "int\\000\\000\\000\\000",');
  assert.equal(lines[8], '    next = <unavailable>,');
  assert.equal(faults.length, 1);
  assert.equal(faults[0]!.reason, 'excluded');
  // told by the address that was asked for, not by its page's
  assert.throws(
    () => valueText(machine.object('list_head', base + 4096n + 24n), style()),
    (error) => error instanceof MemoryFault && error.address === base + 4096n + 24n,
  );
});

test('pointers to characters show the text, as far as it can be read', () => {
  const machine = new Machine();
  machine.space.write(base + 0x100n, Buffer.from('dead\n"beef"\0'));
  machine.space.write(base + 0xffcn, Buffer.from('edge'));
  machine.space.words(base, base + 0x100n, 0n);
  const pair = machine.object('pair');
  assert.equal(valueText(pair, style()), '{\n  name = 0xffff888000000100 "dead\\n\\"beef\\"",\n  bytes = 0x0\n}');
  machine.space.words(base, base + 0xffcn, 0x1234n);
  assert.equal(
    valueText(pair, style()),
    `{
  name = 0xffff888000000ffc "edge"<error: Cannot access memory at address 0xffff888000001000>,
  bytes = 0x1234 <error: Cannot access memory at address 0x1234>
}`,
  );
});

test('long arrays and strings end where print_max says', () => {
  const machine = new Machine();
  machine.space.map(base, 8192);
  machine.space.write(base, Buffer.alloc(400, 'x'));
  assert.equal(valueText(machine.array('char', 300), style()), `"${'x'.repeat(256)}"...`);
  assert.equal(valueText(machine.array('char', 4), style({ shown: 4 })), '"xxxx"');
  assert.equal(valueText(machine.array('int', 5, base + 0x800n), style({ shown: 3 })), '{0, 0, 0...}');
  assert.equal(valueText(machine.array('char', 257, base + 0x800n), style()), `"${'\\000'.repeat(256)}"`);
});

test('print names the type of a pointer, but not of char *', () => {
  const machine = new Machine();
  machine.space.words(base, base, base);
  const pair = machine.object('pair');
  assert.match(printText(pair.member('name'), style()), /^0xffff888000000000 "/);
  assert.match(printText(pair.member('bytes'), style()), /^\(u8 \*\) 0xffff888000000000 "/);
  assert.equal(printText(machine.object('thing').addressOf(), style()), '(struct thing *) 0xffff888000000000');
  assert.equal(printText(machine.array('char', 16).addressOf(), style()), '(char (*)[16]) 0xffff888000000000');
});

test('enumerators that no value has are numbers; flags are taken apart', () => {
  const machine = new Machine();
  const show = (type: string, value: bigint) => valueText(KernelObject.value(machine, type, value), style());
  assert.equal(show('enum state', 5n), 'ALIVE');
  assert.equal(show('enum state', 3n), '3');
  assert.equal(show('enum flags', 3n), '(F_READ | F_WRITE)');
  assert.equal(show('enum flags', 0n), '0');
  assert.equal(show('enum flags', 0x21n), '(F_READ | unknown: 0x20)');
  assert.equal(show('enum flags', 0x20n), '(unknown: 0x20)');
});

test('wide integers, functions and floating point', () => {
  const machine = new Machine();
  machine.space.words(base, 1n, 1n);
  assert.equal(valueText(machine.object('unsigned __int128'), style()), String((1n << 64n) + 1n));
  const bytes = Buffer.alloc(8);
  for (const [value, shown] of [
    [3.5, '3.5'],
    [1 / 3, '0.33333333333333331'],
    [-1e300, '-1.0000000000000001e+300'],
    [1e-7, '9.9999999999999995e-08'],
    [Number.NaN, 'nan(0x8000000000000)'],
  ] as const) {
    bytes.writeDoubleLE(value);
    machine.space.write(base, bytes);
    assert.equal(valueText(machine.object('double'), style()), shown);
  }
  const type: Type = { kind: 'function', returns: { kind: 'void' }, parameters: [], variadic: false };
  assert.equal(
    valueText(machine.object(type, 0xffff_ffff_8100_0000n), style()),
    '{void (void)} 0xffffffff81000000 <schedule+0>',
  );
});

test('text from memory cannot drive a terminal, and no two texts look alike', () => {
  assert.equal(charLiteral(39n), "'\\''");
  assert.equal(charLiteral(-1n), "'\\377'");
  assert.equal(stringLiteral(Buffer.from('\x1b[2J\\')), '"\\033[2J\\\\"');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const literal = stringLiteral(bytes);
      assert.match(literal, /^"[\x20-\x7e]*"$/);
      const unescaped = literal.slice(1, -1).replace(/\\([0-7]{3}|.)/g, (_, code: string) => {
        if (/^[0-7]{3}$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8));
        const named: Record<string, string> = { a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r' };
        return named[code] ?? code;
      });
      assert.deepEqual(new Uint8Array(Buffer.from(unescaped, 'latin1')), bytes);
    }),
  );
});

test('a struct that contains itself ends', () => {
  const btf = new BtfWriter();
  const loop = btf.next;
  btf.struct('loop', 8, [['again', loop, 0]]);
  const machine = { space: new SyntheticSpace().map(base, 4096), types: new BtfTypes(btf.bytes()) };
  assert.match(valueText(KernelObject.at(machine, 'struct loop', virtAddr(base)), style()), /\.\.\./);
});
