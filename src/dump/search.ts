// Searching memory: words under a mask, and strings, in windows of it; and in all of a dump, over several threads.
//
//   page frames --> chunks of 16 MiB of what is present --> a thread each: scan, match --> hits, ascending
import { availableParallelism } from 'node:os';
import { type Pfn, type PhysAddr, physAddr, pfn as toPfn } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import { inThreads, threadProgram } from '../base/threads.ts';
import { unwatched, type Work } from '../base/work.ts';
import type { BulkMemory, Dump, DumpDescription, PhysicalMemory } from './dump.ts';

/** What is looked for. All values, or all strings, are looked for at once. */
export type SearchPattern =
  | {
      readonly kind: 'words';
      /** Bytes of a word; words lie at multiples of it. */
      readonly size: 2 | 4 | 8;
      readonly values: readonly bigint[];
      /** Bits that do not count. */
      readonly ignore: bigint;
    }
  | { readonly kind: 'strings'; readonly strings: readonly Uint8Array[] };

/** Where a pattern was found. */
export interface SearchHit {
  readonly address: PhysAddr;
  /** Which of the values or strings. */
  readonly which: number;
}

/** Finds a pattern in windows of memory that are given one after another. */
export class Matcher {
  readonly pattern: SearchPattern;
  /** Offsets in the last window where something was found, ascending; below 0 for a string that began before it. */
  readonly offsets: number[] = [];
  /** Which of the values or strings each is. */
  readonly which: number[] = [];
  /** The end of the last window, in which a string may have begun. */
  private tail: Uint8Array = new Uint8Array(0);
  /** Bytes of the longest string; 0 for words. */
  readonly longest: number;

  constructor(pattern: SearchPattern) {
    this.pattern = pattern;
    this.longest = pattern.kind === 'strings' ? Math.max(0, ...pattern.strings.map(({ length }) => length)) : 0;
  }

  /**
   * Looks at a window; `offsets` and `which` then have what is in it.
   * @param bytes from an address that is a multiple of 8
   * @param follows whether it follows the window before: strings may begin there and end here
   */
  match(bytes: Uint8Array, follows: boolean): void {
    this.offsets.length = 0;
    this.which.length = 0;
    const { pattern } = this;
    if (pattern.kind === 'strings') this.strings(bytes, pattern.strings, follows);
    else this.words(bytes, pattern);
    const many = pattern.kind === 'strings' ? pattern.strings.length : pattern.values.length;
    if (many > 1) this.sort();
  }

  private words(bytes: Uint8Array, { size, values, ignore }: SearchPattern & { kind: 'words' }): void {
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
    const words = new Int32Array(aligned.buffer, aligned.byteOffset, Math.floor(aligned.length / 8) * 2);
    const [keepLow, keepHigh] = halves(~ignore);
    for (const [which, value] of values.entries()) {
      const before = this.offsets.length;
      const [low, high] = halves(value);
      if (size === 2) findHalfWords(words, low, keepLow, this.offsets);
      else if (size === 4) findWords(words, low, keepLow, this.offsets);
      else findDoubleWords(words, low, high, keepLow, keepHigh, this.offsets);
      for (let i = before; i < this.offsets.length; i++) this.which.push(which);
    }
  }

  private strings(bytes: Uint8Array, strings: readonly Uint8Array[], follows: boolean): void {
    const window = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!follows) this.tail = new Uint8Array(0);
    const joint = Buffer.concat([this.tail, window.subarray(0, Math.max(0, this.longest - 1))]);
    for (const [which, string] of strings.entries()) {
      if (string.length === 0) continue;
      const add = (offset: number): void => {
        this.offsets.push(offset);
        this.which.push(which);
      };
      // those that begin before the window and end in it
      for (let at = joint.indexOf(string); at >= 0 && at < this.tail.length; at = joint.indexOf(string, at + 1)) {
        if (at + string.length > this.tail.length) add(at - this.tail.length);
      }
      for (let at = window.indexOf(string); at >= 0; at = window.indexOf(string, at + 1)) add(at);
    }
    const end = Buffer.concat([this.tail, window.subarray(Math.max(0, window.length - this.longest + 1))]);
    this.tail = end.subarray(Math.max(0, end.length - this.longest + 1));
  }

  private sort(): void {
    const order = this.offsets.map((_, i) => i).sort((a, b) => this.offsets[a]! - this.offsets[b]! || a - b);
    const [offsets, which] = [this.offsets.slice(), this.which.slice()];
    for (const [to, from] of order.entries()) {
      this.offsets[to] = offsets[from]!;
      this.which[to] = which[from]!;
    }
  }
}

function halves(value: bigint): [low: number, high: number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

// A search of all memory is these loops: each looks at four words or pairs at once, and closer where one may match.
// They take a whole number of pairs of 32-bit words; the last few are looked at one by one.

function findDoubleWords(
  words: Int32Array,
  low: number,
  high: number,
  keepLow: number,
  keepHigh: number,
  offsets: number[],
): void {
  const [wantedLow, wantedHigh] = [low & keepLow, high & keepHigh];
  // whichever half tells more: of kernel addresses the high ones are alike
  const [probe, keep, wanted] = keepLow === 0 ? [1, keepHigh, wantedHigh] : [0, keepLow, wantedLow];
  for (let i = 0; i < words.length; i += 8) {
    if (
      i + 8 <= words.length &&
      (words[i + probe]! & keep) !== wanted &&
      (words[i + probe + 2]! & keep) !== wanted &&
      (words[i + probe + 4]! & keep) !== wanted &&
      (words[i + probe + 6]! & keep) !== wanted
    )
      continue;
    for (let j = i; j < Math.min(i + 8, words.length); j += 2) {
      if ((words[j]! & keepLow) === wantedLow && (words[j + 1]! & keepHigh) === wantedHigh) offsets.push(j * 4);
    }
  }
}

function findWords(words: Int32Array, value: number, keep: number, offsets: number[]): void {
  const wanted = value & keep;
  for (let i = 0; i < words.length; i += 4) {
    if (
      i + 4 <= words.length &&
      (words[i]! & keep) !== wanted &&
      (words[i + 1]! & keep) !== wanted &&
      (words[i + 2]! & keep) !== wanted &&
      (words[i + 3]! & keep) !== wanted
    )
      continue;
    for (let j = i; j < Math.min(i + 4, words.length); j++) if ((words[j]! & keep) === wanted) offsets.push(j * 4);
  }
}

function findHalfWords(words: Int32Array, value: number, keep: number, offsets: number[]): void {
  const [wanted, both] = [value & keep & 0xffff, (keep & 0xffff) * 0x1_0001];
  const twice = wanted * 0x1_0001;
  for (let i = 0; i < words.length; i++) {
    const differs = (words[i]! & both) ^ twice;
    // one of its halves is zero
    if (((differs - 0x1_0001) & ~differs & 0x8000_8000) === 0) continue;
    if ((differs & 0xffff) === 0) offsets.push(i * 4);
    if (differs >>> 16 === 0) offsets.push(i * 4 + 2);
  }
}

/** Page frames searched by one thread at a time; of them these many are present, so that the work is about equal. */
const chunkPages = 4096;
/** Below so many present pages threads cost more than they save. */
const worthThreads = 4 * chunkPages;

/** Page frames [from, to). */
export interface SearchChunk {
  readonly from: Pfn;
  readonly to: Pfn;
}

/** What a chunk of memory holds: hits, ascending, and pages that could not be read. */
export interface ChunkHits {
  readonly addresses: Float64Array;
  readonly which: Uint16Array;
  readonly failed: readonly { readonly pfn: number; readonly reason: MemoryFault['reason']; readonly detail: string }[];
}

/** What a thread that searches is started with. */
export interface SearchThreadData {
  readonly dump: DumpDescription;
  readonly pattern: SearchPattern;
}

export interface SearchOptions {
  /** Page frames [from, to); all by default. */
  readonly from?: Pfn;
  readonly to?: Pfn;
  /** 1 for none but the caller's. By default as many as the machine has processors, where that is worth it. */
  readonly threads?: number;
  /** Told how far it is, in page frames, and charged the bytes looked at. */
  readonly work?: Work;
  /** Told of each page that is in the dump and cannot be read. */
  readonly failed?: (pfn: Pfn, fault: MemoryFault) => void;
}

/**
 * Searches the dead machine's memory, as far as it is in the dump: hits by ascending physical address. Strings may lie
 * across page frames that follow one another. Pages that are known to have been zero without being there are not
 * looked at.
 */
export function* searchMemory(
  dump: Pick<Dump, 'memory' | 'description'> & Partial<Pick<Dump, 'live'>>,
  pattern: SearchPattern,
  options: SearchOptions = {},
): Generator<SearchHit, void, void> {
  const { memory } = dump;
  const { work = unwatched } = options;
  const from = options.from ?? toPfn(0);
  const to = toPfn(Math.min(options.to ?? memory.maxPfn, memory.maxPfn));
  // what keeps pages of a running machine from being read is known to this thread alone
  const threads =
    dump.live != null ? 1 : (options.threads ?? (isWorthThreads(memory, from, to) ? availableParallelism() : 1));
  const given: SearchChunk[] = [];
  const chunks = function* (): Generator<SearchChunk> {
    for (const chunk of chunksOf(memory, from, to)) {
      given.push(chunk);
      yield chunk;
    }
  };
  const answers =
    threads > 1
      ? inThreads<SearchChunk, ChunkHits>(
          threadProgram('search_worker', import.meta.url),
          { dump: dump.description, pattern } satisfies SearchThreadData,
          threads,
          chunks(),
          work,
        )
      : searchHere(memory, pattern, chunks());
  for (const { addresses, which, failed } of answers) {
    const chunk = given.shift()!;
    work.charge('bytes', (chunk.to - chunk.from) * memory.pageSize);
    work.progress(chunk.to - from, to - from);
    for (const { pfn, reason, detail } of failed) {
      options.failed?.(toPfn(pfn), new MemoryFault('physical', BigInt(pfn) * BigInt(memory.pageSize), reason, detail));
    }
    for (let i = 0; i < addresses.length; i++) yield { address: physAddr(addresses[i]!), which: which[i]! };
  }
}

function* searchHere(
  memory: PhysicalMemory,
  pattern: SearchPattern,
  chunks: Iterable<SearchChunk>,
): Generator<ChunkHits> {
  for (const chunk of chunks) yield searchChunk(memory, pattern, chunk);
}

/** Searches one chunk: hits begin in it; strings may end behind it. */
export function searchChunk(memory: PhysicalMemory, pattern: SearchPattern, { from, to }: SearchChunk): ChunkHits {
  const { pageSize } = memory;
  const matcher = new Matcher(pattern);
  const addresses: number[] = [];
  const which: number[] = [];
  const failed: { pfn: number; reason: MemoryFault['reason']; detail: string }[] = [];
  const end = to * pageSize;
  const behind = Math.ceil(Math.max(0, matcher.longest - 1) / pageSize);
  let next = -1; // the frame that follows the window before
  memory.scan(
    from,
    toPfn(to + behind),
    (first, pages) => {
      matcher.match(pages, first === next);
      next = first + pages.length / pageSize;
      const base = first * pageSize;
      for (let i = 0; i < matcher.offsets.length; i++) {
        const address = base + matcher.offsets[i]!;
        if (address >= end) continue;
        addresses.push(address);
        which.push(matcher.which[i]!);
      }
      return true;
    },
    (pfn, { reason, detail }) => {
      if (pfn < to) failed.push({ pfn, reason, detail });
    },
  );
  return { addresses: Float64Array.from(addresses), which: Uint16Array.from(which), failed };
}

/** Cuts what is present of [from, to) into chunks. */
function* chunksOf(memory: BulkMemory, from: Pfn, to: Pfn): Generator<SearchChunk> {
  let start = from;
  let pages = 0;
  for (const { first, count } of memory.presentRuns(from, to)) {
    if (pages === 0) start = first;
    for (let done = 0; done < count; ) {
      const taken = Math.min(count - done, chunkPages - pages);
      done += taken;
      pages += taken;
      if (pages < chunkPages) continue;
      yield { from: start, to: toPfn(first + done) };
      start = toPfn(first + done);
      pages = 0;
    }
  }
  if (pages > 0) yield { from: start, to };
}

function isWorthThreads(memory: BulkMemory, from: Pfn, to: Pfn): boolean {
  let pages = 0;
  for (const { count } of memory.presentRuns(from, to)) {
    pages += count;
    if (pages >= worthThreads) return true;
  }
  return false;
}
