// include/linux/cpumask.h: sets of CPUs.
import type { KernelObject } from '../debuginfo/object.ts';

/** More CPUs than any kernel is built for (NR_CPUS tops out at 8192 on x86_64). */
export const maxCpus = 8192;

/** The CPU sets of the dead machine. CPU numbers ascend. */
export interface Cpus {
  readonly possible: readonly number[];
  readonly present: readonly number[];
  /** As the dump's mask has it. A kernel without kdump takes the CPUs that it stops in panic() offline. */
  readonly online: readonly number[];
  /** CPUs that ran tasks when the kernel died: those online, and those that panic() had stopped. */
  readonly running: readonly number[];
}

/** CPU numbers in a `struct cpumask` (or what a cpumask_var_t points to), below `limit`. @throws MemoryFault */
export function cpumask(mask: KernelObject, limit: number): number[] {
  const bits = mask.member('bits');
  const bytes = bits.context.space.read(bits.address, Math.min(bits.size, Math.ceil(limit / 64) * 8));
  const cpus: number[] = [];
  for (let cpu = 0; cpu < Math.min(limit, bytes.length * 8); cpu++) {
    if ((bytes[cpu >> 3]! >> (cpu & 7)) & 1) cpus.push(cpu);
  }
  return cpus;
}
