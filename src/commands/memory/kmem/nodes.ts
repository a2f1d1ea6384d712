// kmem -n: memory nodes, their zones, sections of memory and blocks of memory.
import type { PhysAddr, VirtAddr } from '../../../base/address.ts';
import { pfn } from '../../../base/address.ts';
import { escapeLine, hex, hex16 } from '../../../base/text.ts';
import { type MemoryBlock, memoryBlocks } from '../../../kernel/memory_block.ts';
import { type MemorySection, memoryModel } from '../../../kernel/memory_model.ts';
import { memoryNodes } from '../../../kernel/mmzone.ts';
import { center, centerRight } from '../../columns.ts';
import type { CommandContext } from '../../context.ts';

/** Where a stretch of page frames begins; all null for one without any. */
interface MapStart {
  /** Virtual address of its first `struct page`. */
  readonly map: VirtAddr | null;
  readonly physical: PhysAddr | null;
  readonly pfn: number | null;
}

export interface NodeData {
  readonly id: number;
  /** Pages from its first to its last. */
  readonly spanned: number;
  readonly address: VirtAddr;
  readonly start: MapStart;
  readonly zones: readonly {
    readonly zone: number;
    readonly name: string;
    readonly spanned: number;
    readonly address: VirtAddr;
    readonly start: MapStart;
  }[];
}

export interface NodesHead {
  readonly kind: 'nodes';
  readonly nodes: readonly NodeData[];
  readonly sections: readonly MemorySection[];
  readonly blocks: readonly MemoryBlock[];
}

export function collectNodes({ kernel }: CommandContext): NodesHead {
  const model = memoryModel(kernel);
  const { pageSize } = kernel.dump.memory;
  const start = (first: number, count: number): MapStart =>
    count === 0
      ? { map: null, physical: null, pfn: null }
      : { map: model?.pageStruct(pfn(first)) ?? null, physical: (first * pageSize) as PhysAddr, pfn: first };
  return {
    kind: 'nodes',
    nodes: memoryNodes(kernel).map(({ id, spanned, address, startPfn, zones }) => ({
      id,
      spanned,
      address,
      start: start(startPfn, spanned),
      zones: zones.map((zone) => ({
        zone: zone.index,
        name: zone.name,
        spanned: zone.spanned,
        address: zone.address,
        start: start(zone.startPfn, zone.spanned),
      })),
    })),
    sections: model === null ? [] : [...model.sections()],
    blocks: kernel.faults.attempt('memory blocks', () => memoryBlocks(kernel), []),
  };
}

export function nodesText({ nodes, sections, blocks }: NodesHead): string {
  const rule = `${'-'.repeat(67)}\n`;
  return [
    nodes.map(nodeText).join(`${rule}\n`) + (sections.length === 0 ? '' : `${rule}\n${sectionsText(sections)}`),
    ...(blocks.length === 0 ? [] : [blocksText(blocks)]),
  ].join('\n');
}

function nodeText({ id, spanned, address, start, zones }: NodeData): string {
  const columns = [center('PGLIST_DATA', 16), center('BOOTMEM_DATA', 16), center('NODE_ZONES', 16)];
  const first = [hex16(address), center('----', 16), zones[0] === undefined ? '' : hex16(zones[0].address)];
  return (
    `NODE    SIZE    ${columns.join('  ')}\n` +
    `${String(id).padStart(3)}  ${String(spanned).padStart(8)}   ${first.join('  ')}\n` +
    zones
      .slice(1)
      .map((zone) => `${' '.repeat(52)}${hex16(zone.address)}\n`)
      .join('') +
    `${center('MEM_MAP', 16)}     START_PADDR    START_MAPNR\n` +
    `${mapText(start)}     ${center(hex(start.physical ?? 0), 11)}    ${centerRight(String(start.pfn ?? 0), 11)}\n\n` +
    'ZONE  NAME         SIZE       MEM_MAP      START_PADDR  START_MAPNR\n' +
    zones.map(zoneText).join('') +
    '\n'
  );
}

function mapText({ map }: MapStart): string {
  return map === null ? centerRight('0', 16) : hex16(map);
}

function zoneText({ zone, name, spanned, start }: NodeData['zones'][number]): string {
  const columns = [
    `${String(zone).padStart(3)}   ${escapeLine(name).padEnd(9)}${String(spanned).padStart(8)}`,
    start.map === null ? '0'.padStart(16) : hex16(start.map),
    hex(start.physical ?? 0).padStart(11),
    String(start.pfn ?? 0).padStart(11),
  ];
  return `${columns.join('  ')}\n`;
}

function sectionsText(sections: readonly MemorySection[]): string {
  const width = Math.max(2, String(sections.at(-1)!.number).length);
  const header = [
    'NR'.padEnd(width),
    center('SECTION', 16),
    center('CODED_MEM_MAP', 16),
    center('MEM_MAP', 16),
    'STATE PFN',
  ];
  const line = (section: MemorySection): string => {
    const { number, address, codedMap, map, isPresent, hasMap, isOnline, isEarly, isDevice, firstPfn } = section;
    const flag = (is: boolean, letter: string): string => (is ? letter : '');
    const state = `${flag(isPresent, 'P')}${flag(hasMap, 'M')}${flag(isOnline, 'O')}${flag(isEarly, 'E')}${flag(isDevice, 'D')}`;
    const columns = [String(number).padStart(width), hex16(address), hex16(codedMap), hex16(map), state.padEnd(5)];
    return `${columns.join('  ')} ${firstPfn}\n`;
  };
  return `${header.join('  ')}\n${sections.map(line).join('')}`;
}

function blocksText(blocks: readonly MemoryBlock[]): string {
  const name = Math.max(9, ...blocks.map((block) => block.name.length));
  const digits = Math.max(8, hex(blocks.at(-1)!.end).length);
  const header = `${center('MEM_BLOCK', 16)}    ${'NAME'.padEnd(name + 2)} ${'PHYSICAL RANGE'.padEnd(digits * 2 + 2)} NODE  STATE   START_SECTION_NO\n`;
  const line = (block: MemoryBlock): string => {
    const range = `${hex(block.start).padStart(digits)} - ${hex(block.end - 1).padStart(digits)}`;
    const node = center(String(block.node ?? '-'), 4);
    const label = escapeLine(block.name).padEnd(name);
    return ` ${hex16(block.address)}   ${label}  ${range} ${node}  ${block.state.padEnd(7)} ${block.firstSection}\n`;
  };
  return header + blocks.map(line).join('');
}
