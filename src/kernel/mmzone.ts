// include/linux/mmzone.h: memory nodes, their zones, what is free in them, and how much memory there is.
//
//   node_data[] --> pglist_data --> node_zones[] --> zone --> free_area[order].free_list[type] --> struct page
//                                                        --> per_cpu_pageset (each CPU): single pages, free too
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';
import { type Counter, namedCounters } from './vmstat.ts';

/** More nodes than NODES_SHIFT allows (10). */
const maxNodes = 1024;
/** More zones than MAX_NR_ZONES (6 at most). */
const maxZones = 16;

/** The `struct pglist_data` of every memory node. @throws NotFoundError, MemoryFault */
export function nodeObjects(kernel: Kernel): KernelObject[] {
  // one node, not in an array, without CONFIG_NUMA
  const only = kernel.optionalVariable('contig_page_data');
  if (only !== null) return [only];
  const nodes: KernelObject[] = [];
  let id = 0;
  for (const entry of kernel.variable('node_data').elements(maxNodes)) {
    const node = entry.pointer();
    // ids may have gaps; behind the last one is other data where the array's length is not known
    if (node !== 0n && isNode(kernel, node, id)) nodes.push(kernel.object('struct pglist_data', node));
    id++;
  }
  return nodes;
}

/** Whether a node knows itself by its id; true where its type has none. */
function isNode(kernel: Kernel, address: VirtAddr, id: number): boolean {
  const own = kernel.arch.isKernelAddress(address) ? kernel.object('struct pglist_data', address) : null;
  return own !== null && (own.optional('node_id')?.number() ?? id) === id;
}

/** Pages of RAM, with those that the kernel keeps for itself. @throws NotFoundError, MemoryFault */
export function presentPages(kernel: Kernel): number {
  return nodeObjects(kernel).reduce((sum, node) => sum + node.member('node_present_pages').number(), 0);
}

/** A memory node. Counts are pages. */
export interface MemoryNode {
  readonly id: number;
  /** Virtual address of the `struct pglist_data`. */
  readonly address: VirtAddr;
  readonly startPfn: number;
  /** From its first page frame to its last, holes too. */
  readonly spanned: number;
  readonly present: number;
  readonly zones: readonly Zone[];
}

/** A zone of a memory node. Counts are pages. */
export interface Zone {
  /** Its place in the node's zones. */
  readonly index: number;
  readonly node: number;
  readonly name: string;
  /** Virtual address of the `struct zone`. */
  readonly address: VirtAddr;
  readonly object: KernelObject;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  /** Pages that the buddy allocator has or gave out. */
  readonly managed: number;
  /** Free pages below which allocations reclaim, kswapd wakes, and kswapd sleeps again; boost is added to each. */
  readonly watermarks: { readonly min: number; readonly low: number; readonly high: number; readonly boost: number };
}

/** Memory nodes with their zones. What cannot be read of one costs that one. @throws NotFoundError, MemoryFault */
export const memoryNodes = perKernel((kernel): readonly MemoryNode[] =>
  nodeObjects(kernel)
    .map((node) => kernel.faults.attempt('memory node', () => readNode(kernel, node), null))
    .filter((node) => node !== null),
);

function readNode(kernel: Kernel, node: KernelObject): MemoryNode {
  const id = node.member('node_id').number();
  const zones: Zone[] = [];
  for (const zone of node.member('node_zones').elements(maxZones)) {
    kernel.faults.attempt('zone', () => zones.push(readZone(zone, id, zones.length)), 0);
  }
  return {
    id,
    address: node.address,
    startPfn: node.member('node_start_pfn').number(),
    spanned: node.member('node_spanned_pages').number(),
    present: node.member('node_present_pages').number(),
    zones,
  };
}

function readZone(zone: KernelObject, node: number, index: number): Zone {
  // boosted since 1c30844d2dfe (5.0), which renamed the array
  const marks = zone.memberAmong('_watermark', 'watermark');
  const managed = zone.optional('managed_pages.counter') ?? zone.member('managed_pages'); // atomic: 9705bea5f833, 5.0
  return {
    index,
    node,
    name: zone.member('name').string(32),
    address: zone.address,
    object: zone,
    startPfn: zone.member('zone_start_pfn').number(),
    spanned: zone.member('spanned_pages').number(),
    present: zone.member('present_pages').number(),
    managed: managed.number(),
    watermarks: {
      min: marks.index(0).number(),
      low: marks.index(1).number(),
      high: marks.index(2).number(),
      boost: zone.optional('watermark_boost')?.number() ?? 0,
    },
  };
}

/** Counters of one zone, as /proc/zoneinfo has them less what CPUs have not yet folded in. @throws NotFoundError, MemoryFault */
export function zoneCounters(kernel: Kernel, zone: Zone): Counter[] {
  return namedCounters(kernel, zone.object.member('vm_stat'), 'zone_stat_item');
}

/** One list of free blocks: those of one size and one mobility. */
export interface FreeBlocks {
  readonly order: number;
  /** Its place among the lists of its order: enum migratetype. */
  readonly type: number;
  /** The list's head. */
  readonly list: KernelObject;
}

/** Free blocks of one order, all lists. */
export interface FreeArea {
  readonly order: number;
  /** Blocks that the kernel counts. */
  readonly count: number;
  readonly lists: readonly FreeBlocks[];
}

/** The lists of free blocks of a zone, by order. @throws NotFoundError, MemoryFault */
export function freeAreas(zone: Zone): FreeArea[] {
  return [...zone.object.member('free_area').elements(64)].map((area, order) => ({
    order,
    count: area.member('nr_free').number(),
    lists: [...area.member('free_list').elements(64)].map((list, type) => ({ order, type, list })),
  }));
}

/** Names of the lists in an order: enum migratetype, shortened as /proc/pagetypeinfo has them; null where types do not tell. */
export function migrateTypes(kernel: Kernel): readonly string[] | null {
  const type = kernel.types.find('enum migratetype');
  if (type?.kind !== 'enum') return null;
  const names: string[] = [];
  // MIGRATE_PCPTYPES is the number of types that CPUs keep, and the same number as what follows them
  for (const { name, value } of type.values) {
    if (name !== 'MIGRATE_PCPTYPES' && name !== 'MIGRATE_TYPES' && value < 64n) {
      names[Number(value)] ??= name.replace(/^MIGRATE_/, '').toLowerCase();
    }
  }
  return names;
}

/** The memory node that a page frame is of; null for none. Where nodes interleave, that of the zone it lies in. */
export function nodeOfFrame(kernel: Kernel, frame: number): number | null {
  const nodes = kernel.faults.attempt('memory nodes', () => memoryNodes(kernel), []);
  const around = nodes.filter(({ startPfn, spanned }) => frame >= startPfn && frame < startPfn + spanned);
  const inZone = around.find(({ zones }) =>
    zones.some(({ startPfn, spanned }) => frame >= startPfn && frame < startPfn + spanned),
  );
  return (inZone ?? around[0])?.id ?? null;
}
