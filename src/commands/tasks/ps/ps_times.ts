// `ps -t`, `-l` and `-m`: how long tasks ran, and when they last did.

import type { Kernel } from '../../../kernel/kernel.ts';
import { lastRun, runqueueClock, taskTimes } from '../../../kernel/sched_times.ts';
import type { Task, TaskState } from '../../../kernel/task.ts';
import { type TaskLabel, taskHeader, taskLabel } from '../../context.ts';
import { duration, elapsed } from '../../system/time_text.ts';
import { uptimeSeconds } from '../../system/uptime.ts';

export interface RunTimes {
  readonly task: TaskLabel;
  /** The second of the uptime less that in which the task was made; null if the clocks cannot be read. */
  readonly runSeconds: number | null;
  /** Nanoseconds, all three, decimal. */
  readonly startTime: string;
  readonly userTime: string;
  readonly systemTime: string;
}

export function runTimes(kernel: Kernel, tasks: readonly Task[]): RunTimes[] {
  const uptime = kernel.faults.attempt('clocks', () => uptimeSeconds(kernel), null);
  const found: RunTimes[] = [];
  for (const task of tasks) {
    kernel.faults.attempt(
      `times of pid ${task.pid}`,
      () => {
        const times = taskTimes(task);
        // whole seconds of both, as crash(8) counts them
        const runSeconds = uptime === null ? null : Math.max(0, uptime - Number(times.startTime / 1_000_000_000n));
        found.push({
          task: taskLabel(task),
          runSeconds,
          startTime: String(times.startTime),
          userTime: String(times.userTime),
          systemTime: String(times.systemTime),
        });
      },
      undefined,
    );
  }
  return found;
}

export function renderRunTimes(times: readonly RunTimes[]): string {
  return times
    .map(
      ({ task, runSeconds, startTime, userTime, systemTime }) =>
        `${taskHeader(task)}\n` +
        `    RUN TIME: ${runSeconds === null ? '(unknown)' : duration(runSeconds)}\n` +
        `  START TIME: ${startTime}\n       UTIME: ${userTime}\n       STIME: ${systemTime}\n`,
    )
    .join('\n');
}

export interface LastRun {
  readonly task: TaskLabel;
  readonly state: TaskState;
  /** Nanoseconds of its runqueue's clock, decimal; 0 if it never ran. */
  readonly lastRun: string;
  /** Nanoseconds from then to the runqueue's last update, decimal; null if its clock cannot be read. */
  readonly ago: string | null;
}

/** Tasks by when they last ran, the last first; with CPUs, apart for each of them. */
export interface LastRuns {
  /** null: all CPUs together. */
  readonly cpu: number | null;
  readonly tasks: readonly LastRun[];
}

export function lastRuns(kernel: Kernel, tasks: readonly Task[], cpus: readonly number[] | null): LastRuns[] {
  const clocks = new Map<number, bigint | null>();
  const clock = (cpu: number): bigint | null => {
    let value = clocks.get(cpu);
    if (value === undefined) {
      value = kernel.faults.attempt(`clock of CPU ${cpu}`, () => runqueueClock(kernel, cpu), null);
      clocks.set(cpu, value);
    }
    return value;
  };
  const runs: { readonly at: bigint; readonly run: LastRun }[] = [];
  for (const task of tasks) {
    kernel.faults.attempt(
      `last run of pid ${task.pid}`,
      () => {
        const at = lastRun(task);
        const now = clock(task.cpu);
        const ago = now === null ? null : String(now > at ? now - at : 0n);
        runs.push({ at, run: { task: taskLabel(task), state: task.state, lastRun: String(at), ago } });
      },
      undefined,
    );
  }
  runs.sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? 1 : -1));
  const all = runs.map(({ run }) => run);
  if (cpus === null) return [{ cpu: null, tasks: all }];
  return cpus.map((cpu) => ({ cpu, tasks: all.filter(({ task }) => task.cpu === cpu) }));
}

/** When any task ran last, in nanoseconds of a runqueue's clock, decimal. */
export function latestRun(kernel: Kernel, tasks: readonly Task[]): string {
  let latest = 0n;
  for (const task of tasks) {
    const at = kernel.faults.attempt(`last run of pid ${task.pid}`, () => lastRun(task), 0n);
    if (at > latest) latest = at;
  }
  return String(latest);
}

/** @param least characters that a time takes at least */
export function renderLastRuns(groups: readonly LastRuns[], style: 'timestamp' | 'ago', least = 0): string {
  const all = groups.flatMap((group) => group.tasks);
  const width = all.reduce((most, t) => Math.max(most, timeText(t, style).length), least);
  return groups
    .map(({ cpu, tasks }) => {
      const lines = tasks.map(
        (task) => `[${timeText(task, style).padStart(width)}] [${task.state}]  ${taskHeader(task.task)}\n`,
      );
      if (cpu === null) return lines.join('');
      return `CPU: ${cpu}\n${lines.length === 0 ? '(no tasks)\n' : lines.join('')}`;
    })
    .join('\n');
}

function timeText(task: LastRun, style: 'timestamp' | 'ago'): string {
  if (style === 'timestamp') return task.lastRun;
  if (task.ago === null) return '?';
  return elapsed(BigInt(task.ago));
}
