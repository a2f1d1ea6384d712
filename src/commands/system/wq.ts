// wq: workqueues: what workers do, since when, and what has to wait.
import type { VirtAddr } from '../../base/address.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { type Ticks, ticks } from '../../kernel/jiffies.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { waitOf } from '../../kernel/wait/wait.ts';
import { allWorkers, type Worker, type WorkerPool, type WorkItem, workqueues } from '../../kernel/workqueue.ts';
import { defineStream } from '../command.ts';
import type { TaskLabel } from '../context.ts';
import { flag } from '../params.ts';
import { type WaitData, type WaiterData, waitData, waiterData } from '../tasks/wait_data.ts';
import { addressName } from './address_name.ts';

/** A work. */
export interface WorkData {
  /** Virtual address of the `struct work_struct`. */
  readonly address: VirtAddr;
  readonly function: VirtAddr;
  /** The function's name; null where no symbol has it. */
  readonly name: string | null;
  readonly workqueue: string | null;
}

/** A worker that does something. */
export interface WorkerData {
  /** Virtual address of the `struct worker`. */
  readonly address: VirtAddr;
  /** Null where its task cannot be read. */
  readonly task: (WaiterData & { readonly waits: WaitData | null }) | null;
  readonly work: WorkData | null;
  /** Seconds that it has been at it; null where the kernel does not note it. */
  readonly seconds: number | null;
  /** What it is to do next, works that somebody waits for among them. */
  readonly next: readonly WorkData[];
  readonly rescuerOf: string | null;
}

/** A pool of workers. */
export interface PoolRow {
  readonly kind: 'pool';
  readonly id: number;
  /** Virtual address of the `struct worker_pool`. */
  readonly address: VirtAddr;
  /** Null for one that serves several CPUs. */
  readonly cpu: number | null;
  readonly nice: number | null;
  readonly bottomHalf: boolean;
  readonly workers: number;
  readonly idle: number;
  /** Seconds since it last began a work; null where the clock cannot be read. */
  readonly sinceProgress: number | null;
  readonly busy: readonly WorkerData[];
  readonly pending: readonly WorkData[];
}

/** A workqueue of which more works wait than may run at once, or (with `-a`) any. */
export interface QueueRow {
  readonly kind: 'queue';
  readonly name: string;
  /** Virtual address of the `struct workqueue_struct`. */
  readonly address: VirtAddr;
  /** Works that are in a pool. */
  readonly active: number;
  readonly inactive: readonly WorkData[];
  readonly rescuer: TaskLabel | null;
}

export type WqItem = PoolRow | QueueRow;

export const wq = defineStream({
  name: 'wq',
  help: {
    summary: 'workqueues: what workers do, since when, and what has to wait',
    description: `Every pool of workers that is busy or has works waiting: its CPU, what each busy worker does and for how long (kernels
before 7.0 do not note that; how long it has been off its CPU is shown in any case), what it waits for, and the works
behind. Then the workqueues with works that may not start yet, since too many of theirs run.`,
    examples: [
      ['wq', 'does a work hang, and what waits behind it?'],
      ['wq -a', 'all pools and all workqueues'],
    ],
  },
  params: { all: flag('a', 'idle pools and workqueues, too') },
  items: 'items',
  collect: ({ kernel }, { all }) => ({ head: null, items: items(kernel, all) }),
  text: {
    item: (item, _view, _head, index) =>
      `${index === 0 ? '' : '\n'}${item.kind === 'pool' ? poolText(item) : queueText(item)}`,
    tail: ({ busy, waiting, longest }) =>
      busy + waiting === 0
        ? 'no worker is busy, and no work waits\n'
        : `\nbusy workers: ${busy}  works waiting: ${waiting}${longest === null ? '' : `  longest: ${longest.seconds.toFixed(1)}s, ${escapeLine(longest.name)}`}\n`,
  },
});

export interface WqTail {
  /** Busy workers, and works that wait, of all pools and queues. */
  readonly busy: number;
  readonly waiting: number;
  /** The work that has been going on for longest, where that is known. */
  readonly longest: { readonly name: string; readonly seconds: number } | null;
}

function* items(kernel: Kernel, all: boolean): Generator<WqItem, WqTail> {
  const everything = workqueues(kernel);
  const now = kernel.faults.attempt('jiffies', () => ticks(kernel), null);
  let busy = 0;
  let waiting = 0;
  let longest: WqTail['longest'] = null;
  const rows = everything.pools.map((pool) => poolRow(kernel, pool, now));
  for (const row of rows) {
    busy += row.busy.length;
    waiting += row.pending.length;
    for (const { work, seconds } of row.busy) {
      if (work === null || seconds === null || (longest !== null && seconds <= longest.seconds)) continue;
      longest = { name: work.name ?? hex16(work.function), seconds };
    }
    if (all || row.busy.length > 0 || row.pending.length > 0) yield row;
  }
  const workers = allWorkers(everything);
  for (const queue of everything.queues) {
    waiting += queue.inactive.length;
    if (!all && queue.inactive.length === 0) continue;
    const rescuer = workers.find(({ address }) => address === queue.rescuer?.address)?.task ?? null;
    yield {
      kind: 'queue',
      name: queue.name,
      address: queue.address,
      active: queue.active,
      inactive: queue.inactive.map((work) => workData(kernel, work)),
      rescuer:
        rescuer === null ? null : { pid: rescuer.pid, task: rescuer.address, cpu: rescuer.cpu, command: rescuer.comm },
    };
  }
  return { busy, waiting, longest };
}

function workData(kernel: Kernel, { address, function: called, workqueue }: WorkItem): WorkData {
  return { address, function: called, name: addressName(kernel, called), workqueue };
}

function poolRow(kernel: Kernel, pool: WorkerPool, now: Ticks | null): PoolRow {
  const ago = (jiffies: bigint): number | null => (now === null ? null : Number(now.jiffies - jiffies) / now.rate);
  const busy = pool.workers.filter(({ current, scheduled }) => current !== null || scheduled.length > 0);
  return {
    kind: 'pool',
    id: pool.id,
    address: pool.address,
    cpu: pool.cpu,
    nice: pool.nice,
    bottomHalf: pool.bottomHalf,
    workers: pool.workers.length,
    idle: pool.idleWorkers,
    sinceProgress: ago(pool.lastProgress),
    busy: busy
      .map((worker) => workerData(kernel, worker, worker.since === null ? null : ago(worker.since)))
      .sort((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0)),
    pending: pool.pending.map((work) => workData(kernel, work)),
  };
}

function workerData(kernel: Kernel, worker: Worker, seconds: number | null): WorkerData {
  const { task } = worker;
  const wait = task === null ? null : waitOf(kernel, task);
  return {
    address: worker.address,
    task:
      task === null
        ? null
        : { ...waiterData(kernel, task, wait), waits: wait === null ? null : waitData(kernel, wait) },
    work: worker.current === null ? null : workData(kernel, worker.current),
    seconds,
    next: worker.scheduled.map((work) => workData(kernel, work)),
    rescuerOf: worker.rescuerOf,
  };
}

function workText({ address, function: called, name, workqueue }: WorkData): string {
  return `${hex16(address)}  ${escapeLine(name ?? hex16(called))}${workqueue === null ? '' : `  (${escapeLine(workqueue)})`}\n`;
}

function poolText(pool: PoolRow): string {
  const where = pool.bottomHalf ? 'softirqs' : pool.cpu === null ? 'any CPU' : `CPU ${pool.cpu}`;
  const of = pool.bottomHalf && pool.cpu !== null ? ` of CPU ${pool.cpu}` : '';
  const progress = pool.sinceProgress === null ? '' : `  last began a work ${pool.sinceProgress.toFixed(1)}s ago`;
  return [
    `POOL ${pool.id} ${hex16(pool.address)}  ${where}${of}  nice ${pool.nice ?? '?'}  workers: ${pool.workers} (${pool.idle} idle)${progress}\n`,
    ...pool.busy.map(workerText),
    pool.pending.length === 0 ? '' : `  PENDING: ${pool.pending.length}\n`,
    ...pool.pending.map((work) => `    ${workText(work)}`),
  ].join('');
}

function workerText({ address, task, work, seconds, next, rescuerOf }: WorkerData): string {
  const who =
    task === null
      ? `worker ${hex16(address)}`
      : `PID: ${String(task.task.pid).padEnd(5)}  TASK: ${hex16(task.task.task)}  COMMAND: "${escapeLine(task.task.command)}" (${task.state})`;
  const at = seconds === null ? '' : `  for ${seconds.toFixed(1)}s`;
  const waits =
    task === null || task.waits === null
      ? ''
      : `      waits for ${task.waits.words}${task.function === null ? '' : `, in ${escapeLine(task.function)}`}${task.waiting === null || task.waiting === '0' ? '' : `, for ${(Number(BigInt(task.waiting) / 1_000_000n) / 1000).toFixed(3)}s`}\n`;
  return [
    `  ${who}${rescuerOf === null ? '' : `  rescuer of ${escapeLine(rescuerOf)}`}\n`,
    work === null ? '' : `      does ${workText(work).trimEnd()}${at}\n`,
    waits,
    ...next.map((one) => `      then ${workText(one)}`),
  ].join('');
}

function queueText({ name, address, active, inactive, rescuer }: QueueRow): string {
  const by = rescuer === null ? '' : `  rescuer: ${rescuer.pid} "${escapeLine(rescuer.command)}"`;
  return [
    `WORKQUEUE ${escapeLine(name)} ${hex16(address)}  active: ${active}  waiting: ${inactive.length}${by}\n`,
    ...inactive.map((work) => `    ${workText(work)}`),
  ].join('');
}
