// What is left of a damaged dump, written as a dump that can be read: from files that are cut, were never finished or lack
// pieces, flattened streams with broken records, and split dumps of which parts are missing.
import { renameSync } from 'node:fs';
import { pfn } from '../base/address.ts';
import { FormatError, InquestError, messageOf } from '../base/errors.ts';
import type { Work } from '../base/work.ts';
import type { Dump, PageCompression } from '../dump/dump.ts';
import { openDamagedDump } from '../dump/open.ts';
import { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { openKernel } from '../kernel/open_kernel.ts';
import { type PageKind, pageFrames } from '../kernel/page_kind.ts';
import { FrameSet } from './frame_set.ts';
import { FileOutput } from './output.ts';
import { factsOf, machineFacts, writeDump } from './save.ts';
import { checkTarget } from './save_files.ts';
import { ramFrames } from './selection.ts';

export interface SalvageOptions {
  /** Of the pages of the dump that is written, which is kdump-compressed. */
  readonly compression: PageCompression;
  /** By default as many as the machine has processors. */
  readonly threads?: number;
  /** A file that is there may be written over. */
  readonly overwrite: boolean;
}

export interface Salvaged {
  readonly file: string;
  /** Bytes. */
  readonly written: number;
  /** Page frames. */
  readonly pages: {
    /** That the dump should have. */
    readonly expected: number;
    readonly saved: number;
    readonly lost: number;
  };
  /** Physical memory of which the content is lost, ascending, [start, end) in bytes. */
  readonly lost: readonly { readonly start: number; readonly end: number }[];
  /** Lost page frames by what they were used for, most first; null where that cannot be told. */
  readonly kinds: readonly { readonly kind: PageKind; readonly frames: number }[] | null;
  /** Why the kernel in what was saved cannot be opened; null if it can. */
  readonly problem: string | null;
  /** What is wrong with the files. */
  readonly warnings: readonly string[];
}

/**
 * Saves what can be read of a dump. What is lost is marked so in the dump that is written, which is incomplete then.
 * @throws FormatError where nothing can be read; InputError, OutputError, Cancelled
 */
export function salvageDump(files: readonly string[], target: string, options: SalvageOptions, work: Work): Salvaged {
  const dump = openDamagedDump(files);
  try {
    return dump.memory.work.during(work, () => salvage(dump, target, options));
  } finally {
    dump.close();
  }
}

function salvage(dump: Dump, target: string, { overwrite, ...options }: SalvageOptions): Salvaged {
  checkTarget(dump.description.files, target, overwrite);
  const { kernel, problem } = openWhatIsLeft(dump);
  const kept = expected(dump);
  const isAny = dump.memory.presentRuns(pfn(0), pfn(dump.memory.maxPfn))[Symbol.iterator]().next().done === false;
  if (!isAny) throw new FormatError(dump.info.files.join(', '), 'no page can be read: nothing is left to be saved');
  const facts =
    kernel === null ? factsOf(dump, new Vmcoreinfo(dump.notes.vmcoreinfo ?? ''), 0) : machineFacts(kernel, 0);
  const missing = new FrameSet(dump.memory.maxPfn);
  const content = {
    facts,
    selection: { ram: ramFrames(dump.memory), kept },
    linear: () => null,
    erase: null,
    lost: (frame: number) => missing.set(frame, 1, true),
  };
  const unfinished = `${target}.incomplete`;
  const all = kept.count();
  const { written, lost } = writeDump(dump, () => new FileOutput(unfinished), content, {
    ...options,
    format: 'kdump',
    level: 0,
  });
  renameSync(unfinished, target);
  const { pageSize } = dump.memory;
  return {
    file: target,
    written,
    pages: { expected: all, saved: all - lost, lost },
    lost: [...missing.runs()].map(({ first, count }) => ({ start: first * pageSize, end: (first + count) * pageSize })),
    kinds: kernel === null ? null : kindsOf(kernel, missing),
    problem,
    warnings: dump.info.warnings,
  };
}

function openWhatIsLeft(dump: Dump): { readonly kernel: Kernel | null; readonly problem: string | null } {
  try {
    return { kernel: openKernel(dump), problem: null };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { kernel: null, problem: messageOf(error) };
  }
}

/** The frames whose pages the dump has or should have. */
function expected({ memory, info }: Dump): FrameSet {
  const frames = new FrameSet(memory.maxPfn);
  for (const { first, count } of memory.presentRuns(pfn(0), pfn(memory.maxPfn))) frames.set(first, count, true);
  if (info.complete) return frames;
  for (const { start, end } of memory.ramRanges()) {
    const last = Math.ceil(end / memory.pageSize);
    for (let frame = Math.floor(start / memory.pageSize); frame < last; frame++) {
      if (frame % 4096 === 0) memory.work.charge('nodes', 4096);
      if (!frames.has(frame) && memory.pageState(pfn(frame)) === 'truncated') frames.set(frame, 1, true);
    }
  }
  return frames;
}

function kindsOf(kernel: Kernel, missing: FrameSet): Salvaged['kinds'] {
  const { value: frames } = kernel.faults.collect(() =>
    kernel.faults.attempt('memory map', () => pageFrames(kernel), null),
  );
  if (frames === null) return null;
  const counts = new Map<PageKind, number>();
  for (const { first, count } of missing.runs()) {
    for (let frame: number = first; frame < first + count; frame++) {
      const { kind } = frames.use(pfn(frame));
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  return [...counts].map(([kind, frames]) => ({ kind, frames })).sort((a, b) => b.frames - a.frames);
}
