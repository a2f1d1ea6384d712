// fs/proc/meminfo.c, mm/util.c: how much memory there is, what it is used for, and how much was promised.
import type { KernelObject } from '../debuginfo/object.ts';
import { hugePagePools } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { percpuCounter } from './sched.ts';
import { swapAreas } from './swap.ts';
import { readVmStat, totalRamPages } from './vmstat.ts';

/** Totals of memory, in pages of the usual size. What could not be read is null. */
export interface MemoryInfo {
  /** MemTotal: what the kernel manages. */
  readonly total: number | null;
  readonly free: number | null;
  /** Page cache of block devices. */
  readonly buffers: number | null;
  /** Page cache of files and tmpfs, without the swap cache. */
  readonly cached: number | null;
  readonly slab: number | null;
  readonly hugeTotal: number | null;
  readonly hugeFree: number | null;
  readonly swapTotal: number | null;
  readonly swapUsed: number | null;
  /** CommitLimit: how much may be promised where overcommitting is forbidden. */
  readonly commitLimit: number | null;
  /** Committed_AS: how much was promised. */
  readonly committed: number | null;
}

/** Reads the totals; what is lost is null, with a fault. Throws nothing for what the dump holds. */
export function memoryInfo(kernel: Kernel): MemoryInfo {
  const read = (what: string, work: () => number): number | null => kernel.faults.attempt(what, work, null);
  const stat = readVmStat(kernel);
  const total = read('memory size', () => totalRamPages(kernel));
  const buffers = read('pages of block devices', () => blockDevicePages(kernel));
  const filePages = stat.get('NR_FILE_PAGES') ?? null;
  const swapCache = stat.get('NR_SWAPCACHE') ?? read('swap cache', () => swapCachePages(kernel));
  const huge = kernel.faults.attempt('huge pages', () => hugePagePools(kernel), null);
  const hugeTotal = huge?.reduce((sum, pool) => sum + pool.total * 2 ** pool.order, 0) ?? null;
  const areas = kernel.faults.attempt('swap areas', () => swapAreas(kernel), null);
  const swapTotal = areas?.reduce((sum, area) => sum + area.pages, 0) ?? null;
  const slabs = [
    stat.get('NR_SLAB_RECLAIMABLE_B') ?? stat.get('NR_SLAB_RECLAIMABLE'),
    stat.get('NR_SLAB_UNRECLAIMABLE_B') ?? stat.get('NR_SLAB_UNRECLAIMABLE'),
  ];
  return {
    total,
    free: stat.get('NR_FREE_PAGES') ?? null,
    buffers,
    cached: filePages === null ? null : Math.max(0, filePages - (swapCache ?? 0) - (buffers ?? 0)),
    slab: slabs.every((n) => n === undefined) ? null : (slabs[0] ?? 0) + (slabs[1] ?? 0),
    hugeTotal,
    hugeFree: huge?.reduce((sum, pool) => sum + pool.free * 2 ** pool.order, 0) ?? null,
    swapTotal,
    swapUsed: areas?.reduce((sum, area) => sum + area.used, 0) ?? null,
    commitLimit:
      total === null ? null : read('commit limit', () => commitLimit(kernel, total, hugeTotal ?? 0, swapTotal ?? 0)),
    committed: read('committed memory', () => percpuCounter(kernel, kernel.variable('vm_committed_as'))),
  };
}

/** vm_commit_limit(). */
function commitLimit(kernel: Kernel, total: number, huge: number, swap: number): number {
  const kib = kernel.optionalVariable('sysctl_overcommit_kbytes')?.number() ?? 0;
  if (kib > 0) return Math.floor((kib * 1024) / kernel.dump.memory.pageSize) + swap;
  return Math.floor(((total - huge) * kernel.variable('sysctl_overcommit_ratio').number()) / 100) + swap;
}

/** Most block devices that there are. */
const maxDevices = 100_000;

/** nr_blockdev_pages(): what the inodes of block devices have cached. */
function blockDevicePages(kernel: Kernel): number {
  const superblock = kernel.variable('blockdev_superblock');
  if (superblock.isNull) return 0;
  let pages = 0;
  let devices = 0;
  for (const inode of listEntries(superblock.member('s_inodes'), 'struct inode', 'i_sb_list')) {
    if (++devices > maxDevices) break;
    kernel.faults.attempt('inode of a block device', () => (pages += mappedPages(inode)), 0);
  }
  return pages;
}

function mappedPages(inode: KernelObject): number {
  return inode.member('i_mapping').member('nrpages').number();
}

/** total_swapcache_pages() before NR_SWAPCACHE (b6038942480e, 5.12): the pages of every swap area's address spaces. */
function swapCachePages(kernel: Kernel): number {
  const spaces = kernel.optionalVariable('swapper_spaces');
  const counts = kernel.optionalVariable('nr_swapper_spaces');
  if (spaces === null || counts === null) return 0;
  let pages = 0;
  for (const { type } of swapAreas(kernel)) {
    const count = Math.min(1 << 16, counts.index(type).number());
    for (let i = 0; i < count; i++) pages += spaces.index(type).index(i).member('nrpages').number();
  }
  return pages;
}
