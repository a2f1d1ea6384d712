// include/linux/preempt.h: what a CPU is in the middle of, by how deep it is nested.
//
//   bits 0-7 preemption disabled    8-15 softirqs: each disabling counts 2, running one 1    16-19 interrupts    20-23 NMIs
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

export interface PreemptCount {
  /** How many times preemption was disabled. */
  readonly preemption: number;
  /** How many times softirqs were disabled. */
  readonly softirqsDisabled: number;
  /** Whether a softirq is running. */
  readonly inSoftirq: boolean;
  /** How many interrupts are nested, and how many NMIs. */
  readonly interrupts: number;
  readonly nmis: number;
}

/** A CPU's preempt count; null where it cannot be read. */
export function preemptCount(kernel: Kernel, cpu: number): PreemptCount | null {
  return kernel.faults.attempt(
    `preempt count of CPU ${cpu}`,
    () => {
      const count = countOf(kernel, cpu)?.bigint();
      if (count === undefined) return null;
      const bits = Number(BigInt.asUintN(32, count));
      const field = (shift: number, mask: number): number => (bits >>> shift) & mask;
      return {
        preemption: field(0, 0xff),
        softirqsDisabled: field(9, 0x7f),
        inSoftirq: field(8, 1) === 1,
        interrupts: field(16, 0xf),
        nmis: field(20, 0xf),
      };
    },
    null,
  );
}

/** x86 keeps it per CPU, in struct pcpu_hot from 6.2 to 6.14; others in the task that runs. */
function countOf(kernel: Kernel, cpu: number): KernelObject | null {
  if (kernel.ownSymbol('pcpu_hot') !== null) return kernel.perCpu('pcpu_hot', cpu).optional('preempt_count');
  if (kernel.ownSymbol('__preempt_count') !== null) return kernel.perCpu('__preempt_count', cpu);
  const info = kernel.tasks.active(cpu)?.object.optional('thread_info') ?? null;
  return info === null ? null : (info.optional('preempt.count') ?? info.optional('preempt_count'));
}
