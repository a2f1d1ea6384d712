// include/linux/swap.h: swap areas, and how much of each is used.
import type { SwapSlot } from '../arch/page_walk.ts';
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { openFile } from './fs.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';

/** A swap area: a partition, a file or a zram device. */
export interface SwapArea {
  /** Its number: the type in swap entries. */
  readonly type: number;
  /** Virtual address of the `struct swap_info_struct`. */
  readonly address: VirtAddr;
  readonly object: KernelObject;
  /** False while swapoff empties it, and before swapon is done. */
  readonly isWritable: boolean;
  /** True for a block device, false for a file on one. */
  readonly isDevice: boolean;
  /** Pages that it can hold. */
  readonly pages: number;
  /** Pages that it holds. */
  readonly used: number;
  readonly priority: number;
  /** The `struct file` that was given to swapon. */
  readonly file: KernelObject;
}

/** More areas than any kernel has (MAX_SWAPFILES is 32 at most). */
const maxAreas = 32;
const SWP_USED = 1n;
const SWP_WRITEOK = 2n;
const SWP_BLKDEV = 64n;

/** Every swap area in use; an area that cannot be read costs itself. @throws NotFoundError, MemoryFault */
export const swapAreas = perKernel((kernel): readonly SwapArea[] => {
  const table = kernel.optionalVariable('swap_info');
  if (table === null) return []; // no CONFIG_SWAP
  const areas: SwapArea[] = [];
  const count = Math.min(maxAreas, kernel.variable('nr_swapfiles').number());
  for (let type = 0; type < count; type++) {
    kernel.faults.attempt(
      'swap area',
      () => {
        const area = readArea(table.index(type), type);
        if (area !== null) areas.push(area);
      },
      undefined,
    );
  }
  return areas;
});

function readArea(entry: KernelObject, type: number): SwapArea | null {
  if (entry.isNull) return null;
  const object = entry.deref();
  const flags = object.member('flags').bigint();
  if ((flags & SWP_USED) === 0n || object.member('swap_file').isNull) return null;
  const pages = object.member('pages').number();
  return {
    type,
    address: object.address,
    object,
    isWritable: (flags & SWP_WRITEOK) !== 0n,
    isDevice: (flags & SWP_BLKDEV) !== 0n,
    pages,
    used: usedPages(object, pages),
    priority: object.member('prio').number(),
    file: object.member('swap_file').deref(),
  };
}

/**
 * swap_usage_in_pages(): an atomic since 6.13, in which one bit says that the area is not on the list of those with
 * room: bit 30 at first (SWAP_USAGE_OFFLIST_BIT by the size of an atomic_t), bit 62 later.
 */
function usedPages(area: KernelObject, pages: number): number {
  const atomic = area.optional('inuse_pages.counter');
  if (atomic === null) return area.member('inuse_pages').number();
  const used = Number(atomic.bigint() & ~(1n << 62n));
  return used > pages && used >= 2 ** 30 ? used - 2 ** 30 : used;
}

/** Path of a swap area's file or device, by the area's number; null where it is not known. */
export function swapFileName(kernel: Kernel, type: number): string | null {
  const area = kernel.faults.attempt('swap areas', () => swapAreas(kernel), []).find((one) => one.type === type);
  if (area === undefined) return null;
  return kernel.faults.attempt(
    'name of a swap area',
    () => openFile(kernel, area.file.address).path?.path ?? null,
    null,
  );
}

/** The lowest type that may not be of a swap area: MAX_SWAPFILES of a kernel with every special type. */
const firstSpecial = 23;
/** PTE_MARKER_* (include/linux/swapops.h), by bit. */
const markers = ['uffd-wp', 'poisoned', 'guard'];

/**
 * What an entry that looks as of a swapped-out page says where it is none: `guard`, `poisoned`, or its bare numbers for
 * those that stand for other things (pages that move, or of devices, or broken ones). Null for a swapped-out page.
 */
export function specialEntry(kernel: Kernel, { type, offset }: SwapSlot): string | null {
  if (
    type < firstSpecial ||
    kernel.faults.attempt('swap areas', () => swapAreas(kernel), []).some((one) => one.type === type)
  ) {
    return null;
  }
  // the last type is SWP_PTE_MARKER since 5.19, where there are markers
  if (type === 31 && kernel.types.find('pte_marker') !== null) {
    const named = markers.filter((_, bit) => ((offset >> BigInt(bit)) & 1n) === 1n);
    if (named.length > 0) return named.join(' ');
  }
  return `type ${type}, offset ${offset}`;
}
