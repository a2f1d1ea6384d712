// A machine with a workqueue, a pool with one worker, and tasks that flush its works.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { SleepingKernel } from './sleeper_writer.ts';

const workTypes = `
  struct work_struct { struct atomic_long data; struct list_head entry; void *func; };
  struct wq_barrier { struct work_struct work; struct completion done; struct task_struct *task; };
  struct workqueue_attrs { int nice; };
  struct worker_pool {
    int cpu; int id; unsigned int flags; unsigned long watchdog_ts; struct list_head worklist;
    int nr_idle; struct list_head workers; struct workqueue_attrs *attrs;
  };
  struct pool_workqueue { struct workqueue_struct *wq; int nr_active; struct list_head inactive_works; struct list_head pwqs_node; };
  struct worker {
    struct work_struct *current_work; void *current_func; struct pool_workqueue *current_pwq;
    struct list_head scheduled; struct task_struct *task; struct list_head node; struct workqueue_struct *rescue_wq;
  };
  struct workqueue_struct {
    struct list_head pwqs; struct list_head list; void *first_flusher; struct list_head flusher_queue;
    struct list_head flusher_overflow; struct worker *rescuer; char name[24]; unsigned int flags;
  };
`;

/** A machine with a workqueue `widgets`, whose pool's one worker does a work of it. */
export function workqueueMachine() {
  const world = new SleepingKernel(workTypes);
  const { kernel } = world;
  kernel.codeAt('schedule'); // where text begins has a symbol of its own
  const queue = kernel.allocate('struct workqueue_struct');
  kernel.set(queue, 'name', 'widgets');
  for (const list of ['flusher_queue', 'flusher_overflow']) kernel.link(queue.member(list).address);
  kernel.link(kernel.allocate('struct list_head', 'workqueues').address, queue.member('list').address);
  const pool = kernel.allocate('struct worker_pool');
  const pwq = kernel.allocate('struct pool_workqueue');
  kernel.set(pwq, 'wq', queue);
  kernel.link(queue.member('pwqs').address, pwq.member('pwqs_node').address);
  const work = (func: string): KernelObject => {
    const made = kernel.allocate('struct work_struct');
    kernel.set(made, 'func', kernel.codeAt(func));
    kernel.set(made, 'data.counter', pwq.address | 5n);
    return made;
  };
  const current = work('polish_widgets[widget]');
  const worker = kernel.allocate('struct worker');
  const { task } = world.sleeps(['msleep', 'polish_widgets[widget]', 'process_one_work', 'worker_thread'], {
    comm: 'kworker/0:1',
  });
  for (const [member, value] of Object.entries({ current_work: current, current_pwq: pwq, task }))
    kernel.set(worker, member, value);
  kernel.set(worker, 'current_func', kernel.codeAt('polish_widgets'));
  kernel.link(worker.member('scheduled').address);
  kernel.link(pool.member('workers').address, worker.member('node').address);
  for (const list of [pool.member('worklist'), pwq.member('inactive_works')]) kernel.link(list.address);
  const node = kernel.allocate('struct xa_node');
  kernel.set(node, 'slots[0]', pool);
  kernel.set(kernel.allocate('struct idr', 'worker_pool_idr'), 'idr_rt.xa_head', node.address | 2n);
  /** A task that flushes, with its barrier. */
  const flushes = () => {
    const { task, record } = world.sleeps(['__wait_for_common', '__flush_work', 'cancel_work_sync', 'frob']);
    const barrier = record('struct wq_barrier');
    kernel.set(barrier, 'task', task);
    kernel.set(barrier, 'work.func', kernel.codeAt('wq_barrier_func'));
    return { task, node: barrier.member('work.entry').address };
  };
  return { world, kernel, queue, pool, pwq, worker, work, flushes, workerTask: task };
}
