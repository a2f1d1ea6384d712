// The addresses of kallsyms: one entry for each symbol, ascending, in one of four encodings.
//
//   relative         u32 distance from kallsyms_relative_base                      4.6 (2213e9a66bb8) to 6.19
//   relative-percpu  s32: absolute if not negative, else base - 1 - value          4.6 to 6.14, x86_64 with SMP
//   absolute         u64 address in kallsyms_addresses                             before 6.11 without BASE_RELATIVE
//   place            s32 distance from the entry's own address, no base            since 7.0 ("kallsyms: Get rid of
//                                                                                  kallsyms relative base")
//
// The tables do not say which it is: kallsyms.ts tries and checks with a symbol whose address is known.
// Format: kallsyms_sym_address() in kernel/kallsyms.c.

import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, type InquestError, MemoryFault } from '../base/errors.ts';

export type AddressEncoding =
  /** `base` is the value of kallsyms_relative_base, not where it is stored. */
  | { readonly kind: 'relative' | 'relative-percpu'; readonly table: VirtAddr; readonly base: VirtAddr }
  | { readonly kind: 'absolute' | 'place'; readonly table: VirtAddr };

/** Part of the entries that may be out of order or unreadable before the encoding is thought wrong. */
const maxBadShare = 1 / 8;

/**
 * Addresses by position, as 32-bit halves so that a search needs no bigint. Never descends: an entry that cannot be
 * read or is out of order stands for its predecessor's address and is marked.
 */
export class SymbolAddresses {
  readonly count: number;
  readonly fault: InquestError | null;
  private readonly high: Uint32Array;
  private readonly low: Uint32Array;
  /** 1 for each entry that is not known; null where all are. */
  private readonly unknown: Uint8Array | null;

  private constructor(high: Uint32Array, low: Uint32Array, unknown: Uint8Array | null, fault: InquestError | null) {
    this.count = high.length;
    this.high = high;
    this.low = low;
    this.unknown = unknown;
    this.fault = fault;
  }

  /** Reads `count` entries; null if what they say in this encoding is not a table of ascending addresses. */
  static read(space: AddressSpace, encoding: AddressEncoding, count: number): SymbolAddresses | null {
    const entrySize = encoding.kind === 'absolute' ? 8 : 4;
    const table = new Uint8Array(count * entrySize);
    const unknown = new Uint8Array(count);
    const lost = readWithHoles(space, encoding.table, table, (start, end) =>
      unknown.fill(1, Math.floor(start / entrySize), Math.ceil(end / entrySize)),
    );
    const words = new Uint32Array(table.buffer);
    const high = new Uint32Array(count);
    const low = new Uint32Array(count);
    decode(encoding, words, high, low);

    let bad = 0;
    let previousHigh = 0;
    let previousLow = 0;
    for (let i = 0; i < count; i++) {
      const h = high[i]!;
      const l = low[i]!;
      const descends = h < previousHigh || (h === previousHigh && l < previousLow);
      let leaps = false;
      if (i + 1 < count && !descends) {
        const h2 = high[i + 1]!;
        const l2 = low[i + 1]!;
        // Above its successor, which is itself in order: this entry is the wrong one of the two.
        leaps = (h2 < h || (h2 === h && l2 < l)) && (h2 > previousHigh || (h2 === previousHigh && l2 >= previousLow));
      }
      if (descends || leaps || unknown[i] === 1) {
        unknown[i] = 1;
        bad++;
        high[i] = previousHigh;
        low[i] = previousLow;
      } else {
        previousHigh = h;
        previousLow = l;
      }
    }
    if (bad > count * maxBadShare) return null;
    if (bad === 0) return new SymbolAddresses(high, low, null, null);
    const fault = lost ?? new FormatError('kallsyms addresses', `${bad} of ${count} are out of order`);
    return new SymbolAddresses(high, low, unknown, fault);
  }

  /** Address of a symbol; null if it could not be read. */
  address(index: number): VirtAddr | null {
    if (!(index >= 0) || index >= this.count || this.isUnknown(index)) return null;
    return ((BigInt(this.high[index]!) << 32n) | BigInt(this.low[index]!)) as VirtAddr;
  }

  isUnknown(index: number): boolean {
    return this.unknown !== null && this.unknown[index] === 1;
  }

  /** Position of the last entry not above `address`; -1 if all are above. */
  lastNotAbove(address: VirtAddr): number {
    const h = Number(address >> 32n);
    const l = Number(address & 0xffff_ffffn);
    let low = 0;
    let end = this.count;
    while (low < end) {
      const middle = (low + end) >>> 1;
      const mh = this.high[middle]!;
      if (mh < h || (mh === h && this.low[middle]! <= l)) low = middle + 1;
      else end = middle;
    }
    return low - 1;
  }

  /** Position of the first entry with the same address as that of `index`. */
  firstAlias(index: number): number {
    while (index > 0 && this.high[index - 1] === this.high[index] && this.low[index - 1] === this.low[index]) index--;
    return index;
  }

  /** Bytes to the next higher address; 0 if there is none, or none within 2 GiB (behind the last per-CPU offset). */
  size(index: number): number {
    const h = this.high[index]!;
    const l = this.low[index]!;
    for (let i = index + 1; i < this.count; i++) {
      if (this.high[i] === h && this.low[i] === l) continue;
      const distance = (this.high[i]! - h) * 0x1_0000_0000 + (this.low[i]! - l);
      return distance < 0x8000_0000 ? distance : 0;
    }
    return 0;
  }
}

function decode(encoding: AddressEncoding, words: Uint32Array, high: Uint32Array, low: Uint32Array): void {
  const count = high.length;
  switch (encoding.kind) {
    case 'absolute':
      for (let i = 0; i < count; i++) {
        low[i] = words[2 * i]!;
        high[i] = words[2 * i + 1]!;
      }
      return;
    case 'relative':
    case 'relative-percpu': {
      const percpu = encoding.kind === 'relative-percpu';
      // Negative entries count down from base - 1; ~value is -1 - value.
      const baseHigh = Number(encoding.base >> 32n);
      const baseLow = Number(encoding.base & 0xffff_ffffn);
      for (let i = 0; i < count; i++) {
        const word = words[i]!;
        if (percpu && word < 0x8000_0000) {
          low[i] = word;
          continue;
        }
        const sum = baseLow + (percpu ? ~word >>> 0 : word);
        low[i] = sum;
        high[i] = baseHigh + (sum > 0xffff_ffff ? 1 : 0);
      }
      return;
    }
    case 'place': {
      const tableHigh = Number(encoding.table >> 32n);
      const tableLow = Number(encoding.table & 0xffff_ffffn);
      for (let i = 0; i < count; i++) {
        const sum = tableLow + 4 * i + (words[i]! | 0);
        low[i] = sum;
        high[i] = tableHigh + Math.floor(sum / 0x1_0000_0000);
      }
      return;
    }
  }
}

/** Fills `into` page by page; calls `lost` for each range of it that cannot be read. Returns the first fault. */
function readWithHoles(
  space: AddressSpace,
  address: VirtAddr,
  into: Uint8Array,
  lost: (start: number, end: number) => void,
): InquestError | null {
  const pageSize = space.memory.pageSize;
  let first: InquestError | null = null;
  for (let at = 0; at < into.length; ) {
    const here = offsetBy(address, at);
    const end = Math.min(at + pageSize - Number(here & BigInt(pageSize - 1)), into.length);
    try {
      space.readInto(here, into.subarray(at, end));
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      first ??= error;
      lost(at, end);
    }
    at = end;
  }
  return first;
}
