// The pages of an ELF core: PT_LOAD segments as disjoint extents of physical memory.
//
//   segment   |<------- p_filesz ------->|<-- p_memsz - p_filesz -->|
//             content is in the file      left out by the filter
//
// Segments may overlap (the kernel's own text has one beside that of the RAM it lies in) and need not begin
// or end at a page. Where extents overlap, the one that begins first counts; content goes before tails.
import { type Pfn, physAddr, pfn as toPfn } from '../base/address.ts';
import type { ByteSource } from './byte_source.ts';
import type { PageRun } from './dump.ts';
import type { Segments } from './elf_header.ts';
import type { MemoryRange, PageStore, StoredPageState } from './paged_memory.ts';

/** Disjoint extents [start, end) of physical memory, ascending, in bytes. */
interface Extents {
  readonly count: number;
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** File offset minus physical address: what to add to an address to get where its content is. */
  readonly shift: Float64Array;
}

export class ElfStore implements PageStore {
  readonly pageSize: number;
  readonly maxPfn: number;
  private readonly source: ByteSource;
  private readonly content: Extents;
  private readonly tails: Extents;

  /** @param pageSize bytes in a page, a power of two */
  constructor(source: ByteSource, segments: Segments, pageSize: number) {
    this.source = source;
    this.pageSize = pageSize;
    const { address, fileSize, memorySize, fileOffset } = segments;
    this.content = extents(
      segments.count,
      (i) => address[i]!,
      (i) => address[i]! + fileSize[i]!,
      (i) => fileOffset[i]! - address[i]!,
    );
    this.tails = extents(
      segments.count,
      (i) => address[i]! + fileSize[i]!,
      (i) => address[i]! + memorySize[i]!,
      () => 0,
    );
    this.maxPfn = Math.ceil(Math.max(lastEnd(this.content), lastEnd(this.tails)) / pageSize);
  }

  state(pfn: Pfn): StoredPageState {
    const start = pfn * this.pageSize;
    const end = start + this.pageSize;
    const { content } = this;
    let i = firstEndingAfter(content, start);
    if (i === content.count || content.start[i]! >= end) {
      const tail = firstEndingAfter(this.tails, start);
      return tail < this.tails.count && this.tails.start[tail]! < end ? 'excluded' : 'not-in-dump';
    }
    for (; i < content.count && content.start[i]! < end; i++) {
      if (Math.min(end, content.end[i]!) + content.shift[i]! > this.source.size) return 'truncated';
    }
    return 'present';
  }

  /** Bytes of the page that no segment has are zeroes. */
  load(pfn: Pfn, into: Uint8Array): StoredPageState {
    const state = this.state(pfn);
    if (state !== 'present') return state;
    const start = pfn * this.pageSize;
    const end = start + this.pageSize;
    const { content } = this;
    let filled = start;
    for (let i = firstEndingAfter(content, start); i < content.count && content.start[i]! < end; i++) {
      const from = Math.max(start, content.start[i]!);
      const to = Math.min(end, content.end[i]!);
      if (from > filled) into.fill(0, filled - start, from - start);
      const got = this.source.read(from + content.shift[i]!, into.subarray(from - start, to - start));
      if (got < to - from) return 'truncated';
      filled = to;
    }
    into.fill(0, filled - start);
    return state;
  }

  loadRun(pfn: Pfn, into: Uint8Array): number {
    const { content, pageSize, source } = this;
    const start = pfn * pageSize;
    const i = firstEndingAfter(content, start);
    if (i < content.count && content.start[i]! <= start) {
      const bytes = Math.min(content.end[i]! - start, into.length);
      const offset = start + content.shift[i]!;
      const wanted = Math.min(bytes, source.size - offset);
      if (wanted >= pageSize) {
        const got = source.read(offset, into.subarray(0, wanted - (wanted % pageSize)));
        if (got >= pageSize) return Math.floor(got / pageSize);
      }
    }
    return this.load(pfn, into.subarray(0, pageSize)) === 'present' ? 1 : 0;
  }

  *presentRuns(from: Pfn, to: Pfn): Generator<PageRun> {
    const { content, pageSize, source } = this;
    let first = from; // of the run that is open, which ends before `end`
    let end = from;
    for (let i = firstEndingAfter(content, from * pageSize); i < content.count; i++) {
      const inFile = Math.min(content.end[i]!, source.size - content.shift[i]!);
      let start = Math.max(end, Math.floor(content.start[i]! / pageSize));
      let stop = Math.min(to, Math.ceil(inFile / pageSize));
      // only pages at the edges of an extent can have parts that are cut off
      while (start < stop && this.state(toPfn(stop - 1)) !== 'present') stop--;
      while (start < stop && this.state(toPfn(start)) !== 'present') start++;
      if (start < stop) {
        if (start > end) {
          if (first < end) yield { first, count: end - first };
          first = toPfn(start);
        }
        end = toPfn(stop);
      }
      if (content.end[i]! >= to * pageSize) break;
    }
    if (first < end) yield { first, count: end - first };
  }

  ramRanges(): readonly MemoryRange[] {
    const ranges: { start: number; end: number }[] = [];
    const { content, tails } = this;
    for (let c = 0, t = 0; c < content.count || t < tails.count; ) {
      const contentNext = t === tails.count || (c < content.count && content.start[c]! <= tails.start[t]!);
      const start = contentNext ? content.start[c]! : tails.start[t]!;
      const end = contentNext ? content.end[c++]! : tails.end[t++]!;
      const last = ranges.at(-1);
      if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
      else ranges.push({ start, end });
    }
    return ranges.map(({ start, end }) => ({ start: physAddr(start), end: physAddr(end) }));
  }

  /** Page frames described, with content in the file, and whose content is cut off. */
  countPages(): { total: number; present: number; lost: number } {
    const ram = this.ramRanges();
    const total = this.countTouched(
      ram.length,
      (i) => ram[i]!.start,
      (i) => ram[i]!.end,
    );
    const { content, source } = this;
    const stored = this.countTouched(
      content.count,
      (i) => content.start[i]!,
      (i) => content.end[i]!,
    );
    const lost = this.countTouched(
      content.count,
      (i) => Math.max(content.start[i]!, Math.min(content.end[i]!, source.size - content.shift[i]!)),
      (i) => content.end[i]!,
    );
    return { total, present: stored - lost, lost };
  }

  /** Pages that have a byte in one of these ascending ranges; ranges with start = end have none. */
  private countTouched(count: number, start: (i: number) => number, end: (i: number) => number): number {
    let pages = 0;
    let next = 0; // the first page not counted yet
    for (let i = 0; i < count; i++) {
      if (start(i) >= end(i)) continue;
      const first = Math.max(next, Math.floor(start(i) / this.pageSize));
      const last = Math.ceil(end(i) / this.pageSize);
      if (last <= first) continue;
      pages += last - first;
      next = last;
    }
    return pages;
  }
}

function lastEnd(extents: Extents): number {
  return extents.count === 0 ? 0 : extents.end[extents.count - 1]!;
}

/** Index of the first extent that ends beyond `address`; the count if there is none. */
function firstEndingAfter(extents: Extents, address: number): number {
  let low = 0;
  let high = extents.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (extents.end[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Sorts extents and cuts off what an earlier one covers. */
function extents(
  count: number,
  startOf: (i: number) => number,
  endOf: (i: number) => number,
  shiftOf: (i: number) => number,
): Extents {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  let sorted = true;
  for (let i = 1; i < count && sorted; i++) sorted = startOf(i - 1) <= startOf(i);
  if (!sorted) order.sort((a, b) => startOf(a) - startOf(b) || a - b);
  const start = new Float64Array(count);
  const end = new Float64Array(count);
  const shift = new Float64Array(count);
  let kept = 0;
  let covered = 0;
  for (const i of order) {
    const from = Math.max(covered, startOf(i));
    const to = endOf(i);
    if (to <= from) continue;
    start[kept] = from;
    end[kept] = to;
    shift[kept] = shiftOf(i);
    kept++;
    covered = to;
  }
  return { count: kept, start, end, shift };
}
