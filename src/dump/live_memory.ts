// The running machine's memory: /proc/kcore (fs/proc/kcore.c), an ELF core with a segment for each range of RAM, through the
// kernel's direct map, and others for its image, vmalloc and vmemmap, which have no physical address.
//
// Kernels before 5.14 (c6d9eee2a686, "fs/proc/kcore: don't read offline sections, logically offline pages and hwpoisoned
// pages") read whatever they are asked for, and to read a broken page kills the machine: a guard says what is not read.
import { type Pfn, pfn as toPfn } from '../base/address.ts';
import { isOfProc } from './byte_source.ts';
import type { DumpNotes, PageRun } from './dump.ts';
import type { MemoryRange, PageStore, StoredPageState } from './paged_memory.ts';

/** NT_TASKSTRUCT: /proc/kcore has it, /proc/vmcore has not. */
const ntTaskStruct = 4;

/** Whether a file is the memory of the running kernel. */
export function isRunningKernel(path: string, notes: DumpNotes): boolean {
  return notes.all.some(({ name, type }) => name === 'CORE' && type === ntTaskStruct) && isOfProc(path);
}

/** Pages of a store but for those that must not be read. */
export class GuardedStore implements PageStore {
  readonly pageSize: number;
  readonly maxPfn: number;
  private readonly store: PageStore;
  private mustNotBeRead: (pfn: Pfn) => boolean = () => false;

  constructor(store: PageStore) {
    this.store = store;
    this.pageSize = store.pageSize;
    this.maxPfn = store.maxPfn;
  }

  /** @param mustNotBeRead is asked before each page is read; may itself read pages */
  setGuard(mustNotBeRead: (pfn: Pfn) => boolean): void {
    this.mustNotBeRead = mustNotBeRead;
  }

  state(pfn: Pfn): StoredPageState {
    const state = this.store.state(pfn);
    return state === 'present' && this.mustNotBeRead(pfn) ? 'excluded' : state;
  }

  load(pfn: Pfn, into: Uint8Array): StoredPageState {
    return this.mustNotBeRead(pfn) ? 'excluded' : this.store.load(pfn, into);
  }

  loadRun(pfn: Pfn, into: Uint8Array): number {
    const most = into.length / this.pageSize;
    let pages = 0;
    while (pages < most && !this.mustNotBeRead(toPfn(pfn + pages))) pages++;
    return pages === 0 ? 0 : this.store.loadRun(pfn, into.subarray(0, pages * this.pageSize));
  }

  *presentRuns(from: Pfn, to: Pfn): Generator<PageRun> {
    for (const { first, count } of this.store.presentRuns(from, to)) {
      let start: number = first; // of the run that is open
      for (let at: number = first; at < first + count; at++) {
        if (!this.mustNotBeRead(toPfn(at))) continue;
        if (at > start) yield { first: toPfn(start), count: at - start };
        start = at + 1;
      }
      if (first + count > start) yield { first: toPfn(start), count: first + count - start };
    }
  }

  ramRanges(): readonly MemoryRange[] {
    return this.store.ramRanges();
  }
}
