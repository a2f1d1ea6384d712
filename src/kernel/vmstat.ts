// include/linux/vmstat.h, include/linux/mmzone.h: what the pages of memory were used for.
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { hugePagesTotal } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';

/** Counters of pages, by the kernel's own names (`NR_FREE_PAGES`, `NR_ANON_MAPPED`, `NR_SHMEM`, ...). */
export type VmStat = ReadonlyMap<string, number>;

/**
 * All zone and node counters, summed over the machine, as /proc/vmstat has them: what CPUs have not yet
 * folded in is missing. Counters that this kernel lacks are not in the map.
 */
export function readVmStat(kernel: Kernel): VmStat {
  const stat = new Map<string, number>();
  const add = (variable: string, names: CounterNames): void => {
    const counters = kernel.variable(variable);
    for (const { name, index } of allNames(kernel, names)) {
      stat.set(name, Math.max(0, atomicLong(counters.index(index))));
    }
  };
  kernel.faults.attempt('zone counters', () => add('vm_zone_stat', 'zone_stat_item'), undefined);
  kernel.faults.attempt('node counters', () => add('vm_node_stat', 'node_stat_item'), undefined);
  return stat;
}

/** One counter of the kernel's, by its own name. */
export interface Counter {
  readonly name: string;
  /** May be below zero: what CPUs have not yet folded in is missing. */
  readonly value: number;
}

/** Every counter of virtual memory. A group that this kernel has not is empty. */
export interface VmCounters {
  /** vm_zone_stat: pages by zone, summed over all zones. */
  readonly zone: readonly Counter[];
  /** vm_node_stat: pages by node, summed over all nodes. */
  readonly node: readonly Counter[];
  /** vm_numa_event (vm_numa_stat before f19298b9516c, 5.14): where pages were got from. */
  readonly numa: readonly Counter[];
  /** vm_event_states: what happened since boot, summed over all CPUs. */
  readonly events: readonly Counter[];
}

/** All counters, each group in the kernel's order. What cannot be read of one group costs that group. */
export function vmCounters(kernel: Kernel): VmCounters {
  const group = (what: string, read: () => readonly Counter[]): readonly Counter[] =>
    kernel.faults.attempt(what, read, []);
  const global = (variable: string, names: CounterNames): readonly Counter[] => {
    const counters = kernel.optionalVariable(variable);
    return counters === null ? [] : namedCounters(kernel, counters, names);
  };
  return {
    zone: group('zone counters', () => global('vm_zone_stat', 'zone_stat_item')),
    node: group('node counters', () => global('vm_node_stat', 'node_stat_item')),
    numa: group('NUMA counters', () => {
      const events = global('vm_numa_event', 'numa_stat_item');
      return events.length > 0 ? events : global('vm_numa_stat', 'numa_stat_item');
    }),
    events: group('event counters', () => eventCounters(kernel)),
  };
}

/** Enumerations whose values index arrays of counters, and the enumerator that each ends with. */
const counterEnds = {
  zone_stat_item: ['NR_VM_ZONE_STAT_ITEMS'],
  node_stat_item: ['NR_VM_NODE_STAT_ITEMS'],
  numa_stat_item: ['NR_VM_NUMA_EVENT_ITEMS', 'NR_VM_NUMA_STAT_ITEMS'],
  vm_event_item: ['NR_VM_EVENT_ITEMS'],
} as const;
type CounterNames = keyof typeof counterEnds;
/** More counters than any kernel has in one array. */
const maxCounters = 1000n;

/** Every enumerator of an enumeration of counters, aliases too. @throws NotFoundError */
function allNames(kernel: Kernel, names: CounterNames): { readonly name: string; readonly index: number }[] {
  const type = kernel.type(`enum ${names}`);
  if (type.kind !== 'enum') throw new FormatError(`enum ${names}`, 'is no enumeration');
  const ends: readonly string[] = counterEnds[names];
  const end = type.values.find(({ name }) => ends.includes(name))?.value ?? maxCounters;
  return type.values
    .filter(({ value }) => value >= 0n && value < end && value < maxCounters)
    .map(({ name, value }) => ({ name, index: Number(value) }));
}

/** An array of atomic counters with the names of an enumeration; of aliases, the last names the counter. @throws NotFoundError, MemoryFault */
export function namedCounters(kernel: Kernel, counters: KernelObject, names: CounterNames): Counter[] {
  return counterNames(kernel, names).map(({ name, index }) => ({ name, value: atomicLong(counters.index(index)) }));
}

/** The enumerators by ascending value, the last of aliases (NR_LRU_BASE = NR_INACTIVE_ANON). */
function counterNames(kernel: Kernel, names: CounterNames): { readonly name: string; readonly index: number }[] {
  const byIndex = new Map(allNames(kernel, names).map((item) => [item.index, item]));
  return [...byIndex.values()].sort((a, b) => a.index - b.index);
}

/** all_vm_events(): what each CPU counted. CPUs that went away have given theirs to another. */
function eventCounters(kernel: Kernel): Counter[] {
  const names = counterNames(kernel, 'vm_event_item');
  const sums = names.map(() => 0);
  for (const cpu of kernel.cpus.possible) {
    kernel.faults.attempt(
      `event counters of CPU ${cpu}`,
      () => {
        const event = kernel.perCpu('vm_event_states', cpu).member('event');
        const bytes = event.bytes();
        const view = new DataView(bytes.buffer);
        for (const [i, { index }] of names.entries()) {
          if (index * 8 + 8 <= bytes.length) sums[i]! += Number(view.getBigInt64(index * 8, true));
        }
      },
      undefined,
    );
  }
  return names.map(({ name }, i) => ({ name, value: sums[i]! }));
}

function atomicLong(object: KernelObject): number {
  return Number(BigInt.asIntN(64, object.member('counter').bigint()));
}

/** Pages that the kernel manages: totalram_pages(), what MemTotal is in /proc/meminfo. */
export function totalRamPages(kernel: Kernel): number {
  // an atomic since ca79b0c211af (5.0)
  const atomic = kernel.optionalVariable('_totalram_pages');
  return atomic !== null ? atomicLong(atomic) : kernel.variable('totalram_pages').number();
}

/** Where memory went, in pages. A kind that this kernel does not count is null. */
export interface MemoryUse {
  readonly total: number;
  readonly free: number | null;
  /** Anonymous memory of processes, mapped. */
  readonly anonymous: number | null;
  /** Page cache of files, without shmem. */
  readonly fileCache: number | null;
  /** tmpfs, shared memory and memfds. */
  readonly shmem: number | null;
  readonly slabReclaimable: number | null;
  readonly slabUnreclaimable: number | null;
  /** Huge pages set aside (hugetlbfs), used or not. */
  readonly hugePages: number | null;
  /** What vmalloc() gave out, without the kernel stacks. */
  readonly vmalloc: number | null;
  readonly kernelStacks: number | null;
  readonly pageTables: number | null;
  /** Memory of per-CPU variables, those of boot too. */
  readonly perCpu: number | null;
}

export function memoryUse(kernel: Kernel): MemoryUse {
  const stat = readVmStat(kernel);
  const first = (...names: string[]): number | null => {
    for (const name of names) {
      const value = stat.get(name);
      if (value !== undefined) return value;
    }
    return null;
  };
  const shmem = first('NR_SHMEM');
  const files = first('NR_FILE_PAGES');
  const stackKib = first('NR_KERNEL_STACK_KB');
  // counted in KiB since d30dd8be06c9 (4.8)
  const stacks =
    stackKib === null ? first('NR_KERNEL_STACK') : Math.ceil((stackKib * 1024) / kernel.dump.memory.pageSize);
  const vmalloc = first('NR_VMALLOC') ?? vmallocPages(kernel);
  return {
    total: totalRamPages(kernel),
    free: first('NR_FREE_PAGES'),
    anonymous: first('NR_ANON_MAPPED', 'NR_ANON_PAGES'),
    fileCache: files === null ? null : Math.max(0, files - (shmem ?? 0)),
    shmem,
    slabReclaimable: first('NR_SLAB_RECLAIMABLE_B', 'NR_SLAB_RECLAIMABLE'),
    slabUnreclaimable: first('NR_SLAB_UNRECLAIMABLE_B', 'NR_SLAB_UNRECLAIMABLE'),
    hugePages: kernel.faults.attempt('huge pages', () => hugePagesTotal(kernel), null),
    // stacks are vmalloc()ed (CONFIG_VMAP_STACK): counted once
    vmalloc: vmalloc === null ? null : Math.max(0, vmalloc - (stacks ?? 0)),
    kernelStacks: stacks,
    pageTables: first('NR_PAGETABLE'),
    perCpu: kernel.faults.attempt('per-CPU memory', () => perCpuPages(kernel), null),
  };
}

/** pcpu_nr_pages() (mm/percpu.c, 7e8a6304d541, 4.19): pages of each unit times units, as `Percpu` in /proc/meminfo. */
function perCpuPages(kernel: Kernel): number | null {
  const populated = kernel.ownSymbol('pcpu_nr_populated');
  const units = kernel.optionalVariable('pcpu_nr_units');
  return populated === null || units === null ? null : Number(kernel.space.u64(populated.address)) * units.number();
}

/** nr_vmalloc_pages (mm/vmalloc.c); a counter of vm_node_stat on newer kernels. */
function vmallocPages(kernel: Kernel): number | null {
  const counter = kernel.optionalVariable('nr_vmalloc_pages');
  return counter === null ? null : Math.max(0, atomicLong(counter));
}
