// kmem -p, -m: the struct page of every page frame, or chosen members of it.
import { type Pfn, pfn, type VirtAddr } from '../../../base/address.ts';
import { UsageError } from '../../../base/errors.ts';
import { escapeTerminal, hex, hex16 } from '../../../base/text.ts';
import { findMember, sizeOf, strip, type Type } from '../../../debuginfo/type.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { memoryModel } from '../../../kernel/memory_model.ts';
import { type PageRow, pageFlagNames, pageRow, pageRows } from '../../../kernel/page.ts';
import { center } from '../../columns.ts';
import type { Answer } from '../../command.ts';
import type { CommandContext } from '../../context.ts';
import { type NamedPageRow, pageRowsHeader, pageRowText } from '../page_rows.ts';

export interface PagesHead {
  readonly kind: 'pages';
  /** Hexadecimal digits of the highest physical address. */
  readonly physicalDigits: number;
  /** Members that are shown in place of the usual words (-m). */
  readonly members: readonly string[] | null;
}

export interface PageItem extends NamedPageRow {
  readonly kind: 'page';
  /** With -m: the members' values, in the order of the head; null for one that cannot be read. */
  readonly values: readonly (bigint | null)[] | null;
}

/** Hexadecimal digits of the highest physical address. */
export function physicalDigits({ dump }: Kernel): number {
  return hex(dump.memory.maxPfn * dump.memory.pageSize).length;
}

/**
 * @param frames those wanted; null for all
 * @throws UsageError for a member that struct page has not
 */
export function collectPages(
  { kernel }: CommandContext,
  frames: readonly Pfn[] | null,
  members: readonly string[] | null,
): Answer<PagesHead, PageItem, null> {
  const readers = members === null ? null : members.map((path) => memberReader(kernel, path));
  const head: PagesHead = { kind: 'pages', physicalDigits: physicalDigits(kernel), members };
  const names = new Map<bigint, readonly string[]>();
  const item = (row: PageRow): PageItem => {
    // most pages have the same few flags
    let flagNames = names.get(row.flags);
    if (flagNames === undefined) {
      flagNames = pageFlagNames(kernel, row.flags);
      if (names.size < 4096) names.set(row.flags, flagNames);
    }
    return { kind: 'page', ...row, flagNames, values: readers?.map((read) => read(row.page)) ?? null };
  };
  function* items(): Generator<PageItem, null> {
    if (frames === null) for (const row of pageRows(kernel, pfn(0), pfn(kernel.dump.memory.maxPfn))) yield item(row);
    else {
      for (const frame of frames) {
        const row = rowOf(kernel, frame);
        if (row !== null) yield item(row);
      }
    }
    return null;
  }
  return { head, items: items() };
}

function rowOf(kernel: Kernel, frame: Pfn): PageRow | null {
  const page = memoryModel(kernel)?.pageStruct(frame) ?? null;
  return page === null ? null : kernel.faults.attempt('struct page', () => pageRow(kernel, page), null);
}

/** The row of one page frame, with the names of its flags; null where it has no `struct page` that can be read. */
export function pageItem(kernel: Kernel, frame: Pfn): PageItem | null {
  const row = rowOf(kernel, frame);
  return row === null ? null : { kind: 'page', ...row, flagNames: pageFlagNames(kernel, row.flags), values: null };
}

/** Reads a member of a `struct page` as a number; of a struct, its first word. */
function memberReader(kernel: Kernel, path: string): (page: VirtAddr) => bigint | null {
  const type = kernel.type('struct page');
  const place = findMember(type, path);
  if (place === null) throw new UsageError(`struct page has no member ${escapeTerminal(path)}`);
  const scalar = firstScalar(place.type);
  return (page) =>
    kernel.faults.attempt(
      'member of a page',
      () => {
        const object = kernel.object(type, page).member(path);
        return scalar ? BigInt.asUintN(sizeOf(place.type) * 8, object.bigint()) : kernel.space.u64(object.address);
      },
      null,
    );
}

function firstScalar(type: Type): boolean {
  const { kind } = strip(type);
  return kind === 'int' || kind === 'pointer' || kind === 'enum';
}

export function pagesHeader({ physicalDigits: digits, members }: PagesHead): string {
  if (members === null) return pageRowsHeader(digits);
  return `${center('PAGE', 16)}  ${members.map((name) => center(escapeTerminal(name), 16)).join('  ')}\n`;
}

export function pageItemText(item: PageItem, head: PagesHead): string {
  if (item.values === null) return pageRowText(item, head.physicalDigits);
  const words = item.values.map((value) => (value === null ? '?' : hex(value)).padStart(16));
  return `${hex16(item.page)}  ${words.join('  ')}\n`;
}
