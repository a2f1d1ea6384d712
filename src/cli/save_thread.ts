// The thread in which dumps are written (see save_job.ts).
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { isBug } from '../base/bug.ts';
import { assertNever, messageOf, UsageError } from '../base/errors.ts';
import { CancellableWork, Cancelled } from '../base/work.ts';
import { findVmcoreinfo } from '../dump/vmcoreinfo_search.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { openKernel } from '../kernel/open_kernel.ts';
import { type SaveFilesOptions, saveFiles } from '../save/save_files.ts';
import { openNamedDump, openNamedKernel } from './open.ts';
import type { EraseRequest, FromSaveThread, SaveJob, SaveThreadData } from './save_job.ts';

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

async function perform(job: SaveJob): Promise<unknown> {
  switch (job.kind) {
    case 'save': {
      const kernel = job.vmcoreinfo == null ? openNamedKernel(job.files) : openWithInfo(job.files, job.vmcoreinfo);
      const erase = await eraserOf(job.erase);
      stepBytes = kernel.dump.memory.pageSize;
      return kernel.work.during(work, () => saveFiles(kernel, { ...job.options, erase }));
    }
    case 'mini': {
      const { miniPages } = await import('../save/mini.ts');
      const dump = openNamedDump(job.files);
      const erase = await eraserOf(job.erase);
      return dump.memory.work.during(work, () => {
        const { kernel, mini } = miniPages(dump);
        stepBytes = dump.memory.pageSize;
        return saveFiles(kernel, { ...job.options, mini, erase });
      });
    }
    case 'salvage': {
      const { salvageDump } = await import('../save/salvage.ts');
      return salvageDump(job.files, job.target, job.options, work);
    }
    default:
      return assertNever(job);
  }
}

/** The kernel in a dump, which a file of VMCOREINFO describes where the dump itself does not. */
function openWithInfo(files: readonly string[], path: string): Kernel {
  const dump = openNamedDump(files);
  const { notes } = dump;
  const isTold = notes.vmcoreinfo !== null || findVmcoreinfo(dump.memory) !== null;
  const vmcoreinfo = isTold ? notes.vmcoreinfo : readFileSync(path, 'latin1');
  return openKernel({ ...dump, notes: { ...notes, vmcoreinfo } });
}

async function eraserOf(request: EraseRequest | undefined): Promise<SaveFilesOptions['erase'] | null> {
  if (request === undefined || (!request.redact && request.rules === null)) return null;
  const { redact } = await import('../save/redact.ts');
  const { applyEraseRules, parseEraseRules } = await import('../save/erase_rules.ts');
  const { ErasureBuilder } = await import('../save/erasure.ts');
  const rules = request.rules === null ? [] : parseEraseRules(readFileSync(request.rules, 'utf8'));
  return (kernel, kept) => {
    const erased = new ErasureBuilder();
    const { value: problems } = kernel.faults.collect(() => applyEraseRules(kernel, rules, erased));
    for (const problem of problems) say({ kind: 'told', sentence: `not erased: ${problem}` });
    if (request.redact) redact(kernel, kept, erased);
    return erased.done();
  };
}

try {
  say({ kind: 'done', result: await perform(job) });
} catch (error) {
  if (isBug(error)) throw error;
  const problem = error instanceof Cancelled ? 'ended by a signal: what was written is incomplete' : messageOf(error);
  say({ kind: 'failed', problem, isUsage: error instanceof UsageError });
}
