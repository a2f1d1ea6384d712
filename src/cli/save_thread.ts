// The thread in which a dump is saved (see save.ts).
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, UsageError } from '../base/errors.ts';
import { CancellableWork, Cancelled } from '../base/work.ts';
import { type SavedFiles, type SaveFilesOptions, saveFiles } from '../save/save_files.ts';
import { openNamedDump, openNamedKernel } from './open.ts';

export interface SaveThreadData {
  readonly files: readonly string[];
  readonly options: Omit<SaveFilesOptions, 'mini'>;
  /** A mini dump is written. */
  readonly mini: boolean;
  /** A word: not 0 when it is to end. */
  readonly cancel: SharedArrayBuffer;
}

export type FromSaveThread =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'saved'; readonly saved: SavedFiles }
  | { readonly kind: 'failed'; readonly problem: string; readonly isUsage: boolean };

const { files, options, mini, cancel } = workerData as SaveThreadData;
const say = (message: FromSaveThread): void => parentPort!.postMessage(message);

try {
  let last = -1;
  const work = new CancellableWork(new Int32Array(cancel), (done, total) => {
    const percent = total === null ? 0 : Math.floor((100 * done) / total);
    if (percent !== last && total !== null) say({ kind: 'progress', done, total });
    last = percent;
  });
  if (mini) {
    const { miniPages } = await import('../save/mini.ts');
    const dump = openNamedDump(files);
    const saved = dump.memory.work.during(work, () => {
      const pages = miniPages(dump);
      return saveFiles(pages.kernel, { ...options, mini: pages.mini });
    });
    say({ kind: 'saved', saved });
  } else {
    const kernel = openNamedKernel(files);
    say({ kind: 'saved', saved: kernel.work.during(work, () => saveFiles(kernel, options)) });
  }
} catch (error) {
  const problem = error instanceof Cancelled ? 'ended by a signal: what was written is incomplete' : messageOf(error);
  say({ kind: 'failed', problem, isUsage: error instanceof UsageError });
}
