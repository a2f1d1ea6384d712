// The memory of an opened dump with changes: words with other values, pages that are not there. For breaking
// the dead kernel's structures rather than its file.
import type { Pfn, PhysAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import type { Dump, ExcludedPageJudge, PageState, PhysicalMemory } from '../../src/dump/dump.ts';
import { PagewiseMemory } from '../support/pagewise_memory.ts';

export class AlteredMemory extends PagewiseMemory implements PhysicalMemory {
  readonly pageSize: number;
  readonly maxPfn: number;
  /** Page frames whose content was asked for, in the order in which they were first. */
  readonly touched = new Set<number>();
  private readonly below: PhysicalMemory;
  private readonly changed = new Map<number, Uint8Array>();
  private readonly missing = new Map<number, Exclude<PageState, 'present' | 'zero'>>();
  private judge: ExcludedPageJudge | null = null;

  constructor(below: PhysicalMemory) {
    super();
    this.below = below;
    this.pageSize = below.pageSize;
    this.maxPfn = below.maxPfn;
  }

  /** Makes a page frame one that cannot be read. */
  lose(pfn: number, state: Exclude<PageState, 'present' | 'zero'>): void {
    this.missing.set(pfn, state);
  }

  /** Writes bytes at a physical address, within its page. @throws MemoryFault if the page is not there */
  write(address: number, bytes: Uint8Array): void {
    const pfn = Math.floor(address / this.pageSize);
    let page = this.changed.get(pfn);
    if (page === undefined) {
      page = this.below.page(pfn as Pfn).slice();
      this.changed.set(pfn, page);
    }
    const at = address % this.pageSize;
    page.set(bytes.subarray(0, this.pageSize - at), at);
  }

  pageState(pfn: Pfn): PageState {
    const state = this.missing.get(pfn);
    if (state === undefined) return this.changed.has(pfn) ? 'present' : this.below.pageState(pfn);
    return state === 'excluded' && this.judge?.(pfn) === true ? 'zero' : state;
  }

  page(pfn: Pfn): Uint8Array {
    this.touched.add(pfn);
    const state = this.missing.get(pfn);
    if (state === undefined) return this.changed.get(pfn) ?? this.below.page(pfn);
    if (state === 'excluded' && this.judge?.(pfn) === true) return new Uint8Array(this.pageSize);
    throw new MemoryFault('physical', BigInt(pfn) * BigInt(this.pageSize), state);
  }

  read(address: PhysAddr, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const at = address + done;
      const inPage = at % this.pageSize;
      const n = Math.min(into.length - done, this.pageSize - inPage);
      into.set(this.page(((at - inPage) / this.pageSize) as Pfn).subarray(inPage, inPage + n), done);
      done += n;
    }
  }

  setExcludedPageJudge(judge: ExcludedPageJudge | null): void {
    this.judge = judge;
    this.below.setExcludedPageJudge(judge);
  }

  ramRanges(): readonly { readonly start: PhysAddr; readonly end: PhysAddr }[] {
    return this.below.ramRanges();
  }
}

/** A dump with its memory altered; the container stays as it is. */
export function withMemory(dump: Dump, memory: PhysicalMemory): Dump {
  const { description, info, notes } = dump;
  return { description, info, notes, memory, rawNotes: () => dump.rawNotes(), live: null, close: () => {} };
}
