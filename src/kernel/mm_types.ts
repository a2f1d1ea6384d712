// include/linux/mm_types.h: the memory of a process.
import type { AddressSpace } from '../arch/address_space.ts';
import { NotFoundError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './sched.ts';

/**
 * The virtual memory of a process.
 * @throws NotFoundError for a kernel thread, or a process that has given its memory up; MemoryFault
 */
export function userMemory(kernel: Kernel, task: Task): AddressSpace {
  const mm = task.object.member('mm');
  if (mm.isNull) throw new NotFoundError('user memory', `of PID ${task.pid}`, 'it has none');
  return kernel.arch.userSpace(kernel.space.translate(mm.member('pgd').pointer()));
}
