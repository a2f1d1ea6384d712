// Lines about page frames, their table entries and the VMAs that they are in, as several commands print them.
import type { SwapSlot } from '../../arch/page_walk.ts';
import type { PhysAddr, VirtAddr } from '../../base/address.ts';
import { escapeLine, escapeTerminal, hex, hex16 } from '../../base/text.ts';
import type { PageRow } from '../../kernel/page.ts';
import { center, centerRight } from '../columns.ts';

/** A page frame's words with the names of its flags. */
export interface NamedPageRow extends PageRow {
  readonly flagNames: readonly string[];
}

/** @param physicalDigits hexadecimal digits of the highest physical address */
export function pageRowsHeader(physicalDigits: number): string {
  const columns = [
    center('PAGE', 16),
    'PHYSICAL'.padStart(Math.max(8, physicalDigits)),
    centerRight('MAPPING', 16),
    centerRight('INDEX', 8),
  ];
  return `${columns.join(' ')}CNT FLAGS\n`;
}

export function pageRowText(row: NamedPageRow, physicalDigits: number): string {
  const { page, physical, mapping, index, count, flags, flagNames } = row;
  const columns = [
    hex16(page),
    hex(physical).padStart(Math.max(8, physicalDigits)),
    hex(mapping).padStart(16),
    hex(index).padStart(8),
    String(count).padStart(2),
    hex(flags),
  ];
  return `${columns.join(' ')}${flagNames.length === 0 ? '' : ` ${flagNames.join(',')}`}\n`;
}

/** What an entry of a page table says of the page that it maps, or of where that page is. */
export interface EntryData {
  readonly value: bigint;
  readonly present: boolean;
  readonly physical: PhysAddr | null;
  readonly flags: readonly string[];
  readonly swap: SwapSlot | null;
  /** Name of the swap area that holds it; null where it is not known, and for a page that is there. */
  readonly swapFile: string | null;
}

/** The two lines about an entry. */
export function entryText({ value, present, physical, flags, swap, swapFile }: EntryData): string {
  const word = hex(value);
  const width = Math.max(3, word.length);
  if (!present && swap !== null) {
    const area = swapFile === null ? `(type ${swap.type})` : escapeTerminal(swapFile);
    const columns = Math.max(4, area.length);
    return (
      `${center('PTE', width)}  ${center('SWAP', columns)}  OFFSET\n` +
      `${word.padStart(width)}  ${area.padEnd(columns)}  ${String(swap.offset).padStart(6)}\n`
    );
  }
  if (physical === null)
    return `${center('PTE', width)}  ${center('PHYSICAL', 8)}  FLAGS\n${center(word, width)}  ${centerRight('0', 8)}  (no mapping)\n`;
  const at = hex(physical);
  const digits = Math.max(8, at.length);
  return (
    `${center('PTE', width)}  ${center('PHYSICAL', digits)}  FLAGS\n` +
    `${word.padStart(width)}  ${at === '0' ? centerRight(at, digits) : at.padStart(digits)}  (${flags.join('|')})\n`
  );
}

/** The VMA that an address lies in. */
export interface VmaData {
  /** Virtual address of the `struct vm_area_struct`. */
  readonly address: VirtAddr;
  readonly start: VirtAddr;
  readonly end: VirtAddr;
  readonly flags: bigint;
  /** Path of the file that it maps; null for anonymous memory. */
  readonly file: string | null;
}

export const vmaHeader = `${center('VMA', 16)} ${centerRight('START', 10)} ${centerRight('END', 10)}  FLAGS FILE\n`;

export function vmaText({ address, start, end, flags, file }: VmaData): string {
  return `${hex16(address)} ${hex(start).padStart(10)} ${hex(end).padStart(10)} ${hex(flags).padStart(6)} ${escapeLine(file ?? '')}\n`;
}
