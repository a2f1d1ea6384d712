// How long tasks have run, and when they last did. All in nanoseconds.

import type { Kernel } from './kernel.ts';
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
