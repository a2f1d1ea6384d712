// Packs pages: reads the kept pages of a stretch of frames, and compresses each. What every thread of a save does.
import { type Pfn, pfn } from '../base/address.ts';
import type { DumpDescription, PageCompression, PhysicalMemory } from '../dump/dump.ts';
import { type PagesPacker, pagesPacker } from './compress.ts';
import { Eraser, type Erasure } from './erasure.ts';
import { FrameSet } from './frame_set.ts';
import { lostPage, type PackedPages } from './kdump_writer.ts';

/** Page frames [from, to), of which `pages` are kept. */
export interface PackTask {
  readonly from: number;
  readonly to: number;
  readonly pages: number;
}

/** What a thread that packs is started with. */
export interface PackThreadData {
  readonly dump: DumpDescription;
  readonly frames: number;
  /** The bits of the frames kept. */
  readonly kept: SharedArrayBuffer;
  readonly compression: PageCompression;
  readonly dropsZeroes: boolean;
  /** Pages are few, and to be made small. */
  readonly isCompact: boolean;
  /** What is erased from the pages; null for nothing. */
  readonly erase: Erasure['ranges'] | null;
}

/** Kept pages packed at a time. */
const pagesAtOnce = 128;

/** The work on the frames [from, to) in pieces. */
export function* packTasks(kept: FrameSet, from: number, to: number): Generator<PackTask> {
  let start = from;
  let pages = 0;
  for (const { first, count } of kept.runs(from, to)) {
    for (let done = 0; done < count; ) {
      const many = Math.min(count - done, pagesAtOnce - pages);
      done += many;
      pages += many;
      if (pages < pagesAtOnce) continue;
      yield { from: start, to: first + done, pages };
      start = first + done;
      pages = 0;
    }
  }
  if (pages > 0) yield { from: start, to, pages };
}

/** Packs pages of one memory, task after task. */
export class Packer {
  private readonly memory: PhysicalMemory;
  private readonly kept: FrameSet;
  private readonly packPages: PagesPacker;
  private readonly dropsZeroes: boolean;
  private readonly eraser: Eraser | null;
  private room = new Uint8Array(0);

  constructor(
    memory: PhysicalMemory,
    { kept, frames, compression, isCompact, dropsZeroes, erase }: Omit<PackThreadData, 'dump'>,
  ) {
    this.memory = memory;
    this.kept = new FrameSet(frames, kept);
    this.packPages = pagesPacker(compression, isCompact);
    this.dropsZeroes = dropsZeroes;
    this.eraser = erase === null ? null : new Eraser(erase);
  }

  /** Valid until the next call: a megabyte or two a task is more than is collected in time. */
  pack({ from, to, pages }: PackTask): PackedPages {
    const { pageSize } = this.memory;
    if (this.room.length < pages * pageSize) this.room = new Uint8Array(pages * pageSize);
    const data = this.room;
    const sizes = new Uint32Array(pages).fill(lostPage);
    let used = 0;
    let done = 0; // pages before the run at hand
    for (const { first, count } of this.kept.runs(from, to)) {
      scanKept(
        this.memory,
        first,
        first + count,
        (start, window) => {
          this.eraser?.apply(start * pageSize, window);
          const index = done + (start - first);
          used += this.packPages(window, pageSize, this.dropsZeroes, data.subarray(used), sizes.subarray(index));
          return true;
        },
        () => undefined, // stays lost
      );
      done += count;
    }
    return { data: data.subarray(0, used), sizes };
  }
}

/**
 * As `BulkMemory.scan`, and hands out pages too that are not in the file and known to have been zero.
 * @param from the first frame     @param to behind the last
 */
export function scanKept(
  memory: PhysicalMemory,
  from: number,
  to: number,
  visit: (first: Pfn, pages: Uint8Array) => boolean,
  failed: (pfn: Pfn) => void,
): void {
  let next = from;
  const between = (end: number): void => {
    for (; next < end; next++) {
      if (memory.pageState(pfn(next)) === 'zero') visit(pfn(next), new Uint8Array(memory.pageSize));
    }
  };
  memory.scan(
    pfn(from),
    pfn(to),
    (first, pages) => {
      between(first);
      next = first + pages.length / memory.pageSize;
      return visit(first, pages);
    },
    (frame) => {
      between(frame);
      next = frame + 1;
      failed(frame);
    },
  );
  between(to);
}
