// kernel/sched/sched.h: what each CPU runs and what waits to run there, by scheduling class.
//
//   rq --+-- curr, idle, clock
//        +-- dl:  tree of sched_dl_entity by deadline
//        +-- rt:  active.queue[priority]: lists of sched_rt_entity
//        +-- cfs: tasks_timeline: tree of sched_entity (by vruntime; by deadline since 147f3efaa241, 6.6: EEVDF);
//        |        curr is not in its tree
//        +-- scx: runnable_list (sched_ext, 6.12)
//
// With group scheduling an entity of the fair or real-time class may be a task group, with a queue of its own in `my_q`.
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { rbEntries } from './rbtree.ts';
import type { Task } from './task.ts';

/** A task on a run queue. */
export interface QueuedTask {
  readonly kind: 'task';
  /** Virtual address of the task_struct. */
  readonly address: VirtAddr;
  /** Null where it is not among the tasks that could be read. */
  readonly task: Task | null;
  /** task_struct.prio: 0 to 99 real-time, 100 to 139 by nice value, negative with a deadline; null where unreadable. */
  readonly priority: number | null;
  /** True for the one that the queue's group runs. */
  readonly current: boolean;
  /** True for one that sleeps already, but stays queued until its turn would come (152e11f6df29, 6.12). */
  readonly delayed: boolean;
}

/** A task group on a run queue, with what is queued in it. */
export interface QueuedGroup {
  readonly kind: 'group';
  /** Virtual address of the `struct task_group`; null where unreadable. */
  readonly group: VirtAddr | null;
  /** Name of its cgroup, or `autogroup-N`; null where unknown. */
  readonly name: string | null;
  /** For groups on a real-time queue, where in it; null on others. */
  readonly priority: number | null;
  /** Virtual address of its `struct cfs_rq` or `struct rt_rq` on this CPU. */
  readonly queue: VirtAddr;
  /** True while the group has used up its share and may not run. */
  readonly throttled: boolean;
  readonly entries: readonly QueueEntry[];
}

export type QueueEntry = QueuedTask | QueuedGroup;

export interface Runqueue {
  readonly cpu: number;
  /** Virtual address of the `struct rq`. */
  readonly address: VirtAddr;
  /** Virtual address of the task_struct that the CPU runs. */
  readonly current: VirtAddr;
  /** The queue's clock when last updated, in nanoseconds. */
  readonly clock: bigint;
  /** Tasks that run or wait to run here, as the kernel counts them. */
  readonly running: number;
  /** Virtual address of `rq.rt`, of its `active`, of `rq.cfs` and of its tree. */
  readonly rtQueue: VirtAddr;
  readonly rtArray: VirtAddr;
  readonly fairQueue: VirtAddr;
  readonly fairTree: VirtAddr;
  /** The CPU's stopper thread where it runs or waits to: it goes before all others. Null where it sleeps. */
  readonly stopper: QueuedTask | null;
  /** By deadline, the earliest first. The kernel's own servers, which lend time to other classes, are left out. */
  readonly deadline: readonly QueuedTask[];
  /** By priority. */
  readonly realtime: readonly QueueEntry[];
  /** In the order of the tree; the one that runs stands first. */
  readonly fair: readonly QueueEntry[];
  /** Tasks of a sched_ext scheduler; null on kernels without. */
  readonly extensible: readonly QueuedTask[] | null;
}

/** Deepest nesting of task groups followed. */
const maxDepth = 64;

/** The run queue of a CPU. An entity that cannot be read costs itself. @throws NotFoundError, MemoryFault for the queue itself */
export function readRunqueue(kernel: Kernel, cpu: number): Runqueue {
  const rq = kernel.perCpu('runqueues', cpu);
  const reader = new QueueReader(kernel, rq);
  const part = <T>(what: string, work: () => T[]): T[] => kernel.faults.attempt(`${what} of CPU ${cpu}`, work, []);
  return {
    cpu,
    address: rq.address,
    current: rq.member('curr').pointer(),
    clock: rq.member('clock').bigint(),
    running: rq.member('nr_running').number(),
    rtQueue: rq.member('rt').address,
    rtArray: rq.member('rt.active').address,
    fairQueue: rq.member('cfs').address,
    fairTree: rq.member('cfs.tasks_timeline').address,
    stopper: kernel.faults.attempt(`stopper of CPU ${cpu}`, () => reader.stopper(rq), null),
    deadline: part('deadline queue', () => reader.deadline(rq.member('dl'))),
    realtime: part('real-time queue', () => reader.realtime(rq.member('rt'), 0)),
    fair: part('fair queue', () => reader.fair(rq.member('cfs'), 0)),
    extensible: rq.has('scx.runnable_list') ? part('sched_ext queue', () => reader.extensible(rq.member('scx'))) : null,
  };
}

/** Every task on a queue, those of groups too, in order. */
export function* queuedTasks(entries: readonly QueueEntry[]): Generator<QueuedTask> {
  for (const entry of entries) {
    if (entry.kind === 'task') yield entry;
    else yield* queuedTasks(entry.entries);
  }
}

class QueueReader {
  private readonly kernel: Kernel;
  private readonly cpu: number;
  private readonly taskType;
  private readonly seen = new Set<bigint>();
  private readonly running: VirtAddr;

  constructor(kernel: Kernel, rq: KernelObject) {
    this.kernel = kernel;
    this.cpu = rq.member('cpu').number();
    this.taskType = kernel.type('struct task_struct');
    this.running = rq.member('curr').pointer();
  }

  stopper(rq: KernelObject): QueuedTask | null {
    const stop = rq.member('stop');
    return stop.isNull || !stop.member('on_rq').bool() ? null : this.task(stop.member('se'), 'se');
  }

  deadline(queue: KernelObject): QueuedTask[] {
    const tasks: QueuedTask[] = [];
    const root = queue.memberAmong('root', 'rb_root');
    for (const entity of rbEntries(root, 'struct sched_dl_entity', 'rb_node', this.kernel.faults)) {
      this.tolerate(() => {
        // 63ba8422f876 (6.8): servers are no tasks
        if (entity.optional('dl_server')?.bool() === true) return;
        tasks.push(this.task(entity, 'dl'));
      });
    }
    return tasks;
  }

  realtime(queue: KernelObject, depth: number): QueueEntry[] {
    this.enter(queue.address, depth);
    const entries: QueueEntry[] = [];
    const heads = queue.member('active.queue');
    const words = new BigUint64Array(this.kernel.space.read(heads.address, heads.size).buffer);
    for (let priority = 0; priority * 2 < words.length; priority++) {
      const head = heads.index(priority);
      const first = words[priority * 2]!;
      if (first === head.address || first === 0n) continue;
      this.tolerate(() => {
        for (const entity of listEntries(head, 'struct sched_rt_entity', 'run_list')) {
          this.tolerate(() => {
            const own = entity.optional('my_q');
            entries.push(
              own === null || own.isNull
                ? this.task(entity, 'rt')
                : this.group(own.deref(), priority, () => this.realtime(own.deref(), depth + 1)),
            );
          });
        }
      });
    }
    return entries;
  }

  fair(queue: KernelObject, depth: number): QueueEntry[] {
    this.enter(queue.address, depth);
    const entries: QueueEntry[] = [];
    const add = (entity: KernelObject): void =>
      this.tolerate(() => {
        const own = entity.optional('my_q');
        entries.push(
          own === null || own.isNull
            ? this.task(entity, 'se')
            : this.group(own.deref(), null, () => this.fair(own.deref(), depth + 1)),
        );
      });
    const current = queue.member('curr');
    if (!current.isNull) add(current.deref());
    for (const entity of rbEntries(
      queue.member('tasks_timeline'),
      'struct sched_entity',
      'run_node',
      this.kernel.faults,
    ))
      add(entity);
    return entries;
  }

  extensible(queue: KernelObject): QueuedTask[] {
    const tasks: QueuedTask[] = [];
    for (const entity of listEntries(queue.member('runnable_list'), 'struct sched_ext_entity', 'runnable_node')) {
      this.tolerate(() => tasks.push(this.task(entity, 'scx')));
    }
    return tasks;
  }

  private task(entity: KernelObject, member: string): QueuedTask {
    const object = entity.containerOf(this.taskType, member);
    const { address } = object;
    return {
      kind: 'task',
      address,
      task: this.kernel.tasks.byAddress(address),
      priority: this.kernel.faults.attempt('queued task', () => object.member('prio').number(), null),
      current: address === this.running,
      delayed: entity.optional('sched_delayed')?.bool() ?? false,
    };
  }

  private group(queue: KernelObject, priority: number | null, entries: () => QueueEntry[]): QueuedGroup {
    const { faults } = this.kernel;
    const group = faults.attempt('task group', () => queue.optional('tg')?.pointer() ?? null, null);
    return {
      kind: 'group',
      group,
      name: group === null ? null : faults.attempt('name of a task group', () => groupName(this.kernel, group), null),
      priority,
      queue: queue.address,
      throttled: (queue.optional('throttled') ?? queue.optional('rt_throttled'))?.bool() ?? false,
      entries: faults.attempt(`queue of a task group on CPU ${this.cpu}`, entries, []),
    };
  }

  private enter(queue: VirtAddr, depth: number): void {
    if (this.seen.has(queue) || depth > maxDepth)
      throw new FormatError(`run queue of CPU ${this.cpu}`, `groups loop back to ${queue.toString(16)}`);
    this.seen.add(queue);
  }

  private tolerate(work: () => void): void {
    this.kernel.faults.attempt(`run queue of CPU ${this.cpu}`, work, undefined);
  }
}

/** What a task group is called: the last part of its cgroup's path, or the number of its autogroup. @throws MemoryFault */
export function groupName(kernel: Kernel, address: VirtAddr): string | null {
  const group = kernel.object('struct task_group', address);
  const autogroup = group.optional('autogroup');
  if (autogroup !== null && !autogroup.isNull) return `autogroup-${autogroup.member('id').bigint()}`;
  const cgroup = group.optional('css.cgroup');
  if (cgroup === null || cgroup.isNull) return null;
  const name = cgroup.member('kn').member('name');
  return name.isNull ? null : name.string(256);
}
