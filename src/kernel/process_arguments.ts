// Arguments and environment of a process, from its own memory, where execve(2) left them
// (include/linux/mm_types.h: mm_struct.arg_start, ...).
import type { AddressSpace } from '../arch/address_space.ts';
import type { VirtAddr } from '../base/address.ts';
import { type InquestError, MemoryFault } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';
import { logText } from './printk_record.ts';
import type { Task } from './task.ts';

/** Longest arguments that are read, in bytes. */
const maxLength = 2 * 1024 * 1024;

/** Strings that a process got when it started. */
export interface StringArea {
  /** User address of the first byte. */
  readonly start: VirtAddr;
  /** Bytes. */
  readonly length: number;
  /** The process's memory, which the address is of. */
  readonly space: AddressSpace;
  readonly strings: readonly string[];
  /** Why not all of it is there; null if it is. User pages are among the first to be left out of a dump. */
  readonly fault: InquestError | null;
}

/** argv and envp of the task's process; null for a task without user memory. @throws NotFoundError, MemoryFault */
export function processArguments(kernel: Kernel, task: Task): { argv: StringArea; envp: StringArea } | null {
  const mm = task.object.member('mm');
  if (mm.isNull || task.kernelThread) return null;
  const user = kernel.arch.userSpace(kernel.space.translate(mm.member('pgd').pointer()));
  const area = (from: string, to: string): StringArea => {
    const start = mm.member(from).pointer();
    const length = Number(mm.member(to).pointer() - start);
    if (length <= 0) return { start, length: 0, space: user, strings: [], fault: null };
    const { bytes, fault } = user.readUpTo(start, Math.min(length, maxLength));
    const text = logText(bytes).replace(/\0$/, '');
    return { start, length, space: user, strings: bytes.length === 0 ? [] : text.split('\0'), fault };
  };
  return { argv: area('arg_start', 'arg_end'), envp: area('env_start', 'env_end') };
}

/** Whether an area could not be read at all. */
export function isUnreadable(area: StringArea): boolean {
  return area.strings.length === 0 && area.fault instanceof MemoryFault;
}
