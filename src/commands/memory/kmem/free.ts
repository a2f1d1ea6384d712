// kmem -f, -F: the lists of free blocks of every zone, counted, or with every block.
import { offsetBy, type Pfn, type PhysAddr, pfn, type VirtAddr } from '../../../base/address.ts';
import { framesPerNode } from '../../../base/budget.ts';
import { escapeLine, hex, hex16 } from '../../../base/text.ts';
import { findMember } from '../../../debuginfo/type.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { listNodes } from '../../../kernel/list.ts';
import { memoryModel } from '../../../kernel/memory_model.ts';
import { type FreeBlocks, freeAreas, memoryNodes, migrateTypes, type Zone } from '../../../kernel/mmzone.ts';
import { center, centerRight } from '../../columns.ts';
import type { Answer } from '../../command.ts';
import type { CommandContext } from '../../context.ts';

export interface FreeHead {
  readonly kind: 'free';
  /** With the blocks themselves (-F). */
  readonly blocks: boolean;
  /** Bytes of a page. */
  readonly pageSize: number;
  readonly nodes: number;
}

/** A zone, before its lists. */
export interface FreeZoneItem {
  readonly kind: 'free zone';
  readonly node: number;
  readonly zone: number;
  /** First zone of its node. */
  readonly first: boolean;
  readonly name: string;
  /** Pages from its first to its last. */
  readonly spanned: number;
  /** Free pages that the kernel counts. */
  readonly free: number;
  /** Virtual address of its first `struct page`; null for an empty zone. */
  readonly map: VirtAddr | null;
  readonly physical: PhysAddr | null;
  /** Page frames from the start of its node. */
  readonly fromNode: number;
}

/** One list of free blocks. */
export interface FreeListItem {
  readonly kind: 'free list';
  readonly node: number;
  readonly zone: number;
  /** Its blocks have 2^order pages. */
  readonly order: number;
  /** Mobility: `movable`, ...; null where the kernel does not tell. */
  readonly type: string | null;
  /** Virtual address of the list's head. */
  readonly address: VirtAddr;
  /** Blocks found on it. */
  readonly blocks: number;
  /** Virtual addresses of their first `struct page`s; null unless asked for. */
  readonly pages: readonly VirtAddr[] | null;
}

export interface FreeTail {
  readonly kind: 'free';
  /** Free pages that the kernel counts. */
  readonly counted: number;
  /** Pages of the blocks that were found. */
  readonly found: number;
}

type FreeItem = FreeZoneItem | FreeListItem;

/** @param frame the page frame whose block is looked for; null for all lists */
export function collectFree(
  { kernel }: CommandContext,
  blocks: boolean,
  frame: Pfn | null,
): Answer<FreeHead, FreeItem, FreeTail | null> {
  const nodes = memoryNodes(kernel);
  const head: FreeHead = { kind: 'free', blocks, pageSize: kernel.dump.memory.pageSize, nodes: nodes.length };
  const types = migrateTypes(kernel);
  function* items(): Generator<FreeItem, FreeTail | null> {
    let counted = 0;
    let found = 0;
    for (const node of nodes) {
      for (const zone of node.zones) {
        const item = zoneItem(kernel, zone, node.startPfn);
        counted += item.free;
        if (frame !== null && (frame < zone.startPfn || frame >= zone.startPfn + zone.spanned)) continue;
        let told = frame !== null;
        if (!told) yield item;
        if (zone.spanned === 0) continue;
        for (const area of kernel.faults.attempt('free areas', () => freeAreas(zone), [])) {
          for (const list of area.lists) {
            const pages = blocksOf(kernel, list);
            found += pages.length * 2 ** list.order;
            const holds = frame === null || pages.some((page) => holdsFrame(kernel, page, list.order, frame));
            if (!holds) continue;
            if (told && frame !== null) {
              yield item;
              told = false;
            }
            yield {
              kind: 'free list',
              node: node.id,
              zone: zone.index,
              order: list.order,
              type: types?.[list.type] ?? null,
              address: list.list.address,
              blocks: pages.length,
              pages: blocks
                ? pages
                : frame === null
                  ? null
                  : pages.filter((page) => holdsFrame(kernel, page, list.order, frame)),
            };
          }
        }
      }
    }
    return frame === null ? { kind: 'free', counted, found } : null;
  }
  return { head, items: items() };
}

function zoneItem(kernel: Kernel, zone: Zone, nodeStart: number): FreeZoneItem {
  const { node, index, name, spanned, startPfn } = zone;
  const empty = spanned === 0;
  const free = kernel.faults.attempt('free pages of a zone', () => zone.object.member('vm_stat').index(0), null);
  return {
    kind: 'free zone',
    node,
    zone: index,
    first: index === 0,
    name,
    spanned,
    // NR_FREE_PAGES is the first counter of every kernel
    free: free === null ? 0 : kernel.faults.attempt('free pages of a zone', () => free.member('counter').number(), 0),
    map: empty ? null : (memoryModel(kernel)?.pageStruct(pfn(startPfn)) ?? null),
    physical: empty ? null : ((startPfn * kernel.dump.memory.pageSize) as PhysAddr),
    fromNode: empty ? 0 : startPfn - nodeStart,
  };
}

/** The first `struct page` of each block on a list, as far as it can be followed. */
function blocksOf(kernel: Kernel, { list }: FreeBlocks): VirtAddr[] {
  const type = kernel.type('struct page');
  const link = findMember(type, 'buddy_list') ?? findMember(type, 'lru'); // bf75f200569d, 5.19
  const offset = (link?.bitOffset ?? 64) / 8;
  const pages: VirtAddr[] = [];
  kernel.faults.attempt(
    'free list',
    () => {
      for (const node of listNodes(list)) {
        pages.push(offsetBy(node, -offset));
        if (pages.length % 4096 === 0) kernel.work.charge('nodes', 4096 / framesPerNode);
      }
    },
    undefined,
  );
  return pages;
}

function holdsFrame(kernel: Kernel, page: VirtAddr, order: number, frame: Pfn): boolean {
  const first = memoryModel(kernel)?.pfnOf(page) ?? null;
  return first !== null && frame >= first && frame < first + 2 ** order;
}

export function freeItemText(item: FreeItem, head: FreeHead): string {
  return item.kind === 'free zone' ? zoneText(item, head) : listText(item, head);
}

function zoneText(item: FreeZoneItem, { blocks, nodes }: FreeHead): string {
  const { node, zone, first, name, spanned, free, map, physical, fromNode } = item;
  const columns = [
    `${String(zone).padStart(3)}   ${escapeLine(name).padEnd(9)}${String(spanned).padStart(7)} ${String(free).padStart(7)}`,
    map === null ? center('0', 16) : hex16(map),
    centerRight(hex(physical ?? 0), 11),
    centerRight(String(fromNode), 11),
  ];
  const rule = `\n${'-'.repeat(74)}\n\n`;
  const areas = spanned === 0 || blocks ? '' : 'AREA    SIZE  FREE_AREA_STRUCT  BLOCKS  PAGES\n';
  return (
    (first && nodes > 1 ? `${node > 0 ? rule : ''}NODE\n${String(node).padStart(3)}\n` : zone > 0 ? '\n' : '') +
    `ZONE  NAME        SIZE    FREE      MEM_MAP       START_PADDR  START_MAPNR\n${columns.join('  ')}\n${areas}`
  );
}

function listText({ order, address, blocks, pages }: FreeListItem, head: FreeHead): string {
  const size = `${(2 ** order * head.pageSize) / 1024}k`;
  const start = `${String(order).padStart(3)}  ${size.padStart(7)}  ${hex16(address)}  `;
  if (!head.blocks) {
    const counts = `${String(blocks).padStart(6)} ${String(blocks * 2 ** order).padStart(6)}`;
    return `${start}${counts}\n${(pages ?? []).map((page) => `${hex16(page)}\n`).join('')}`;
  }
  return `AREA    SIZE  FREE_AREA_STRUCT\n${start}\n${(pages ?? []).map((page) => `${hex16(page)}\n`).join('')}`;
}

export function freeTailText({ counted, found }: FreeTail): string {
  return `\nnr_free_pages: ${counted}  ${found === counted ? '(verified)' : `(found ${found})`}\n`;
}
