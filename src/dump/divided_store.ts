// Pages as the kernel has them, of a container whose blocks are larger: QEMU's dump-guest-memory writes kdump blocks
// of 64 KiB for every arm64 guest (target/arm/arch_dump.c), whatever the guest's page size.
//
//   container   |            block n             |
//   kernel      | page 16n | page 16n + 1 | ...  |
import { type Pfn, pfn as toPfn } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { PageRun } from './dump.ts';
import { type MemoryRange, type PageStore, pageFault, type StoredPageState } from './paged_memory.ts';

/** Blocks kept whole, so that pages which follow one another are decompressed once. A power of two. */
const blocksKept = 16;

export class DividedStore implements PageStore {
  readonly pageSize: number;
  readonly maxPfn: number;
  private readonly store: PageStore;
  private readonly perBlock: number;
  private readonly kept: { block: number; state: StoredPageState; readonly bytes: Uint8Array }[] = [];

  /** @param pageSize bytes in a page: the store's page size is a multiple of it */
  constructor(store: PageStore, pageSize: number) {
    this.store = store;
    this.pageSize = pageSize;
    this.perBlock = store.pageSize / pageSize;
    this.maxPfn = store.maxPfn * this.perBlock;
  }

  state(pfn: Pfn): StoredPageState {
    return this.store.state(this.blockOf(pfn));
  }

  load(pfn: Pfn, into: Uint8Array): StoredPageState {
    const block = this.blockOf(pfn);
    const slot = block & (blocksKept - 1);
    const kept = this.kept[slot] ?? { block: -1, state: 'not-in-dump', bytes: new Uint8Array(this.store.pageSize) };
    this.kept[slot] = kept;
    if (kept.block !== block) {
      kept.block = -1; // nothing is kept of a block that cannot be decoded
      kept.state = this.loadBlock(block, kept.bytes, pfn);
      kept.block = block;
    }
    const start = (pfn % this.perBlock) * this.pageSize;
    if (kept.state === 'present') into.set(kept.bytes.subarray(start, start + this.pageSize));
    return kept.state;
  }

  /** Fills `into` with a block. @throws MemoryFault of the page that it was wanted for */
  private loadBlock(block: Pfn, into: Uint8Array, pfn: Pfn): StoredPageState {
    try {
      return this.store.load(block, into);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      throw pageFault(pfn, this.pageSize, 'corrupt', error.detail);
    }
  }

  loadRun(pfn: Pfn, into: Uint8Array): number {
    const { pageSize } = this;
    const pages = into.length / pageSize;
    let done = 0;
    try {
      while (done < pages) {
        const page = into.subarray(done * pageSize, (done + 1) * pageSize);
        if (this.load(toPfn(pfn + done), page) !== 'present') break;
        done++;
      }
    } catch (error) {
      // the page that cannot be decoded is the first of the next run
      if (done === 0 || !(error instanceof MemoryFault)) throw error;
    }
    return done;
  }

  *presentRuns(from: Pfn, to: Pfn): Generator<PageRun> {
    const { perBlock } = this;
    for (const run of this.store.presentRuns(this.blockOf(from), toPfn(Math.ceil(to / perBlock)))) {
      const first = Math.max(from, run.first * perBlock);
      const end = Math.min(to, (run.first + run.count) * perBlock);
      yield { first: toPfn(first), count: end - first };
    }
  }

  ramRanges(): readonly MemoryRange[] {
    return this.store.ramRanges();
  }

  private blockOf(pfn: Pfn): Pfn {
    return toPfn(Math.floor(pfn / this.perBlock));
  }
}
