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
import { assertNever, FormatError, type InquestError, MemoryFault } from '../base/errors.ts';

export type AddressEncoding =
  /** `base` is the value of kallsyms_relative_base, not where it is stored. */
  | { readonly kind: 'relative' | 'relative-percpu'; readonly table: VirtAddr; readonly base: VirtAddr }
  | { readonly kind: 'absolute' | 'place'; readonly table: VirtAddr };

/** Entries decoded at a time. Few: a search decodes one chunk at each step, and most processes search for little else. */
const chunkSize = 128;
/** Part of a chunk's entries that may be out of order before the whole chunk is thought wrong. */
const maxBadShare = 1 / 8;
/** Farthest symbol that ends the one before it, in bytes: behind the last per-CPU offset comes the kernel's text. */
const maxSize = 0x8000_0000;

const notLoaded = 0;
const loaded = 1;
const unreadable = 2;
const corrupt = 3;

/** Addresses by position, decoded in chunks when asked. An entry that cannot be read or is out of order is unknown. */
export class SymbolAddresses {
  readonly count: number;
  /** What could not be read so far. */
  readonly faults: InquestError[] = [];
  private readonly space: AddressSpace;
  private readonly encoding: AddressEncoding;
  private readonly entrySize: number;
  /** Low and high half of each address, so that a search needs no bigint; unknown ones stand for their predecessor's. */
  private readonly halves: Uint32Array;
  /** The same memory as whole addresses. */
  private readonly values: BigUint64Array;
  private readonly chunkState: Uint8Array;
  /** Positions of single entries that are out of order. */
  private readonly misplaced = new Set<number>();

  constructor(space: AddressSpace, encoding: AddressEncoding, count: number) {
    this.space = space;
    this.encoding = encoding;
    this.entrySize = encoding.kind === 'absolute' ? 8 : 4;
    this.count = count;
    this.halves = new Uint32Array(2 * count);
    this.values = new BigUint64Array(this.halves.buffer);
    this.chunkState = new Uint8Array(Math.ceil(count / chunkSize));
  }

  /**
   * What a sample of the table looks like: `ordered` if most of it is, `disordered` if most of it can be read and is not,
   * which means a wrong encoding or place, else `unknown`.
   */
  sample(): 'ordered' | 'disordered' | 'unknown' {
    const chunks = this.chunkState.length;
    const samples = Math.min(chunks, 8);
    let ordered = 0;
    let disordered = 0;
    for (let i = 0; i < samples; i++) {
      const chunk = Math.floor((i * chunks) / samples);
      if (this.load(chunk)) ordered++;
      else if (this.chunkState[chunk] === corrupt) disordered++;
    }
    return ordered * 2 > samples ? 'ordered' : disordered * 2 > samples ? 'disordered' : 'unknown';
  }

  /** Address of a symbol; null if it is not known. */
  address(index: number): VirtAddr | null {
    return this.isKnown(index) ? (this.values[index]! as VirtAddr) : null;
  }

  isKnown(index: number): boolean {
    if (!(index >= 0) || index >= this.count || !this.load(Math.floor(index / chunkSize))) return false;
    return this.misplaced.size === 0 || !this.misplaced.has(index);
  }

  /** Position of the last known entry not above `address`; -1 if all are above. */
  lastNotAbove(address: VirtAddr): number {
    const high = Number(address >> 32n);
    const low = Number(address & 0xffff_ffffn);
    // First the last chunk that starts not above the address, passing over unreadable ones, ...
    let first = 0;
    let end = this.chunkState.length;
    let chunk = -1;
    while (first < end) {
      const middle = (first + end) >>> 1;
      let known = middle;
      while (known < end && !this.load(known)) known++;
      if (known < end && this.isNotAbove(known * chunkSize, high, low)) {
        chunk = known;
        first = known + 1;
      } else end = middle;
    }
    if (chunk < 0) return -1;
    // ... then the entry in it.
    first = chunk * chunkSize;
    end = Math.min(first + chunkSize, this.count);
    while (first < end) {
      const middle = (first + end) >>> 1;
      if (this.isNotAbove(middle, high, low)) first = middle + 1;
      else end = middle;
    }
    let index = first - 1;
    while (index >= 0 && !this.isKnown(index)) index--;
    return index;
  }

  /** Position of the first known entry with the same address as that of `index`. */
  firstAlias(index: number): number {
    let first = index;
    for (let i = index - 1; this.isKnown(i) && this.distance(i, index) === 0; i--) first = i;
    return first;
  }

  /** Bytes to the next higher address; 0 if there is none near, or it is not known. */
  size(index: number): number {
    for (let i = index + 1; this.isKnown(i); i++) {
      const distance = this.distance(index, i);
      if (distance !== 0) return distance > 0 && distance < maxSize ? distance : 0;
    }
    return 0;
  }

  private isNotAbove(index: number, high: number, low: number): boolean {
    const h = this.halves[2 * index + 1]!;
    return h < high || (h === high && this.halves[2 * index]! <= low);
  }

  /** Bytes from one entry to another; exact while it is small. */
  private distance(from: number, to: number): number {
    const { halves } = this;
    return (halves[2 * to + 1]! - halves[2 * from + 1]!) * 0x1_0000_0000 + (halves[2 * to]! - halves[2 * from]!);
  }

  private load(chunk: number): boolean {
    const state = this.chunkState[chunk]!;
    if (state !== notLoaded) return state === loaded;
    const start = chunk * chunkSize;
    const end = Math.min(start + chunkSize, this.count);
    try {
      const bytes = this.space.read(
        offsetBy(this.encoding.table, start * this.entrySize),
        (end - start) * this.entrySize,
      );
      this.decode(new Int32Array(bytes.buffer), start, end);
      this.markMisplaced(start, end);
    } catch (error) {
      if (!(error instanceof MemoryFault || error instanceof FormatError)) throw error;
      this.faults.push(error);
      this.chunkState[chunk] = error instanceof MemoryFault ? unreadable : corrupt;
      return false;
    }
    this.chunkState[chunk] = loaded;
    return true;
  }

  /** Signed halves throughout: 32-bit integers need no allocation before the code is compiled, doubles do. */
  private decode(words: Int32Array, start: number, end: number): void {
    const { encoding, halves } = this;
    switch (encoding.kind) {
      case 'absolute':
        halves.set(words, 2 * start);
        return;
      case 'relative':
      case 'relative-percpu': {
        const percpu = encoding.kind === 'relative-percpu';
        const baseHigh = high32(encoding.base);
        const baseLow = low32(encoding.base);
        for (let i = start; i < end; i++) {
          const word = words[i - start]!;
          if (percpu && word >= 0) {
            halves[2 * i] = word;
            continue;
          }
          // Negative ones count down from base - 1, and ~word is -1 - word.
          const low = (baseLow + (percpu ? ~word : word)) | 0;
          halves[2 * i] = low;
          halves[2 * i + 1] = baseHigh + (low >>> 0 < baseLow >>> 0 ? 1 : 0);
        }
        return;
      }
      case 'place': {
        const here = offsetBy(encoding.table, 4 * start);
        const hereHigh = high32(here);
        const hereLow = low32(here);
        for (let i = start; i < end; i++) {
          const entryLow = (hereLow + 4 * (i - start)) | 0;
          const carry = entryLow >>> 0 < hereLow >>> 0 ? 1 : 0;
          const word = words[i - start]!;
          const low = (entryLow + word) | 0;
          const step = word < 0 ? (low >>> 0 > entryLow >>> 0 ? -1 : 0) : low >>> 0 < entryLow >>> 0 ? 1 : 0;
          halves[2 * i] = low;
          halves[2 * i + 1] = hereHigh + carry + step;
        }
        return;
      }
      default:
        assertNever(encoding);
    }
  }

  /** Finds the entries that break the ascending order and gives them their predecessor's address, so that a search works. */
  private markMisplaced(start: number, end: number): void {
    const { values } = this;
    const misplaced: number[] = [];
    let previous = -1;
    for (let i = start; i < end; i++) {
      const descends = previous >= 0 && this.distance(previous, i) < 0;
      // Above its successor, which itself is in order: this entry is the wrong one of the two.
      const leaps =
        i + 1 < end &&
        this.distance(i, i + 1) < 0 &&
        (previous < 0 ? i === start : this.distance(previous, i + 1) >= 0);
      if (descends || leaps) misplaced.push(i);
      else previous = i;
    }
    if (misplaced.length === 0) return;
    const fault = new FormatError(
      'kallsyms addresses',
      `${misplaced.length} of ${start} to ${end - 1} are out of order`,
    );
    if (misplaced.length > (end - start) * maxBadShare) throw fault;
    this.faults.push(fault);
    for (const i of misplaced) {
      this.misplaced.add(i);
      values[i] = i > start ? values[i - 1]! : 0n;
    }
    // The first of the chunk has no predecessor: it stands for the first that is known.
    let known = start;
    while (this.misplaced.has(known)) known++;
    for (let i = start; i < known; i++) values[i] = values[known]!;
  }
}

function high32(address: VirtAddr): number {
  return Number(address >> 32n) | 0;
}

function low32(address: VirtAddr): number {
  return Number(address & 0xffff_ffffn) | 0;
}
