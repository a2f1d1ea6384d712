// include/linux/vmstat.h, include/linux/mmzone.h: what the pages of memory were used for.
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

/** Counters of pages, by the kernel's own names (`NR_FREE_PAGES`, `NR_ANON_MAPPED`, `NR_SHMEM`, ...). */
export type VmStat = ReadonlyMap<string, number>;

/**
 * All zone and node counters, summed over the machine, as /proc/vmstat has them: what CPUs have not yet
 * folded in is missing. Counters that this kernel lacks are not in the map.
 */
export function readVmStat(kernel: Kernel): VmStat {
  const stat = new Map<string, number>();
  const add = (variable: string, names: string): void => {
    const counters = kernel.variable(variable);
    const type = kernel.type(`enum ${names}`);
    if (type.kind !== 'enum') return;
    for (const { name, value } of type.values) {
      if (name.startsWith('NR_VM_') || value < 0n || value > 1000n) continue; // the enumerations end with their length
      stat.set(name, Math.max(0, atomicLong(counters.index(Number(value)))));
    }
  };
  kernel.faults.attempt('zone counters', () => add('vm_zone_stat', 'zone_stat_item'), undefined);
  kernel.faults.attempt('node counters', () => add('vm_node_stat', 'node_stat_item'), undefined);
  return stat;
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
    hugePages: kernel.faults.attempt('huge pages', () => hugePages(kernel), null),
    // stacks are vmalloc()ed (CONFIG_VMAP_STACK): counted once
    vmalloc: vmalloc === null ? null : Math.max(0, vmalloc - (stacks ?? 0)),
    kernelStacks: stacks,
    pageTables: first('NR_PAGETABLE'),
  };
}

/** nr_vmalloc_pages (mm/vmalloc.c); a counter of vm_node_stat on newer kernels. */
function vmallocPages(kernel: Kernel): number | null {
  const counter = kernel.optionalVariable('nr_vmalloc_pages');
  return counter === null ? null : Math.max(0, atomicLong(counter));
}

/** HUGE_MAX_HSTATE is 2 to 4 wherever it is defined. */
const maxHugeSizes = 16;

/** Pages in all pools of huge pages (include/linux/hugetlb.h); null for a kernel without them. */
function hugePages(kernel: Kernel): number | null {
  const sizes = kernel.optionalVariable('hugetlb_max_hstate');
  const states = kernel.optionalVariable('hstates');
  if (sizes === null || states === null) return null;
  let pages = 0;
  for (let i = 0; i < Math.min(maxHugeSizes, sizes.number()); i++) {
    const state = states.index(i);
    const order = state.member('order').number();
    if (order <= 30) pages += state.member('nr_huge_pages').number() * 2 ** order;
  }
  return pages;
}
