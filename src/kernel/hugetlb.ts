// include/linux/hugetlb.h: pools of huge pages that were set aside (hugetlbfs).
import type { VirtAddr } from '../base/address.ts';
import type { Kernel } from './kernel.ts';

/** The pool of one size of huge page: a `struct hstate`. Counts are of huge pages. */
export interface HugePagePool {
  /** Virtual address of the `struct hstate`. */
  readonly address: VirtAddr;
  readonly name: string;
  /** log2 of the ordinary pages in a huge page. */
  readonly order: number;
  readonly free: number;
  readonly total: number;
  /** Promised to mappings, and not yet taken. */
  readonly reserved: number;
  /** More than the pool was set to have. */
  readonly surplus: number;
}

/** HUGE_MAX_HSTATE is 2 to 4 wherever it is defined. */
const maxHugeSizes = 16;
/** Largest order believed: 16 GiB pages have 22. */
const maxOrder = 30;

/** The pools, in the kernel's order; none for a kernel without CONFIG_HUGETLBFS. @throws MemoryFault */
export function hugePagePools(kernel: Kernel): HugePagePool[] {
  const sizes = kernel.optionalVariable('hugetlb_max_hstate');
  const states = kernel.optionalVariable('hstates');
  if (states === null) return [];
  const pools: HugePagePool[] = [];
  for (let i = 0; i < Math.min(maxHugeSizes, sizes?.number() ?? maxHugeSizes); i++) {
    const state = states.index(i);
    // where nothing tells how many there are, the first that was not set up is past them
    if (sizes === null && !/^hugepages-\d/.test(state.member('name').string(64))) break;
    const order = state.member('order').number();
    if (order > maxOrder) continue;
    pools.push({
      address: state.address,
      name: state.member('name').string(64),
      order,
      free: state.member('free_huge_pages').number(),
      total: state.member('nr_huge_pages').number(),
      reserved: state.member('resv_huge_pages').number(),
      surplus: state.member('surplus_huge_pages').number(),
    });
  }
  return pools;
}

/** Ordinary pages in all pools; null for a kernel without them. @throws MemoryFault */
export function hugePagesTotal(kernel: Kernel): number | null {
  if (kernel.optionalVariable('hstates') === null) return null;
  return hugePagePools(kernel).reduce((sum, { total, order }) => sum + total * 2 ** order, 0);
}
