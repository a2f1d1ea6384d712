// A range of memory as rows of words, as `rd` and `struct -r` print it:
//
//   ffffffffa7a10940:  0000000000004000 0000000000000000   .@..............
import type { AddressSpace } from '../../arch/address_space.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import type { MemoryFault } from '../../base/errors.ts';
import { hex16 } from '../../base/text.ts';

/** Bytes in a row. */
const rowBytes = 16;

/** Bits of a word. */
export type WordSize = 8 | 16 | 32 | 64;

export interface WordRow {
  /** Virtual address, physical address or file offset of the first word. */
  readonly address: VirtAddr;
  readonly words: readonly bigint[];
  /** The bytes as characters, unprintable ones as `.`; in the order of the words' bytes in memory. */
  readonly ascii: string;
}

export interface WordRange {
  readonly rows: readonly WordRow[];
  /** What ended the range before its time. */
  readonly fault: MemoryFault | null;
}

/**
 * Reads `count` words; a page that cannot be read ends the range.
 * @param swap whether the bytes of each word are turned round (network byte order)
 * @param goesOn it goes on from another: a range of which nothing can be read is then empty, with its fault
 * @throws MemoryFault when nothing can be read
 */
export function readWords(
  space: AddressSpace,
  address: VirtAddr,
  count: number,
  size: WordSize,
  swap = false,
  goesOn = false,
): WordRange {
  const bytesPerWord = size / 8;
  const { bytes, fault } = space.readUpTo(address, count * bytesPerWord);
  if (bytes.length < bytesPerWord && fault !== null && !goesOn) throw fault;
  const rows: WordRow[] = [];
  for (let at = 0; at + bytesPerWord <= bytes.length; at += rowBytes) {
    const row = bytes.slice(at, Math.min(at + rowBytes, bytes.length - (bytes.length % bytesPerWord)));
    const words: bigint[] = [];
    for (let i = 0; i + bytesPerWord <= row.length; i += bytesPerWord) {
      const word = row.subarray(i, i + bytesPerWord);
      if (swap) word.reverse();
      words.push(littleEndian(word));
    }
    rows.push({ address: offsetBy(address, at), words, ascii: printable(row) });
  }
  return { rows, fault };
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

/** Bytes as characters; `.` for all but printable ASCII. */
export function printable(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  return text;
}

/** Widths of decimal words, by size in bits. */
const decimalWidth: Readonly<Record<WordSize, { readonly signed: number; readonly unsigned: number }>> = {
  8: { signed: 3, unsigned: 3 },
  16: { signed: 5, unsigned: 5 },
  32: { signed: 12, unsigned: 12 },
  64: { signed: 15, unsigned: 20 },
};

export interface WordFormat {
  readonly size: WordSize;
  readonly show: 'hex' | 'signed' | 'unsigned';
  readonly ascii: boolean;
  /** A word's text in place of its digits, or null. */
  readonly name?: (word: bigint) => string | null;
}

/** Rows as text. */
export function wordRowsText(rows: readonly WordRow[], format: WordFormat): string {
  const digits = format.size / 4;
  const perRow = (rowBytes * 8) / format.size;
  const width = perRow * (digits + 1);
  return rows
    .map(({ address, words, ascii }) => {
      const values = words.map((word) => `${wordText(word, digits, format)} `).join('');
      const tail =
        format.ascii && format.show === 'hex' ? `${' '.repeat(Math.max(0, width - values.length))}  ${ascii}` : '';
      return `${address.toString(16).padStart(16)}:  ${values}${tail}\n`;
    })
    .join('');
}

function wordText(word: bigint, digits: number, format: WordFormat): string {
  const name = format.name?.(word) ?? null;
  if (name !== null) return name.padEnd(16);
  const { signed, unsigned } = decimalWidth[format.size];
  switch (format.show) {
    case 'hex':
      return digits === 16 ? hex16(word) : word.toString(16).padStart(digits, '0');
    case 'signed':
      // bytes and 16-bit words are shown as they are, as crash(8) does
      return String(format.size >= 32 ? BigInt.asIntN(format.size, word) : word).padStart(signed);
    case 'unsigned':
      return String(word).padStart(unsigned);
  }
}

/** Start of a range that ends with the word at `address`. */
export function backwards(address: VirtAddr, count: number, size: WordSize): VirtAddr {
  return virtAddr(address - BigInt(count - 1) * BigInt(size / 8));
}
