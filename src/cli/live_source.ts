// Where the running kernel's memory is read.
import { closeSync, openSync } from 'node:fs';
import { UsageError } from '../base/errors.ts';

const kcore = '/proc/kcore';

/** The file of the running kernel's memory. @throws UsageError with the reason why it cannot be read */
export function liveSource(): string {
  try {
    closeSync(openSync(kcore, 'r'));
    return kcore;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new UsageError(`${kcore} is not there: this kernel was built without CONFIG_PROC_KCORE; name a dump`);
    if (process.getuid?.() !== 0) throw new UsageError(`only root may read ${kcore}, the running kernel's memory`);
    throw new UsageError(`${kcore} cannot be read (${code}): the kernel is locked down (confidentiality)`);
  }
}
