import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { virtAddr } from '../../../src/base/address.ts';
import { FormatError, InquestError, MemoryFault } from '../../../src/base/errors.ts';
import { DwarfFile } from '../../../src/debuginfo/dwarf/dwarf_file.ts';
import { DwarfInfo } from '../../../src/debuginfo/dwarf/dwarf_info.ts';
import { ElfFile } from '../../../src/debuginfo/elf/elf_file.ts';
import { DwarfWriter, entry } from '../../support/dwarf_writer.ts';
import { ElfWriter, memoryFile } from '../../support/elf_writer.ts';

const text = 0xffff_ffff_8100_0000n;

/** A file with a bit of everything. */
function everything(version: 4 | 5): Uint8Array {
  const writer = new DwarfWriter(version);
  const stmtList = {
    section: writer.lines(
      ['/src', 'include'],
      [
        ['a.c', 0],
        ['a.c', 0],
        ['b.h', 1],
      ],
      [
        [text, 1, 10],
        [text + 8n, 2, 5],
        [text + 32n, null],
      ],
    ),
  };
  const ranges = {
    section: writer.rangeList([
      [text, text + 8n],
      [text + 16n, text + 24n],
    ]),
  };
  writer
    .section('.debug_loclists')
    .u8(7)
    .u64(text)
    .u64(text + 8n)
    .u8(1)
    .u8(0x50)
    .u8(0);
  writer
    .section('.debug_frame')
    .u32(12)
    .u32(0xffff_ffff)
    .put(Uint8Array.from([4, 0, 8, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1]));
  writer.section('.debug_frame').u32(20).u32(0).u64(text).u64(32);
  const macros = writer.section('.debug_macro').u16(version).u8(0);
  macros
    .u8(1)
    .u8(1)
    .put(Uint8Array.from(Buffer.from('A_MACRO(x) x\0')))
    .u8(7)
    .u32(0)
    .u8(0);
  writer.unit(
    [
      entry('baseType', { name: 'int', byteSize: 4, encoding: 5 }, [], 'int'),
      entry(
        'structureType',
        { name: 'some_structure', byteSize: 16 },
        [
          entry('member', { name: 'a', type: { ref: 'int' }, dataMemberLocation: 0 }),
          entry('member', { type: { ref: 'union' }, dataMemberLocation: 8 }),
        ],
        'struct',
      ),
      entry('unionType', { byteSize: 8 }, [entry('member', { name: 'next', type: { ref: 'pointer' } })], 'union'),
      entry('pointerType', { byteSize: 8, type: { ref: 'struct' } }, [], 'pointer'),
      entry('arrayType', { type: { ref: 'pointer' } }, [entry('subrangeType', { upperBound: 3 })], 'array'),
      entry('typedef', { name: 'array_of_pointers', type: { ref: 'array' } }),
      entry('variable', {
        name: 'a_variable',
        type: { ref: 'array' },
        location: { expression: [3, 0, 0, 0, 0x82, 0xff, 0xff, 0xff, 0xff] },
      }),
      entry(
        'subprogram',
        { name: 'inlined', inline: 1 },
        [entry('formalParameter', { name: 'p', type: { ref: 'pointer' } }, [], 'p')],
        'inlined',
      ),
      entry(
        'subprogram',
        { name: 'a_function', lowPc: { address: text }, highPc: 32, frameBase: { expression: [0x9c] } },
        [
          entry('formalParameter', { name: 'x', type: { ref: 'int' }, location: { section: 0 } }),
          entry('inlinedSubroutine', { abstractOrigin: { ref: 'inlined' }, ranges, callFile: 1, callLine: 4 }, [
            entry('formalParameter', { abstractOrigin: { ref: 'p' }, location: { expression: [0x91, 0x70] } }),
          ]),
        ],
      ),
    ],
    { stmtList, lowPc: { address: text }, highPc: 32, [version === 5 ? 'macros' : 'gnuMacros']: { section: 0 } },
  );
  writer.typeUnit(7n, [entry('structureType', { name: 'apart_from_all', byteSize: 4 }, [], 'apart')], 'apart');
  return writer.addTo(new ElfWriter()).bytes();
}

/** Asks everything of a file that may be anything. */
function exercise(bytes: Uint8Array): void {
  let info: DwarfInfo;
  try {
    info = new DwarfInfo(new DwarfFile(new ElfFile(memoryFile(bytes))), 'vmlinux', 0n);
  } catch (error) {
    if (error instanceof InquestError) return;
    throw error;
  }
  for (let offset = 0; offset < 40; offset += 4) {
    const at = virtAddr(text + BigInt(offset));
    info.code.line(at);
    info.code.inlines(at);
    const frame = { registers: { rsp: 0x1000n, rax: 1n }, cfa: virtAddr(0x1000n), space: nowhere, caller: null };
    for (const local of info.code.locals(at)) local.where(frame);
    info.code.unwindRule(at)?.caller(frame);
  }
  info.variable('a_variable');
  info.function('a_function');
  info.macro('A_MACRO');
  for (const type of info.types.all()) {
    try {
      if (type.kind === 'struct' || type.kind === 'union') for (const member of type.members) String(member.type.kind);
      if (type.kind === 'typedef') String(type.target.kind);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
  for (const problem of info.problems) assert.ok(problem instanceof FormatError);
}

const nowhere = {
  u64: () => {
    throw new MemoryFault('kernel', 0n, 'excluded');
  },
} as never;

for (const version of [4, 5] as const) {
  test(`DWARF ${version}: a file that is cut anywhere, or changed anywhere, is read as far as it goes`, () => {
    const whole = everything(version);
    exercise(whole);
    for (let length = 64; length < whole.length; length += 29) exercise(whole.subarray(0, length));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) bytes[at] = value;
          exercise(bytes);
        },
      ),
      { numRuns: 250 },
    );
  });
}
