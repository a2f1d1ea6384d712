// kernel/workqueue.c: work that is to be done by kernel threads, by whom it is done, and what has to wait.
//
//   workqueues --> workqueue_struct { name } --> pool_workqueue { inactive_works } --+
//                                                                                    v
//   worker_pool_idr --> worker_pool { cpu, worklist: pending works, workers } --> worker { task, current_work, scheduled }
//
// A work_struct that is queued holds its pool_workqueue in the high bits of `data`.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { perKernel } from './per_kernel.ts';
import type { Task } from './task.ts';
import { xarrayEntries } from './xarray.ts';

/** A `struct work_struct`. */
export interface WorkItem {
  /** Virtual address. */
  readonly address: VirtAddr;
  /** Virtual address of its function. */
  readonly function: VirtAddr;
  /** Name of its workqueue; null where it cannot be told. */
  readonly workqueue: string | null;
}

export interface Worker {
  /** Virtual address of the `struct worker`. */
  readonly address: VirtAddr;
  /** Virtual address of its task_struct. */
  readonly taskAddress: VirtAddr;
  /** Null where it is not among the tasks that could be read. */
  readonly task: Task | null;
  /** What it does; null while it is idle. */
  readonly current: WorkItem | null;
  /** Since when it does that, in jiffies; null where the kernel does not note it (before 7.0), and while idle. */
  readonly since: bigint | null;
  /** What it is to do next, before the pool's: works that somebody waits for (flush_work()) among them. */
  readonly scheduled: readonly WorkItem[];
  /** Name of the workqueue whose rescuer it is; null for ordinary workers. */
  readonly rescuerOf: string | null;
}

export interface WorkerPool {
  readonly id: number;
  /** Virtual address of the `struct worker_pool`. */
  readonly address: VirtAddr;
  /** The CPU that its workers are bound to; null for one that serves several. */
  readonly cpu: number | null;
  /** Nice value of its workers. */
  readonly nice: number | null;
  /** True for a pool whose works run in softirqs, not in threads (4cb1ef64609f, 6.9). */
  readonly bottomHalf: boolean;
  /** When it last began a work, in jiffies. */
  readonly lastProgress: bigint;
  readonly workers: readonly Worker[];
  readonly idleWorkers: number;
  /** Works that wait for a worker, first come first. */
  readonly pending: readonly WorkItem[];
}

export interface Workqueue {
  readonly name: string;
  /** Virtual address of the `struct workqueue_struct`. */
  readonly address: VirtAddr;
  /** WQ_* flags (include/linux/workqueue.h). */
  readonly flags: number;
  /** Works that run or wait in a pool, as the kernel counts them. */
  readonly active: number;
  /** Works that may not go to a pool yet, since too many of the queue are there. */
  readonly inactive: readonly WorkItem[];
  /** Virtual addresses of its `struct pool_workqueue`s. */
  readonly pools: readonly VirtAddr[];
  readonly rescuer: Worker | null;
}

export interface Workqueues {
  readonly queues: readonly Workqueue[];
  /** By number. */
  readonly pools: readonly WorkerPool[];
}

/** Most workers of a pool, and works of a list, that are followed. */
const maxEntries = 1_000_000;

/** All workqueues and worker pools. What cannot be read costs itself. */
export const workqueues = perKernel(readWorkqueues);

/** Workers of all pools, and rescuers. */
export function allWorkers({ queues, pools }: Workqueues): Worker[] {
  const workers = new Map<bigint, Worker>();
  for (const pool of pools) for (const worker of pool.workers) workers.set(worker.address, worker);
  // a rescuer belongs to a pool, too, while it helps there
  for (const { rescuer } of queues) if (rescuer !== null) workers.set(rescuer.address, rescuer);
  return [...workers.values()];
}

function readWorkqueues(kernel: Kernel): Workqueues {
  const { faults } = kernel;
  const reader = new WorkqueueReader(kernel);
  const queues: Workqueue[] = [];
  faults.attempt(
    'workqueues',
    () => {
      const all = [...listEntries(kernel.variable('workqueues'), 'struct workqueue_struct', 'list')];
      for (const queue of all) reader.name(queue);
      for (const queue of all) faults.attempt('workqueue', () => queues.push(reader.queue(queue)), 0);
    },
    undefined,
  );
  const pools: WorkerPool[] = [];
  faults.attempt(
    'worker pools',
    () => {
      for (const { entry } of xarrayEntries(kernel.variable('worker_pool_idr').member('idr_rt'), faults)) {
        faults.attempt('worker pool', () => pools.push(reader.pool(kernel.object('struct worker_pool', entry))), 0);
      }
    },
    undefined,
  );
  return { queues, pools };
}

class WorkqueueReader {
  private readonly kernel: Kernel;
  private readonly names = new Map<bigint, string>();
  /** POOL_BH; 0 on kernels without. */
  private readonly bottomHalfFlag: number;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    const flags = kernel.types.find('enum worker_pool_flags');
    const flag = flags?.kind === 'enum' ? flags.values.find(({ name }) => name === 'POOL_BH') : undefined;
    this.bottomHalfFlag = Number(flag?.value ?? 0n);
  }

  /** Takes note of a workqueue: works tell their workqueue by its address. */
  name(queue: KernelObject): void {
    this.kernel.faults.attempt(
      'workqueue',
      () => this.names.set(queue.address, queue.member('name').string(64)),
      undefined,
    );
  }

  queue(queue: KernelObject): Workqueue {
    const { faults } = this.kernel;
    const name = queue.member('name').string(64);
    const inactive: WorkItem[] = [];
    const pools: VirtAddr[] = [];
    let active = 0;
    faults.attempt(
      `pools of workqueue ${name}`,
      () => {
        for (const pool of listEntries(queue.member('pwqs'), 'struct pool_workqueue', 'pwqs_node')) {
          pools.push(pool.address);
          active += pool.member('nr_active').number();
          // renamed by f97a4a1a3f87 (5.15)
          inactive.push(...this.works(pool.memberAmong('inactive_works', 'delayed_works')));
        }
      },
      undefined,
    );
    const rescuer = queue.member('rescuer');
    return {
      name,
      address: queue.address,
      flags: queue.member('flags').number(),
      active,
      inactive,
      pools,
      rescuer: rescuer.isNull
        ? null
        : faults.attempt(`rescuer of workqueue ${name}`, () => this.worker(rescuer.deref()), null),
    };
  }

  pool(pool: KernelObject): WorkerPool {
    const { faults } = this.kernel;
    const id = pool.member('id').number();
    const cpu = pool.member('cpu').number();
    const workers: Worker[] = [];
    faults.attempt(
      `workers of pool ${id}`,
      () => {
        for (const worker of listEntries(pool.member('workers'), 'struct worker', 'node')) {
          faults.attempt(`worker of pool ${id}`, () => workers.push(this.worker(worker)), 0);
        }
      },
      undefined,
    );
    const attributes = pool.member('attrs');
    return {
      id,
      address: pool.address,
      cpu: cpu < 0 ? null : cpu,
      nice: attributes.isNull ? null : faults.attempt(`pool ${id}`, () => attributes.member('nice').number(), null),
      bottomHalf: (pool.member('flags').number() & this.bottomHalfFlag) !== 0,
      // renamed in 7.1
      lastProgress: pool.memberAmong('last_progress_ts', 'watchdog_ts').bigint(),
      workers,
      idleWorkers: pool.member('nr_idle').number(),
      pending: this.works(pool.member('worklist')),
    };
  }

  private worker(worker: KernelObject): Worker {
    const { faults } = this.kernel;
    const taskAddress = worker.member('task').pointer();
    const current = worker.member('current_work').pointer();
    const rescuerOf = worker.member('rescue_wq').pointer();
    const queue = worker.member('current_pwq');
    return {
      address: worker.address,
      taskAddress,
      task: this.kernel.tasks.byAddress(taskAddress),
      current:
        current === 0n
          ? null
          : {
              address: current,
              function: worker.member('current_func').pointer(),
              workqueue: queue.isNull
                ? null
                : faults.attempt(
                    'workqueue of a work',
                    () => this.names.get(queue.member('wq').pointer()) ?? null,
                    null,
                  ),
            },
      since: current === 0n ? null : (worker.optional('current_start')?.bigint() ?? null),
      scheduled: this.works(worker.member('scheduled')),
      rescuerOf: rescuerOf === 0n ? null : (this.names.get(rescuerOf) ?? '?'),
    };
  }

  /** The works on a list; those after one that cannot be read are lost, and that is recorded. */
  private works(head: KernelObject): WorkItem[] {
    const items: WorkItem[] = [];
    this.kernel.faults.attempt(
      'list of works',
      () => {
        for (const work of listEntries(head, 'struct work_struct', 'entry')) {
          if (items.length >= maxEntries) throw new FormatError('list of works', `more than ${maxEntries}`);
          const item = {
            address: work.address,
            function: work.member('func').pointer(),
            workqueue: this.queueOf(work),
          };
          // a mark of the rescuer's, which is no work (since 6.19)
          if (this.kernel.place(item.function)?.symbol.name !== 'mayday_cursor_func') items.push(item);
        }
      },
      undefined,
    );
    return items;
  }

  /** WORK_STRUCT_PWQ is bit 2; the flags below the address take 8 bits, or 9 with CONFIG_DEBUG_OBJECTS_WORK. */
  private queueOf(work: KernelObject): string | null {
    const data = BigInt.asUintN(64, work.member('data').member('counter').bigint());
    if ((data & 4n) === 0n) return null;
    for (const bits of [8n, 9n]) {
      const pool = this.kernel.object('struct pool_workqueue', virtAddr((data >> bits) << bits));
      const name = this.kernel.faults.attempt(
        'workqueue of a work',
        () => this.names.get(pool.member('wq').pointer()),
        undefined,
      );
      if (name !== undefined) return name;
    }
    return null;
  }
}
