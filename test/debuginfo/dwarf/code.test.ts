import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressSpace } from '../../../src/arch/address_space.ts';
import { type VirtAddr, virtAddr } from '../../../src/base/address.ts';
import { MemoryFault } from '../../../src/base/errors.ts';
import type { FrameState, LocalPlace } from '../../../src/debuginfo/debug_info.ts';
import { DwarfFile } from '../../../src/debuginfo/dwarf/dwarf_file.ts';
import { DwarfInfo } from '../../../src/debuginfo/dwarf/dwarf_info.ts';
import { ElfFile } from '../../../src/debuginfo/elf/elf_file.ts';
import { DwarfWriter, type Entry, entry, type LineRow, sleb, uleb } from '../../support/dwarf_writer.ts';
import { ElfWriter, memoryFile } from '../../support/elf_writer.ts';

const text = 0xffff_ffff_8100_0000n;
const at = (offset: number): VirtAddr => virtAddr(text + BigInt(offset));
const address = (offset: number): { address: bigint } => ({ address: text + BigInt(offset) });

function open(writer: DwarfWriter, bias = 0n, elf = new ElfWriter()): DwarfInfo {
  return new DwarfInfo(new DwarfFile(new ElfFile(memoryFile(writer.addTo(elf).bytes()))), 'vmlinux', bias);
}

const int = entry('baseType', { name: 'int', byteSize: 4, encoding: 5 }, [], 'int');

/** A frame whose memory is a few words. */
function frame(
  registers: FrameState['registers'],
  cfa: bigint | null,
  words: Readonly<Record<string, bigint>> = {},
  caller: FrameState['caller'] = null,
): FrameState {
  const word = (where: bigint): bigint => {
    const value = words[where.toString(16)];
    if (value === undefined) throw new MemoryFault('kernel', where, 'excluded');
    return value;
  };
  const space = {
    u64: word,
    read: (where: bigint, size: number) => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, word(where), true);
      return bytes.subarray(0, size);
    },
  } as unknown as AddressSpace;
  return { registers, cfa: cfa === null ? null : virtAddr(cfa), space, caller };
}

const rows: LineRow[] = [
  [text, 1, 10],
  [text + 4n, 1, 11],
  [text + 4n, 2, 99],
  [text + 0x10n, 1, 12],
  [text + 0x20n, null],
];

for (const version of [4, 5] as const) {
  test(`DWARF ${version}: code has lines, with the paths that the compiler was given`, () => {
    const writer = new DwarfWriter(version);
    const [folders, files] =
      version === 5
        ? [
            ['/src', 'include/linux', '/abs'],
            [
              ['a.c', 0],
              ['a.c', 0],
              ['list.h', 1],
            ] as const,
          ]
        : [
            ['include/linux', '/abs'],
            [
              ['a.c', 0],
              ['list.h', 1],
            ] as const,
          ];
    const stmtList = { section: writer.lines(folders, files, rows) };
    writer.unit([], { stmtList, lowPc: address(0), highPc: 0x20 });
    const { code } = open(writer, 0x1000_0000n); // the kernel lies elsewhere than it was linked
    const line = (offset: number): string => {
      const found = code.line(virtAddr(at(offset) + 0x1000_0000n));
      return found === null ? 'none' : `${found.file}:${found.line}`;
    };
    assert.equal(line(0), '/src/a.c:10');
    assert.equal(line(3), '/src/a.c:10');
    assert.equal(line(4), '/src/include/linux/list.h:99'); // of two rows at one address the last counts
    assert.equal(line(0x1f), '/src/a.c:12');
    assert.equal(line(0x20), 'none'); // behind the end
    assert.equal(line(-1), 'none');
  });

  test(`DWARF ${version}: of several lines at one instruction the last, or as gdb the last that begins a statement`, () => {
    const writer = new DwarfWriter(version);
    const folders = version === 5 ? ['/src'] : [];
    const files = [['a.c', 0] as const, ['a.c', 0] as const].slice(version === 5 ? 0 : 1);
    const stmtList = {
      section: writer.lines(folders, files, [
        [text, 1, 10],
        [text + 4n, 1, 11],
        [text + 4n, 1, 12],
        [text + 4n, 1, 13, 'within'],
        [text + 8n, 1, 14, 'within'],
        [text + 0x20n, null],
      ]),
    };
    writer.unit([], { stmtList, lowPc: address(0), highPc: 0x20 });
    const { code } = open(writer);
    assert.equal(code.line(at(6))?.line, 13);
    assert.equal(code.line(at(6), 'statement')?.line, 12);
    assert.equal(code.line(at(8), 'statement')?.line, 14); // none begins here
    assert.equal(code.line(at(0), 'statement')?.line, 10);
  });

  test(`DWARF ${version}: functions inlined into each other are told innermost first, with their calls`, () => {
    const writer = new DwarfWriter(version);
    const files =
      version === 5
        ? ([
            ['a.c', 0],
            ['a.c', 0],
          ] as const)
        : ([['a.c', 0]] as const);
    const stmtList = { section: writer.lines(version === 5 ? ['/src'] : [], files, rows) };
    const ranges = {
      section: writer.rangeList([
        [text + 2n, text + 4n],
        [text + 8n, text + 12n],
      ]),
    };
    writer.unit(
      [
        entry('subprogram', { name: 'list_add', inline: 3, declFile: 1, declLine: 7 }, [], 'list_add'),
        entry('subprogram', { name: '__list_add', inline: 3 }, [], '__list_add'),
        entry('subprogram', { name: 'caller', lowPc: address(0), highPc: 0x20 }, [
          entry('lexicalBlock', { lowPc: address(0), highPc: 0x10 }, [
            entry(
              'inlinedSubroutine',
              { abstractOrigin: { ref: 'list_add' }, ranges, callFile: 1, callLine: 12, callColumn: 3 },
              [
                entry('inlinedSubroutine', {
                  abstractOrigin: { ref: '__list_add' },
                  lowPc: address(8),
                  highPc: 2,
                  callFile: 1,
                  callLine: 8,
                }),
              ],
            ),
          ]),
        ]),
      ],
      { stmtList, lowPc: address(0), highPc: 0x20 },
    );
    const { code } = open(writer);
    const chain = (offset: number): string[] =>
      code.inlines(at(offset)).map(({ name, calledAt }) => `${name} from ${calledAt?.line}`);
    assert.deepEqual(chain(0), []);
    assert.deepEqual(chain(3), ['list_add from 12']);
    assert.deepEqual(chain(9), ['__list_add from 8', 'list_add from 12']);
    assert.deepEqual(chain(0x18), []);
    assert.deepEqual(code.inlines(at(3))[0]!.declaredAt, { file: '/src/a.c', folder: '/src', line: 7, column: 0 });
    assert.deepEqual(code.inlines(at(3))[0]!.calledAt, { file: '/src/a.c', folder: '/src', line: 12, column: 3 });
  });
}

function placeOf(
  expression: readonly number[],
  state: FrameState,
  more: Entry['attributes'] = {},
  around: Entry['attributes'] = {},
): LocalPlace {
  const writer = new DwarfWriter();
  writer.unit(
    [
      int,
      entry('subprogram', { name: 'f', lowPc: address(0), highPc: 16, frameBase: { expression: [0x9c] }, ...around }, [
        entry('variable', {
          name: 'v',
          type: { ref: 'int' },
          ...(expression.length > 0 ? { location: { expression } } : {}),
          ...more,
        }),
      ]),
    ],
    { lowPc: address(0), highPc: 16 },
  );
  const [local] = open(writer).code.locals(at(4));
  assert.equal(local?.name, 'v');
  return local!.where(state);
}

const value = (place: LocalPlace): bigint | string => {
  if (place.kind !== 'value') return place.kind === 'none' ? `${place.reason}: ${place.detail}` : place.kind;
  const bytes = new Uint8Array(8);
  bytes.set(place.bytes);
  return new DataView(bytes.buffer).getBigUint64(0, true);
};

test('expressions that cannot be worked out say why, and end', () => {
  const none = frame({}, null);
  assert.equal(value(placeOf([], none)), 'optimized-out: ');
  assert.match(String(value(placeOf([0x50], none))), /not-known: rax is not known/);
  assert.match(String(value(placeOf([0x91, 0], none))), /the frame base is not known/);
  assert.match(String(value(placeOf([0x22], none))), /takes more than it has/);
  assert.match(String(value(placeOf([0x31, 0x30, 0x1b, 0x9f], none))), /division by zero/);
  assert.match(String(value(placeOf([0x2f, 0xfd, 0xff], none))), /over 10000 steps/); // jumps to itself
  assert.match(String(value(placeOf([0x08], none))), /is cut/);
  assert.match(String(value(placeOf([0xed, 0], none))), /operation 0xed/);
  assert.match(String(value(placeOf([0x77, 0, 0x06], frame({ rsp: 0x5000n }, null)))), /excluded/);
});

test('expressions find registers, memory and what was computed', () => {
  const state = frame({ rax: 42n, rbx: 0x7000n, rsp: 0x5000n }, 0x6000n, { '7008': 0x1234_5678_9abc_def0n });
  assert.equal(value(placeOf([0x50], state)), 42n); // rax
  assert.deepEqual(placeOf([0x91, ...sleb(-16)], state), { kind: 'memory', address: virtAddr(0x5ff0n) });
  assert.deepEqual(placeOf([0x77, 8], state), { kind: 'memory', address: virtAddr(0x5008n) });
  assert.equal(value(placeOf([0x73, 8, 0x06, 0x9f], state)), 0x1234_5678_9abc_def0n);
  assert.equal(value(placeOf([0x73, 8, 0x94, 4, 0x9f], state)), 0x9abc_def0n);
  // (42 * 3 - 1) >> 1, with a jump over what would spoil it
  assert.equal(value(placeOf([0x70, 0, 0x33, 0x1e, 0x31, 0x1c, 0x2f, 1, 0, 0x30, 0x31, 0x25, 0x9f], state)), 62n);
  assert.equal(value(placeOf([0x11, ...sleb(-6), 0x32, 0x1b, 0x9f], state)), BigInt.asUintN(64, -3n));
  assert.equal(value(placeOf([0x9e, 2, 0x34, 0x12], state)), 0x1234n);
  assert.equal(value(placeOf([], state, { constValue: -5n })), 0xffff_fffbn);
  assert.deepEqual(placeOf([0x50, 0x93, 4, 0x93, 4], state), {
    kind: 'parts',
    parts: [
      { bits: 32, place: { kind: 'value', bytes: Uint8Array.from([42, 0, 0, 0, 0, 0, 0, 0]) } },
      { bits: 32, place: { kind: 'none', reason: 'optimized-out', detail: '' } },
    ],
  });
});

test('a list tells where a variable is for each part of the code', () => {
  const writer = new DwarfWriter();
  const lists = writer.section('.debug_loclists');
  lists
    .put(Uint8Array.from([6]))
    .u64(text)
    .put(Uint8Array.from([4, 0, 4, 1, 0x50])); // base, offset_pair 0..4: rax
  lists
    .put(Uint8Array.from([7]))
    .u64(text + 8n)
    .u64(text + 12n)
    .put(Uint8Array.from([1, 0x53])); // start_end 8..12: rbx
  lists.put(Uint8Array.from([5, 2, 0x35, 0x9f, 0])); // else 5
  writer.unit(
    [
      int,
      entry('subprogram', { name: 'f', lowPc: address(0), highPc: 16 }, [
        entry('variable', { name: 'v', type: { ref: 'int' }, location: { section: 0 } }),
      ]),
    ],
    { lowPc: address(0), highPc: 16 },
  );
  const { code } = open(writer);
  const state = frame({ rax: 1n, rbx: 2n }, null);
  const valueAt = (offset: number): bigint | string => value(code.locals(at(offset))[0]!.where(state));
  assert.deepEqual([0, 3, 4, 8, 12].map(valueAt), [1n, 1n, 5n, 2n, 5n]);
});

test('a value that only the caller still has comes from what it says of the call', () => {
  const entryValue = [0xa3, 1, 0x55, 0x9f]; // what rdi was at entry
  const build = (target: Entry['attributes']): DwarfInfo => {
    const writer = new DwarfWriter();
    writer.unit(
      [
        int,
        entry(
          'subprogram',
          { name: 'callee', lowPc: address(0), highPc: 16 },
          [entry('formalParameter', { name: 'x', type: { ref: 'int' }, location: { expression: entryValue } })],
          'callee',
        ),
        entry('subprogram', { name: 'other', declaration: true }, [], 'other'),
        entry('subprogram', { name: 'caller', lowPc: address(0x100), highPc: 16 }, [
          entry('callSite', { callReturnPc: address(0x108), ...target }, [
            entry('callSiteParameter', { location: { expression: [0x55] }, callValue: { expression: [0x73, 1] } }), // rbx + 1
          ]),
        ]),
      ],
      { lowPc: address(0), highPc: 0x200 },
    );
    return open(writer);
  };
  const caller = { at: at(0x108), frame: frame({ rbx: 6n }, null) };
  const ask = (info: DwarfInfo, state: FrameState): bigint | string => value(info.code.locals(at(4))[0]!.where(state));
  assert.equal(ask(build({ callOrigin: { ref: 'callee' } }), frame({}, null, {}, caller)), 7n);
  assert.match(
    String(ask(build({ callOrigin: { ref: 'callee' } }), frame({}, null))),
    /when the function was entered is not known/,
  );
  // a call of another function, which went on here by a jump: what it was called with says nothing
  assert.match(String(ask(build({ callOrigin: { ref: 'other' } }), frame({}, null, {}, caller))), /not known/);
  assert.equal(ask(build({ callTarget: { expression: [3, ...leBytes(text)] } }), frame({}, null, {}, caller)), 7n);
});

function leBytes(word: bigint): number[] {
  return Array.from({ length: 8 }, (_, i) => Number((word >> BigInt(8 * i)) & 0xffn));
}

test('call frame information gives the registers of the caller', () => {
  const writer = new DwarfWriter();
  writer.unit([], { lowPc: address(0), highPc: 0x40 });
  const out = writer.section('.debug_frame');
  // CIE: code 1, data -8, return address 16; cfa = rsp+8, return address at cfa-8
  const cie = [4, 0, 8, 0, ...uleb(1), ...sleb(-8), ...uleb(16), 0x0c, 7, 8, 0x80 | 16, 1];
  out
    .u32(cie.length + 4)
    .u32(0xffff_ffff)
    .put(Uint8Array.from(cie));
  // push rbp; cfa 16, rbp at cfa-16; 4 bytes on: remember; sub; restore
  const fde = [0x40 | 1, 0x0e, 16, 0x80 | 6, 2, 0x40 | 3, 0x0a, 0x0e, 64, 0x40 | 4, 0x0b];
  out
    .u32(fde.length + 20)
    .u32(0)
    .u64(text)
    .u64(0x40)
    .put(Uint8Array.from(fde));
  const { code } = open(writer);
  const state = frame({ rsp: 0x5000n, rbx: 3n, rax: 9n, rbp: 0x111n }, null, {
    '5000': 0xaan,
    '5008': 0xbbn,
    '5038': 0xccn,
    '5030': 0xddn,
  });
  const caller = (offset: number): unknown => code.unwindRule(at(offset))?.caller(state);
  assert.deepEqual(caller(0), { rbx: 3n, rbp: 0x111n, rsp: 0x5008n, rip: 0xaan });
  assert.deepEqual(caller(1), { rbx: 3n, rbp: 0xaan, rsp: 0x5010n, rip: 0xbbn });
  assert.deepEqual(caller(5), { rbx: 3n, rbp: 0xddn, rsp: 0x5040n, rip: 0xccn });
  assert.deepEqual(caller(8), caller(1));
  assert.equal(code.unwindRule(at(0x40)), null);
  const rule = code.unwindRule(at(6))!;
  assert.deepEqual([rule.start, rule.end], [at(4), at(8)]);
  assert.equal(rule.cfa(frame({}, null)), null); // the stack pointer is not known
});

test('code of units without .debug_aranges is found by their ranges', () => {
  const writer = new DwarfWriter();
  writer.unit([entry('subprogram', { name: 'first', lowPc: address(0), highPc: 16 })], {
    ranges: { section: writer.rangeList([[text, text + 16n]]) },
  });
  writer.unit(
    [
      entry('subprogram', { name: 'second', lowPc: address(0x20), highPc: 16 }, [
        entry('variable', { name: 'v', type: { ref: 'int' } }),
        int,
      ]),
    ],
    { lowPc: address(0x20), highPc: 16 },
  );
  const aranges = writer.section('.debug_aranges');
  aranges
    .u32(28 + 16)
    .u16(2)
    .u32(0)
    .u8(8)
    .u8(0)
    .zeroes(4)
    .u64(text)
    .u64(16)
    .u64(0)
    .u64(0);
  const { code } = open(writer);
  assert.deepEqual(code.locals(at(4)), []);
  assert.equal(code.locals(at(0x24))[0]?.name, 'v');
});
