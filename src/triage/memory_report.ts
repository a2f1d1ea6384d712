// Where memory went, for deaths by lack of it.

import { addressText } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { freeAreas, memoryNodes } from '../kernel/mmzone.ts';
import { perKernel } from '../kernel/per_kernel.ts';
import { residentCounters } from '../kernel/sched.ts';
import { readTmpfs } from '../kernel/shmem_fs.ts';
import { slabCaches } from '../kernel/slab_cache.ts';
import type { Task } from '../kernel/task.ts';
import { type MemoryUse, memoryUse } from '../kernel/vmstat.ts';
import type { MemoryReport } from './analysis.ts';
import type { Facts } from './facts.ts';
import { perCpuTables, perCpuUse } from './memory_holders.ts';
import { toldMemory } from './told_memory.ts';
import { label, mebibytes } from './words.ts';

type UseKind = Exclude<keyof MemoryUse, 'total'>;

/** What each use is called, and the counters that show it, newest name first. */
const uses: readonly { readonly kind: UseKind; readonly name: string; readonly counters: readonly string[] }[] = [
  {
    kind: 'anonymous',
    name: 'memory of processes (anonymous)',
    counters: ['vm_node_stat[NR_ANON_MAPPED]', 'vm_node_stat[NR_ANON_PAGES]'],
  },
  { kind: 'shmem', name: 'files in tmpfs and shared memory', counters: ['vm_node_stat[NR_SHMEM]'] },
  { kind: 'fileCache', name: 'page cache of files', counters: ['vm_node_stat[NR_FILE_PAGES]'] },
  {
    kind: 'slabUnreclaimable',
    name: 'slab, not reclaimable',
    counters: ['vm_node_stat[NR_SLAB_UNRECLAIMABLE_B]', 'vm_node_stat[NR_SLAB_UNRECLAIMABLE]'],
  },
  {
    kind: 'slabReclaimable',
    name: 'slab, reclaimable',
    counters: ['vm_node_stat[NR_SLAB_RECLAIMABLE_B]', 'vm_node_stat[NR_SLAB_RECLAIMABLE]'],
  },
  { kind: 'hugePages', name: 'reserved huge pages', counters: ['hstates[0].nr_huge_pages'] },
  { kind: 'vmalloc', name: 'vmalloc', counters: ['nr_vmalloc_pages', 'vm_node_stat[NR_VMALLOC]'] },
  {
    kind: 'kernelStacks',
    name: 'kernel stacks',
    counters: ['vm_node_stat[NR_KERNEL_STACK_KB]', 'vm_zone_stat[NR_KERNEL_STACK_KB]'],
  },
  {
    kind: 'pageTables',
    name: 'page tables',
    counters: ['vm_node_stat[NR_PAGETABLE]', 'vm_zone_stat[NR_PAGETABLE]'],
  },
  { kind: 'perCpu', name: perCpuUse, counters: ['*(unsigned long *)&pcpu_nr_populated'] },
  { kind: 'free', name: 'free', counters: ['vm_zone_stat[NR_FREE_PAGES]'] },
];

/** Name of what no counter counts. */
const uncounted = 'not counted (pages that drivers and the kernel took for themselves)';

/** Expressions for `p` that show how many pages a use takes; the first that this kernel has will do. */
export function countersOf(name: string): readonly string[] {
  return uses.find((use) => use.name === name)?.counters ?? [];
}

/** Where memory went, from the kernel's own counters; null where they cannot be read. */
export const memoryReport = perKernel((kernel): Omit<MemoryReport, 'cgroup'> | null =>
  kernel.faults.attempt('memory use', () => readReport(kernel), null),
);

function readReport(kernel: Kernel): Omit<MemoryReport, 'cgroup'> {
  const page = kernel.dump.memory.pageSize;
  const use = memoryUse(kernel);
  const rows: { name: string; bytes: number }[] = [];
  for (const { kind, name } of uses) {
    const pages = use[kind];
    if (pages !== null && (pages > 0 || (kind !== 'hugePages' && kind !== 'vmalloc' && kind !== 'perCpu')))
      rows.push({ name, bytes: pages * page });
  }
  // what keeps the books of per-CPU memory grows with it: told apart from it, it would hide who is to blame
  const [perCpu, vmalloc] = [perCpuUse, 'vmalloc'].map((wanted) => rows.find(({ name }) => name === wanted));
  if (perCpu !== undefined && vmalloc !== undefined) {
    const tables = kernel.faults.attempt('vmalloc areas', () => Math.min(perCpuTables(kernel), vmalloc.bytes), 0);
    perCpu.bytes += tables;
    vmalloc.bytes -= tables;
  }
  const counted = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  const total = use.total * page;
  // where counters are missing, what they would have counted is not known: not the same as nobody counting it
  const complete = use.free !== null && use.anonymous !== null && use.fileCache !== null;
  if (total > counted && complete) rows.push({ name: uncounted, bytes: total - counted });
  return {
    total,
    uses: rows.sort((a, b) => b.bytes - a.bytes),
    tasks: largestProcesses(kernel, 10).map(({ task, rssPages }) => ({
      pid: task.pid,
      comm: task.comm,
      rss: rssPages * page,
    })),
    zones: kernel.faults.attempt('zones', () => zonesOf(kernel), []),
    slabs: slabCaches(kernel)
      .map(({ name, address, pages, objects }) => ({
        name: name ?? '(unknown)',
        address: addressText(address),
        bytes: (pages ?? 0) * page,
        objects: objects ?? 0,
      }))
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 10),
    tmpfs: readTmpfs(kernel).map(({ mountedOn, info, usedPages, maxPages }) => ({
      mountedOn,
      info: addressText(info),
      used: usedPages * page,
      limit: maxPages * page,
    })),
  };
}

/** Zones that manage memory. */
function zonesOf(kernel: Kernel): MemoryReport['zones'] {
  const page = kernel.dump.memory.pageSize;
  return memoryNodes(kernel)
    .flatMap(({ zones }) => zones)
    .filter(({ managed }) => managed > 0)
    .map((zone) => {
      const areas = freeAreas(zone);
      const largest = areas.findLast(({ count }) => count > 0)?.order;
      return {
        node: zone.node,
        name: zone.name,
        managed: zone.managed * page,
        free: areas.reduce((sum, { order, count }) => sum + count * 2 ** order, 0) * page,
        min: (zone.watermarks.min + zone.watermarks.boost) * page,
        high: (zone.watermarks.high + zone.watermarks.boost) * page,
        largest: largest === undefined ? null : page * 2 ** largest,
      };
    });
}

/** The processes with the most resident pages, largest first, of those that `among` lets pass. Tasks that share their memory count once. */
export function largestProcesses(
  kernel: Kernel,
  limit: number,
  among: (task: Task) => boolean = () => true,
): { task: Task; rssPages: number }[] {
  const found = new Map<bigint, { task: Task; rssPages: number }>();
  for (const task of kernel.tasks.all) {
    if (task.kernelThread || !among(task)) continue;
    kernel.faults.attempt(
      `memory of pid ${task.pid}`,
      () => {
        const mm = task.object.member('mm');
        if (mm.isNull || found.has(mm.pointer())) return;
        const { file, anon, shmem } = residentCounters(kernel, mm.deref());
        found.set(mm.pointer(), { task, rssPages: Math.max(0, file + anon + shmem) });
      },
      undefined,
    );
  }
  return [...found.values()].sort((a, b) => b.rssPages - a.rssPages).slice(0, limit);
}

/** One use of memory. */
export interface MemoryUseOf {
  readonly name: string;
  /** Of all memory that the kernel manages, 0 to 1. */
  readonly share: number;
  /** Who takes most of it, in words; empty where that is not known. */
  readonly by: string;
}

/** A use of memory that takes at least this share of it is worth telling of. */
const notable = 0.25;

/** The uses that take a notable share of memory, largest first. What is free is none. */
export function notableUses(memory: Omit<MemoryReport, 'cgroup'>): MemoryUseOf[] {
  return memory.uses
    .filter(({ name, bytes }) => name !== 'free' && memory.total > 0 && bytes / memory.total >= notable)
    .map(({ name, bytes }) => ({ name, share: bytes / memory.total, by: takenBy(memory, { name, bytes }) }));
}

function takenBy(memory: Omit<MemoryReport, 'cgroup'>, { name, bytes }: MemoryReport['uses'][number]): string {
  const percent = (part: number): string => `${Math.round((part / memory.total) * 100)}%`;
  const [tmpfs, process, slab] = [memory.tmpfs[0], memory.tasks[0], memory.slabs[0]];
  // who takes but a crumb of it is not worth a name
  const isMuch = (part: number): boolean => part > 0 && part / bytes >= noticed;
  const most = (part: number): string => (part / bytes >= 0.5 ? 'most of it' : 'the largest part');
  if (name.startsWith('files in tmpfs') && tmpfs !== undefined && isMuch(tmpfs.used))
    return `${most(tmpfs.used)} in the tmpfs on ${tmpfs.mountedOn || '(mounted nowhere)'} (${percent(tmpfs.used)})`;
  if (name.startsWith('memory of processes') && process !== undefined && isMuch(process.rss))
    return `${most(process.rss)} of ${label(process)}: ${mebibytes(process.rss)} (${percent(process.rss)})`;
  if (name.startsWith('slab') && slab !== undefined && isMuch(slab.bytes))
    return `the largest cache being ${slab.name} with ${mebibytes(slab.bytes)} (${percent(slab.bytes)})`;
  return '';
}

/** Part of a use of memory from which on who takes it is told. */
const noticed = 0.05;

/** Where memory went, from the kernel's counters, or of a log alone as that has them; null where neither can be read. */
export function memoryOf({ told, death, kernel }: Facts): Omit<MemoryReport, 'cgroup'> | null {
  return told === null ? memoryReport(kernel) : death === null ? null : toldMemory(death);
}
