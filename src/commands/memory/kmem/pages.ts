// kmem -p, -m: the struct page of every page frame, or chosen members of it.
import { offsetBy, type Pfn, pfn, type VirtAddr } from '../../../base/address.ts';
import { UsageError } from '../../../base/errors.ts';
import { escapeTerminal, hex, hex16 } from '../../../base/text.ts';
import { findMember, sizeOf, strip } from '../../../debuginfo/type.ts';
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
  /** Members that are shown in place of the usual words (-m), each with the bytes of one of its words. */
  readonly members:
    | readonly {
        readonly name: string;
        readonly bytes: number;
        readonly shown: 'hexadecimal' | 'unsigned' | 'signed';
      }[]
    | null;
}

export interface PageItem extends NamedPageRow {
  readonly kind: 'page';
  /** With -m: the members' values, in the order of the head, those of structs as words; null for one that cannot be read. */
  readonly values: readonly (readonly bigint[] | null)[] | null;
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
  const head: PagesHead = { kind: 'pages', physicalDigits: physicalDigits(kernel), members: readers };
  const names = new Map<bigint, readonly string[]>();
  const item = (row: PageRow): PageItem => {
    // most pages have the same few flags
    let flagNames = names.get(row.flags);
    if (flagNames === undefined) {
      flagNames = pageFlagNames(kernel, row.flags);
      if (names.size < 4096) names.set(row.flags, flagNames);
    }
    return { kind: 'page', ...row, flagNames, values: readers?.map(({ read }) => read(row.page)) ?? null };
  };
  function* items(): Generator<PageItem, null> {
    if (frames === null) {
      // the last section has all its `struct page`s, memory behind them or not
      const { maxPfn } = kernel.dump.memory;
      const pages = memoryModel(kernel)?.pagesPerSection ?? 1;
      for (const row of pageRows(kernel, pfn(0), pfn(Math.ceil(maxPfn / pages) * pages))) yield item(row);
    } else {
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

interface MemberReader {
  readonly name: string;
  /** Of the member or, of a struct, of each of its words. */
  readonly bytes: number;
  readonly shown: 'hexadecimal' | 'unsigned' | 'signed';
  readonly read: (page: VirtAddr) => readonly bigint[] | null;
}

/** Reads a member of a `struct page` as a number; of a struct, as its words. */
function memberReader(kernel: Kernel, path: string): MemberReader {
  const type = kernel.type('struct page');
  const place = findMember(type, path);
  if (place === null) throw new UsageError(`struct page has no member ${escapeTerminal(path)}`);
  const size = sizeOf(place.type);
  const scalar = strip(place.type);
  const isScalar = scalar.kind === 'int' || scalar.kind === 'pointer' || scalar.kind === 'enum';
  // a structure as words, an atomic_t as one of its size
  const bytes = isScalar || size < 8 ? size : 8;
  const words = isScalar ? 1 : Math.min(Math.floor(size / 8), 8) || 1;
  const read = (page: VirtAddr): readonly bigint[] => {
    const object = kernel.object(type, page).member(path);
    if (isScalar) return [BigInt.asUintN(size * 8, object.bigint())];
    return Array.from({ length: words }, (_, i) =>
      kernel.space
        .read(offsetBy(object.address, i * bytes), bytes)
        .reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n),
    );
  };
  return {
    name: path,
    bytes,
    // flags and structures are bits; a count of mappings is one
    shown:
      path === '_mapcount'
        ? 'signed'
        : scalar.kind !== 'int' || path === 'flags'
          ? 'hexadecimal'
          : scalar.signed
            ? 'signed'
            : 'unsigned',
    read: (page) => kernel.faults.attempt('member of a page', () => read(page), null),
  };
}

function wordText(
  word: bigint,
  { bytes, shown }: { readonly bytes: number; readonly shown: MemberReader['shown'] },
): string {
  if (shown === 'hexadecimal') return hex(word).padStart(bytes * 2, '0');
  return String(shown === 'signed' ? BigInt.asIntN(bytes * 8, word) : word);
}

export function pagesHeader({ physicalDigits: digits, members }: PagesHead): string {
  if (members === null) return pageRowsHeader(digits);
  return `${center('PAGE', 16)}  ${members.map(({ name }) => escapeTerminal(name)).join('  ')}\n`;
}

export function pageItemText(item: PageItem, head: PagesHead): string {
  if (item.values === null) return pageRowText(item, head.physicalDigits);
  const words = item.values.map((value, i) => {
    return value === null ? '?' : value.map((word) => wordText(word, head.members![i]!)).join(',');
  });
  return `${hex16(item.page)}  ${words.map((word) => `${word}  `).join('')}\n`;
}
