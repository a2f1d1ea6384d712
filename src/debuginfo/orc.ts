// The ORC unwind tables of the kernel and its modules, read in place: nothing is loaded but the pages that
// a binary search touches.
//
//   .orc_unwind_ip   s32 each: address of the code, relative to the place of the number itself; ascending
//   .orc_unwind      6 bytes each: what holds from that address on
//
//   bits of the last two bytes      0-3      4-7      8-9    10       11
//   4.14 (ee9f8fce9964)             sp_reg   bp_reg   type   end      -
//   6.3  (ffb1b4a41016)             sp_reg   bp_reg   type   signal   end
//   6.4  (fb799447ae29)             sp_reg   bp_reg   type (8-10)     signal
//   7.1                             as 6.4, with other numbers for the registers
import type { AddressSpace } from '../arch/address_space.ts';
import type { OrcEntry, OrcLookup, OrcRegister, OrcType } from '../arch/orc_entry.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { SymbolSource } from './symbol.ts';
import { findMember, sizeOf, type TypeSource } from './type.ts';

/** Layout of an entry, named after the kernel that brought it. */
export type OrcFormat = '4.14' | '6.3' | '6.4' | '7.1';

/** Bytes in `struct orc_entry`. */
export const orcEntrySize = 6;

/** One pair of tables and the code that it is about. */
export interface OrcSection {
  /** Virtual address of the first code address (`.orc_unwind_ip`). */
  readonly ips: VirtAddr;
  /** Virtual address of the first entry (`.orc_unwind`). */
  readonly entries: VirtAddr;
  /** Number of entries in each. */
  readonly count: number;
  /** Code that the tables cover, [start, end) each. */
  readonly text: readonly { readonly start: VirtAddr; readonly end: VirtAddr }[];
}

/** Content of `.orc_header` (since 6.4, and 6.3.10): a hash of orc_types.h (scripts/orc_hash.sh). */
const headerHashes: readonly (readonly [hash: string, format: OrcFormat])[] = [
  ['db84aed4103b31dd51e017f8f79783ca985c2c51', '6.3'],
  ['fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24', '6.4'],
  ['137c36ad7627c4dd55932176bb0ecdbd5041fc82', '7.1'],
];
export const orcHeaderSize = 20;

/** Whether bytes are the content of a `.orc_header` that is known. */
export function isOrcHeader(bytes: Uint8Array): boolean {
  const hash = Buffer.from(bytes).toString('hex');
  return headerHashes.some(([known]) => known === hash);
}

const registersBefore71: readonly OrcRegister[] = [
  'undefined',
  'prev-sp',
  'dx',
  'di',
  'bp',
  'sp',
  'r10',
  'r13',
  'bp-indirect',
  'sp-indirect',
];
const registersSince71: readonly OrcRegister[] = [
  'undefined',
  'ax',
  'dx',
  'sp',
  'bp',
  'di',
  'r10',
  'r13',
  'prev-sp',
  'sp-indirect',
  'bp-indirect',
];
const typesBefore64: readonly OrcType[] = ['call', 'regs', 'regs-partial'];
const typesSince64: readonly OrcType[] = ['undefined', 'end', 'call', 'regs', 'regs-partial'];

/** An entry's six bytes in words. Numbers that the format does not have read as undefined. */
export function decodeOrcEntry(bytes: Uint8Array, format: OrcFormat): OrcEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, orcEntrySize);
  const flags = view.getUint16(4, true);
  const registers = format === '7.1' ? registersSince71 : registersBefore71;
  const spRegister = registers[flags & 0xf] ?? 'undefined';
  const bpRegister = registers[(flags >> 4) & 0xf] ?? 'undefined';
  let type: OrcType;
  let signal: boolean;
  if (format === '6.4' || format === '7.1') {
    type = typesSince64[(flags >> 8) & 7] ?? 'undefined';
    signal = (flags & 0x800) !== 0;
  } else {
    const end = (flags & (format === '6.3' ? 0x800 : 0x400)) !== 0;
    if (spRegister === 'undefined') type = end ? 'end' : 'undefined';
    else type = typesBefore64[(flags >> 8) & 3] ?? 'undefined';
    // Before 6.3, a frame found through saved registers was an interrupted one.
    signal = format === '6.3' ? (flags & 0x400) !== 0 : type === 'regs' || type === 'regs-partial';
  }
  return { type, spRegister, spOffset: view.getInt16(0, true), bpRegister, bpOffset: view.getInt16(2, true), signal };
}

/**
 * The format of a kernel's tables: what `.orc_header` says; else the members that `struct orc_entry` has
 * (distributions carry newer formats in older kernels, so the release says nothing).
 * @param header content of `.orc_header`, or null
 * @param fpEntry content of the kernel's `orc_fp_entry`, or null: a rule that is known, to tell register numbers by
 */
export function detectOrcFormat(
  header: Uint8Array | null,
  types: TypeSource | null,
  fpEntry: Uint8Array | null,
): OrcFormat {
  if (header !== null) {
    const hash = Buffer.from(header).toString('hex');
    const known = headerHashes.find(([h]) => h === hash);
    if (known !== undefined) return known[1];
  }
  const entry = types?.find('struct orc_entry') ?? null;
  const type = entry === null ? null : findMember(entry, 'type');
  if (entry !== null && type !== null && sizeOf(entry) === orcEntrySize) {
    if (type.bitSize === 3) return fpEntry !== null && isSince71(fpEntry) ? '7.1' : '6.4';
    return findMember(entry, 'signal') !== null ? '6.3' : '4.14';
  }
  if (fpEntry !== null && fpEntry.length >= orcEntrySize) {
    // `orc_fp_entry` is of type CALL, which is 2 since 6.4 and 0 before.
    const flags = fpEntry[4]! | (fpEntry[5]! << 8);
    if (((flags >> 8) & 7) === 2) return isSince71(fpEntry) ? '7.1' : '6.4';
    return (flags & 0xc00) === 0x800 ? '6.3' : '4.14';
  }
  return header === null ? '4.14' : '6.4';
}

/** `orc_fp_entry` finds rbp relative to PREV_SP: register 1 before 7.1, 8 since. */
function isSince71(fpEntry: Uint8Array): boolean {
  return fpEntry.length >= orcEntrySize && fpEntry[4]! >> 4 === registersSince71.indexOf('prev-sp');
}

/** Rules remembered by address. */
const maxRemembered = 65536;

/** The unwind tables of a dead kernel. */
export class OrcTables implements OrcLookup {
  readonly format: OrcFormat;
  private readonly space: AddressSpace;
  private readonly kernel: OrcSection | null;
  private readonly modules: () => readonly OrcSection[];
  private readonly remembered = new Map<bigint, OrcEntry | null>();

  /** @param modules asked for when an address outside the kernel's own text is first looked up, and each time after */
  constructor(
    space: AddressSpace,
    format: OrcFormat,
    kernel: OrcSection | null,
    modules: () => readonly OrcSection[] = () => [],
  ) {
    this.space = space;
    this.format = format;
    this.kernel = kernel;
    this.modules = modules;
  }

  /**
   * The tables of a kernel by its symbols; without them (frame-pointer kernels) only modules are looked at.
   * @param types to tell the format by, where there is no header
   */
  static open(
    space: AddressSpace,
    symbols: SymbolSource,
    types: TypeSource | null,
    modules: () => readonly OrcSection[] = () => [],
  ): OrcTables {
    const bytes = (start: VirtAddr | null, length: number): Uint8Array | null => {
      if (start === null) return null;
      try {
        return space.read(start, length);
      } catch (error) {
        if (error instanceof MemoryFault) return null;
        throw error;
      }
    };
    const address = (name: string): VirtAddr | null => symbols.find(name)?.address ?? null;
    const headerEnd = address('__stop_orc_header');
    const headerStart = address('__start_orc_header');
    const hasHeader = headerStart !== null && headerEnd !== null && headerEnd - headerStart === BigInt(orcHeaderSize);
    const format = detectOrcFormat(
      hasHeader ? bytes(headerStart, orcHeaderSize) : null,
      types,
      bytes(address('orc_fp_entry'), orcEntrySize),
    );
    return new OrcTables(space, format, kernelSection(address), modules);
  }

  find(ip: bigint): OrcEntry | null {
    const known = this.remembered.get(ip);
    if (known !== undefined) return known;
    const found = this.lookUp(ip);
    if (this.remembered.size >= maxRemembered) this.remembered.clear();
    this.remembered.set(ip, found);
    return found;
  }

  private lookUp(ip: bigint): OrcEntry | null {
    const covers = (section: OrcSection): boolean => section.text.some(({ start, end }) => ip >= start && ip < end);
    const section = this.kernel !== null && covers(this.kernel) ? this.kernel : (this.modules().find(covers) ?? null);
    if (section === null) return null;
    try {
      return this.search(section, ip);
    } catch (error) {
      if (error instanceof MemoryFault) return null; // that part of the table is not in the dump
      throw error;
    }
  }

  /** The entry with the greatest address not above `ip`: of equal ones the last, as terminators sort first. */
  private search(section: OrcSection, ip: bigint): OrcEntry | null {
    let low = 0;
    let high = section.count; // entries before `low` are at or below ip, those from `high` on are above
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const at = offsetBy(section.ips, middle * 4);
      if (at + BigInt(this.space.i32(at)) <= ip) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return null;
    const bytes = this.space.read(offsetBy(section.entries, (low - 1) * orcEntrySize), orcEntrySize);
    return decodeOrcEntry(bytes, this.format);
  }
}

/** More entries than any kernel has (a large one has 1 million). */
const maxEntries = 1 << 26;

/** The kernel's own tables; null if symbols are missing or contradict each other. */
function kernelSection(address: (name: string) => VirtAddr | null): OrcSection | null {
  const ips = address('__start_orc_unwind_ip');
  const ipsEnd = address('__stop_orc_unwind_ip');
  const entries = address('__start_orc_unwind');
  const entriesEnd = address('__stop_orc_unwind');
  if (ips === null || ipsEnd === null || entries === null || entriesEnd === null) return null;
  const count = Number(ipsEnd - ips) / 4;
  if (!Number.isInteger(count) || count <= 0 || count > maxEntries) return null;
  if (Number(entriesEnd - entries) !== count * orcEntrySize) return null;
  const text: { start: VirtAddr; end: VirtAddr }[] = [];
  for (const [first, last] of [
    ['_stext', '_etext'],
    ['_sinittext', '_einittext'],
  ] as const) {
    const start = address(first);
    const end = address(last);
    if (start !== null && end !== null && end > start) text.push({ start, end });
  }
  return { ips, entries, count, text };
}
