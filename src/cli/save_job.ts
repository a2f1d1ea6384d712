// Jobs that write dumps, as the command line has them: with progress. The work is synchronous, so a signal ends the process
// where it is. That loses nothing: what was written says at all times that it is incomplete, and can be read. A thread that
// only listens would take 18 MB and, of a dump of 300 MB, a quarter of the time.
import { statSync } from 'node:fs';
import { escapeTerminal } from '../base/text.ts';
import type { Threads } from '../base/threads.ts';
import type { Work } from '../base/work.ts';
import { startPackThreads } from '../save/pack_threads.ts';
import type { Salvaged } from '../save/salvage.ts';
import type { SavedFiles } from '../save/save_files.ts';
import { isTerminal } from './is_terminal.ts';
import { writeError } from './output.ts';
import type { SaveJob } from './perform_save.ts';

export type SaveResultOf<Job extends SaveJob> = Job extends { readonly kind: 'salvage' } ? Salvaged : SavedFiles;

/**
 * Does a job.
 * @throws InquestError
 */
export async function runSaveJob<Job extends SaveJob>(job: Job, shown: ProgressShown): Promise<SaveResultOf<Job>> {
  // while they start, this thread opens the dump and chooses what is kept
  const packThreads = job.kind === 'save' && isLong(job) ? startPackThreads(job.options.threads) : null;
  const { performSave } = await import('./perform_save.ts');
  const progress = new Progress(shown);
  /** Bytes of one step of progress, where it goes through memory page by page; else null. */
  let stepBytes: number | null = null;
  const work: Work = {
    charge: () => {},
    progress: (done, total) => {
      if (total !== null) progress.show(done, total, stepBytes);
    },
  };
  try {
    const given = packThreads === null ? job : withThreads(job, packThreads);
    const result = await performSave(given, work, {
      tell: (sentence) => writeError(`inquest: ${escapeTerminal(sentence)}\n`),
      countsPages: (pageSize) => {
        stepBytes = pageSize;
      },
    });
    return result as SaveResultOf<Job>;
  } finally {
    progress.end();
    packThreads?.end();
  }
}

/** Bytes of dumps from which on there is enough to do for several threads. */
const manyBytes = 64e6;

function isLong({ files, options }: Extract<SaveJob, { readonly kind: 'save' | 'mini' }>): boolean {
  const size = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  return options.format === 'kdump' && size >= manyBytes;
}

function withThreads(job: SaveJob, packThreads: Threads): SaveJob {
  return job.kind === 'save' ? { ...job, options: { ...job.options, packThreads } } : job;
}

/** How progress is shown: on a terminal all the time, a line a percent, or not at all. */
export type ProgressShown = 'terminal' | 'percent' | 'never';

class Progress {
  private readonly how: ProgressShown;
  private readonly started = performance.now();
  private last = -1;
  private shown = false;

  constructor(how: ProgressShown) {
    this.how = how;
  }

  show(done: number, total: number, stepBytes: number | null): void {
    const part = total === 0 ? 1 : done / total;
    const percent = Math.floor(part * 100);
    if (percent === this.last) return;
    this.last = percent;
    const seconds = (performance.now() - this.started) / 1000;
    // of the dead machine's memory, what was left out among it
    const rate = stepBytes === null ? '' : `, ${Math.round((done * stepBytes) / 1e6 / seconds)} MB/s`;
    const left = part === 0 ? rate : `${rate}, ${Math.ceil(seconds / part - seconds)} s left`;
    if (this.how === 'percent') writeError(`${percent}%${left}\n`);
    else if (this.how === 'terminal' && seconds > 0.5 && isTerminal(2)) {
      writeError(`\r\x1b[Kinquest: saving, ${percent}%${left}`);
      this.shown = true;
    }
  }

  end(): void {
    if (this.shown) writeError('\r\x1b[K');
  }
}
