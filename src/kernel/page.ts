// include/linux/mm_types.h, include/linux/page-flags.h: the words of a `struct page`, as they are, and the names of its
// flags. What a page was used for is judged in page_kind.ts.
import { type PhysAddr, physAddr, type VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { perKernel } from './per_kernel.ts';

/** One page frame as its `struct page` describes it. Words that this kernel's pages have not are 0. */
export interface PageRow {
  /** Virtual address of the `struct page`. */
  readonly page: VirtAddr;
  /** Physical address of the page frame. */
  readonly physical: PhysAddr;
  /** Meaning depends on what the page is used for. */
  readonly mapping: bigint;
  readonly index: bigint;
  /** References: _refcount. */
  readonly count: number;
  readonly flags: bigint;
}

/** Where the words of a row lie in a `struct page`, in bytes; -1: this kernel has none. */
export function rowMembers(page: KernelObject): {
  readonly flags: KernelObject | null;
  readonly mapping: KernelObject | null;
  readonly index: KernelObject | null;
  readonly count: KernelObject | null;
} {
  return {
    // within a struct of its own since 53fbef56e07d (6.18)
    flags: page.optional('flags.f') ?? page.optional('flags'),
    mapping: page.optional('mapping'),
    index: page.optional('index') ?? page.optional('__folio_index'), // acc53a0b4c15, 6.18
    count: page.optional('_refcount.counter') ?? page.optional('_count.counter'), // 0139aa7b7fa1, 4.7
  };
}

/** The row of a `struct page`; null where no page frame has its struct there. @throws MemoryFault, NotFoundError */
export function pageRow(kernel: Kernel, page: VirtAddr): PageRow | null {
  const frame = memoryModel(kernel)?.pfnOf(page) ?? null;
  if (frame === null) return null;
  const { flags, mapping, index, count } = rowMembers(kernel.object('struct page', page));
  return {
    page,
    physical: physAddr(frame * kernel.dump.memory.pageSize),
    mapping: mapping?.bigint() ?? 0n,
    index: index?.bigint() ?? 0n,
    count: count?.number() ?? 0,
    flags: flags?.bigint() ?? 0n,
  };
}

/** A flag of page.flags. */
export interface PageFlag {
  /** `PG_locked` */
  readonly name: string;
  readonly bit: number;
}

/** More flags than a word has room for are none. */
const wordBits = 64n;

/**
 * enum pageflags in the kernel's order: each flag, then other names of the same bits. Empty where types do not tell.
 */
export const pageFlags = perKernel((kernel): readonly PageFlag[] => {
  const type = kernel.types.find('enum pageflags');
  if (type?.kind !== 'enum') return [];
  return type.values
    .filter(({ name, value }) => name !== '__NR_PAGEFLAGS' && value >= 0n && value < wordBits)
    .map(({ name, value }) => ({ name, bit: Number(value) }));
});

/** Names of the flags that are set, without `PG_`, the first name of each bit, by ascending bit. */
export function pageFlagNames(kernel: Kernel, flags: bigint): string[] {
  const names = new Map<number, string>();
  for (const { name, bit } of pageFlags(kernel)) {
    if ((flags >> BigInt(bit)) & 1n && !names.has(bit)) names.set(bit, name.replace(/^PG_/, ''));
  }
  return [...names.entries()].sort(([a], [b]) => a - b).map(([, name]) => name);
}
