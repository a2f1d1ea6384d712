// Physical memory that remembers which pages were asked for: what work needs of a dump is known when it has been done once.
import { type Pfn, type PhysAddr, pfn as toPfn } from '../base/address.ts';
import type { MemoryFault } from '../base/errors.ts';
import type { WorkSlot } from '../base/work.ts';
import type { ExcludedPageJudge, PageRun, PageState, PhysicalMemory } from '../dump/dump.ts';
import { FrameSet } from './frame_set.ts';

export class RecordedMemory implements PhysicalMemory {
  /** Frames that were read, whether they could be or not. Scans over memory are not counted: they search. */
  readonly touched: FrameSet;
  readonly pageSize: number;
  readonly maxPfn: number;
  readonly work: WorkSlot;
  private readonly memory: PhysicalMemory;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
    this.pageSize = memory.pageSize;
    this.maxPfn = memory.maxPfn;
    this.work = memory.work;
    this.touched = new FrameSet(memory.maxPfn);
  }

  pageState(pfn: Pfn): PageState {
    return this.memory.pageState(pfn);
  }

  page(pfn: Pfn): Uint8Array {
    this.touched.set(pfn, 1, true);
    return this.memory.page(pfn);
  }

  read(address: PhysAddr, into: Uint8Array): void {
    const first = Math.floor(address / this.pageSize);
    this.touched.set(first, Math.floor((address + Math.max(1, into.length) - 1) / this.pageSize) - first + 1, true);
    this.memory.read(address, into);
  }

  forget(): void {
    this.memory.forget();
  }

  setExcludedPageJudge(judge: ExcludedPageJudge | null): void {
    this.memory.setExcludedPageJudge(judge);
  }

  ramRanges(): readonly { readonly start: PhysAddr; readonly end: PhysAddr }[] {
    return this.memory.ramRanges();
  }

  presentRuns(from: Pfn, to: Pfn): Iterable<PageRun> {
    return this.memory.presentRuns(from, to);
  }

  scan(
    from: Pfn,
    to: Pfn,
    visit: (first: Pfn, pages: Uint8Array) => boolean,
    failed: (pfn: Pfn, fault: MemoryFault) => void,
  ): void {
    this.memory.scan(from, to, visit, failed);
  }
}

/** Those of some frames whose content can be had: in the file, or known to be zeroes. */
export function readable(memory: PhysicalMemory, frames: FrameSet): FrameSet {
  const found = new FrameSet(memory.maxPfn);
  for (const { first, count } of frames.runs()) {
    for (let frame: number = first; frame < first + count; frame++) {
      const state = memory.pageState(toPfn(frame));
      if (state === 'present' || state === 'zero') found.set(frame, 1, true);
    }
  }
  return found;
}
