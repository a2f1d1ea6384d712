// The pages of a kdump-compressed dump, or of the parts of a split one.
//
//   pfn -> part -> bit set in its 2nd bitmap? -> rank of the bit -> page descriptor -> data -> page
//
// A part has the bitmaps of the whole dump and the descriptors of its own page frames.
import { type Pfn, type PhysAddr, physAddr, pfn as toPfn } from '../base/address.ts';
import { MemoryFault, messageOf } from '../base/errors.ts';
import type { ByteSource } from './byte_source.ts';
import { type Codec, decompressor } from './codecs.ts';
import type { PageCompression, PageRun } from './dump.ts';
import { PageDescriptors } from './kdump_descriptors.ts';
import { type KdumpHeader, kdumpFlags } from './kdump_header.ts';
import { PageBitmap } from './page_bitmap.ts';
import { type MemoryRange, type PageStore, pageFault, type StoredPageState } from './paged_memory.ts';

/** One file of a kdump-compressed dump. */
export interface KdumpFile {
  readonly source: ByteSource;
  readonly header: KdumpHeader;
}

interface Part {
  readonly source: ByteSource;
  readonly header: KdumpHeader;
  /** The page frames that this part has, [startPfn, endPfn). */
  readonly startPfn: number;
  readonly endPfn: number;
  readonly dumped: PageBitmap;
  readonly descriptors: PageDescriptors;
  /** Bits set in `dumped` before `startPfn`; -1 until needed. */
  rankOfStart: number;
  /** Whether data at the end is missing; null until needed. */
  cut: boolean | null;
}

/** Most ranges of RAM told apart; real machines have a few hundred at most. */
const mostRanges = 65536;
/** Most descriptors looked at to count lost pages (256 GiB of content): a sparse file may claim any number. */
const mostLookedAt = 2 ** 26;

export class KdumpStore implements PageStore {
  readonly pageSize: number;
  readonly maxPfn: number;
  /** Bits of RAM that the dump describes; null for a dump with one bitmap only. */
  private readonly ram: PageBitmap | null;
  private readonly parts: readonly Part[];
  /** RAM, of a dump that tells it beside the bitmap; else empty. */
  private readonly ranges: readonly MemoryRange[];
  private readonly filtered: boolean;
  private readonly scratch: Uint8Array;

  /**
   * @param files one whole dump, or the parts of a split set, ascending and apart: page frames of parts between are lost
   * @param ranges RAM, where that is known better than by the bitmap: a mini dump's may lack it
   */
  constructor(files: readonly KdumpFile[], ranges: readonly MemoryRange[] = []) {
    const { header, source } = files[0]!;
    this.pageSize = header.blockSize;
    this.maxPfn = header.maxMapnr;
    this.filtered = (header.level ?? 0) > 0;
    this.scratch = new Uint8Array(header.blockSize);
    this.ranges = ranges;
    // makedumpfile and diskdump write two bitmaps; a dump with one has just the bits for its pages.
    const two = header.maxMapnr <= (header.bitmap.size * 8) / 2;
    this.ram = two ? new PageBitmap(source, header.bitmap.offset, header.maxMapnr) : null;
    this.parts = files.map((file) => ({
      source: file.source,
      header: file.header,
      startPfn: file.header.split?.startPfn ?? 0,
      endPfn: file.header.split?.endPfn ?? header.maxMapnr,
      dumped: new PageBitmap(
        file.source,
        file.header.bitmap.offset + (two ? file.header.bitmap.size / 2 : 0),
        file.header.maxMapnr,
      ),
      descriptors: new PageDescriptors(file.source, file.header.descriptors),
      rankOfStart: -1,
      cut: null,
    }));
  }

  state(pfn: Pfn): StoredPageState {
    const part = this.partOf(pfn);
    return part === undefined ? this.stateWithoutPart(pfn) : this.locate(part, pfn);
  }

  load(pfn: Pfn, into: Uint8Array): StoredPageState {
    const part = this.partOf(pfn);
    if (part === undefined) return this.stateWithoutPart(pfn);
    const state = this.locate(part, pfn);
    if (state !== 'present') return state;
    const { offset, size, flags } = part.descriptors;
    const corrupt = (detail: string): Error => pageFault(pfn, this.pageSize, 'corrupt', detail);
    const compression = compressionOf(flags);
    if (compression === null) throw corrupt(`page descriptor flags 0x${flags.toString(16)}`);
    if (size > this.pageSize || size === 0 || (compression === 'none' && size !== this.pageSize)) {
      throw corrupt(`page descriptor size 0x${size.toString(16)}`);
    }
    if (offset + size > part.source.size) throw corrupt(`data at 0x${offset.toString(16)}, outside the file`);
    if (compression === 'none') {
      return part.source.read(offset, into) === size ? state : 'truncated';
    }
    const data = this.scratch.subarray(0, size);
    if (part.source.read(offset, data) < size) return 'truncated';
    const decompress = decompressor(compression);
    let length: number;
    try {
      length = decompress(data, into);
    } catch (error) {
      throw corrupt(`${compression}: ${messageOf(error)}`);
    }
    if (length !== this.pageSize) throw corrupt(`${compression}: 0x${length.toString(16)} bytes decompressed`);
    return state;
  }

  loadRun(pfn: Pfn, into: Uint8Array): number {
    const { pageSize } = this;
    const pages = into.length / pageSize;
    let done = 0;
    try {
      while (done < pages) {
        const at = toPfn(pfn + done);
        const plain = this.loadPlain(at, into, done * pageSize);
        if (plain === 0 && this.load(at, into.subarray(done * pageSize, (done + 1) * pageSize)) !== 'present') break;
        done += Math.max(1, plain);
      }
    } catch (error) {
      // the page that cannot be decoded is the first of the next run
      if (done === 0 || !(error instanceof MemoryFault)) throw error;
    }
    return done;
  }

  /**
   * Reads pages that are not compressed and lie one behind another in the file; returns how many.
   * @param start where in `into` they go, in bytes
   */
  private loadPlain(pfn: Pfn, into: Uint8Array, start: number): number {
    const { pageSize } = this;
    const part = this.partOf(pfn);
    if (part === undefined || this.locate(part, pfn) !== 'present' || part.descriptors.flags !== 0) return 0;
    const { descriptors, source, dumped } = part;
    const { offset } = descriptors;
    const index = dumped.rank(pfn) - this.rankOfStart(part);
    const most = Math.min(
      (into.length - start) / pageSize,
      part.endPfn - pfn,
      Math.floor((source.size - offset) / pageSize),
    );
    let pages = 0;
    while (pages < most && dumped.get(pfn + pages) && descriptors.find(index + pages)) {
      if (descriptors.flags !== 0 || descriptors.size !== pageSize) break;
      if (descriptors.offset !== offset + pages * pageSize) break;
      pages++;
    }
    return pages < 2 ? 0 : Math.floor(source.read(offset, into.subarray(start, start + pages * pageSize)) / pageSize);
  }

  *presentRuns(from: Pfn, to: Pfn): Generator<PageRun> {
    for (const part of this.parts) {
      const within = part.dumped.runsWithin(Math.max(from, part.startPfn), Math.min(to, part.endPfn));
      for (const { start, end } of within) {
        if (!this.isCut(part)) yield { first: toPfn(start), count: end - start };
        else yield* this.notLost(part, start, end);
      }
    }
  }

  /** Of the page frames [start, end), all of them dumped, the runs of those that the cut file still has. */
  private *notLost(part: Part, start: number, end: number): Generator<PageRun> {
    let first = start; // of the run that is open, which ends at `at`
    for (let at = start; at < end; at++) {
      if (this.locate(part, at) === 'present') continue;
      if (first < at) yield { first: toPfn(first), count: at - first };
      first = at + 1;
    }
    if (first < end) yield { first: toPfn(first), count: end - first };
  }

  ramRanges(): readonly MemoryRange[] {
    if (this.ranges.length > 0) return this.ranges;
    const bitmap = this.ram ?? this.parts[0]!.dumped;
    const bytes = (pfn: number): PhysAddr => physAddr(pfn * this.pageSize);
    return bitmap.runs(mostRanges).map(({ start, end }) => ({ start: bytes(start), end: bytes(end) }));
  }

  /** Compression of the first page that has one; `none` if the first pages have none. */
  firstCompression(): PageCompression {
    const { descriptors } = this.parts[0]!;
    for (let i = 0; i < 64 && descriptors.find(i); i++) {
      const compression = compressionOf(descriptors.flags);
      if (compression !== null && compression !== 'none') return compression;
    }
    return 'none';
  }

  /** Page frames described and in the dump, and what of those is not in the files. Reads the bitmaps whole. */
  countPages(): { total: number; present: number; lost: number } {
    let dumped = 0;
    let lost = 0;
    let next = 0;
    // of a missing part all pages are lost
    const between = (to: number): void => {
      const bits = this.parts[0]!.dumped;
      const missing = next < to ? bits.rank(to) - bits.rank(next) : 0;
      dumped += missing;
      lost += missing;
    };
    for (const part of this.parts) {
      between(part.startPfn);
      next = part.endPfn;
      const pages = part.dumped.rank(part.endPfn) - this.rankOfStart(part);
      dumped += pages;
      lost += this.countLost(part, pages);
    }
    between(this.maxPfn);
    if (this.ranges.length > 0) {
      const pages = ({ start, end }: MemoryRange) => Math.ceil(end / this.pageSize) - Math.floor(start / this.pageSize);
      return { total: this.ranges.reduce((sum, range) => sum + pages(range), 0), present: dumped - lost, lost };
    }
    // Of a bitmap that is cut nothing more is known than that.
    return { total: this.ram === null ? dumped : Math.max(this.ram.count(), dumped), present: dumped - lost, lost };
  }

  private countLost(part: Part, pages: number): number {
    if (!this.isCut(part)) return 0;
    const { descriptors } = part;
    const found = Math.min(pages, descriptors.available);
    let lost = pages - found;
    for (let i = 0; i < Math.min(found, mostLookedAt) && descriptors.find(i); i++) {
      if (descriptors.offset === 0 || this.isOutside(part)) lost++;
    }
    return lost;
  }

  /** Whether pages that should be in this file may not be, because it is cut or was never finished. */
  private isCut(part: Part): boolean {
    part.cut ??= this.findCut(part);
    return part.cut;
  }

  /**
   * Data is written in the order of the pages, apart from one page of zeroes that comes first and is shared:
   * if the data of the last page that is not that one lies in the file, all does.
   */
  private findCut(part: Part): boolean {
    const { descriptors, dumped, header } = part;
    const pages = dumped.rank(part.endPfn) - this.rankOfStart(part);
    if ((header.status & kdumpFlags.incomplete) !== 0) return true;
    if (dumped.length < header.maxMapnr || descriptors.available < pages) return true;
    const shared = descriptors.find(0) ? descriptors.offset : 0;
    let last = pages - 1;
    while (last > 0 && pages - last < mostLookedAt && descriptors.find(last) && descriptors.offset === shared) last--;
    return descriptors.find(last) && this.isOutside(part);
  }

  private partOf(pfn: number): Part | undefined {
    for (const part of this.parts) if (pfn >= part.startPfn && pfn < part.endPfn) return part;
    return undefined;
  }

  /** The state of a page whose part of a split set is missing: the bitmaps are in every part. */
  private stateWithoutPart(pfn: number): StoredPageState {
    if (pfn >= this.maxPfn) return 'not-in-dump';
    if (this.parts[0]!.dumped.get(pfn)) return 'truncated';
    return this.ram?.get(pfn) === true ? 'excluded' : 'not-in-dump';
  }

  /** The state of a page of this part; `present` leaves its descriptor in `part.descriptors`. */
  private locate(part: Part, pfn: number): StoredPageState {
    if (!part.dumped.get(pfn)) {
      if (pfn >= part.dumped.length) return 'truncated'; // the bitmap itself is cut
      if (this.ranges.length > 0) return this.isInRanges(pfn) ? 'excluded' : 'not-in-dump';
      if (this.ram === null) return this.filtered ? 'excluded' : 'not-in-dump';
      return this.ram.get(pfn) ? 'excluded' : 'not-in-dump';
    }
    const index = part.dumped.rank(pfn) - this.rankOfStart(part);
    if (!part.descriptors.find(index) || part.descriptors.offset === 0) return 'truncated';
    if (!this.isOutside(part)) return 'present';
    if (this.isCut(part)) return 'truncated';
    part.descriptors.find(index); // a wrong descriptor in a whole file; isCut() looked at others
    return 'present';
  }

  private isInRanges(pfn: number): boolean {
    const { ranges } = this;
    const start = pfn * this.pageSize;
    let low = 0;
    for (let high = ranges.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]!.end <= start) low = middle + 1;
      else high = middle;
    }
    return low < ranges.length && ranges[low]!.start < start + this.pageSize;
  }

  /** Whether the data of the descriptor just found does not lie in the file. */
  private isOutside(part: Part): boolean {
    const { offset, size } = part.descriptors;
    return offset + size > part.source.size;
  }

  private rankOfStart(part: Part): number {
    if (part.rankOfStart < 0) part.rankOfStart = part.dumped.rank(part.startPfn);
    return part.rankOfStart;
  }
}

const codecs: ReadonlyMap<number, Codec> = new Map([
  [kdumpFlags.zlib, 'zlib'],
  [kdumpFlags.lzo, 'lzo'],
  [kdumpFlags.snappy, 'snappy'],
  [kdumpFlags.zstd, 'zstd'],
]);

/** The compression that flags of a page descriptor or a header's status name; null for more than one or unknown bits. */
export function compressionOf(flags: number): PageCompression | null {
  return flags === 0 ? 'none' : (codecs.get(flags) ?? null);
}
