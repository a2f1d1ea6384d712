import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declare, definition } from '../../../src/debuginfo/c_declaration.ts';
import { form } from '../../../src/debuginfo/dwarf/constants.ts';
import { DwarfFile } from '../../../src/debuginfo/dwarf/dwarf_file.ts';
import { DwarfInfo } from '../../../src/debuginfo/dwarf/dwarf_info.ts';
import { ElfFile } from '../../../src/debuginfo/elf/elf_file.ts';
import { offsetOf, sizeOf, type Type } from '../../../src/debuginfo/type.ts';
import { DwarfWriter, type Entry, entry, sleb } from '../../support/dwarf_writer.ts';
import { memoryFile } from '../../support/elf_writer.ts';

function open(writer: DwarfWriter): DwarfInfo {
  return new DwarfInfo(new DwarfFile(new ElfFile(memoryFile(writer.elf()))), 'vmlinux', 0n);
}

function withEntries(entries: readonly Entry[], version: 4 | 5 = 5): DwarfInfo {
  const writer = new DwarfWriter(version);
  writer.unit(entries);
  return open(writer);
}

const int = entry('baseType', { name: 'int', byteSize: 4, encoding: 5 }, [], 'int');
const ulong = entry('baseType', { name: 'long unsigned int', byteSize: 8, encoding: 7 }, [], 'ulong');

function shown(info: DwarfInfo, name: string): string {
  const type = info.types.find(name);
  return type === null ? 'none' : definition(type, { radix: 10 });
}

test('types made of themselves are refused, and cost themselves', () => {
  const info = withEntries([
    int,
    entry('typedef', { name: 'around_and_around', type: { ref: 'b' } }, [], 'a'),
    entry('constType', { type: { ref: 'a' } }, [], 'b'),
    entry('arrayType', { type: { ref: 'array' } }, [entry('subrangeType', { count: 2 })], 'array'),
    entry('typedef', { name: 'endless_array', type: { ref: 'array' } }),
    entry('typedef', { name: 'sound_enough', type: { ref: 'int' } }),
  ]);
  assert.equal(info.types.find('around_and_around'), null);
  assert.equal(info.types.find('endless_array'), null);
  assert.equal(shown(info, 'sound_enough'), 'typedef int sound_enough;\nSIZE: 4');
});

test('a struct whose nameless members contain itself is refused', () => {
  const info = withEntries([
    entry('structureType', { name: 'deep_without_end', byteSize: 8 }, [
      entry('member', { type: { ref: 'inner' }, dataMemberLocation: 0 }),
    ]),
    entry(
      'structureType',
      { byteSize: 8 },
      [entry('member', { type: { ref: 'inner' }, dataMemberLocation: 0 })],
      'inner',
    ),
  ]);
  const type = info.types.find('struct deep_without_end');
  assert.ok(type?.kind === 'struct');
  assert.throws(() => type.members, /nested too deep/);
});

test('references that lead nowhere cost the type', () => {
  const info = withEntries([
    int,
    entry('typedef', { name: 'beyond_the_end', type: { form: form.ref4, bytes: [0xff, 0xff, 0, 0] } }),
    entry('typedef', { name: 'to_no_type_unit', type: { form: form.refSig8, bytes: [1, 2, 3, 4, 5, 6, 7, 8] } }),
  ]);
  assert.equal(info.types.find('beyond_the_end'), null);
  const lost = info.types.find('to_no_type_unit');
  assert.ok(lost === null || lost.kind === 'typedef');
});

test('structs, unions, arrays, enums and functions read as C has them', () => {
  for (const version of [4, 5] as const) {
    const info = withEntries(
      [
        int,
        ulong,
        entry('baseType', { name: 'char', byteSize: 1, encoding: 6 }, [], 'char'),
        entry('pointerType', { byteSize: 8, type: { ref: 'list' } }, [], 'pointer'),
        entry(
          'structureType',
          { name: 'list_head', byteSize: 16 },
          [
            entry('member', { name: 'next', type: { ref: 'pointer' }, dataMemberLocation: 0 }),
            entry('member', { name: 'prev', type: { ref: 'pointer' }, dataMemberLocation: 8 }),
          ],
          'list',
        ),
        entry('arrayType', { type: { ref: 'char' } }, [entry('subrangeType', { upperBound: 15 })], 'comm'),
        entry(
          'arrayType',
          { type: { ref: 'ulong' } },
          [entry('subrangeType', { upperBound: 2 }), entry('subrangeType', { upperBound: 0 })],
          'tags',
        ),
        entry('arrayType', { type: { ref: 'char' } }, [entry('subrangeType', { type: { ref: 'ulong' } })], 'open'),
        entry(
          'arrayType',
          { type: { ref: 'char' } },
          [entry('subrangeType', { upperBound: { form: form.data1, bytes: [255] } })],
          'page',
        ),
        entry(
          'unionType',
          { byteSize: 24 },
          [
            entry('member', { name: 'a', type: { ref: 'int' } }),
            entry('member', { name: 'tags', type: { ref: 'tags' } }),
          ],
          'anon',
        ),
        entry(
          'subroutineType',
          { prototyped: true, type: { ref: 'int' } },
          [entry('formalParameter', { type: { ref: 'pointer' } }), entry('unspecifiedParameters')],
          'fn',
        ),
        entry('pointerType', { byteSize: 8, type: { ref: 'fn' } }, [], 'fnp'),
        entry('structureType', { name: 'widget', byteSize: 344 }, [
          entry('member', { name: 'links', type: { ref: 'list' }, dataMemberLocation: 0 }),
          entry('member', { name: 'comm', type: { ref: 'comm' }, dataMemberLocation: 16 }),
          entry('member', { type: { ref: 'anon' }, dataMemberLocation: 32 }),
          entry('member', { name: 'low', type: { ref: 'int' }, bitSize: 3, dataBitOffset: 448 }),
          entry('member', {
            name: 'old',
            type: { ref: 'int' },
            byteSize: 4,
            bitSize: 5,
            bitOffset: 24,
            dataMemberLocation: 56,
          }),
          entry('member', { name: 'call', type: { ref: 'fnp' }, dataMemberLocation: { expression: [0x23, 64] } }),
          entry('member', { name: 'page', type: { ref: 'page' }, dataMemberLocation: 72 }),
          entry('member', { name: 'text', type: { ref: 'open' }, dataMemberLocation: 328 }),
        ]),
        entry('enumerationType', { name: 'color', byteSize: 4, type: { ref: 'int' } }, [
          entry('enumerator', { name: 'RED', constValue: 0 }),
          entry('enumerator', { name: 'GREEN', constValue: 5 }),
          entry('enumerator', { name: 'NONE', constValue: -1n }),
        ]),
      ],
      version,
    );
    assert.equal(
      shown(info, 'widget'),
      `struct widget {
    [0] struct list_head links;
   [16] char comm[16];
        union {
   [32]     int a;
   [32]     unsigned long tags[3][1];
        };
   [56] int low : 3;
   [56] int old : 5;
   [64] int (*call)(struct list_head *, ...);
   [72] char page[256];
  [328] char text[];
}
SIZE: 344`,
    );
    const widget = info.types.find('struct widget')!;
    assert.equal(offsetOf(widget, 'tags[2]'), 48);
    assert.deepEqual(
      widget.kind === 'struct' && widget.members.slice(3, 5).map(({ bitOffset, bitSize }) => [bitOffset, bitSize]),
      [
        [448, 3],
        [451, 5],
      ],
    );
    assert.equal(shown(info, 'enum color'), 'enum color {\n  RED = 0\n  GREEN = 5\n  NONE = -1\n};');
    assert.equal(sizeOf(info.types.find('unsigned long')!), 8);
    assert.equal(info.types.find('unsigned long int')?.kind, 'int');
    assert.equal(info.types.find('struct color'), null);
  }
});

test('of a type that many units define the first counts, one that is only declared is completed by another', () => {
  const writer = new DwarfWriter();
  writer.unit([
    entry('structureType', { name: 'file_elsewhere', declaration: true }, [], 'file'),
    entry('pointerType', { byteSize: 8, type: { ref: 'file' } }, [], 'pointer'),
    entry('structureType', { name: 'holder', byteSize: 8 }, [
      entry('member', { name: 'file', type: { ref: 'pointer' }, dataMemberLocation: 0 }),
    ]),
    entry('structureType', { name: 'nowhere_defined', declaration: true }, [], 'gone'),
    entry('typedef', { name: 'gone_for_good', type: { ref: 'gone' } }),
  ]);
  writer.unit([
    int,
    entry('structureType', { name: 'file_elsewhere', byteSize: 4 }, [
      entry('member', { name: 'mode', type: { ref: 'int' }, dataMemberLocation: 0 }),
    ]),
  ]);
  const info = open(writer);
  const holder = info.types.find('struct holder');
  assert.ok(holder?.kind === 'struct');
  const pointer = holder.members[0]!.type;
  assert.ok(pointer.kind === 'pointer');
  assert.equal(offsetOf(pointer.target, 'mode'), 0);
  const gone = info.types.find('gone_for_good');
  assert.ok(gone?.kind === 'typedef');
  assert.deepEqual(gone.target, { kind: 'incomplete', tag: 'struct', name: 'nowhere_defined' });
});

test('variables and functions have the types of their definitions, wherever the name stands', () => {
  const info = withEntries([
    int,
    ulong,
    entry('variable', {
      name: 'jiffies_made_by_the_linker',
      type: { ref: 'ulong' },
      external: true,
      declaration: true,
    }),
    entry(
      'variable',
      { name: 'declared_apart', type: { ref: 'int' }, external: true, declaration: true },
      [],
      'declared',
    ),
    entry('variable', {
      specification: { ref: 'declared' },
      location: { expression: [3, 0, 0, 0, 0x81, 0xff, 0xff, 0xff, 0xff] },
    }),
    entry('variable', {
      name: 'static_one',
      type: { ref: 'ulong' },
      location: { expression: [3, 8, 0, 0, 0x81, 0xff, 0xff, 0xff, 0xff] },
    }),
    entry(
      'subprogram',
      { name: 'add_two_numbers', prototyped: true, type: { ref: 'int' }, lowPc: { address: 0x1000n }, highPc: 16 },
      [
        entry('formalParameter', { name: 'a', type: { ref: 'int' } }),
        entry('formalParameter', { name: 'b', type: { ref: 'ulong' } }),
      ],
    ),
    entry('subprogram', { name: 'only_declared', declaration: true, external: true }),
  ]);
  const text = (type: Type | null, name: string): string => (type === null ? 'none' : declare(type, name));
  assert.equal(text(info.variable('jiffies_made_by_the_linker'), 'v'), 'unsigned long v');
  assert.equal(text(info.variable('declared_apart'), 'v'), 'int v');
  assert.equal(text(info.variable('static_one'), 'v'), 'unsigned long v');
  assert.equal(text(info.variable('no_such_variable'), 'v'), 'none');
  assert.equal(text(info.function('add_two_numbers'), 'f'), 'int f(int, unsigned long)');
  assert.equal(text(info.function('only_declared'), 'f'), 'void f(void)');
});

test('an enum of Rust has its variants at one place, names are told with their modules', () => {
  const info = withEntries([
    int,
    entry('namespace', { name: 'kernel' }, [
      entry('namespace', { name: 'sync' }, [
        entry('structureType', { name: 'Lock', byteSize: 4 }, [
          entry('member', { name: 'state', type: { ref: 'int' }, dataMemberLocation: 0 }),
        ]),
      ]),
    ]),
  ]);
  assert.match(shown(info, 'kernel::sync::Lock'), /int state;/);
  assert.equal(info.types.find('Lock'), null);
});

test('names of values and forms that writers rarely use are read, too', () => {
  const info = withEntries([
    entry(
      'baseType',
      {
        name: { form: form.string, bytes: [...Buffer.from('u8\0')] },
        byteSize: { form: form.udata, bytes: [1] },
        encoding: { form: form.data1, bytes: [8] },
      },
      [],
      'u8',
    ),
    entry('typedef', {
      name: { form: form.indirect, bytes: [form.string, ...Buffer.from('u8_alt\0')] },
      type: { ref: 'u8' },
    }),
    entry('enumerationType', { name: 'wide', byteSize: 8 }, [
      entry('enumerator', { name: 'TOP', constValue: { form: form.sdata, bytes: sleb(-(2n ** 63n)) } }),
    ]),
  ]);
  assert.equal(shown(info, 'u8_alt'), 'typedef u8 u8_alt;\nSIZE: 1');
  const wide = info.types.find('enum wide');
  assert.ok(wide?.kind === 'enum' && wide.values[0]!.value === -(2n ** 63n) && wide.signed);
});

for (const version of [4, 5] as const) {
  test(`types in units of their own are found by signature, in DWARF ${version}`, () => {
    const writer = new DwarfWriter(version);
    const signature = { form: form.refSig8, bytes: [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88] };
    writer.unit([
      entry('structureType', { declaration: true, signature }, [], 'stub'),
      entry('pointerType', { byteSize: 8, type: { ref: 'stub' } }, [], 'pointer'),
      entry('structureType', { name: 'holder_of_it', byteSize: 16 }, [
        entry('member', { name: 'first', type: { ref: 'pointer' }, dataMemberLocation: 0 }),
        entry('member', { name: 'within', type: signature, dataMemberLocation: 8 }),
      ]),
    ]);
    writer.typeUnit(
      0x8877_6655_4433_2211n,
      [
        int,
        entry(
          'structureType',
          { name: 'apart_from_all', byteSize: 8 },
          [entry('member', { name: 'number', type: { ref: 'int' }, dataMemberLocation: 4 })],
          'apart',
        ),
      ],
      'apart',
    );
    const info = open(writer);
    assert.deepEqual(info.problems, []);
    assert.equal(
      shown(info, 'struct holder_of_it'),
      'struct holder_of_it {\n   [0] struct apart_from_all *first;\n   [8] struct apart_from_all within;\n}\nSIZE: 16',
    );
    const type = info.types.find('struct holder_of_it');
    assert.equal(offsetOf(type!, 'within.number'), 12);
    assert.equal(sizeOf(info.types.find('struct apart_from_all')!), 8);
  });
}

for (const version of [4, 5] as const) {
  test(`macros are read from lists that import each other, in DWARF ${version}`, () => {
    const writer = new DwarfWriter(version);
    const macros = writer.section('.debug_macro');
    const text = (words: string) => Uint8Array.from([...Buffer.from(words), 0]);
    const list = (entries: () => void): number => {
      const at = macros.length;
      macros.u16(version).u8(0);
      entries();
      macros.u8(0);
      return at;
    };
    const shared = list(() => macros.u8(1).u8(3).put(text('DEPTH(a) ((a) + 1)')).u8(7).u32(0));
    const own = list(() =>
      macros.u8(3).u8(0).u8(1).u8(1).u8(9).put(text('WIDTH 12')).u8(2).u8(9).put(text('WIDTH')).u8(7).u32(shared).u8(4),
    );
    writer.unit([int], { [version === 5 ? 'macros' : 'gnuMacros']: { section: own } });
    const info = open(writer);
    assert.deepEqual(info.macro('WIDTH'), { name: 'WIDTH', parameters: null, body: '12' });
    assert.deepEqual(info.macro('DEPTH')?.parameters, ['a']);
    assert.equal(info.macro('HEIGHT'), null);
    assert.deepEqual(info.problems, []);
  });
}

test('a damaged list of macros costs the macros behind the damage', () => {
  const writer = new DwarfWriter();
  const macros = writer.section('.debug_macro').u16(5).u8(0);
  macros
    .u8(1)
    .u8(1)
    .put(Uint8Array.from(Buffer.from('FINE 1\0')))
    .u8(99);
  writer.unit([int], { macros: { section: 0 } });
  const info = open(writer);
  assert.equal(info.macro('FINE')?.body, '1');
  assert.match(info.problems[0]!.message, /macro entry of kind 99/);
});
