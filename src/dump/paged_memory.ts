// Physical memory over a container's pages: the page cache, reads that cross pages, and what is said
// of pages that are not there. Containers give a `PageStore`; this gives `PhysicalMemory`.
//
//   read(address) -> page(pfn) -> set = pfn mod sets -- one of its two slots? --> the slot's bytes
//                                                   -- else ------------------> PageStore.load()
//
// A set has two slots, the one used last in front: a hit costs a compare or two (against 94 ns for an LRU
// in a Map), and two pages used in turn, such as a page table and what it maps, do not drive each other out.

import { type Pfn, type PhysAddr, pfn as toPfn } from '../base/address.ts';
import { availableMemory } from '../base/available_memory.ts';
import { MemoryFault } from '../base/errors.ts';
import { WorkSlot } from '../base/work.ts';
import { InputError } from './byte_source.ts';
import type { ExcludedPageJudge, PageRun, PageState, PhysicalMemory } from './dump.ts';

/** What a container says of a page without knowing what the kernel used it for. */
export type StoredPageState = Exclude<PageState, 'zero'>;

export interface MemoryRange {
  readonly start: PhysAddr;
  readonly end: PhysAddr;
}

/** The pages of one container, not cached. */
export interface PageStore {
  readonly pageSize: number;
  /** Highest page frame number that the container describes, plus one. */
  readonly maxPfn: number;
  state(pfn: Pfn): StoredPageState;
  /**
   * Fills `into` (one page) if the page is present; else `into` means nothing.
   * @throws MemoryFault (`corrupt`) for a page that is present and cannot be decoded
   */
  load(pfn: Pfn, into: Uint8Array): StoredPageState;
  /**
   * Fills the start of `into` (some whole pages) with the page and those that follow it, as far as they are present and
   * easily had. Returns how many pages: 0 unless the first is present.
   * @throws MemoryFault (`corrupt`) if the first is present and cannot be decoded
   */
  loadRun(pfn: Pfn, into: Uint8Array): number;
  /** As `BulkMemory.presentRuns`. */
  presentRuns(from: Pfn, to: Pfn): Iterable<PageRun>;
  ramRanges(): readonly MemoryRange[];
}

/** Bytes of pages that are kept, at least and at most. */
const cacheLimits = [2 ** 21, 2 ** 24] as const;
/**
 * Bytes of pages that are kept besides, at most, once they were driven out of their sets: of a dump whose pages are
 * compressed. A machine with thousands of processes has more pages that every command wants than fit into the sets,
 * and to inflate one costs as much as finding it a hundred times.
 */
const mostDrivenOut = 3 * 2 ** 24;
const pagesPerAllocation = 32;
/** Reads of so many pages and more are of whole tables: they go past the cache, straight to where they are wanted. */
const longRead = 32;
/** Bytes handed out at a time by a scan: many enough for the file's sake, and few enough for the processor's cache. */
const windowBytes = 256 * 1024;

/** Bytes of pages to keep: in a capture kernel less than elsewhere. @returns a power of two */
function affordableCache(): number {
  const [least, most] = cacheLimits;
  const share = availableMemory() / 32;
  let bytes: number = most;
  while (bytes > least && bytes > share) bytes /= 2;
  return bytes;
}

/** Bytes of pages to keep beside the sets, of a file of so many bytes whose pages are compressed. */
export function affordableVictims(fileSize: number): number {
  return Math.min(mostDrivenOut, Math.max(0, fileSize / 2 - cacheLimits[1]), availableMemory() / 32);
}

export class PagedMemory implements PhysicalMemory {
  readonly pageSize: number;
  readonly maxPfn: number;
  readonly work = new WorkSlot();
  private readonly store: PageStore;
  private hits = 0;
  /** Number of sets, a power of two, minus one. */
  private readonly setMask: number;
  /** The pfn that each slot holds, NaN for none; slots 2n and 2n + 1 are set n. */
  private readonly tags: Float64Array;
  private readonly views: (Uint8Array | undefined)[];
  /** Pages that were driven out of their sets: where each is in the ring. */
  private readonly victims = new Map<number, number>();
  private readonly mostVictims: number;
  /** Their pfns, NaN for none, and their bytes; the next one comes to `victimHand`. */
  private readonly victimTags: number[] = [];
  private readonly victimViews: (Uint8Array | undefined)[] = [];
  private victimHand = 0;
  private room = new Uint8Array(0);
  private roomUsed = 0;
  private readonly zeroes: Uint8Array;
  private judge: ExcludedPageJudge | null = null;
  private ranges: readonly MemoryRange[] | null = null;
  /** Room for a scan; null while one has it. */
  private window: Uint8Array | null = new Uint8Array(0);

  /** @param victimBytes bytes of pages to keep that were driven out of their sets */
  constructor(store: PageStore, cacheBytes = affordableCache(), victimBytes = 0) {
    this.store = store;
    this.pageSize = store.pageSize;
    this.maxPfn = store.maxPfn;
    const slots = Math.max(2, cacheBytes / store.pageSize); // both are powers of two
    this.setMask = slots / 2 - 1;
    this.tags = new Float64Array(slots).fill(Number.NaN);
    this.views = new Array<Uint8Array | undefined>(slots).fill(undefined);
    this.zeroes = new Uint8Array(store.pageSize);
    this.mostVictims = Math.floor(victimBytes / store.pageSize);
  }

  pageState(pfn: Pfn): PageState {
    const state = this.isFrame(pfn) ? this.store.state(pfn) : 'not-in-dump';
    return state === 'excluded' && this.judge?.(pfn) === true ? 'zero' : state;
  }

  page(pfn: Pfn): Uint8Array {
    // what loops over cached pages alone must be stoppable, too
    this.hits = (this.hits + 1) & 0xff;
    if (this.hits === 0) this.work.charge('reads', 256);
    const slot = (pfn & this.setMask) * 2;
    if (this.tags[slot] === pfn) return this.views[slot]!;
    if (this.tags[slot + 1] === pfn) {
      const view = this.views[slot + 1]!;
      this.toFront(slot, pfn, view);
      return view;
    }
    return this.miss(pfn, slot);
  }

  private miss(pfn: Pfn, slot: number): Uint8Array {
    const victim = this.victims.get(pfn);
    if (victim !== undefined) {
      const kept = this.victimViews[victim]!;
      this.victims.delete(pfn);
      this.exchange(slot + 1, victim);
      this.toFront(slot, pfn, kept);
      return kept;
    }
    if (this.mostVictims > 0 && !Number.isNaN(this.tags[slot + 1]!)) this.driveOut(slot + 1);
    this.work.charge('bytes', this.pageSize);
    const view = this.views[slot + 1] ?? this.newView();
    // meanwhile nobody's: who guards a store, or judges its pages, reads others, which may be of this set; and a load that
    // throws half-way leaves no page behind
    this.views[slot + 1] = undefined;
    this.tags[slot + 1] = Number.NaN;
    let isLoaded = false;
    try {
      isLoaded = this.load(pfn, view);
    } finally {
      if (!isLoaded) this.views[slot + 1] ??= view;
    }
    if (!isLoaded) return this.zeroes.fill(0);
    this.toFront(slot, pfn, view);
    return view;
  }

  /** Makes room in a slot: its page becomes a victim, and the room of the oldest victim is used again. */
  private driveOut(slot: number): void {
    const victim = this.victimHand;
    this.victimHand = (victim + 1) % this.mostVictims;
    const oldest = this.victimTags[victim];
    if (oldest !== undefined && !Number.isNaN(oldest)) this.victims.delete(oldest);
    const room = this.victimViews[victim];
    this.exchange(slot, victim);
    this.views[slot] = room;
  }

  /** The page of a slot becomes the victim at that place of the ring. */
  private exchange(slot: number, victim: number): void {
    const tag = this.tags[slot]!;
    this.victimTags[victim] = tag;
    this.victimViews[victim] = this.views[slot];
    if (!Number.isNaN(tag)) this.victims.set(tag, victim);
    this.tags[slot] = Number.NaN;
    this.views[slot] = undefined;
  }

  /** Room for a page: cut from larger pieces, as an allocation costs as much as reading a page from the file. */
  private newView(): Uint8Array {
    const { pageSize } = this;
    if (this.roomUsed === this.room.length) {
      this.room = new Uint8Array(pagesPerAllocation * pageSize);
      this.roomUsed = 0;
    }
    this.roomUsed += pageSize;
    return this.room.subarray(this.roomUsed - pageSize, this.roomUsed);
  }

  /** Fills `into` with a page past the cache; false if the page is known to be all zeroes instead. @throws MemoryFault */
  private load(pfn: Pfn, into: Uint8Array): boolean {
    const state = this.isFrame(pfn) ? this.loadStored(pfn, into) : 'not-in-dump';
    if (state === 'present') return true;
    if (state === 'excluded' && this.judge?.(pfn) === true) return false;
    throw this.fault(pfn, state);
  }

  private loadStored(pfn: Pfn, into: Uint8Array): StoredPageState {
    try {
      return this.store.load(pfn, into);
    } catch (error) {
      throw this.asFault(pfn, error);
    }
  }

  /** A disk that cannot be read costs the page, not the session. */
  private asFault(pfn: Pfn, error: unknown): unknown {
    return error instanceof InputError ? pageFault(pfn, this.pageSize, 'corrupt', error.problem) : error;
  }

  /** Makes a page the first of its set; what was first becomes second, and what was second is gone. */
  private toFront(slot: number, pfn: Pfn, view: Uint8Array): void {
    this.tags[slot + 1] = this.tags[slot]!;
    this.views[slot + 1] = this.views[slot];
    this.tags[slot] = pfn;
    this.views[slot] = view;
  }

  read(address: PhysAddr, into: Uint8Array): void {
    const { pageSize } = this;
    const inPage = address % pageSize;
    if (into.length <= pageSize - inPage) {
      into.set(this.page(((address - inPage) / pageSize) as Pfn).subarray(inPage, inPage + into.length));
      return;
    }
    const isLong = into.length >= longRead * pageSize;
    for (let done = 0; done < into.length; ) {
      const at = address + done;
      const offset = at % pageSize;
      const length = Math.min(into.length - done, pageSize - offset);
      const frame = toPfn((at - offset) / pageSize);
      if (isLong && length === pageSize) {
        done += this.readPages(frame, into.subarray(done, into.length - ((into.length - done) % pageSize))) * pageSize;
      } else {
        into.set(this.page(frame).subarray(offset, offset + length), done);
        done += length;
      }
    }
  }

  /** Fills the start of `into` with pages past the cache, and returns how many: one at least. @throws MemoryFault */
  private readPages(first: Pfn, into: Uint8Array): number {
    const pages = this.loadRun(first, into);
    if (pages > 0) return pages;
    const page = into.subarray(0, this.pageSize);
    if (!this.load(first, page)) page.fill(0);
    return 1;
  }

  presentRuns(from: Pfn, to: Pfn): Iterable<PageRun> {
    return this.store.presentRuns(toPfn(Math.max(0, from)), toPfn(Math.min(to, this.maxPfn)));
  }

  scan(
    from: Pfn,
    to: Pfn,
    visit: (first: Pfn, pages: Uint8Array) => boolean,
    failed: (pfn: Pfn, fault: MemoryFault) => void,
  ): void {
    const { pageSize } = this;
    // a scan within a scan gets room of its own
    const kept = this.window;
    this.window = null;
    const window = kept !== null && kept.length > 0 ? kept : new Uint8Array(Math.max(windowBytes, pageSize));
    try {
      for (const { first, count } of this.presentRuns(from, to)) {
        const end = first + count;
        for (let at = first; at < end; ) {
          let pages = 0;
          let fault: MemoryFault | null = null;
          try {
            pages = this.loadRun(at, window.subarray(0, (end - at) * pageSize));
          } catch (error) {
            if (!(error instanceof MemoryFault)) throw error;
            fault = error;
          }
          if (pages > 0) {
            if (!visit(at, window.subarray(0, pages * pageSize))) return;
          } else failed(at, fault ?? this.fault(at, 'truncated'));
          at = toPfn(at + Math.max(1, pages));
        }
      }
    } finally {
      this.window = window;
    }
  }

  /** As `PageStore.loadRun`, of any number that may be a page frame's. */
  private loadRun(first: Pfn, into: Uint8Array): number {
    if (!this.isFrame(first)) return 0;
    this.work.charge('bytes', into.length);
    try {
      return this.store.loadRun(first, into);
    } catch (error) {
      throw this.asFault(first, error);
    }
  }

  forget(): void {
    this.tags.fill(Number.NaN);
    this.victims.clear();
    this.victimTags.fill(Number.NaN);
  }

  setExcludedPageJudge(judge: ExcludedPageJudge | null): void {
    this.judge = judge;
  }

  ramRanges(): readonly MemoryRange[] {
    this.ranges ??= this.store.ramRanges();
    return this.ranges;
  }

  private isFrame(pfn: Pfn): boolean {
    return pfn >= 0 && pfn < this.maxPfn && Number.isInteger(pfn);
  }

  private fault(pfn: Pfn, reason: Exclude<StoredPageState, 'present'>): MemoryFault {
    return pageFault(pfn, this.pageSize, reason);
  }
}

/** The fault of a page as a whole: its address is the page's first byte. */
export function pageFault(
  pfn: Pfn,
  pageSize: number,
  reason: Exclude<StoredPageState, 'present'> | 'corrupt',
  detail = '',
): MemoryFault {
  const exact = Number.isFinite(pfn) ? BigInt(Math.trunc(pfn)) * BigInt(pageSize) : 0n;
  return new MemoryFault('physical', exact, reason, detail);
}
