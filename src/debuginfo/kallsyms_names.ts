// The names of kallsyms: a string compressed by a table of 256 tokens for each symbol, read group by group when asked.
//
//   names:    | length | token bytes ... | length | token bytes ... |      length: ULEB128, one or two bytes
//   markers:  byte offset in `names` of every 256th entry
//   tokens:   token_index[byte] is where in token_table the byte's NUL-terminated text starts
//
// The first character of an expanded name is the symbol's type letter. Formats: scripts/kallsyms.c, kernel/kallsyms.c.
// Lengths became ULEB128 in 6.1 (73bbb94466fd); before that they were one byte, never above 0x7f, so both read alike.

import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, type InquestError, MemoryFault } from '../base/errors.ts';

/** Symbols between two markers. */
export const groupSize = 256;
/** Longest expanded name that is believed, type letter included: KSYM_NAME_LEN is 512 since 6.1. */
const maxName = 1024;
/** Longest compressed entry that is believed, length bytes included; names of KSYM_NAME_LEN take less. */
const maxEntry = maxName + 2;
/** Multiplier of the names' polynomial hash: odd, so that products keep their low bits apart. */
const hashFactor = 0x01000193;

/** The 256 strings that the names are made of. */
export class TokenTable {
  /** The tokens' text, one after another. */
  readonly bytes: Uint8Array;
  /** Start of each token in `bytes`. */
  readonly start = new Uint16Array(256);
  readonly length = new Uint16Array(256);

  /** @param index `kallsyms_token_index`, 512 bytes; @param table `kallsyms_token_table`, as far as it can be read */
  constructor(index: Uint8Array, table: Uint8Array) {
    if (index.length < 512) throw new FormatError('kallsyms token index', `needs 512 bytes, has ${index.length}`);
    for (let i = 0; i < 256; i++) {
      const start = index[2 * i]! | (index[2 * i + 1]! << 8);
      const end = table.indexOf(0, start);
      if (start >= table.length || end < 0 || end - start > maxName) {
        throw new FormatError('kallsyms token table', `token ${i} at ${start} does not end`);
      }
      this.start[i] = start;
      this.length[i] = end - start;
    }
    this.bytes = table;
  }

  /** @throws MemoryFault, FormatError */
  static read(space: AddressSpace, tableAddress: VirtAddr, indexAddress: VirtAddr): TokenTable {
    const index = space.read(indexAddress, 512);
    const last = index[510]! | (index[511]! << 8);
    return new TokenTable(index, space.readUpTo(tableAddress, last + maxName).bytes);
  }
}

/**
 * Where the groups start, made certain: for a table of `count` names at `names`, `starts[g]` is the byte offset
 * of group g and `starts[groups]` the end of all names.
 */
export interface NameGroups {
  readonly starts: Float64Array;
  /** Names that can be reached: less than `count` when a length or a page on the way is bad. */
  readonly reachable: number;
  readonly fault: InquestError | null;
}

/** Tests markers against the names' own lengths in the first and the last group; null if they contradict. */
export function groupsFromMarkers(
  space: AddressSpace,
  names: VirtAddr,
  count: number,
  markers: ArrayLike<number>,
): NameGroups | null {
  const groups = Math.ceil(count / groupSize);
  if (markers.length < groups || markers[0] !== 0) return null;
  const starts = new Float64Array(groups + 1);
  for (let g = 1; g < groups; g++) {
    const step = markers[g]! - markers[g - 1]!;
    // Every entry has a length byte and at least one token.
    if (step < groupSize * 2 || step > groupSize * maxEntry) return null;
    starts[g] = markers[g]!;
  }
  if (groups > 1 && walkEntries(space, names, groupSize) !== starts[1]) return null;
  const tail = walkEntries(space, offsetBy(names, starts[groups - 1]!), count - (groups - 1) * groupSize);
  if (tail === null) return null;
  starts[groups] = starts[groups - 1]! + tail;
  return { starts, reachable: count, fault: null };
}

/** Bytes that `count` entries take, or null where they cannot be read or have no sense. */
function walkEntries(space: AddressSpace, address: VirtAddr, count: number): number | null {
  // Most entries are far shorter than the longest: read that much only when needed.
  for (const perEntry of [32, maxEntry]) {
    const { bytes } = space.readUpTo(address, count * perEntry);
    const end = entriesEnd(bytes, 0, bytes.length, count);
    if (end !== null) return end;
  }
  return null;
}

/** Offset behind `count` entries that start at `at`; null if they run past `end` or one is empty or too long. */
function entriesEnd(bytes: Uint8Array, at: number, end: number, count: number): number | null {
  for (let i = 0; i < count; i++) {
    if (at + 2 > end) return null;
    let length = bytes[at++]!;
    if (length >= 0x80) length = (length & 0x7f) | (bytes[at++]! << 7);
    if (length === 0 || length > maxName) return null;
    at += length;
  }
  return at <= end ? at : null;
}

/** Finds the groups by walking over all names: slow, but needs no markers. */
export function groupsByWalk(space: AddressSpace, names: VirtAddr, count: number): NameGroups {
  const groups = Math.ceil(count / groupSize);
  const starts = new Float64Array(groups + 1);
  let at = 0;
  for (let g = 0; g < groups; g++) {
    const size = walkEntries(space, offsetBy(names, at), Math.min(groupSize, count - g * groupSize));
    if (size === null) {
      starts.fill(at, g);
      const fault = new FormatError('kallsyms names', `no entry after ${g * groupSize} of ${count} can be read`);
      return { starts, reachable: g * groupSize, fault };
    }
    at += size;
    starts[g + 1] = at;
  }
  return { starts, reachable: count, fault: null };
}

const notLoaded = 0;
const loaded = 1;
const unreadable = 2;

/** The names, by position in the table. */
export class NameTable {
  readonly count: number;
  /** What could not be read so far. */
  readonly faults: InquestError[] = [];
  private readonly space: AddressSpace;
  private readonly address: VirtAddr;
  private readonly tokens: TokenTable;
  private readonly starts: Float64Array;
  private readonly bytes: Uint8Array;
  private readonly groupState: Uint8Array;
  private readonly expanded = Buffer.alloc(groupSize * maxName);
  private buckets: HashBuckets | null = null;

  /** @param address of `kallsyms_names` */
  constructor(space: AddressSpace, address: VirtAddr, tokens: TokenTable, groups: NameGroups) {
    this.space = space;
    this.address = address;
    this.tokens = tokens;
    this.count = groups.reachable;
    this.starts = groups.starts;
    const size = groups.starts[groups.starts.length - 1]!;
    space.memory.work.charge('kept', size);
    this.bytes = new Uint8Array(size);
    this.groupState = new Uint8Array(Math.ceil(this.count / groupSize));
    if (groups.fault !== null) this.faults.push(groups.fault);
  }

  /** Type letter and name of one symbol as one text (`Tschedule`); null if it cannot be read. */
  name(index: number): string | null {
    if (!(index >= 0) || index >= this.count) return null;
    const group = Math.floor(index / groupSize);
    if (!this.load(group)) return null;
    const end = this.expand(this.entryAt(index), 0);
    return end > 0 ? this.expanded.toString('latin1', 0, end) : null;
  }

  /**
   * Order of one symbol's name (without type letter) and another, byte by byte: negative if it comes first, 0 if they
   * are equal; null if it cannot be read. For searches: it makes no string, and most names differ early.
   */
  compare(index: number, wanted: Uint8Array): number | null {
    if (!(index >= 0) || index >= this.count || !this.load(Math.floor(index / groupSize))) return null;
    const { bytes } = this;
    const { start, length: lengths, bytes: text } = this.tokens;
    let at = this.entryAt(index);
    let length = bytes[at++]!;
    if (length >= 0x80) length = (length & 0x7f) | (bytes[at++]! << 7);
    let matched = -1; // the type letter is not compared
    for (const end = at + length; at < end; at++) {
      const token = bytes[at]!;
      const from = start[token]!;
      for (let i = from; i < from + lengths[token]!; i++, matched++) {
        if (matched < 0) continue;
        if (matched >= wanted.length) return 1;
        const difference = text[i]! - wanted[matched]!;
        if (difference !== 0) return difference;
      }
    }
    return matched < 0 ? null : matched - wanted.length;
  }

  /** Where the entry of a symbol is in `bytes`; its group must be loaded. */
  private entryAt(index: number): number {
    const { bytes } = this;
    let at = this.starts[Math.floor(index / groupSize)]!;
    for (let i = index % groupSize; i > 0; i--) {
      const length = bytes[at++]!;
      at += length < 0x80 ? length : ((length & 0x7f) | (bytes[at]! << 7)) + 1;
    }
    return at;
  }

  /** Type letters and names of a whole group of 256 (the last may be shorter); null where they cannot be read. */
  group(group: number): { readonly types: (string | null)[]; readonly names: (string | null)[] } {
    const n = Math.max(0, Math.min(groupSize, this.count - group * groupSize));
    const types = new Array<string | null>(n).fill(null);
    const names = new Array<string | null>(n).fill(null);
    if (n === 0 || !this.load(group)) return { types, names };
    const ends = new Uint32Array(n);
    let at = this.starts[group]!;
    let end = 0;
    for (let i = 0; i < n; i++) {
      end = this.expand(at, end);
      ends[i] = end;
      const length = this.bytes[at++]!;
      at += length < 0x80 ? length : ((length & 0x7f) | (this.bytes[at]! << 7)) + 1;
    }
    // One decode for the group: a substring is far cheaper than a string of its own.
    const text = this.expanded.toString('latin1', 0, end);
    let start = 0;
    for (let i = 0; i < n; i++) {
      if (ends[i]! > start) {
        types[i] = text[start]!;
        names[i] = text.substring(start + 1, ends[i]!);
      }
      start = ends[i]!;
    }
    return { types, names };
  }

  /** Positions of every symbol of that name (without type letter), ascending. Reads and hashes all names once. */
  *positions(name: string): Iterable<number> {
    let hash = 0;
    for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, hashFactor) + name.charCodeAt(i)) | 0;
    this.buckets ??= this.hashAll();
    const { heads, next } = this.buckets;
    for (let i = heads[fold(hash, heads.length)]!; i >= 0; i = next[i]!) {
      const candidate = this.name(i);
      if (candidate !== null && candidate.length === name.length + 1 && candidate.endsWith(name)) yield i;
    }
  }

  /** Expands the entry at `at` into `expanded` from `to` on; returns where it ends. Longer text is cut. */
  private expand(at: number, to: number): number {
    const { bytes, expanded } = this;
    const { start, length: lengths, bytes: text } = this.tokens;
    let length = bytes[at++]!;
    if (length >= 0x80) length = (length & 0x7f) | (bytes[at++]! << 7);
    const limit = to + maxName;
    for (const end = at + length; at < end; at++) {
      const token = bytes[at]!;
      let from = start[token]!;
      const stop = from + lengths[token]!;
      if (to + stop - from > limit) break;
      while (from < stop) expanded[to++] = text[from++]!;
    }
    return to;
  }

  private load(group: number): boolean {
    const state = this.groupState[group]!;
    if (state !== notLoaded) return state === loaded;
    const start = this.starts[group]!;
    const end = this.starts[group + 1]!;
    const n = Math.min(groupSize, this.count - group * groupSize);
    try {
      this.space.readInto(offsetBy(this.address, start), this.bytes.subarray(start, end));
      if (entriesEnd(this.bytes, start, end, n) !== end) {
        throw new FormatError(
          'kallsyms names',
          `symbols ${group * groupSize} to ${group * groupSize + n - 1} are corrupt`,
        );
      }
    } catch (error) {
      if (!(error instanceof MemoryFault || error instanceof FormatError)) throw error;
      this.faults.push(error);
      this.groupState[group] = unreadable;
      return false;
    }
    this.groupState[group] = loaded;
    return true;
  }

  /**
   * A hash table of all names. The hash of a text is a polynomial, so that of a name follows from those of its
   * tokens and nothing needs to be expanded.
   */
  private hashAll(): HashBuckets {
    const { bytes, count } = this;
    const { start, length: lengths, bytes: text } = this.tokens;
    const tokenHash = new Int32Array(256);
    const tailHash = new Int32Array(256); // without the token's first character, which is the type letter
    const shift = new Int32Array(256);
    for (let token = 0; token < 256; token++) {
      let whole = 0;
      let tail = 0;
      let power = 1;
      for (let i = 0; i < lengths[token]!; i++) {
        const c = text[start[token]! + i]!;
        whole = (Math.imul(whole, hashFactor) + c) | 0;
        if (i > 0) tail = (Math.imul(tail, hashFactor) + c) | 0;
        power = Math.imul(power, hashFactor);
      }
      tokenHash[token] = whole;
      tailHash[token] = tail;
      shift[token] = power;
    }
    const heads = new Int32Array(2 ** Math.ceil(Math.log2(count + 16))).fill(-1);
    const next = new Int32Array(count);
    // From the last to the first, so that each chain ascends.
    const bucketOf = new Int32Array(groupSize);
    for (let group = this.groupState.length - 1; group >= 0; group--) {
      if (!this.load(group)) continue;
      const n = Math.min(groupSize, count - group * groupSize);
      let at = this.starts[group]!;
      for (let i = 0; i < n; i++) {
        let length = bytes[at++]!;
        if (length >= 0x80) length = (length & 0x7f) | (bytes[at++]! << 7);
        const end = at + length;
        while (at < end && lengths[bytes[at]!] === 0) at++;
        let hash = at < end ? tailHash[bytes[at++]!]! : 0;
        for (; at < end; at++) hash = (Math.imul(hash, shift[bytes[at]!]!) + tokenHash[bytes[at]!]!) | 0;
        bucketOf[i] = fold(hash, heads.length);
      }
      for (let i = n - 1; i >= 0; i--) {
        next[group * groupSize + i] = heads[bucketOf[i]!]!;
        heads[bucketOf[i]!] = group * groupSize + i;
      }
    }
    return { heads, next };
  }
}

interface HashBuckets {
  /** First position of each bucket, -1 for none. */
  readonly heads: Int32Array;
  /** Next position of the same bucket, -1 at the end. */
  readonly next: Int32Array;
}

/** Bucket of a hash, for a number of buckets that is a power of two. */
function fold(hash: number, buckets: number): number {
  return (hash ^ (hash >>> 15)) & (buckets - 1);
}
