// How long tasks have run, and when they last did. All in nanoseconds.

import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';
import type { Task } from './task.ts';

export interface TaskTimes {
  /** CLOCK_MONOTONIC when the task was made. */
  readonly startTime: bigint;
  /** Time spent in user mode; in jiffies on kernels before 5613fda9a503 (4.11). */
  readonly userTime: bigint;
  /** Time spent in the kernel; as `userTime`. */
  readonly systemTime: bigint;
}

/** @throws NotFoundError, MemoryFault */
export function taskTimes(task: Task): TaskTimes {
  const start = task.object.member('start_time');
  return {
    // a struct timespec before ccbf62d8a284 (3.17)
    startTime: start.has('tv_sec')
      ? start.member('tv_sec').bigint() * 1_000_000_000n + start.member('tv_nsec').bigint()
      : start.bigint(),
    userTime: task.object.member('utime').bigint(),
    systemTime: task.object.member('stime').bigint(),
  };
}

/** When the task last came to run, by its runqueue's clock; 0 for one that never did, and for idle tasks. @throws NotFoundError, MemoryFault */
export function lastRun(task: Task): bigint {
  // kept where CONFIG_SCHED_INFO is set; else the scheduler's own note of when it last accounted for the task
  return (task.object.optional('sched_info.last_arrival') ?? task.object.member('se.exec_start')).bigint();
}

/** A runqueue's clock, when it was last updated. @throws NotFoundError, MemoryFault */
export function runqueueClock(kernel: Kernel, cpu: number): bigint {
  return kernel.perCpu('runqueues', cpu).member('clock').bigint();
}

/** The scheduler's clock when the kernel died: of all runqueues', which stand still while their CPUs sleep, the one ahead. */
export const schedulerClock = perKernel((kernel: Kernel): bigint => {
  let latest = 0n;
  for (const cpu of kernel.cpus.running) {
    const clock = kernel.faults.attempt(`clock of CPU ${cpu}`, () => runqueueClock(kernel, cpu), 0n);
    if (clock > latest) latest = clock;
  }
  return latest;
});

/**
 * How long a task has been off its CPU, in nanoseconds: how long it sleeps, for one that sleeps. 0 for one that a CPU runs;
 * null where the times cannot be read.
 */
export function offCpuFor(kernel: Kernel, task: Task): bigint | null {
  if (task.active) return 0n;
  return kernel.faults.attempt(
    'times of a task',
    () => {
      // when it came to run, and when the scheduler last accounted for it, which it does as the task goes to sleep
      const came = task.object.optional('sched_info.last_arrival')?.bigint() ?? 0n;
      const counted = task.object.member('se.exec_start').bigint();
      const last = came > counted ? came : counted;
      const now = schedulerClock(kernel);
      return last === 0n || now === 0n ? null : now > last ? now - last : 0n;
    },
    null,
  );
}
