// The thread in which dumps are written (see save_job.ts).
import { parentPort, workerData } from 'node:worker_threads';
import { isBug } from '../base/bug.ts';
import { messageOf, UsageError } from '../base/errors.ts';
import { CancellableWork, Cancelled } from '../base/work.ts';
import { performSave } from './perform_save.ts';
import type { FromSaveThread, SaveThreadData } from './save_job.ts';

const { job, cancel } = workerData as SaveThreadData;
const say = (message: FromSaveThread): void => parentPort!.postMessage(message);

let last = -1;
/** Bytes of one step of progress, where it goes through memory page by page; else null. */
let stepBytes: number | null = null;
const work = new CancellableWork(new Int32Array(cancel), (done, total) => {
  const percent = total === null ? 0 : Math.floor((100 * done) / total);
  if (percent !== last && total !== null) say({ kind: 'progress', done, total, stepBytes });
  last = percent;
});

try {
  const result = await performSave(job, work, {
    tell: (sentence) => say({ kind: 'told', sentence }),
    countsPages: (pageSize) => {
      stepBytes = pageSize;
    },
  });
  say({ kind: 'done', result });
} catch (error) {
  if (isBug(error)) throw error;
  const problem = error instanceof Cancelled ? 'ended by a signal: what was written is incomplete' : messageOf(error);
  say({ kind: 'failed', problem, isUsage: error instanceof UsageError });
}
