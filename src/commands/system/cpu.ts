// cpu: what each CPU did when the kernel died.
import { escapeLine, hex16 } from '../../base/text.ts';
import { backtracer, type Frame } from '../../kernel/backtrace.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { crashedCpu } from '../../kernel/panic.ts';
import { type PreemptCount, preemptCount } from '../../kernel/preempt.ts';
import { lastRun, runqueueClock } from '../../kernel/sched_times.ts';
import { pendingSoftirqs, softirqNames } from '../../kernel/softirq.ts';
import type { Task, TaskTable } from '../../kernel/task.ts';
import { ktime, readClocks } from '../../kernel/timekeeping.ts';
import { waitOf } from '../../kernel/wait/wait.ts';
import { defineCommand } from '../command.ts';
import { type TaskLabel, taskLabel } from '../context.ts';
import { rest, values } from '../params.ts';
import { waitData } from '../tasks/wait_data.ts';
import { addressName } from './address_name.ts';
import { seconds } from './outstanding.ts';

/** A CPU. What cannot be told is null. */
export interface CpuRow {
  readonly cpu: number;
  readonly online: boolean;
  /** The one that panicked. */
  readonly panicked: boolean;
  readonly task: TaskLabel | null;
  readonly idle: boolean;
  /** How long it has been running the task, or been idle: nanoseconds, decimal. */
  readonly since: string | null;
  /** Tasks that run or wait to run on it. */
  readonly queued: number | null;
  readonly preempt: PreemptCount | null;
  /** Whether interrupts were off where it was stopped. */
  readonly interruptsOff: boolean | null;
  /** Interrupts since boot. */
  readonly interrupts: number | null;
  /** Softirqs that were raised and not run yet. */
  readonly raised: readonly string[];
  /** Where it was when it was stopped: the function that was interrupted, with the offset. */
  readonly at: string | null;
  /** What it spins for; null where it does not. */
  readonly waits: string | null;
}

export const cpu = defineCommand({
  name: 'cpu',
  help: {
    summary: 'what each CPU did when the kernel died',
    description: `One line a CPU: the task that it ran (* on the one that panicked) and for how long, how many tasks were queued, how
deep it was nested: preemption disabled so many times (2), softirqs disabled (+s), in a softirq (+S), in an interrupt (+H),
in an NMI (+N); whether interrupts were off where it was stopped, how many came since boot, softirqs that were raised,
and where it was.`,
    examples: [
      ['cpu', 'what were they all doing?'],
      ['cpu 1', 'and this one?'],
    ],
  },
  params: { cpus: rest('cpus', values.cpus, 'these CPUs alone: 1,3,5-7') },
  collect({ kernel, tasks }, { cpus }): readonly CpuRow[] {
    const chosen = cpus.length === 0 ? kernel.cpus.present : [...new Set(cpus.flat())].sort((a, b) => a - b);
    return chosen.map((one) => rowOf(kernel, tasks, one));
  },
  render: (rows) =>
    ` CPU    PID  COMMAND                  FOR  QUEUED  PREEMPT  IRQS  INTERRUPTS  AT\n${rows.map(rowText).join('')}`,
});

function rowOf(kernel: Kernel, tasks: TaskTable, number: number): CpuRow {
  const { faults } = kernel;
  const task = tasks.active(number);
  const frames = faults.attempt(
    `stack of CPU ${number}`,
    () => (task === null ? backtracer(kernel).ofCpu(number) : backtracer(kernel).of(task)).frames,
    [] as readonly Frame[],
  );
  // what it ran before it was stopped, or before what killed it
  const at = frames.findIndex(({ kind }) => kind === 'interrupted');
  const stopped = frames[Math.max(0, at)] ?? null;
  const registers =
    at < 0 ? null : (frames.slice(0, at).findLast((frame) => frame.registers !== null)?.registers ?? null);
  const wait = task === null ? null : waitOf(kernel, task);
  const pending = pendingSoftirqs(kernel, number) ?? 0;
  return {
    cpu: number,
    online: kernel.cpus.running.includes(number),
    panicked: crashedCpu(kernel)?.cpu === number,
    task: task === null ? null : taskLabel(task),
    idle: task?.idle ?? false,
    since: task === null ? null : (runsSince(kernel, task, number)?.toString() ?? null),
    queued: faults.attempt(
      `run queue of CPU ${number}`,
      () => kernel.perCpu('runqueues', number).member('nr_running').number(),
      null,
    ),
    preempt: preemptCount(kernel, number),
    interruptsOff: registers === null ? null : kernel.arch.registers.interruptsOff(registers),
    interrupts: faults.attempt(
      `interrupts of CPU ${number}`,
      () => Number(kernel.perCpu('kstat', number).member('irqs_sum').bigint()),
      null,
    ),
    raised: softirqNames.filter((_, i) => ((pending >> i) & 1) === 1),
    at: stopped === null ? null : addressName(kernel, kernel.arch.shownAddress(stopped)),
    waits: wait === null ? null : waitData(kernel, wait).words,
  };
}

/** How long a CPU has been running its task; for an idle one, how long it has been idle. */
function runsSince(kernel: Kernel, task: Task, number: number): bigint | null {
  return kernel.faults.attempt(
    `times of CPU ${number}`,
    () => {
      if (!task.idle) {
        const now = runqueueClock(kernel, number);
        const came = lastRun(task);
        return now > came ? now - came : 0n;
      }
      const entered = kernel.perCpu('tick_cpu_sched', number).optional('idle_entrytime');
      if (entered === null) return null;
      const now = readClocks(kernel).monotonic;
      const since = ktime(entered);
      return since <= 0n ? null : now > since ? now - since : 0n;
    },
    null,
  );
}

function nesting(preempt: PreemptCount | null): string {
  if (preempt === null) return '?';
  const { preemption, softirqsDisabled, inSoftirq, interrupts, nmis } = preempt;
  const marks = [
    softirqsDisabled > 0 ? '+s' : '',
    inSoftirq ? '+S' : '',
    interrupts > 0 ? '+H' : '',
    nmis > 0 ? '+N' : '',
  ];
  return `${preemption}${marks.join('')}`;
}

function rowText(row: CpuRow): string {
  const { task, at, waits, raised } = row;
  const name = task === null ? '(unknown)' : `"${escapeLine(task.command)}"`;
  const extra = [
    waits === null ? '' : `, spins for ${waits}`,
    raised.length === 0 ? '' : `  raised: ${raised.join(' ')}`,
    row.online ? '' : '  (offline)',
  ];
  const columns = [
    `${row.panicked ? '*' : ' '}${String(row.cpu).padStart(3)}`,
    String(task?.pid ?? '?').padStart(6),
    ` ${name.padEnd(17)}`,
    (row.since === null ? '?' : seconds(row.since)).padStart(10),
    String(row.queued ?? '?').padStart(7),
    ` ${nesting(row.preempt).padEnd(8)}`,
    (row.interruptsOff === null ? '?' : row.interruptsOff ? 'off' : 'on').padEnd(4),
    String(row.interrupts ?? '?').padStart(11),
    ` ${at === null ? (task === null ? '?' : hex16(task.task)) : escapeLine(at)}${extra.join('')}`,
  ];
  return `${columns.join(' ').trimEnd()}\n`;
}
