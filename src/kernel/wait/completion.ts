// include/linux/completion.h: what tasks that wait for a completion wait for. The kernel does not note who is to complete
// it; but who waits has most often asked somebody for something, and the question holds the completion's address.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { findMember, offsetOf } from '../../debuginfo/type.ts';
import type { Kernel } from '../kernel.ts';
import type { Task } from '../task.ts';
import { queueEntries, simpleQueueHeads } from './queue_entry.ts';
import type { Sleeper } from './sleeper.ts';

/** What a completion is about. */
export type CompletionSubject =
  /** A kernel thread that was asked to end or to park. */
  | { readonly kind: 'thread'; readonly what: 'exit' | 'park'; readonly thread: Task | null }
  /** The child of a vfork(), which runs in the parent's memory until it ends or executes another program. */
  | { readonly kind: 'child'; readonly child: Task }
  /** A program that the kernel had started (call_usermodehelper()). */
  | { readonly kind: 'helper'; readonly path: string };

/** Virtual address of the `struct completion` that a task is queued on; null where it is on none. */
export function awaitedCompletion(sleeper: Sleeper): VirtAddr | null {
  const type = sleeper.kernel.types.find('struct completion');
  if (type === null) return null;
  const wait = offsetOf(type, 'wait');
  // a plain wait queue until a5c6234e1028 (5.7)
  const simple = findMember(type, 'wait.task_list') !== null && findMember(type, 'wait.lock') !== null;
  const head =
    (simple ? simpleQueueHeads(sleeper)[0] : undefined) ??
    queueEntries(sleeper).find(({ head }) => head !== null)?.head;
  return head == null ? null : offsetBy(head, -wait);
}

/** What a completion is about; null where nothing tells. */
export function completionSubject(sleeper: Sleeper, completion: VirtAddr): CompletionSubject | null {
  const { kernel } = sleeper;
  const attempt = <T>(work: () => T | null): T | null => kernel.faults.attempt('completion', work, null);
  if (sleeper.in(/^_*kthread_(stop|park)/)) return attempt(() => threadOf(kernel, completion));
  if (sleeper.in(/^(wait_for_vfork_done|kernel_clone|_do_fork|do_fork)$/)) {
    return attempt(() => childOf(kernel, completion));
  }
  if (sleeper.in(/^call_usermodehelper/)) return attempt(() => helperOf(sleeper, completion));
  return null;
}

/** The thread whose `struct kthread` holds the completion. */
function threadOf(kernel: Kernel, completion: VirtAddr): CompletionSubject | null {
  const type = kernel.types.find('struct kthread');
  if (type === null) return null;
  for (const [what, member] of [
    ['exit', 'exited'],
    ['park', 'parked'],
  ] as const) {
    const address = offsetBy(completion, -offsetOf(type, member));
    // worker_private since e32cf5dfbe22 (5.17); set_child_tid before
    const thread = kernel.tasks.all.find(
      ({ kernelThread, object }) =>
        kernelThread &&
        (object.optional('worker_private')?.pointer() === address ||
          object.optional('set_child_tid')?.pointer() === address),
    );
    if (thread !== undefined) return { kind: 'thread', what, thread };
  }
  return null;
}

function childOf(kernel: Kernel, completion: VirtAddr): CompletionSubject | null {
  const child = kernel.tasks.all.find(({ object }) => object.optional('vfork_done')?.pointer() === completion);
  return child === undefined ? null : { kind: 'child', child };
}

/** The `struct subprocess_info` that points to the completion, among what the task works on. */
function helperOf(sleeper: Sleeper, completion: VirtAddr): CompletionSubject | null {
  for (const info of pointersTo(sleeper, 'struct subprocess_info', 'complete', completion)) {
    const path = sleeper.kernel.object('struct subprocess_info', info).member('path');
    if (!path.isNull) return { kind: 'helper', path: path.string(256) };
  }
  return null;
}

/** Structs that the task's stack points to, and that point to an address by a member. */
export function* pointersTo(sleeper: Sleeper, type: string, member: string, to: VirtAddr): Generator<VirtAddr> {
  const { kernel } = sleeper;
  const found = kernel.types.find(type);
  const place = found === null ? null : findMember(found, member);
  if (place === null) return;
  for (const candidate of sleeper.pointers()) {
    const { bytes } = kernel.space.readUpTo(offsetBy(candidate, place.bitOffset / 8), 8);
    if (bytes.length === 8 && new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) === to)
      yield candidate;
  }
}
