// include/linux/percpu.h, include/linux/cpumask.h: which CPUs there are, and where each one's copy of a
// per-CPU variable lies.
import { offsetBy } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

/** More CPUs than any kernel is built for (NR_CPUS tops out at 8192 on x86_64). */
const maxCpus = 8192;

/** The CPU sets of the dead machine. CPU numbers ascend. */
export interface Cpus {
  readonly possible: readonly number[];
  readonly present: readonly number[];
  /** As the dump's mask has it. A kernel without kdump takes the CPUs that it stops in panic() offline. */
  readonly online: readonly number[];
  /** CPUs that ran tasks when the kernel died: those online, and those that panic() had stopped. */
  readonly running: readonly number[];
}

/** Reads __cpu_{possible,present,online,active}_mask. Without them: a CPU for each note of registers, with a fault. */
export function readCpus(kernel: Kernel): Cpus {
  const set = (name: string): number[] =>
    kernel.faults.attempt(name, () => {
      // a mask ends where the next symbol starts, whatever length its type has
      const bits = (kernel.ownSymbol(name)?.size ?? 0) * 8;
      const limit = cpuIdLimit(kernel);
      return cpumask(kernel.variable(name), bits > 0 ? Math.min(limit, bits) : limit);
    }, []);
  const possible = set('__cpu_possible_mask');
  const online = set('__cpu_online_mask');
  const present = set('__cpu_present_mask');
  // only unplugging a CPU takes it out of this mask (sched_cpu_deactivate(), kernel/sched/core.c)
  const active = kernel.ownSymbol('__cpu_active_mask') === null ? [] : set('__cpu_active_mask');
  const known = possible.length > 0 ? possible : online.length > 0 ? online : noted(kernel);
  const isOnline = online.length > 0 ? online : known;
  return {
    possible: known,
    present: present.length > 0 ? present : known,
    online: isOnline,
    running: known.filter((cpu) => isOnline.includes(cpu) || active.includes(cpu)),
  };
}

/** The CPUs that the dump has registers of, if it has them of all: QEMU writes a note for each. */
function noted({ dump }: Kernel): number[] {
  const notes = dump.notes.cpus.filter(({ source }) => source === dump.notes.cpus[0]?.source);
  return notes.length === 0 ? [0] : [...notes.keys()];
}

/** One past the highest CPU number that this kernel uses. */
function cpuIdLimit(kernel: Kernel): number {
  // nr_cpu_ids is a constant, not a variable, on kernels built with CONFIG_FORCE_NR_CPUS (6.1)
  const limit = kernel.optionalVariable('nr_cpu_ids')?.number() ?? maxCpus;
  if (limit < 1 || limit > maxCpus) throw new FormatError('nr_cpu_ids', `value ${limit} is out of range`);
  return limit;
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

/**
 * What a CPU adds to the address of a per-CPU variable (or to a `__percpu` pointer) to reach its own copy, in
 * bytes: per_cpu_offset().
 * @throws NotFoundError where an SMP kernel's __per_cpu_offset is not known; MemoryFault
 */
export function perCpuOffset(kernel: Kernel, cpu: number): bigint {
  if (!Number.isInteger(cpu) || cpu < 0 || cpu >= maxCpus)
    throw new FormatError('CPU number', `${cpu} is out of range`);
  // without CONFIG_SMP there is one copy, at the symbol
  if (kernel.ownSymbol('__per_cpu_offset') === null) return 0n;
  return kernel.space.u64(offsetBy(kernel.address('__per_cpu_offset'), cpu * 8));
}
