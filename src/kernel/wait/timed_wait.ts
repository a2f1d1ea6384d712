// kernel/time/: tasks that sleep until a point in time, alone or while they wait for something else.
//
//   stack: hrtimer_sleeper { timer { node.expires }, task }      nanosleep() and what has nanoseconds
//          process_timer { timer { expires }, task }             schedule_timeout()
import { hrtimerBase } from '../hrtimer.ts';
import type { Kernel } from '../kernel.ts';
import { perKernel } from '../per_kernel.ts';
import { timerBases } from '../timer.ts';
import type { Sleeper } from './sleeper.ts';

/** When a sleeping task is woken if nothing else wakes it. */
export type Deadline =
  | { readonly clock: 'jiffies'; readonly at: bigint }
  /** `at` is in nanoseconds of the clock that the timer goes by, most often CLOCK_MONOTONIC. */
  | { readonly clock: 'nanoseconds'; readonly at: bigint };

/** When a task's own timer wakes it; null where it has none. */
export function wakeTime(sleeper: Sleeper): Deadline | null {
  const { kernel, task } = sleeper;
  const timed = (name: string, expires: string): bigint | null => {
    const type = kernel.types.find(name);
    if (type === null) return null;
    for (const address of sleeper.structsWith(type, 'task', task.address)) {
      const found = kernel.faults.attempt(
        'timer of a sleeping task',
        () => {
          const timer = kernel.object(type, address);
          const called = kernel.place(timer.member('timer.function').pointer())?.symbol.name;
          if (called !== 'hrtimer_wakeup' && called !== 'process_timeout') return null;
          // what an earlier sleep left on the stack is armed no more
          const armed = armedTimers(kernel).has(timer.member('timer').address);
          return armed ? timer.member(expires).bigint() : null;
        },
        null,
      );
      if (found !== null) return found;
    }
    return null;
  };
  const fine = timed('struct hrtimer_sleeper', 'timer.node.expires');
  if (fine !== null) return { clock: 'nanoseconds', at: fine };
  const coarse = timed('struct process_timer', 'timer.expires');
  return coarse === null ? null : { clock: 'jiffies', at: coarse };
}

/** Virtual addresses of all timers of either kind that will expire. */
const armedTimers = perKernel((kernel: Kernel): ReadonlySet<bigint> => {
  const armed = new Set<bigint>();
  for (const cpu of kernel.cpus.possible) {
    for (const { timers } of timerBases(kernel, cpu)) for (const { address } of timers) armed.add(address);
    const base = kernel.faults.attempt(`timers of CPU ${cpu}`, () => hrtimerBase(kernel, cpu), null);
    for (const { timers } of base?.clocks ?? []) for (const { address } of timers) armed.add(address);
  }
  return armed;
});
