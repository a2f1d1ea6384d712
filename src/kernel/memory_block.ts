// include/linux/memory.h: blocks of memory as /sys/devices/system/memory has them, each some sections long.
import { type PhysAddr, physAddr, type VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { xarrayEntries } from './xarray.ts';

export interface MemoryBlock {
  /** Virtual address of the `struct memory_block`. */
  readonly address: VirtAddr;
  /** `memory5`. */
  readonly name: string;
  /** [start, end) */
  readonly start: PhysAddr;
  readonly end: PhysAddr;
  /** Memory node; null where the kernel does not say. */
  readonly node: number | null;
  readonly state: MemoryBlockState;
  /** Number of its first section. */
  readonly firstSection: number;
}

export type MemoryBlockState =
  | 'ONLINE'
  | 'GOING_OFFLINE'
  | 'OFFLINE'
  | 'GOING_ONLINE'
  | 'CANCEL_ONLINE'
  | 'CANCEL_OFFLINE'
  | 'UNKNOWN';

/** MEM_ONLINE, ... as bits; in newer kernels an enumeration that counts from 0. */
const states = new Map<number, MemoryBlockState>([
  [1, 'ONLINE'],
  [2, 'GOING_OFFLINE'],
  [4, 'OFFLINE'],
  [8, 'GOING_ONLINE'],
  [16, 'CANCEL_ONLINE'],
  [32, 'CANCEL_OFFLINE'],
]);

/**
 * Every block, ascending; none before 5.8 (4fb6eabf1037), which has no table of them, and without CONFIG_MEMORY_HOTPLUG.
 * A block that cannot be read costs itself.
 * @throws MemoryFault, FormatError
 */
export function memoryBlocks(kernel: Kernel): MemoryBlock[] {
  const table = kernel.optionalVariable('memory_blocks');
  const model = memoryModel(kernel);
  if (table === null || model === null) return [];
  const sections = kernel.optionalVariable('sections_per_block')?.number() ?? 1;
  if (sections < 1 || sections > 1 << 20) throw new FormatError('memory blocks', `${sections} sections in each`);
  const bytes = sections * model.pagesPerSection * kernel.dump.memory.pageSize;
  const blocks: MemoryBlock[] = [];
  for (const { entry } of xarrayEntries(table, kernel.faults)) {
    kernel.faults.attempt(
      'memory block',
      () => {
        const block = kernel.object('struct memory_block', entry);
        const firstSection = block.member('start_section_nr').number();
        const start = (firstSection / sections) * bytes;
        blocks.push({
          address: block.address,
          name: block.member('dev.kobj.name').string(64),
          start: physAddr(start),
          end: physAddr(start + bytes),
          node: block.optional('nid')?.number() ?? null,
          state: stateOf(block.member('state')),
          firstSection,
        });
      },
      undefined,
    );
  }
  return blocks;
}

function stateOf(state: KernelObject): MemoryBlockState {
  const name = state.enumName()?.replace(/^MEM_/, '');
  const known = [...states.values()];
  return (
    known.find((word) => word === name) ?? (name === undefined ? (states.get(state.number()) ?? 'UNKNOWN') : 'UNKNOWN')
  );
}
