// Which page frames are kept: those that the source has, less those that the level takes by what they were used for.
import { pfn } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { PhysicalMemory } from '../dump/dump.ts';
import { type DropKind, dropKind, dumpLevel, takenWords } from '../kernel/dump_level.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { levelFrames, pageUse, wordLimit } from '../kernel/page_kind.ts';
import { FrameSet } from './frame_set.ts';
import { readable } from './recorded_memory.ts';
import { memoryMapFrames } from './unused_map.ts';

export interface Selection {
  /** Frames of RAM that the source describes. */
  readonly ram: FrameSet;
  /** Frames whose pages are written. */
  readonly kept: FrameSet;
  /** Frames that the source has and the level takes, by kind. Zero pages are found when they are read. */
  readonly dropped: ReadonlyMap<DropKind, number>;
}

/** Frames classified at a time. */
const atOnce = 65536;
/** Frames of a machine of which the bitmap of RAM, 1 MiB, is still small beside the pages of a mini dump. */
export const mostMapped = 2 ** 23;

/** The frames of RAM that a source describes. */
export function ramFrames(memory: PhysicalMemory): FrameSet {
  const { pageSize } = memory;
  const ram = new FrameSet(memory.maxPfn);
  for (const { start, end } of memory.ramRanges()) {
    const first = Math.floor(start / pageSize);
    ram.set(first, Math.ceil(end / pageSize) - first, true);
  }
  return ram;
}

/** These frames alone, as far as their content can be had. Of a large machine RAM is not mapped: the note tells it. */
export function onlyFrames({ dump: { memory } }: Kernel, frames: FrameSet): Selection {
  const kept = readable(memory, frames);
  return { ram: memory.maxPfn <= mostMapped ? ramFrames(memory) : kept, kept, dropped: new Map() };
}

/**
 * Chooses the frames to keep. Frames that must not be read (offline, not accepted, broken) are never kept.
 * @param level as makedumpfile's -d: bits of `dumpLevel`
 * @param leavesMap leaves out the parts of the memory map that tell of no page that is kept
 * @throws FormatError where the level needs the kernel's `struct page`s and they cannot be understood; Cancelled
 */
export function selectFrames(kernel: Kernel, level: number, leavesMap = false): Selection {
  const { memory } = kernel.dump;
  const { maxPfn } = memory;
  const ram = ramFrames(memory);
  const kept = new FrameSet(maxPfn);
  const frames = levelFrames(kernel);
  if (frames === null && (level & ~dumpLevel.zero) !== 0) {
    throw new FormatError('memory map', 'the dump does not tell what its pages were used for: nothing can be left out');
  }
  const taken = takenWords(level);
  const words = new Uint16Array(atOnce);
  const counts = new Float64Array(wordLimit); // by word
  for (const { first, count } of memory.presentRuns(pfn(0), pfn(maxPfn))) {
    kept.set(first, count, true);
    if (frames === null) continue;
    for (let done = 0; done < count; done += atOnce) {
      const many = Math.min(atOnce, count - done);
      frames.classify(pfn(first + done), many, words);
      let open = -1; // first of a run of frames that are taken
      for (let i = 0; i <= many; i++) {
        const isTaken = i < many && taken[words[i]!] === 1;
        if (isTaken) {
          counts[words[i]!]!++;
          if (open < 0) open = i;
        } else if (open >= 0) {
          kept.set(first + done + open, i - open, false);
          open = -1;
        }
      }
    }
  }
  const dropped = new Map<DropKind, number>();
  for (let word = 0; word < wordLimit; word++) {
    const count = counts[word]!;
    if (count === 0) continue;
    const kind = dropKind(pageUse(word))!;
    dropped.set(kind, (dropped.get(kind) ?? 0) + count);
  }
  if (leavesMap) {
    const { unused } = memoryMapFrames(kernel, kept);
    let count = 0;
    for (const run of unused.runs()) {
      count += kept.count(run.first, run.first + run.count);
      kept.set(run.first, run.count, false);
    }
    if (count > 0) dropped.set('memory map', count);
  }
  return { ram, kept, dropped };
}
