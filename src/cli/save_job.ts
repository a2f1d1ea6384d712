// Jobs that write dumps. The work is synchronous and done in a thread of its own, so that this one hears signals: then what
// was written so far is left as an incomplete dump, and said to be one.
//
// A mini dump takes seconds, and has to be had where memory is scarce, in a capture kernel: a thread would take 18 MB. A save
// of a small file takes half a second, of which starting the thread and loading everything once more would be a quarter. A
// signal ends the process there; the file says at all times that it is incomplete, and what is in it can be read.
import { Worker } from 'node:worker_threads';
import { UsageError } from '../base/errors.ts';
import { beFrugal } from '../base/frugal.ts';
import { escapeTerminal } from '../base/text.ts';
import { threadProgram } from '../base/threads.ts';
import type { Work } from '../base/work.ts';
import { FileSource, InputError } from '../dump/byte_source.ts';
import { probeElf } from '../dump/elf_header.ts';
import type { Salvaged } from '../save/salvage.ts';
import type { SavedFiles } from '../save/save_files.ts';
import { isTerminal } from './is_terminal.ts';
import { writeError } from './output.ts';
import type { SaveJob } from './perform_save.ts';

export type SaveResultOf<Job extends SaveJob> = Job extends { readonly kind: 'salvage' } ? Salvaged : SavedFiles;

/** Young objects are few: what is large is no object of the language's heap. In a capture kernel every megabyte counts. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 };

export interface SaveThreadData {
  readonly job: SaveJob;
  /** A word: not 0 when it is to end. */
  readonly cancel: SharedArrayBuffer;
}

export type FromSaveThread =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number; readonly stepBytes: number | null }
  /** Something that the user should know. */
  | { readonly kind: 'told'; readonly sentence: string }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly problem: string; readonly isUsage: boolean };

/**
 * Does a job, until a signal ends it.
 * @throws Error with the words of whatever ended it
 */
export function runSaveJob<Job extends SaveJob>(job: Job, shown: ProgressShown): Promise<SaveResultOf<Job>> {
  if (job.kind !== 'salvage' && isShort(job)) return saveHere(job, shown);
  beFrugal();
  return job.kind === 'mini' ? saveHere(job, shown) : saveInThread(job, shown);
}

/** Files of up to so many bytes are small: of an ELF core, and of one whose pages are packed. */
const smallFiles = { elf: 512 * 1024 * 1024, other: 64 * 1024 * 1024 } as const;

function isShort({ kind, files, erase }: Exclude<SaveJob, { readonly kind: 'salvage' }>): boolean {
  // copies of what is secret are looked for everywhere
  if (kind !== 'save' || erase?.redact) return false;
  const [file = ''] = files;
  return files.length === 1 && isSmall(file);
}

function isSmall(file: string): boolean {
  let source: FileSource | null = null;
  try {
    source = new FileSource(file);
    const start = new Uint8Array(4);
    source.read(0, start);
    return source.size <= (probeElf(start) ? smallFiles.elf : smallFiles.other);
  } catch (error) {
    // told by whoever opens it in earnest
    if (error instanceof InputError) return false;
    throw error;
  } finally {
    source?.close();
  }
}

async function saveHere<Job extends SaveJob>(job: Job, shown: ProgressShown): Promise<SaveResultOf<Job>> {
  const { performSave } = await import('./perform_save.ts');
  const progress = new Progress(shown);
  let stepBytes: number | null = null;
  const work: Work = {
    charge: () => {},
    progress: (done, total) => {
      if (total !== null) progress.show({ done, total, stepBytes });
    },
  };
  try {
    const result = await performSave(job, work, {
      tell,
      countsPages: (pageSize) => {
        stepBytes = pageSize;
      },
    });
    return result as SaveResultOf<Job>;
  } finally {
    progress.end();
  }
}

function tell(sentence: string): void {
  writeError(`inquest: ${escapeTerminal(sentence)}\n`);
}

function saveInThread<Job extends SaveJob>(job: Job, shown: ProgressShown): Promise<SaveResultOf<Job>> {
  const cancel = new SharedArrayBuffer(4);
  const data: SaveThreadData = { job, cancel };
  const worker = new Worker(threadProgram('save_thread', import.meta.url), { workerData: data, resourceLimits });
  const progress = new Progress(shown);
  const stop = (): void => {
    Atomics.store(new Int32Array(cancel), 0, 1);
    Atomics.notify(new Int32Array(cancel), 0);
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, stop);
  return new Promise<SaveResultOf<Job>>((resolve, reject) => {
    worker.on('message', (message: FromSaveThread) => {
      switch (message.kind) {
        case 'progress':
          progress.show(message);
          break;
        case 'told':
          tell(message.sentence);
          break;
        case 'done':
          resolve(message.result as SaveResultOf<Job>);
          break;
        case 'failed':
          reject(message.isUsage ? new UsageError(message.problem) : new SaveFailed(message.problem));
          break;
      }
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new SaveFailed('the thread that saves has ended')));
  }).finally(() => {
    progress.end();
    for (const signal of signals) process.off(signal, stop);
  });
}

class SaveFailed extends Error {}

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

  show({ done, total, stepBytes }: Omit<Extract<FromSaveThread, { readonly kind: 'progress' }>, 'kind'>): void {
    const part = total === 0 ? 1 : done / total;
    const percent = Math.floor(part * 100);
    if (percent === this.last) return;
    this.last = percent;
    const seconds = (performance.now() - this.started) / 1000;
    // of the dead machine's memory, what was left out among it
    const rate = stepBytes === null ? '' : `, ${Math.round((done * stepBytes) / 1e6 / seconds)} MB/s`;
    const left = part === 0 ? rate : `${rate}, ${Math.ceil(seconds / part - seconds)} s left`;
    if (this.how === 'percent') writeError(`${percent}%${left}\n`);
    else if (this.how === 'terminal' && isTerminal(2) && seconds > 0.5) {
      writeError(`\r\x1b[Kinquest: saving, ${percent}%${left}`);
      this.shown = true;
    }
  }

  end(): void {
    if (this.shown) writeError('\r\x1b[K');
  }
}
