// include/linux/mm_types.h, include/linux/page-flags.h: the words of a `struct page`, as they are, and the names of its
// flags. What a page was used for is judged in page_kind.ts.
import { offsetBy, type Pfn, type PhysAddr, pfn, physAddr, type VirtAddr } from '../base/address.ts';
import { framesPerNode } from '../base/budget.ts';
import { layout, type Rows } from '../debuginfo/layout.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { kindOf, pageFrames } from './page_kind.ts';
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

const layouts = perKernel((kernel) => {
  const type = kernel.type('struct page');
  const among = (...paths: string[]): string => paths.find((path) => findMember(type, path) !== null) ?? paths[0]!;
  return layout(type, {
    flags: among('flags.f', 'flags'), // within a struct of its own since 53fbef56e07d (6.18)
    mapping: 'mapping',
    index: among('index', '__folio_index'), // acc53a0b4c15, 6.18
    count: among('_refcount.counter', '_count.counter'), // 0139aa7b7fa1, 4.7
  });
});

/** `struct page`s read at a time. */
const windowRows = 4096;

/** The row of a `struct page`; null where no page frame has its struct there. @throws MemoryFault, NotFoundError */
export function pageRow(kernel: Kernel, page: VirtAddr): PageRow | null {
  const frame = memoryModel(kernel)?.pfnOf(page) ?? null;
  if (frame === null) return null;
  const rows = layouts(kernel).read(kernel.space, page, 1);
  if (rows.fault !== null) throw rows.fault;
  return rowOf(rows, 0, page, frame * kernel.dump.memory.pageSize);
}

/** The rows of page frames [from, to), ascending. Frames whose `struct page` cannot be read are left out. @throws NotFoundError */
export function* pageRows(kernel: Kernel, from: Pfn, to: Pfn): Generator<PageRow> {
  const pageLayout = layouts(kernel);
  const { pageSize } = kernel.dump.memory;
  for (const run of memoryModel(kernel)?.runs(from, to) ?? []) {
    for (let done = 0; done < run.count; done += windowRows) {
      const first = run.first + done;
      const count = Math.min(windowRows, run.count - done);
      kernel.work.charge('nodes', count / framesPerNode);
      const at = offsetBy(run.base, BigInt(first) * BigInt(pageLayout.size));
      const rows = pageLayout.read(kernel.space, at, count);
      for (let i = 0; i < count; i++) {
        if (rows.readable(i)) yield rowOf(rows, i, offsetBy(at, i * pageLayout.size), (first + i) * pageSize);
      }
    }
  }
}

function rowOf(
  rows: Rows<'flags' | 'mapping' | 'index' | 'count'>,
  row: number,
  page: VirtAddr,
  physical: number,
): PageRow {
  const { at } = rows;
  return {
    page,
    physical: physAddr(physical),
    mapping: at.mapping < 0 ? 0n : rows.u64(row, at.mapping),
    index: at.index < 0 ? 0n : rows.u64(row, at.index),
    count: at.count < 0 ? 0 : rows.words[row * rows.stride + at.count]! | 0,
    flags: at.flags < 0 ? 0n : rows.u64(row, at.flags),
  };
}

/**
 * Pages that more than one holds, by their counts of references: of files and processes, and what the kernel itself holds
 * more than once, as drivers' buffers; null where the kernel does not tell what its pages are. Pages whose `struct page` cannot be read are not counted. @throws NotFoundError
 */
export function sharedPages(kernel: Kernel): number | null {
  const frames = pageFrames(kernel);
  if (frames === null) return null;
  const pageLayout = layouts(kernel);
  let shared = 0;
  let rows: Rows<'flags' | 'mapping' | 'index' | 'count'> | null = null;
  for (const run of frames.model.runs(pfn(0), pfn(kernel.dump.memory.maxPfn))) {
    for (let done = 0; done < run.count; done += windowRows) {
      const first = pfn(run.first + done);
      const count = Math.min(windowRows, run.count - done);
      kernel.work.charge('nodes', count / framesPerNode);
      const kinds = frames.classify(first, count);
      rows = pageLayout.read(kernel.space, offsetBy(run.base, BigInt(first) * BigInt(pageLayout.size)), count, rows);
      for (let i = 0; i < count; i++) {
        const kind = kindOf(kinds[i]!);
        if (kind !== 'cache' && kind !== 'anonymous' && kind !== 'hugetlb' && kind !== 'kernel') continue;
        if ((rows.words[i * rows.stride + rows.at.count]! | 0) > 1) shared++;
      }
    }
  }
  return shared;
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
