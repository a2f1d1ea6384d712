// What a job that writes dumps does, in whatever thread.
import { readFileSync } from 'node:fs';
import { assertNever } from '../base/errors.ts';
import { beFrugal } from '../base/frugal.ts';
import type { Work } from '../base/work.ts';
import { findVmcoreinfo } from '../dump/vmcoreinfo_search.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { openKernel } from '../kernel/open_kernel.ts';
import type { SalvageOptions } from '../save/salvage.ts';
import { type SaveFilesOptions, saveFiles } from '../save/save_files.ts';
import { openNamedDump, openNamedKernel } from './open.ts';

export type SaveJob =
  | {
      readonly kind: 'save' | 'mini';
      readonly files: readonly string[];
      readonly options: SaveFilesOptions;
      readonly erase?: EraseRequest;
      /** A file of VMCOREINFO, for a dump that has none and does not hold it in its memory; null for none. */
      readonly vmcoreinfo?: string | null;
    }
  | {
      readonly kind: 'salvage';
      readonly files: readonly string[];
      readonly target: string;
      readonly options: SalvageOptions;
    };

/** What is to be erased. */
export interface EraseRequest {
  /** Keys, arguments and environments. */
  readonly redact: boolean;
  /** A file of rules; null for none. */
  readonly rules: string | null;
}

/** What a job tells while it runs. */
export interface SaveListener {
  /** Something that the user should know. */
  tell(sentence: string): void;
  /** From now on progress is in page frames, of so many bytes. */
  countsPages(pageSize: number): void;
}

/** Bytes of a dead machine below which a filter's own memory is little in any case: to spare it would cost more time. */
const muchMemory = 2 ** 30;

/** Does a job. @throws InquestError; Cancelled */
export async function performSave(job: SaveJob, work: Work, listener: SaveListener): Promise<unknown> {
  switch (job.kind) {
    case 'save': {
      const kernel = job.vmcoreinfo == null ? openNamedKernel(job.files) : openWithInfo(job.files, job.vmcoreinfo);
      const { maxPfn, pageSize } = kernel.dump.memory;
      const erase = await eraserOf(job.erase, listener);
      if (erase !== null || maxPfn * pageSize > muchMemory) beFrugal();
      listener.countsPages(pageSize);
      return kernel.work.during(work, () => saveFiles(kernel, { ...job.options, erase }));
    }
    case 'mini': {
      beFrugal();
      const { miniPages } = await import('../save/mini.ts');
      const dump = openNamedDump(job.files);
      const erase = await eraserOf(job.erase, listener);
      return dump.memory.work.during(work, () => {
        const { kernel, mini } = miniPages(dump);
        listener.countsPages(dump.memory.pageSize);
        return saveFiles(kernel, { ...job.options, mini, erase });
      });
    }
    case 'salvage': {
      beFrugal();
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

async function eraserOf(
  request: EraseRequest | undefined,
  { tell }: SaveListener,
): Promise<SaveFilesOptions['erase'] | null> {
  if (request === undefined || (!request.redact && request.rules === null)) return null;
  const { redact } = await import('../save/redact.ts');
  const { applyEraseRules, parseEraseRules } = await import('../save/erase_rules.ts');
  const { ErasureBuilder } = await import('../save/erasure.ts');
  const rules = request.rules === null ? [] : parseEraseRules(readFileSync(request.rules, 'utf8'));
  return (kernel, kept) => {
    const erased = new ErasureBuilder();
    const { value: problems } = kernel.faults.collect(() => applyEraseRules(kernel, rules, erased));
    for (const problem of problems) tell(`not erased: ${problem}`);
    if (request.redact) redact(kernel, kept, erased);
    return erased.done();
  };
}
