// include/linux/wait.h, swait.h: who waits on a wait queue.
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { strip, typeName } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';

/** WQ_FLAG_EXCLUSIVE (include/linux/wait.h): one of these is woken at a time. */
const exclusiveFlag = 1;

/** An entry on a wait queue. */
export interface Waiter {
  /** Virtual address of the entry. */
  readonly address: VirtAddr;
  /** Virtual address of the task that waits; 0 for an entry that wakes by a function alone, as epoll's and poll's do. */
  readonly task: VirtAddr;
  /** Virtual address of the function that is called to wake it; 0 where entries have none. */
  readonly wake: VirtAddr;
  readonly exclusive: boolean;
}

/** The types that a wait queue's head may have. */
export const waitQueueTypes: readonly string[] = ['wait_queue_head', '__wait_queue_head', 'swait_queue_head'];

/** Whether a type is one of a wait queue's head. */
export function isWaitQueue(queue: KernelObject): boolean {
  const type = strip(queue.type);
  return type.kind === 'struct' && waitQueueTypes.includes(type.name);
}

/**
 * The entries of a `wait_queue_head_t` or `struct swait_queue_head`, in the order in which they are woken.
 * @throws FormatError for another type; MemoryFault, FormatError where the list breaks off, after what came before
 */
export function* waiters(kernel: Kernel, queue: KernelObject): Generator<Waiter> {
  const list = queue.optional('task_list');
  if (queue.has('head')) {
    // wait_queue_entry since 50816c48997a (4.13)
    const type = kernel.type('struct wait_queue_entry');
    for (const entry of listEntries(queue.member('head'), type, 'entry')) yield waiterOf(kernel, entry);
  } else if (list !== null) {
    const simple = strip(queue.type).kind === 'struct' && typeName(strip(queue.type)).includes('swait');
    const type = kernel.type(simple ? 'struct swait_queue' : 'struct __wait_queue');
    for (const entry of listEntries(list, type, 'task_list')) yield waiterOf(kernel, entry);
  } else throw new FormatError(typeName(queue.type), 'is no wait queue');
}

function waiterOf(kernel: Kernel, entry: KernelObject): Waiter {
  const wake = entry.optional('func')?.pointer() ?? (0n as VirtAddr);
  const held = entry.memberAmong('private', 'task').pointer();
  // `private` belongs to whoever made the entry: it is a task where it is one
  const task = kernel.tasks.byAddress(held) === null ? (0n as VirtAddr) : held;
  const exclusive = ((entry.optional('flags')?.number() ?? 0) & exclusiveFlag) !== 0;
  return { address: entry.address, task, wake, exclusive };
}
