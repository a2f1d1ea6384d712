// kernel/workqueue.c: tasks that wait until some work, or all work of a queue, is done.
//
//   stack: wq_barrier { work, done, task }    its work stands right behind the one that is waited for:
//
//   worker { current_work } --> scheduled --> barrier          the work is being done
//   pool.worklist --> work --> barrier                         the work has not begun
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { findMember, offsetOf } from '../../debuginfo/type.ts';
import { listNodes } from '../list.ts';
import { allWorkers, type Worker, type WorkItem, workqueues } from '../workqueue.ts';
import type { Sleeper } from './sleeper.ts';

export interface WorkWait {
  /** The work that is waited for; null where all of a queue's is, and where it cannot be told. */
  readonly work: WorkItem | null;
  /** Name of the workqueue; null where it cannot be told. */
  readonly workqueue: string | null;
  /** Who does it; empty where nobody began. For a whole queue: all that are busy with its works. */
  readonly workers: readonly Worker[];
  /** Who does what has to end before the work may begin: others of its queue, as many as may run at a time. */
  readonly behind: readonly Worker[];
  /** True where the one that waits is among these: it waits for itself. */
  readonly deadlock: boolean;
}

const flushing =
  /^(_*flush_(work|delayed_work|rcu_work|workqueue|scheduled_work)|_*drain_workqueue|destroy_workqueue|_*cancel_(delayed_)?work|_*cancel_work_timer|lru_add_drain_all|schedule_on_each_cpu|work_on_cpu)/;

/** The work that a task waits for; null where it waits for none. */
export function workWait(sleeper: Sleeper): WorkWait | null {
  if (!sleeper.in(flushing)) return null;
  const { kernel } = sleeper;
  return kernel.faults.attempt('wait for a work', () => byBarrier(sleeper) ?? byQueue(sleeper), null);
}

function byBarrier(sleeper: Sleeper): WorkWait | null {
  const { kernel, task } = sleeper;
  const type = kernel.types.find('struct wq_barrier');
  if (type === null) return null;
  // the task is in the barrier since 2607d7a6dba1 (4.9)
  const function_ = kernel.ownSymbol('wq_barrier_func')?.address ?? null;
  for (const address of sleeper.structsWith(type, 'task', task.address)) {
    const barrier = kernel.object(type, address);
    if (function_ !== null && barrier.member('work.func').pointer() !== function_) continue;
    const node = barrier.member('work.entry').address;
    const all = allWorkers(workqueues(kernel));
    const worker = all.find((candidate) => onList(sleeper, candidate, node));
    if (worker !== undefined)
      return { work: worker.current, workqueue: worker.current?.workqueue ?? null, workers: [worker], ...nobody };
    return pendingBefore(sleeper, node);
  }
  return null;
}

/** Whether a list node is among what a worker does next. */
function onList(sleeper: Sleeper, worker: Worker, node: VirtAddr): boolean {
  const { kernel } = sleeper;
  const head = kernel.object('struct worker', worker.address).member('scheduled');
  return kernel.faults.attempt('scheduled works', () => [...listNodes(head)].includes(node), false);
}

/** The work before a barrier on a pool's list; other barriers for the same work may stand between. */
function pendingBefore(sleeper: Sleeper, barrier: VirtAddr): WorkWait | null {
  const { kernel } = sleeper;
  const entry = offsetOf(kernel.type('struct work_struct'), 'entry');
  const { queues, pools } = workqueues(kernel);
  const inactive = queues.map((queue) => queue.inactive);
  for (const list of [...pools.map(({ pending }) => pending), ...inactive]) {
    const at = list.findIndex(({ address }) => offsetBy(address, entry) === barrier);
    if (at < 0) continue;
    const work =
      list.slice(0, at).findLast(({ function: called }) => kernel.place(called)?.symbol.name !== 'wq_barrier_func') ??
      null;
    const workqueue = work?.workqueue ?? null;
    const behind = inactive.includes(list) ? busyWith(sleeper, workqueue) : [];
    const deadlock = behind.some(({ taskAddress }) => taskAddress === sleeper.task.address);
    return { work, workqueue, workers: [], behind, deadlock };
  }
  return null;
}

const nobody = { behind: [], deadlock: false } as const;

/** Workers that do works of a queue. */
function busyWith({ kernel }: Sleeper, workqueue: string | null): Worker[] {
  return workqueue === null
    ? []
    : allWorkers(workqueues(kernel)).filter(({ current }) => current?.workqueue === workqueue);
}

/** flush_workqueue(): its wq_flusher on the stack is the queue's first, or waits to be. */
function byQueue(sleeper: Sleeper): WorkWait | null {
  const { kernel } = sleeper;
  const all = workqueues(kernel);
  for (const { address, name } of all.queues) {
    const queue = kernel.object('struct workqueue_struct', address);
    const flushes =
      findMember(queue.type, 'first_flusher') !== null &&
      kernel.faults.attempt(
        `flushers of ${name}`,
        () =>
          sleeper.isOnStack(queue.member('first_flusher').pointer()) ||
          ['flusher_queue', 'flusher_overflow'].some((list) =>
            [...listNodes(queue.member(list))].some((node) => sleeper.isOnStack(node)),
          ),
        false,
      );
    if (!flushes) continue;
    return { work: null, workqueue: name, workers: busyWith(sleeper, name), ...nobody };
  }
  return null;
}
