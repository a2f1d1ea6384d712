// Is a dump whole? Every page is read, every descriptor looked at, what the filter took is held against what its level
// says, and the kernel in it is opened.
import { createHash } from 'node:crypto';
import { type Pfn, pfn } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import { count } from '../base/text.ts';
import type { Work } from '../base/work.ts';
import { FileSource } from '../dump/byte_source.ts';
import type { Dump } from '../dump/dump.ts';
import { openDump, openSource } from '../dump/open.ts';
import { searchMemory } from '../dump/search.ts';
import { takenByLevel } from '../kernel/dump_level.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { openKernel } from '../kernel/open_kernel.ts';
import { type PageKind, pageFrames, pageUse } from '../kernel/page_kind.ts';
import { readLog } from '../kernel/printk.ts';
import { readUtsname } from '../kernel/utsname.ts';
import { checkContainer } from './container_check.ts';
import { FrameSet } from './frame_set.ts';
import { memoryMapFrames } from './unused_map.ts';

/**
 * - `whole`: everything that should be there is
 * - `incomplete`: pages were lost: the file is cut, or was never finished
 * - `damaged`: what is there contradicts itself, or cannot be decoded
 * - `wrongly filtered`: pages are missing that the level does not take
 */
export type Verdict = 'whole' | 'incomplete' | 'damaged' | 'wrongly filtered';

export interface Verification {
  readonly verdict: Verdict;
  readonly files: readonly { readonly file: string; readonly bytes: number; readonly sha256: string }[];
  /** Page frames. */
  readonly pages: {
    readonly ram: number;
    /** In the files, and decoded. */
    readonly read: number;
    /** Of a cut or unfinished file. */
    readonly lost: number;
    /** In the files, and not to be decoded. */
    readonly corrupt: number;
  };
  /** What was lost or is corrupt, by what it was used for. */
  readonly losses: readonly KindCount[];
  /** makedumpfile's dump level; null where the dump does not tell. */
  readonly level: number | null;
  /** Pages that are missing though the level does not take them. */
  readonly wronglyMissing: readonly KindCount[];
  /** Pages that are there though the level takes them: no fault, only larger. */
  readonly wronglyKept: readonly KindCount[];
  /** What a debugger needs, and whether it is there. */
  readonly parts: readonly { readonly part: string; readonly found: string | null; readonly problem: string | null }[];
  /** Everything that is wrong, as sentences. */
  readonly problems: readonly string[];
}

export interface KindCount {
  readonly kind: PageKind;
  readonly frames: number;
}

/**
 * Looks at a dump as a whole.
 * @throws InputError, FormatError, UnsupportedError where it is no dump, or nothing of it can be read; Cancelled
 */
export function verifyDump(files: readonly string[], work: Work, threads?: number): Verification {
  const dump = openDump(files);
  try {
    return dump.memory.work.during(work, () => verify(dump, files, work, threads));
  } finally {
    dump.close();
  }
}

function verify(dump: Dump, files: readonly string[], work: Work, threads: number | undefined): Verification {
  const problems: string[] = [];
  const hashes = files.map((file) => hashOf(file, work));
  let [isBroken, isCut] = [false, false];
  for (const file of files) {
    const source = openSource(file);
    try {
      for (const { kind, problem } of checkContainer(source)) {
        if (kind === 'broken') isBroken = true;
        else isCut = true;
        problems.push(files.length > 1 ? `${file}: ${problem}` : problem);
      }
    } finally {
      source.close();
    }
  }
  const corrupt = readEveryPage(dump, work, threads);
  if (corrupt.length > 0) problems.push(`${count(corrupt.length, 'page')} cannot be decoded`);
  const { pages, level } = dump.info;
  const kernel = attempt('kernel', problems, () => openKernel(dump));
  const filter = kernel === null ? null : filterOf(kernel, corrupt);
  const parts = kernel === null ? [] : partsOf(kernel);
  for (const { part, problem } of parts) if (problem !== null) problems.push(`${part}: ${problem}`);
  if (dump.notes.vmcoreinfo === null) problems.push('there is no VMCOREINFO note');
  if (dump.notes.cpus.length === 0) problems.push('there are no registers of CPUs');
  for (const { kind, frames } of filter?.missing ?? []) {
    problems.push(`${count(frames, 'page')} of kind ${kind} missing, which the level does not take`);
  }
  const isWrong = (filter?.missing.length ?? 0) > 0;
  const isUnreadable = kernel === null || parts.some(({ problem }) => problem !== null);
  const verdict: Verdict =
    isCut || pages.lost > 0
      ? 'incomplete'
      : isBroken || corrupt.length > 0
        ? 'damaged'
        : isWrong
          ? 'wrongly filtered'
          : isUnreadable
            ? 'damaged'
            : 'whole';
  return {
    verdict,
    files: hashes,
    pages: { ram: pages.total, read: pages.present - corrupt.length, lost: pages.lost, corrupt: corrupt.length },
    losses: filter?.losses ?? [],
    level,
    wronglyMissing: filter?.missing ?? [],
    wronglyKept: filter?.kept ?? [],
    parts,
    problems,
  };
}

/** Bytes hashed at a time. */
const hashedAtOnce = 1 << 20;

function hashOf(file: string, work: Work): Verification['files'][number] {
  const source = new FileSource(file);
  try {
    const hash = createHash('sha256');
    const room = new Uint8Array(hashedAtOnce);
    for (let at = 0; at < source.size; ) {
      work.charge('bytes', room.length);
      const got = source.read(at, room);
      if (got === 0) break;
      hash.update(room.subarray(0, got));
      at += got;
    }
    return { file, bytes: source.size, sha256: hash.digest('hex') };
  } finally {
    source.close();
  }
}

/** The page frames that are there and cannot be decoded. A search for nothing reads every page, over threads. */
function readEveryPage(dump: Dump, work: Work, threads: number | undefined): Pfn[] {
  const corrupt: Pfn[] = [];
  const pattern = { kind: 'words', size: 8, values: [], ignore: 0n } as const;
  const options = {
    work,
    failed: (frame: Pfn) => {
      corrupt.push(frame);
    },
    ...(threads === undefined ? {} : { threads }),
  };
  for (const _ of searchMemory(dump, pattern, options)) break;
  return corrupt;
}

interface Filter {
  readonly missing: readonly KindCount[];
  readonly kept: readonly KindCount[];
  readonly losses: readonly KindCount[];
}

/** Frames classified at a time. */
const atOnce = 65536;

/** What is missing and what is there against the level. Null where the dump does not tell what its pages are. */
function filterOf(kernel: Kernel, corrupt: readonly Pfn[]): Filter | null {
  const frames = pageFrames(kernel);
  if (frames === null) return null;
  const { memory, info, notes } = kernel.dump;
  const [missing, kept, losses] = [new Counter(), new Counter(), new Counter()];
  const words = new Uint16Array(atOnce);
  // what a mini dump has and lacks says nothing of its level
  const level = notes.mini === null ? info.level : null;
  const map = info.lacksMap ? memoryMapFrames(kernel, new FrameSet(memory.maxPfn)).unused : null;
  for (const { start, end } of memory.ramRanges()) {
    const last = Math.min(memory.maxPfn, Math.ceil(end / memory.pageSize));
    for (let first = Math.floor(start / memory.pageSize); first < last; first += atOnce) {
      const many = Math.min(atOnce, last - first);
      frames.classify(pfn(first), many, words);
      for (let i = 0; i < many; i++) {
        const use = pageUse(words[i]!);
        if (use.kind === 'none') continue;
        const isTaken = level !== null && takenByLevel(use, level);
        switch (memory.pageState(pfn(first + i))) {
          case 'present':
            // what must not be read says nothing of the level
            if (isTaken && !takenByLevel(use, 0)) kept.add(use.kind);
            break;
          case 'excluded':
            if (level !== null && !isTaken && map?.has(first + i) !== true) missing.add(use.kind);
            break;
          case 'truncated':
            losses.add(use.kind);
            break;
          case 'zero':
          case 'not-in-dump':
            break;
        }
      }
    }
  }
  for (const frame of corrupt) losses.add(frames.use(frame).kind);
  return { missing: missing.counts(), kept: kept.counts(), losses: losses.counts() };
}

class Counter {
  private readonly found = new Map<PageKind, number>();

  add(kind: PageKind): void {
    this.found.set(kind, (this.found.get(kind) ?? 0) + 1);
  }

  /** The largest first. */
  counts(): KindCount[] {
    return [...this.found].map(([kind, frames]) => ({ kind, frames })).sort((a, b) => b.frames - a.frames);
  }
}

/** What a debugger needs. */
function partsOf(kernel: Kernel): Verification['parts'] {
  const part = (name: string, look: () => string | null, otherwise: string): Verification['parts'][number] => {
    const found: string[] = [];
    const { value, faults } = kernel.faults.collect(() => attempt(name, found, look));
    const fault = faults[0]?.message ?? found[0] ?? null;
    return { part: name, found: value, problem: value === null ? (fault ?? otherwise) : fault };
  };
  return [
    part('VMCOREINFO', () => releaseOf(kernel), 'its release is not that of the memory'),
    part('symbols', () => some(kernel.symbols.kernel?.count ?? 0, 'symbol'), 'none can be read'),
    part('types', () => (kernel.types.find('struct task_struct') === null ? null : 'there'), 'none can be read'),
    part('log', () => some(readLog(kernel).length, 'record'), 'it is empty'),
    part('tasks', () => some(kernel.tasks.all.length, 'task'), 'none can be found'),
    part('modules', () => count(kernel.modules.length, 'module'), 'they cannot be read'),
  ];
}

function some(number: number, what: string): string | null {
  return number > 0 ? count(number, what) : null;
}

/** The release, if VMCOREINFO and the memory agree about it. */
function releaseOf(kernel: Kernel): string | null {
  const { release } = readUtsname(kernel);
  return kernel.vmcoreinfo.release === release ? release : null;
}

/** The value, or null and why there is none. */
function attempt<T>(what: string, problems: string[], work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    problems.push(`${what}: ${error.message}`);
    return null;
  }
}
