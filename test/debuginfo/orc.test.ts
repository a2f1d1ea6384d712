import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { virtAddr } from '../../src/base/address.ts';
import {
  decodeOrcEntry,
  detectOrcFormat,
  type OrcFormat,
  type OrcSection,
  OrcTables,
} from '../../src/debuginfo/orc.ts';
import type { KernelSymbol, SymbolSource } from '../../src/debuginfo/symbol.ts';
import type { CompoundType, IntType, TypeSource } from '../../src/debuginfo/type.ts';
import { writeOrc } from '../support/orc_writer.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const formats: readonly OrcFormat[] = ['4.14', '6.3', '6.4', '7.1'];
const ipsAt = 0xffff_ffff_8200_0000n;
const entriesAt = 0xffff_ffff_8210_0000n;
const textStart = 0xffff_ffff_8100_0000n;
const textEnd = 0xffff_ffff_8110_0000n;

const table = `
  ffffffff81000000 call sp+8
  ffffffff81000010 call bp+16 bp:prev-sp-16
  ffffffff81000020 regs sp+0 signal
  ffffffff81000030 regs-partial sp-8 signal
  ffffffff81000040 end
  ffffffff81000050 undefined
  ffffffff81000060 call sp-indirect+8 bp:bp-16
  ffffffff81000070 call bp-indirect-32
  ffffffff81000080 call r10 bp:prev-sp-24
  ffffffff81000090 call r13+0
  ffffffff810000a0 regs di+0 signal
  ffffffff810000b0 regs dx+0 signal`;

function open(format: OrcFormat, text: string, changes: Partial<OrcSection> = {}): OrcTables {
  const space = new SyntheticSpace();
  const { ips, entries, count } = writeOrc(format, ipsAt, text);
  if (count > 0) {
    space.write(ipsAt, ips);
    space.write(entriesAt, entries);
  }
  const section: OrcSection = {
    ips: virtAddr(ipsAt),
    entries: virtAddr(entriesAt),
    count,
    text: [{ start: virtAddr(textStart), end: virtAddr(textEnd) }],
    ...changes,
  };
  return new OrcTables(space, format, section);
}

describe('ORC tables that are broken', () => {
  test('an empty table, or one that is not in memory, has no rules', () => {
    assert.equal(open('6.4', '').find(textStart), null);
    assert.equal(open('6.4', '', { count: 1000 }).find(textStart), null);
  });

  test('code outside the text that a table covers has no rule, nor code before its first entry', () => {
    const orc = open('6.4', 'ffffffff81000100 call sp+8');
    assert.equal(orc.find(textStart + 0xffn), null);
    assert.equal(orc.find(textEnd), null);
    assert.equal(orc.find(0n), null);
    assert.ok(orc.find(textEnd - 1n) !== null);
  });

  test('numbers that no format has are undefined, not an error', () => {
    for (const format of formats) {
      const type = format === '6.4' || format === '7.1' ? 7 : 3;
      const entry = decodeOrcEntry(Uint8Array.of(8, 0, 0, 0, 0xff, type), format);
      assert.equal(entry.spRegister, 'undefined', format);
      assert.equal(entry.type, 'undefined', format);
    }
  });

  test('any six bytes decode, in every format', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), fc.constantFrom(...formats), (bytes, format) => {
        const entry = decodeOrcEntry(bytes, format);
        assert.ok(Math.abs(entry.spOffset) <= 32768 && Math.abs(entry.bpOffset) <= 32768);
      }),
    );
  });

  test('kernel symbols that contradict each other give no table', () => {
    const addresses: Record<string, bigint> = {
      __start_orc_unwind_ip: ipsAt,
      __stop_orc_unwind_ip: ipsAt + 40n,
      __start_orc_unwind: entriesAt,
      __stop_orc_unwind: entriesAt + 54n, // 9 entries, not 10
      _stext: textStart,
      _etext: textEnd,
    };
    assert.equal(OrcTables.open(new SyntheticSpace(), symbolsOf(addresses), null).find(textStart), null);
  });
});

describe('ORC tables', () => {
  for (const format of formats) {
    test(`format of ${format}: every kind of entry says the same`, () => {
      const orc = open(format, table);
      const at = (offset: number) => orc.find(textStart + BigInt(offset));
      assert.deepEqual(at(0), {
        type: 'call',
        spRegister: 'sp',
        spOffset: 8,
        bpRegister: 'undefined',
        bpOffset: 0,
        signal: false,
      });
      assert.deepEqual(at(0x1f), {
        type: 'call',
        spRegister: 'bp',
        spOffset: 16,
        bpRegister: 'prev-sp',
        bpOffset: -16,
        signal: false,
      });
      assert.deepEqual([at(0x20)?.type, at(0x20)?.signal], ['regs', true]);
      assert.deepEqual([at(0x30)?.type, at(0x30)?.signal, at(0x30)?.spOffset], ['regs-partial', true, -8]);
      assert.equal(at(0x40)?.type, 'end');
      assert.equal(at(0x50)?.type, 'undefined');
      assert.deepEqual([at(0x60)?.spRegister, at(0x60)?.bpRegister], ['sp-indirect', 'bp']);
      assert.deepEqual([at(0x70)?.spRegister, at(0x70)?.spOffset], ['bp-indirect', -32]);
      assert.deepEqual([at(0x80)?.spRegister, at(0x80)?.bpRegister], ['r10', 'prev-sp']);
      assert.equal(at(0x90)?.spRegister, 'r13');
      assert.equal(at(0xa0)?.spRegister, 'di');
      assert.equal(at(0xb0)?.spRegister, 'dx');
    });
  }

  test('of entries with one address the last counts: terminators of object files sort before real ones', () => {
    const orc = open(
      '6.4',
      `ffffffff81000000 call sp+8
       ffffffff81000010 undefined
       ffffffff81000010 call sp+24`,
    );
    assert.equal(orc.find(textStart + 0x10n)?.spOffset, 24);
  });

  test('each address finds the entry that a linear search finds', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(gaps, fc.nat(13_000), (steps, offset) => {
        let address = textStart;
        const starts = steps.map((step) => (address += BigInt(step)));
        const text = starts.map((start, i) => `${start.toString(16)} call sp+${i * 8}`).join('\n');
        const ip = textStart + BigInt(offset);
        const expected = starts.findLastIndex((start) => start <= ip);
        assert.equal(open('6.4', text).find(ip)?.spOffset ?? -8, expected * 8);
      }),
    );
  });

  test('modules: their own tables, asked for only when the code is not in the kernel', () => {
    const space = new SyntheticSpace();
    const moduleIps = 0xffff_ffff_c000_0000n;
    const moduleEntries = 0xffff_ffff_c001_0000n;
    const text = 0xffff_ffff_c010_0000n;
    const written = writeOrc('6.4', moduleIps, `${text.toString(16)} call sp+40`);
    space.write(moduleIps, written.ips);
    space.write(moduleEntries, written.entries);
    let asked = 0;
    const orc = new OrcTables(space, '6.4', null, () => {
      asked++;
      return [
        {
          ips: virtAddr(moduleIps),
          entries: virtAddr(moduleEntries),
          count: 1,
          text: [{ start: virtAddr(text), end: virtAddr(text + 0x1000n) }],
        },
      ];
    });
    assert.equal(asked, 0);
    assert.equal(orc.find(text + 5n)?.spOffset, 40);
    assert.equal(orc.find(text + 0x1000n), null);
    assert.equal(asked, 2);
  });
});

describe('which format a kernel has', () => {
  const hash = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
  const fpEntry = (format: OrcFormat): Uint8Array => writeOrc(format, 0n, '0 call bp+16 bp:prev-sp-16').entries;

  test('.orc_header tells, whatever else is there', () => {
    const types = orcTypes(['sp_offset', 'bp_offset', 'sp_reg:4', 'bp_reg:4', 'type:2', 'end:1']);
    assert.equal(detectOrcFormat(hash('db84aed4103b31dd51e017f8f79783ca985c2c51'), types, null), '6.3');
    assert.equal(detectOrcFormat(hash('fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24'), types, null), '6.4');
    assert.equal(detectOrcFormat(hash('137c36ad7627c4dd55932176bb0ecdbd5041fc82'), types, null), '7.1');
  });

  test("without a header the members of struct orc_entry tell: distributions' kernels have newer formats", () => {
    const head = ['sp_offset', 'bp_offset', 'sp_reg:4', 'bp_reg:4'];
    assert.equal(detectOrcFormat(null, orcTypes([...head, 'type:2', 'end:1']), null), '4.14');
    assert.equal(detectOrcFormat(null, orcTypes([...head, 'type:2', 'signal:1', 'end:1']), null), '6.3');
    const since64 = orcTypes([...head, 'type:3', 'signal:1']);
    assert.equal(detectOrcFormat(null, since64, fpEntry('6.4')), '6.4');
    assert.equal(detectOrcFormat(null, since64, fpEntry('7.1')), '7.1');
  });

  test('without types, the rule for frame pointers tells; a header that nobody knows does not stop it', () => {
    assert.equal(detectOrcFormat(null, null, fpEntry('4.14')), '4.14');
    assert.equal(detectOrcFormat(null, null, fpEntry('6.4')), '6.4');
    assert.equal(detectOrcFormat(null, null, fpEntry('7.1')), '7.1');
    assert.equal(detectOrcFormat(new Uint8Array(20), null, fpEntry('7.1')), '7.1');
  });
});

function symbolsOf(addresses: Record<string, bigint>): SymbolSource {
  const symbol = (name: string): KernelSymbol | null => {
    const address = addresses[name];
    return address === undefined ? null : { name, address: virtAddr(address), type: 'D', size: 0, module: null };
  };
  return {
    find: symbol,
    findAll: (name) => [symbol(name)].filter((s) => s !== null),
    at: () => null,
    all: () => [],
  };
}

/** `struct orc_entry` with these members: two bytes each, or as many bits as stand behind the colon. */
function orcTypes(members: string[]): TypeSource {
  const int: IntType = { kind: 'int', name: 'short', size: 2, signed: true, encoding: 'integer' };
  let bit = 0;
  const entry: CompoundType = {
    kind: 'struct',
    name: 'orc_entry',
    size: 6,
    members: members.map((text) => {
      const [name, width] = text.split(':');
      const bitOffset = bit;
      bit += width === undefined ? 16 : Number(width);
      return { name: name!, type: int, bitOffset, bitSize: width === undefined ? 0 : Number(width) };
    }),
  };
  return { find: (name) => (name === 'struct orc_entry' ? entry : null), all: () => [entry] };
}
