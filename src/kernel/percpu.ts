// include/linux/cpumask.h: which CPUs there are.
import { FormatError } from '../base/errors.ts';
import { type Cpus, cpumask, maxCpus } from './cpumask.ts';
import type { Kernel } from './kernel.ts';

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
