// runq: what each CPU runs and what waits to run there.
import type { VirtAddr } from '../../base/address.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type QueueEntry, queuedTasks, type Runqueue, readRunqueue } from '../../kernel/runqueue.ts';
import { lastRun } from '../../kernel/sched_times.ts';
import type { TaskTable } from '../../kernel/task.ts';
import { defineStream } from '../command.ts';
import { flag, valued, values } from '../params.ts';
import { elapsed } from '../system/time_text.ts';

/** A task on a run queue, or the one that a CPU runs. */
export interface RunqTask {
  readonly kind: 'task';
  /** -1 where the task cannot be read. */
  readonly pid: number;
  readonly task: VirtAddr;
  readonly command: string;
  /** 0 to 99 real-time, 100 to 139 by nice value, below 0 with a deadline; null where unreadable. */
  readonly priority: number | null;
  readonly current: boolean;
  /** Sleeps already, and is queued until its turn would come. */
  readonly delayed: boolean;
}

/** A task group with what is queued in it. */
export interface RunqGroup {
  readonly kind: 'group';
  readonly group: VirtAddr | null;
  readonly name: string | null;
  readonly priority: number | null;
  readonly queue: VirtAddr;
  readonly throttled: boolean;
  readonly entries: readonly RunqEntry[];
}

export type RunqEntry = RunqTask | RunqGroup;

/** A CPU's run queue. Times are nanoseconds, decimal. */
export interface RunqRow {
  readonly cpu: number;
  readonly address: VirtAddr;
  /** Tasks that run or wait to, as the kernel counts them. */
  readonly running: number;
  /** The queue's clock when last updated. */
  readonly clock: string;
  readonly current: RunqTask;
  /** When the current task last came to run; null where unreadable. */
  readonly currentSince: string | null;
  /** How far the clock is behind the one of the CPU that is ahead. */
  readonly lag: string;
  readonly rtQueue: VirtAddr;
  readonly rtArray: VirtAddr;
  readonly fairQueue: VirtAddr;
  readonly fairTree: VirtAddr;
  /** The CPU's stopper thread, where it waits to run. */
  readonly stopper: RunqTask | null;
  readonly deadline: readonly RunqEntry[];
  readonly realtime: readonly RunqEntry[];
  /** The one that runs stands first. */
  readonly fair: readonly RunqEntry[];
  /** Of a sched_ext scheduler; null on kernels without. */
  readonly extensible: readonly RunqEntry[] | null;
  /** Of all tasks those that say they are on this queue, by pid; null without -d. */
  readonly queued: readonly RunqTask[] | null;
}

export interface RunqHead {
  readonly rootGroup: VirtAddr | null;
}

export const runq = defineStream({
  name: 'runq',
  help: {
    summary: 'what CPUs run and what waits to run there',
    description: `For each CPU its current task, and the tasks that wait on its run queues: real-time ones by priority, then those of
the fair class in the order of their tree. Deadline tasks and those of a sched_ext scheduler are shown where there are
any. A number in brackets is a task's priority in the kernel: 120 for nice 0.`,
    examples: [
      ['runq', 'does somebody wait for a CPU?'],
      ['runq -m', 'since when does each CPU run its task?'],
      ['runq -g', 'by cgroups; throttled ones are marked'],
    ],
  },
  params: {
    timestamps: flag('t', "each queue's clock, and when its current task came to run"),
    lag: flag('T', "how far each queue's clock is behind the most recent"),
    times: flag('m', 'how long each current task has been running'),
    groups: flag('g', 'by task groups, the current task among them'),
    queued: flag('d', 'the tasks that say they are queued, whatever the queues say'),
    cpus: valued('c', 'cpus', values.cpus, 'of these CPUs alone'),
  },
  items: 'queues',
  collect({ kernel, tasks }, { cpus, lag, queued }) {
    const root = kernel.ownSymbol('root_task_group');
    return {
      head: { rootGroup: root?.address ?? null },
      items: rows(kernel, tasks, cpus ?? kernel.cpus.running, { lag, queued }),
    };
  },
  text: {
    item(row, { options }, head, index) {
      if (options.timestamps) return timestampText(row);
      if (options.lag) return `  CPU ${row.cpu}: ${(Number(row.lag) / 1e9).toFixed(2)} secs\n`;
      if (options.times) return timeText(row);
      if (row.queued !== null) return `${index === 0 ? '' : '\n'}CPU ${row.cpu}\n${taskLines(row.queued)}`;
      return `${index === 0 ? '' : '\n'}${options.groups ? groupText(row, head) : queueText(row)}`;
    },
  },
});

function* rows(
  kernel: Kernel,
  tasks: TaskTable,
  cpus: readonly number[],
  shown: { readonly lag: boolean; readonly queued: boolean },
): Generator<RunqRow, null> {
  // the lag is measured against all of them
  const queues = cpus
    .map((cpu) => kernel.faults.attempt(`run queue of CPU ${cpu}`, () => readRunqueue(kernel, cpu), null))
    .filter((queue) => queue !== null);
  let latest = 0n;
  for (const { clock } of queues) if (clock > latest) latest = clock;
  if (shown.lag) queues.sort((a, b) => Number(b.clock - a.clock) || a.cpu - b.cpu);
  for (const queue of queues) {
    const onQueue = shown.queued ? queuedOn(kernel, tasks, queue.cpu) : null;
    yield { ...row(kernel, tasks, queue, latest), queued: onQueue };
  }
  return null;
}

/** Tasks of a CPU whose own `on_rq` is set: also those that a damaged queue does not lead to. */
function queuedOn(kernel: Kernel, tasks: TaskTable, cpu: number): RunqTask[] {
  return tasks.all.flatMap((task) => {
    if (task.cpu !== cpu) return [];
    const found = kernel.faults.attempt(
      'on_rq',
      () => ({ queued: task.object.member('on_rq').bool(), priority: task.object.member('prio').number() }),
      null,
    );
    if (found === null || !found.queued) return [];
    return [{ ...label(tasks, task.address), priority: found.priority, current: task.active, delayed: false }];
  });
}

function row(kernel: Kernel, tasks: TaskTable, queue: Runqueue, latest: bigint): Omit<RunqRow, 'queued'> {
  const entry = (one: QueueEntry): RunqEntry =>
    one.kind === 'task'
      ? { ...label(tasks, one.address), priority: one.priority, current: one.current, delayed: one.delayed }
      : { ...one, entries: one.entries.map(entry) };
  const current = tasks.byAddress(queue.current);
  const known = [...queuedTasks(queue.fair), ...queuedTasks(queue.realtime), ...queue.deadline].find(
    ({ address }) => address === queue.current,
  );
  const since =
    current === null
      ? null
      : kernel.faults.attempt('times of a task', () => (current.idle ? 0n : lastRun(current)), null);
  const { stopper } = queue;
  return {
    cpu: queue.cpu,
    address: queue.address,
    running: queue.running,
    clock: String(queue.clock),
    current: { ...label(tasks, queue.current), priority: known?.priority ?? null, current: true, delayed: false },
    currentSince: since?.toString() ?? null,
    lag: String(latest - queue.clock),
    rtQueue: queue.rtQueue,
    rtArray: queue.rtArray,
    fairQueue: queue.fairQueue,
    fairTree: queue.fairTree,
    stopper:
      stopper === null
        ? null
        : { ...label(tasks, stopper.address), priority: stopper.priority, current: stopper.current, delayed: false },
    deadline: queue.deadline.map(entry),
    realtime: queue.realtime.map(entry),
    fair: queue.fair.map(entry),
    extensible: queue.extensible?.map(entry) ?? null,
  };
}

function label(tasks: TaskTable, address: VirtAddr): Pick<RunqTask, 'kind' | 'pid' | 'task' | 'command'> {
  const task = tasks.byAddress(address);
  return { kind: 'task', pid: task?.pid ?? -1, task: address, command: task?.comm ?? '?' };
}

/** Pid, address and name, as all forms have them. */
function taskText({ pid, task, command }: RunqTask): string {
  return `PID: ${(pid < 0 ? '?' : String(pid)).padEnd(5)}  TASK: ${hex16(task)}  COMMAND: "${escapeLine(command)}"`;
}

function timestampText({ cpu, clock, current, currentSince }: RunqRow): string {
  return ` CPU ${cpu}: ${clock}\n        ${(currentSince ?? '?').padStart(clock.length, '0')}  ${taskText(current)}\n`;
}

function timeText({ cpu, clock, current, currentSince }: RunqRow): string {
  const since = currentSince === null ? '?' : elapsed(BigInt(clock) - BigInt(currentSince));
  return ` CPU ${cpu}: [${since}]  ${taskText(current)}\n`;
}

function priorityText(priority: number | null): string {
  return `[${(priority === null ? '?' : String(priority)).padStart(3)}]`;
}

function queueText(row: RunqRow): string {
  const section = (title: string, address: VirtAddr | null, entries: readonly RunqEntry[]): string => {
    const waiting = flat(entries).filter(({ current }) => !current);
    const lines = taskLines(waiting);
    const head = address === null ? `  ${title}:` : `  ${title}: ${hex16(address)}`;
    return `${head}\n${lines === '' ? '     [no tasks queued]\n' : lines}`;
  };
  const sections = [
    ...(row.deadline.length === 0 ? [] : [section('DL TASKS', null, row.deadline)]),
    section('RT PRIO_ARRAY', row.rtArray, row.realtime),
    section('CFS RB_ROOT', row.fairTree, row.fair),
    ...(row.extensible === null || row.extensible.length === 0 ? [] : [section('EXT TASKS', null, row.extensible)]),
  ];
  return `CPU ${row.cpu} RUNQUEUE: ${hex16(row.address)}\n  CURRENT: ${taskText(row.current)}\n${sections.join('')}`;
}

function taskLines(tasks: readonly RunqTask[]): string {
  return tasks.map((task) => `     ${priorityText(task.priority)} ${taskText(task)}\n`).join('');
}

function flat(entries: readonly RunqEntry[]): RunqTask[] {
  return entries.flatMap((entry) => (entry.kind === 'task' ? [entry] : flat(entry.entries)));
}

function groupText(row: RunqRow, { rootGroup }: RunqHead): string {
  const root = rootGroup === null ? '(unknown)' : hex16(rootGroup);
  const section = (kind: string, queue: VirtAddr, entries: readonly RunqEntry[]): string => {
    const lines = entries.flatMap((entry) => entryLines(entry, kind, 5));
    return `  ROOT_TASK_GROUP: ${root}  ${kind}: ${hex16(queue)}\n${lines.length === 0 ? '     [no tasks queued]\n' : lines.join('')}`;
  };
  return [
    `CPU ${row.cpu}\n  CURRENT: ${taskText(row.current)}\n`,
    row.realtime.length === 0 ? '' : section('RT_RQ', row.rtQueue, row.realtime),
    section('CFS_RQ', row.fairQueue, row.fair),
  ].join('');
}

function entryLines(entry: RunqEntry, kind: string, indent: number): string[] {
  const margin = ' '.repeat(indent);
  if (entry.kind === 'task') {
    return [`${margin}${priorityText(entry.priority)} ${taskText(entry)}${entry.current ? ' [CURRENT]' : ''}\n`];
  }
  const group = entry.group === null ? '(unknown)' : hex16(entry.group);
  const name = entry.name === null || entry.name === '' ? '' : ` <${escapeLine(entry.name)}>`;
  const priority = entry.priority === null ? '' : `${priorityText(entry.priority)} `;
  const below = entry.entries.flatMap((one) => entryLines(one, kind, indent + (entry.priority === null ? 3 : 6)));
  return [
    `${margin}${priority}TASK_GROUP: ${group}  ${kind}: ${hex16(entry.queue)}${name}${entry.throttled ? ' (THROTTLED)' : ''}\n`,
    ...(below.length === 0 ? [`${margin}   [no tasks queued]\n`] : below),
  ];
}
