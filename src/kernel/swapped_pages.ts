// mm/swap_state.c, mm/swap_table.h: pages of processes that were swapped out, read back where they still are in memory:
// in the swap cache, on their way out or in; in zswap; or on a disk of compressed memory. Of those full of zeroes only that is kept.
import type { MappedSpace } from '../arch/kernel_space.ts';
import type { SwapSlot } from '../arch/page_walk.ts';
import { offsetBy, type Pfn, pfn, physAddr, type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError, MemoryFault, NotFoundError } from '../base/errors.ts';
import { findMember, sizeOf } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { pageFlagNames, pageFlags } from './page.ts';
import { perKernel } from './per_kernel.ts';
import { type SwapArea, swapAreas } from './swap.ts';
import { vmallocAreaAt } from './vmalloc.ts';
import { xarrayEntry } from './xarray.ts';
import { zramDisk, zramPage } from './zram.ts';
import { zswapPage } from './zswap.ts';

/** Pages of a swap area that one address_space of the swap cache has: SWAP_ADDRESS_SPACE_SHIFT. */
const spaceShift = 14n;
/** Slots of a cluster: as many as a huge page has pages (SWAPFILE_CLUSTER), 256 without CONFIG_THP_SWAP. */
const clusterSizes = [512, 256, 2048, 8192];
/** SWP_TB_PFN_MARK in the low two bits: the page frame is above them, and a count above that. */
const frameMark = 2n;
const frameBits = 40n;
/** SWP_TB_ZERO_FLAG: below four bits that count. */
const zeroFlag = 1n << 59n;

/** The zram disk that a swap area is on; null for any other. */
const zramOf = perKernel((kernel) => {
  const disks = new Map<number, ReturnType<typeof zramDisk>>();
  for (const area of swapAreas(kernel)) {
    const device = area.object.optional('bdev');
    const disk =
      device === null || device.isNull
        ? null
        : kernel.faults.attempt('zram', () => zramDisk(kernel, device.pointer()), null);
    disks.set(area.type, disk);
  }
  return disks;
});

/**
 * The content of a page that was swapped out; null where it is on no memory of this machine.
 * @throws MemoryFault, FormatError, NotFoundError where it should be in memory, and cannot be read
 */
export function swappedPage(kernel: Kernel, { type, offset }: SwapSlot): Uint8Array | null {
  const area = swapAreas(kernel).find((one) => one.type === type);
  if (area === undefined || offset > BigInt(area.pages)) return null;
  const cached = kernel.faults.attempt('swap cache', () => cachedFrame(kernel, area, offset), null);
  if (cached === null) return pageBehindCache(kernel, area, offset);
  const page = new Uint8Array(kernel.dump.memory.pageSize);
  try {
    kernel.dump.memory.read(physAddr(cached * page.length), page);
    return page;
  } catch (error) {
    // what was read back, or ahead, and left out of the dump with the page cache
    if (!(error instanceof MemoryFault) || !isClean(kernel, cached)) throw error;
    const same = pageBehindCache(kernel, area, offset);
    if (same === null) throw error;
    return same;
  }
}

/** Whether a page of the swap cache is surely what is behind it, and not on its way there. */
function isClean(kernel: Kernel, frame: Pfn): boolean {
  const address = memoryModel(kernel)?.pageStruct(frame) ?? null;
  if (address === null || pageFlags(kernel).length === 0) return false;
  const page = kernel.object('struct page', address);
  // of a large folio only its first page tells
  if (((page.optional('compound_head')?.bigint() ?? 0n) & 1n) !== 0n) return false;
  const names = pageFlagNames(kernel, page.memberAmong('flags.f', 'flags').bigint());
  return !names.some((name) => name === 'dirty' || name === 'writeback' || name === 'locked');
}

/** What swap itself has in memory of a page; null for nothing. @throws as `swappedPage` */
function pageBehindCache(kernel: Kernel, area: SwapArea, offset: bigint): Uint8Array | null {
  if (kernel.faults.attempt('swap of zeroes', () => isZeroes(kernel, area, offset), false)) {
    return new Uint8Array(kernel.dump.memory.pageSize);
  }
  const compressed = zswapPage(kernel, { type: area.type, offset });
  if (compressed !== null) return compressed;
  const disk = zramOf(kernel).get(area.type) ?? null;
  return disk === null ? null : zramPage(kernel, disk, Number(offset));
}

/** Whether a slot's page was full of zeroes, so that it was written nowhere (0ca0c24e3211, 6.12). */
function isZeroes(kernel: Kernel, area: SwapArea, offset: bigint): boolean {
  const map = area.object.optional('zeromap');
  if (map !== null) {
    if (map.isNull) return false;
    const byte = kernel.space.u8(offsetBy(map.pointer(), offset >> 3n));
    return ((byte >> Number(offset & 7n)) & 1) === 1;
  }
  // a bit of the table's entry once the area has no map of its own (7.2)
  const entry = tableEntry(kernel, area, offset) ?? 0n;
  const isFrameOrShadow = (entry & 1n) !== 0n || (entry & 3n) === frameMark;
  return isFrameOrShadow && (entry & zeroFlag) !== 0n;
}

/** The page frame of the swap cache that has a slot's page; null for none. */
function cachedFrame(kernel: Kernel, area: SwapArea, offset: bigint): Pfn | null {
  const entry = tableEntry(kernel, area, offset);
  return entry === null ? frameInSpace(kernel, area, offset) : frameInTable(kernel, entry, offset);
}

/**
 * What the table of a slot's cluster has of it, 0 for nothing; null for a kernel without such tables: they came with
 * 8578e0c00dcf (6.18), and there were xarrays of folios before.
 */
function tableEntry(kernel: Kernel, area: SwapArea, offset: bigint): bigint | null {
  const clusters = area.object.optional('cluster_info');
  const member = clusters === null ? null : findMember(kernel.type('struct swap_cluster_info'), 'table');
  if (clusters === null || member === null) return null;
  const first = clusters.pointer();
  const size = sizeOf(kernel.type('struct swap_cluster_info'));
  const perCluster = BigInt(clusterSize(kernel, area, first, size));
  const cluster = offsetBy(first, (offset / perCluster) * BigInt(size));
  const table = kernel.space.pointer(offsetBy(cluster, member.bitOffset / 8));
  return table === 0n ? 0n : kernel.space.u64(offsetBy(table, (offset % perCluster) * 8n));
}

function frameInTable(kernel: Kernel, entry: bigint, offset: bigint): Pfn | null {
  const model = memoryModel(kernel);
  if (entry === 0n || (entry & 1n) !== 0n || model === null) return null; // a shadow is of a page that is gone
  if ((entry & 3n) === frameMark) {
    const frame = pfn(Number((entry >> 2n) & ((1n << frameBits) - 1n)));
    const page = model.pageStruct(frame);
    return page === null ? null : withinFolio(kernel, frame, page, offset);
  }
  // 6.18 and 6.19 had the folio's address here; of a large one it is that of its first page
  const folio = model.pfnOf(virtAddr(entry));
  return folio === null ? null : withinFolio(kernel, folio, virtAddr(entry), offset);
}

/** Slots of a cluster, by how many clusters there is room for. */
function clusterSize(kernel: Kernel, area: SwapArea, first: VirtAddr, size: number): number {
  const room = vmallocAreaAt(kernel, first);
  const slots = area.pages + 1;
  if (room === null) return clusterSizes[0]!; // few enough for kmalloc(): a small area, on a usual machine
  const bytes = Number(room.end - first) - kernel.dump.memory.pageSize;
  const fits = (one: number): boolean => {
    const needed = Math.ceil(slots / one) * size;
    return needed <= bytes && bytes - needed < 2 * kernel.dump.memory.pageSize;
  };
  return clusterSizes.find(fits) ?? clusterSizes[0]!;
}

function frameInSpace(kernel: Kernel, area: SwapArea, offset: bigint): Pfn | null {
  const spaces = kernel.optionalVariable('swapper_spaces');
  if (spaces === null) return null;
  const space = spaces.index(area.type).index(Number(offset >> spaceShift));
  const pages = space.memberAmong('i_pages', 'page_tree');
  // the whole offset is the index, also since 7aad25b4b499 (6.12), which keeps the low bits alone
  const mask = (1n << spaceShift) - 1n;
  for (const index of [offset, offset & mask]) {
    const entry = xarrayEntry(pages, Number(index));
    if (entry === null || (entry & 3n) !== 0n) continue;
    const frame = memoryModel(kernel)?.pfnOf(entry) ?? null;
    if (frame !== null) return withinFolio(kernel, frame, entry, offset);
  }
  return null;
}

/** A swap entry's offset, as `page.private` of a page in the swap cache has it: 58 bits below its type. */
const entryOffset = (1n << 58n) - 1n;
/** Pages of the largest folio believed. */
const maxFolio = 1n << 16n;

/** The frame of a slot in a folio of the swap cache, which says where it begins; null for a folio of other slots. */
function withinFolio(kernel: Kernel, frame: Pfn, folio: VirtAddr, offset: bigint): Pfn | null {
  const first = kernel.object('struct page', folio).member('private').bigint() & entryOffset;
  const behind = offset - first;
  return behind >= 0n && behind < maxFolio ? pfn(frame + Number(behind)) : null;
}

/** Lets the memory of a process be read where it was swapped out and is still in memory. */
export function readSwapped<Space extends MappedSpace>(kernel: Kernel, space: Space): Space {
  const { pageSize } = kernel.dump.memory;
  space.useSwap((address) => {
    const entry = space.walk(virtAddr(address - (address % BigInt(pageSize)))).entries.at(-1);
    if (entry === undefined) return null;
    const slot = swapSlotOf(kernel, entry.value);
    if (slot === null) return null;
    try {
      return swappedPage(kernel, slot);
    } catch (error) {
      // of an unknown type or compressor, too: the page is somewhere in memory, and cannot be told
      if (!(error instanceof FormatError || error instanceof NotFoundError)) throw error;
      throw new MemoryFault('user', address, 'corrupt', error.message);
    }
  });
  return space;
}

/** Where an entry of a page table says that its page was swapped to: of several readings, one that a swap area has. */
export function swapSlotOf(kernel: Kernel, entry: bigint): SwapSlot | null {
  const areas = kernel.faults.attempt('swap areas', () => swapAreas(kernel), []);
  const slots = kernel.arch.swapSlots(entry);
  const fits = slots.find(({ type, offset }) =>
    areas.some((area) => area.type === type && offset > 0n && offset <= BigInt(area.pages)),
  );
  return fits ?? slots[0] ?? null;
}
