// include/linux/interrupt.h: softirqs and tasklets, the halves of interrupt handlers that run later.
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';

/** Softirqs by number, as /proc/softirqs names them. */
export const softirqNames = [
  'HI',
  'TIMER',
  'NET_TX',
  'NET_RX',
  'BLOCK',
  'IRQ_POLL',
  'TASKLET',
  'SCHED',
  'HRTIMER',
  'RCU',
] as const;

export interface Softirq {
  readonly number: number;
  /** Virtual address of its function. */
  readonly action: VirtAddr;
}

/** A tasklet that waits to be run. */
export interface Tasklet {
  readonly cpu: number;
  /** Whether it goes before other softirqs (`tasklet_hi_vec`). */
  readonly high: boolean;
  /** Virtual address of the `struct tasklet_struct`. */
  readonly address: VirtAddr;
  /** Virtual address of its function. */
  readonly function: VirtAddr;
}

/** Most tasklets of one list that are followed. */
const maxTasklets = 100_000;

/** The softirqs that have a function. @throws NotFoundError, MemoryFault */
export function softirqs(kernel: Kernel): Softirq[] {
  const vector = kernel.variable('softirq_vec');
  return softirqNames
    .map((_, number) => ({ number, action: vector.index(number).member('action').pointer() }))
    .filter(({ action }) => action !== 0n);
}

/** Softirqs that were raised on a CPU and not yet run, one bit each by number; null where the kernel keeps it elsewhere. */
export function pendingSoftirqs(kernel: Kernel, cpu: number): number | null {
  return kernel.faults.attempt(
    `softirqs of CPU ${cpu}`,
    () => {
      // x86 had it in pcpu_hot from 6.2 to 6.14, and has it as a variable of its own since
      for (const [variable, member] of [
        ['__softirq_pending', null],
        ['pcpu_hot', 'softirq_pending'],
        ['irq_stat', '__softirq_pending'],
      ] as const) {
        if (kernel.ownSymbol(variable) === null) continue;
        const place = kernel.perCpu(variable, cpu);
        const pending = member === null ? place : place.optional(member);
        if (pending !== null) return pending.number();
      }
      return null;
    },
    null,
  );
}

/** Tasklets that wait to be run on a CPU, in the order in which they will. */
export function pendingTasklets(kernel: Kernel, cpu: number): Tasklet[] {
  const tasklets: Tasklet[] = [];
  for (const high of [true, false]) {
    kernel.faults.attempt(
      `tasklets of CPU ${cpu}`,
      () => {
        const seen = new Set<bigint>();
        let at = kernel.perCpu(high ? 'tasklet_hi_vec' : 'tasklet_vec', cpu).member('head');
        for (; !at.isNull; at = at.member('next')) {
          const address = at.pointer();
          if (seen.has(address) || seen.size >= maxTasklets)
            throw new FormatError(`tasklets of CPU ${cpu}`, `loop back to ${address.toString(16)}`);
          seen.add(address);
          tasklets.push({ cpu, high, address, function: at.member('func').pointer() });
        }
      },
      undefined,
    );
  }
  return tasklets;
}
