// include/linux/fdtable.h: the open files of a task.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';

/** NR_OPEN's own limit, sysctl_nr_open_max (fs/file.c), is below this. */
const maxFiles = 1 << 28;
/** Descriptors looked at together. */
const chunk = 4096;

/** A descriptor and what it is for. */
export interface Descriptor {
  readonly fd: number;
  /** Virtual address of the `struct file`. */
  readonly file: VirtAddr;
}

/**
 * The open descriptors of a task, ascending; null for a task that has given its table up. Parts of the table that
 * cannot be read are faults.
 * @throws MemoryFault when the table itself cannot be read
 */
export function openDescriptors(kernel: Kernel, task: Task): Generator<Descriptor> | null {
  const files = task.object.member('files');
  if (files.isNull) return null;
  const table = files.member('fdt').deref();
  const count = table.member('max_fds').number();
  if (count > maxFiles) throw new FormatError('fdtable', `has room for ${count} files`);
  return descriptors(kernel, table.member('fd').pointer(), table.member('open_fds').pointer(), count);
}

function* descriptors(kernel: Kernel, files: VirtAddr, open: VirtAddr, count: number): Generator<Descriptor> {
  const { faults, space } = kernel;
  for (let first = 0; first < count; first += chunk) {
    const here = Math.min(chunk, count - first);
    const bits = faults.attempt('open_fds', () => space.read(offsetBy(open, first / 8), Math.ceil(here / 8)), null);
    if (bits === null) return;
    for (let i = 0; i < here; i++) {
      if (((bits[i >> 3]! >> (i & 7)) & 1) === 0) continue;
      const fd = first + i;
      const file = faults.attempt('file pointer', () => space.pointer(offsetBy(files, fd * 8)), null);
      // a descriptor is taken before there is a file for it, while open(2) is at work
      if (file !== null && file !== 0n) yield { fd, file };
    }
  }
}
