// Bulk access for memories that tests make: a page at a time, by what is asked of single pages.

import { type Pfn, pfn as toPfn } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import { WorkSlot } from '../../src/base/work.ts';
import type { BulkMemory, PageRun, PageState } from '../../src/dump/dump.ts';
import { PagedMemory, type PageStore } from '../../src/dump/paged_memory.ts';

export abstract class PagewiseMemory implements BulkMemory {
  readonly work = new WorkSlot();

  forget(): void {}

  abstract readonly maxPfn: number;
  abstract pageState(pfn: Pfn): PageState;
  abstract page(pfn: Pfn): Uint8Array;

  presentRuns(from: Pfn, to: Pfn): Iterable<PageRun> {
    return runsOf(from, Math.min(to, this.maxPfn), (pfn) => this.pageState(pfn) === 'present');
  }

  scan(
    from: Pfn,
    to: Pfn,
    visit: (first: Pfn, pages: Uint8Array) => boolean,
    failed: (pfn: Pfn, fault: MemoryFault) => void,
  ): void {
    for (const { first, count } of this.presentRuns(from, to)) {
      for (let at = first; at < first + count; at++) {
        try {
          if (!visit(at, this.page(at).slice())) return;
        } catch (error) {
          if (!(error instanceof MemoryFault)) throw error;
          failed(at, error);
        }
      }
    }
  }
}

/** Physical memory over a container that gives one page at a time. */
export function pagewiseMemory(store: Omit<PageStore, 'loadRun' | 'presentRuns'>): PagedMemory {
  return new PagedMemory({
    ...store,
    loadRun: (pfn, into) => (store.load(pfn, into.subarray(0, store.pageSize)) === 'present' ? 1 : 0),
    presentRuns: (from, to) => runsOf(from, to, (pfn) => store.state(pfn) === 'present'),
  });
}

function* runsOf(from: number, to: number, isPresent: (pfn: Pfn) => boolean): Generator<PageRun> {
  let first = from;
  for (let at = from; at <= to; at++) {
    if (at < to && isPresent(toPfn(at))) continue;
    if (first < at) yield { first: toPfn(first), count: at - first };
    first = at + 1;
  }
}
