// Tasks that sleep on mutexes, for a kernel that died: each waiter lies on its task's stack, on the mutex's list.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import type { DyingKernel } from './dying_kernel.ts';

/** Types that `DyingKernel.make` must be given. */
export const mutexTypes = 'struct mutex_waiter { struct list_head list; struct task_struct *task; void *ww_ctx; };';

/** A mutex that a task holds. */
export function heldMutex(kernel: DyingKernel, holder: KernelObject, symbol?: string): KernelObject {
  const mutex = kernel.allocate('struct mutex', symbol);
  kernel.link(mutex.member('wait_list').address);
  kernel.set(mutex, 'owner.counter', holder.address | 1n);
  return mutex;
}

/** Makes a task sleep on a mutex that nobody else waits for. @param caller the function that locks it */
export function sleepsOn(kernel: DyingKernel, task: KernelObject, mutex: KernelObject, caller: string): void {
  const waiter = { words: [mutex.address, 0n, 0n, task.address, 0n] };
  kernel.sleeps(task, ['schedule', '__mutex_lock.constprop.0', waiter, caller, 'kthread', 'ret_from_fork_asm']);
  const base = task.member('stack').bigint();
  for (let at = base; at < base + 0x4000n; at += 8n) {
    if (kernel.space.u64(at as never) === mutex.address) kernel.link(mutex.member('wait_list').address, at + 8n);
  }
}
