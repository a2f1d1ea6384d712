// Finds the tables of kallsyms in the kernel's image without being told where they are: kernels before 6.0 do not say,
// and a damaged VMCOREINFO cannot. The layouts are in kallsyms_tables.ts.
//
//   1. token_index: 256 ascending u16 from 0, right behind 256 NUL-terminated strings of those lengths, in which the
//      letters of `T_stext` stand for themselves
//   2. markers end before the token table, in front of them seqs_of_names or nothing: u32 or u64 that descend to 0
//   3. names end before the markers; their start is where the entries fit the markers and the count in front of them
//   4. the addresses are before the count or behind token_index; which encoding it is, the caller tests

import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { AddressEncoding } from './kallsyms_addresses.ts';
import { groupSize, groupsFromMarkers, type NameGroups } from './kallsyms_names.ts';
import { align, type KallsymsTables, maxSymbols, relativeEncodings } from './kallsyms_tables.ts';

const indexSize = 512;
/** Longest text of all tokens together, and of the last one alone. Real tables have some 900 bytes. */
const maxTokens = 16 * 1024;
const maxLastToken = 128;
/** Bytes that all markers take at most: 8 for 256 symbols. */
const maxMarkers = (8 * maxSymbols) / groupSize;
/** Bytes of kallsyms_seqs_of_names that are searched for the markers in front of it: 3 for each symbol. */
const maxSequences = 3 * 1024 * 1024;
/** Bytes of compressed names that are believed. Real ones have some 3 million. */
const maxNames = 16 * 1024 * 1024;
/** How much memory is looked at in one go. */
const windowSize = 1024 * 1024;
/** The search ends behind this much memory that cannot be read: the image is over. */
const maxGap = 16 * 1024 * 1024;
/** Candidates that get past the first test before the search gives up, so that a hostile image cannot prolong it. */
const maxCandidates = 12;
/** Characters of `T _stext`, which every kernel has: each is a token of its own. */
const surelyUsed = Buffer.from('T_stex', 'latin1');

/** Every place that passes for a set of tables, between two virtual addresses (`end` exclusive). */
export function* searchTables(space: AddressSpace, start: VirtAddr, end: VirtAddr): Iterable<KallsymsTables> {
  let candidates = 0;
  for (const { tokenTable, tokenIndex } of tokenTables(space, start, end)) {
    if (++candidates > maxCandidates) return;
    const named = findNames(space, tokenTable);
    if (named !== null)
      yield { ...named, tokenTable, tokenIndex, ...findAddresses(space, named, tokenTable, tokenIndex) };
  }
}

interface Tokens {
  readonly tokenTable: VirtAddr;
  readonly tokenIndex: VirtAddr;
}

function* tokenTables(space: AddressSpace, start: VirtAddr, end: VirtAddr): Iterable<Tokens> {
  // Each window starts with the tail of the one before, so that a pair of tables is whole in one of them.
  const overlap = maxTokens + indexSize;
  const window = new Uint8Array(overlap + windowSize);
  const halves = new Uint16Array(window.buffer);
  const first = virtAddr(start & ~7n);
  let gap = 0;
  for (let at = 0; BigInt(at) < end - first && gap < maxGap; at += windowSize) {
    window.copyWithin(0, windowSize);
    gap = fill(space, offsetBy(first, at), window.subarray(overlap)) ? 0 : gap + windowSize;
    const base = offsetBy(first, at - overlap);
    const stop = (overlap + windowSize - indexSize) / 2;
    for (let i = at === 0 ? overlap / 2 : maxTokens / 2 + 2; i <= stop; i += 2) {
      if (halves[i] !== 0 || halves[i + 1]! === 0 || halves[i + 2]! <= halves[i + 1]! || !ascends(halves, i)) continue;
      const table = tokenTableBefore(window, i * 2);
      if (table !== null) yield { tokenTable: offsetBy(base, table), tokenIndex: offsetBy(base, i * 2) };
    }
  }
}

function ascends(halves: Uint16Array, at: number): boolean {
  for (let i = 1; i < 256; i++) if (halves[at + i]! <= halves[at + i - 1]!) return false;
  return halves[at + 255]! < maxTokens - maxLastToken;
}

/** Offset in `window` of the token table that the index at `index` belongs to; null if there is none. */
function tokenTableBefore(window: Uint8Array, index: number): number | null {
  const startOf = (token: number) => window[index + 2 * token]! | (window[index + 2 * token + 1]! << 8);
  const last = startOf(255);
  const newest = (index - last - 1) & ~3;
  for (let table = newest; table >= 0 && table > newest - maxLastToken; table -= 4) {
    if (!surelyUsed.every((c) => window[table + startOf(c)] === c && window[table + startOf(c) + 1] === 0)) continue;
    let fits = true;
    for (let token = 0; fits && token < 255; token++) {
      fits = window.indexOf(0, table + startOf(token)) === table + startOf(token + 1) - 1;
    }
    const end = window.indexOf(0, table + last);
    // Only the padding of the alignment comes between the last token and the index.
    if (fits && end >= 0 && end < index && index - end <= 8) return table;
  }
  return null;
}

interface Names {
  readonly count: number;
  readonly numSyms: VirtAddr;
  readonly names: VirtAddr;
  readonly groups: NameGroups;
}

/** Walks back from the token table over markers and names to their count. */
function findNames(space: AddressSpace, tokenTable: VirtAddr): Names | null {
  return namesBeforeTokens(space, tokenTable, false) ?? namesBeforeTokens(space, tokenTable, true);
}

/** @param apart whether something (kallsyms_seqs_of_names) lies between the markers and the token table */
function namesBeforeTokens(space: AddressSpace, tokenTable: VirtAddr, apart: boolean): Names | null {
  const back = readBefore(space, tokenTable, maxMarkers + (apart ? maxSequences : 0));
  const words = new Uint32Array(back.buffer, 0, back.length / 4);
  // Without anything between there is padding at most: one word.
  const lowest = apart ? 1 : Math.max(1, words.length - 1);
  let candidates = 0;
  for (let end = words.length; end >= lowest; end--) {
    for (const stride of [1, 2]) {
      const first = markersStart(words, end, stride);
      // A lone zero is a marker only where one must be.
      if (first === null || (apart && first === end - stride)) continue;
      if (++candidates > maxCandidates) return null;
      const markers: number[] = [];
      for (let i = first; i < end; i += stride) markers.push(words[i]!);
      const found = namesBefore(space, offsetBy(tokenTable, (first - words.length) * 4), markers);
      if (found !== null) return found;
    }
  }
  return null;
}

/** Position of marker 0, for markers whose last is right before `end`; null if these are no markers. */
function markersStart(words: Uint32Array, end: number, stride: number): number | null {
  for (let i = end - stride; i >= 0; i -= stride) {
    if (stride === 2 && words[i + 1] !== 0) return null;
    const value = words[i]!;
    if (value === 0) return i;
    const before = words[i - stride];
    // 256 entries take at least two bytes each, and never as many as 64 KiB in a kernel of today.
    if (before === undefined || value - before < 2 * groupSize || value - before > 256 * groupSize) return null;
  }
  return null;
}

/** The names in front of the markers at `markersAt`, by trying each start that the last marker allows. */
function namesBefore(space: AddressSpace, markersAt: VirtAddr, markers: readonly number[]): Names | null {
  const last = markers[markers.length - 1]!;
  if (last > maxNames) return null;
  // From the count to the end of the names, with a last group of up to 256 names of 64 bytes.
  const back = readBefore(space, markersAt, last + 64 * groupSize + 16);
  const view = new DataView(back.buffer, back.byteOffset, back.length);
  for (let at = (back.length - last - 2) & ~3; at >= 4; at -= 4) {
    for (const before of [8, 4]) {
      if (at < before) continue;
      const count = view.getUint32(at - before, true);
      if (count === 0 || count > maxSymbols || Math.ceil(count / groupSize) !== markers.length) continue;
      const names = offsetBy(markersAt, at - back.length);
      const groups = groupsFromMarkers(space, names, count, markers);
      if (groups === null) continue;
      const rest = back.length - at - groups.starts[markers.length]!;
      // Names end where the markers begin, but for the padding; what they are made of is then beyond doubt.
      if (rest >= 0 && rest < 8)
        return { count, numSyms: offsetBy(markersAt, at - before - back.length), names, groups };
    }
  }
  return null;
}

/** Both places where the addresses can be, in all encodings. */
function findAddresses(
  space: AddressSpace,
  { count, numSyms }: Names,
  tokenTable: VirtAddr,
  tokenIndex: VirtAddr,
): { encodings: AddressEncoding[]; sequences: VirtAddr[] } {
  const behind = offsetBy(tokenIndex, indexSize);
  const size = align(4 * count, 8);
  const encodings: AddressEncoding[] = [
    ...relativeEncodings(space, offsetBy(numSyms, -8 - size), offsetBy(numSyms, -8)),
    ...relativeEncodings(space, behind, offsetBy(behind, size)),
    { kind: 'place', table: behind },
    { kind: 'absolute', table: offsetBy(numSyms, -8 * count) },
    { kind: 'absolute', table: behind },
  ];
  const sequences = [
    offsetBy(behind, size + 8),
    offsetBy(behind, 4 * count),
    offsetBy(behind, 8 * count),
    offsetBy(tokenTable, -align(3 * count, 8)),
  ];
  return { encodings, sequences };
}

/** Up to `length` bytes that end before `address`: fewer where a page cannot be read; a multiple of 4. */
function readBefore(space: AddressSpace, address: VirtAddr, length: number): Uint8Array {
  const pageSize = BigInt(space.memory.pageSize);
  const bytes = new Uint8Array(align(length, 4));
  let free = bytes.length;
  let at = address;
  while (free > 0) {
    const page = (at - 1n) & ~(pageSize - 1n);
    const n = Math.min(Number(at - page), free);
    try {
      space.readInto(offsetBy(at, -n), bytes.subarray(free - n, free));
    } catch (error) {
      if (error instanceof MemoryFault) break;
      throw error;
    }
    free -= n;
    at = offsetBy(at, -n);
  }
  return bytes.slice(free);
}

/** Reads what can be read, the rest as zeroes; false if nothing could. */
function fill(space: AddressSpace, address: VirtAddr, into: Uint8Array): boolean {
  const pageSize = space.memory.pageSize;
  into.fill(0);
  let any = false;
  for (let at = 0; at < into.length; ) {
    const here = offsetBy(address, at);
    const n = Math.min(pageSize - Number(here & BigInt(pageSize - 1)), into.length - at);
    try {
      space.readInto(here, into.subarray(at, at + n));
      any = true;
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
    }
    at += n;
  }
  return any;
}
