// What modules may use of the kernel, functions and data, found by searching: kernels that leave data out of kallsyms
// (no CONFIG_KALLSYMS_ALL) have its names here all the same (include/linux/export.h, include/asm-generic/export.h).
//
//   __ksymtab: struct kernel_symbol, by name; then another run of them for GPL modules (until 7.0)
//     { s32 value, name, namespace }   distances from each field itself          since 7290d5809571 (4.19), namespace 5.4
//     { u64 value, name }              addresses                                 before
//   __ksymtab_strings: the names, each ended by NUL
//
// A name that every kernel exports is looked for, then the entry that refers to it, then the table around the entry.
import type { VirtAddr } from '../base/address.ts';
import { virtAddr } from '../base/address.ts';
import type { ImageBytes } from './image_bytes.ts';

export interface ExportedSymbol {
  readonly name: string;
  /** Virtual address; of a per-CPU variable, the symbol's value. */
  readonly address: VirtAddr;
}

/** Exported by every kernel, some for as long as there are modules. */
const anchors: readonly string[] = ['init_task', 'kfree', 'jiffies', 'memcpy'];
/** Longest name: KSYM_NAME_LEN. */
const maxName = 512;
/** Most entries believed: kernels have some 20,000. */
const maxEntries = 500_000;
/** Entries that a table has at least. */
const minEntries = 100;
/** Runs that are each in order of names: `__ksymtab`, `__ksymtab_gpl`, and others that older kernels had between. */
const maxRuns = 6;

/** How entries are laid out: bytes from one to the next, and whether fields are distances or addresses. */
interface Form {
  readonly stride: number;
  readonly relative: boolean;
}

const forms: readonly Form[] = [
  { stride: 12, relative: true },
  { stride: 8, relative: true },
  { stride: 24, relative: false },
  { stride: 16, relative: false },
];

/** The exported symbols in a stretch of the image; null where no table is found. */
export function findExports(image: ImageBytes): readonly ExportedSymbol[] | null {
  const names = new Set<number>();
  for (const anchor of anchors) {
    for (const at of image.occurrences(Buffer.from(`${anchor}\0`, 'latin1'))) names.add(at);
  }
  const table = new Table(image);
  for (const { nameField, relative } of referrers(image, names)) {
    for (const form of forms) {
      if (form.relative !== relative) continue;
      const found = table.around(nameField - (relative ? 4 : 8), form);
      if (found !== null) return found;
    }
  }
  return null;
}

/** Fields of the image that refer to one of the offsets. */
function* referrers(
  image: ImageBytes,
  targets: ReadonlySet<number>,
): Iterable<{ readonly nameField: number; readonly relative: boolean }> {
  const { bytes, start } = image;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const high = Number(start >> 32n) | 0;
  const low = Number(start & 0xffff_ffffn) | 0;
  // most words are no candidate by their lower bits alone
  const mask = 0xffff;
  const candidates = new Uint8Array(mask + 1);
  for (const target of targets) candidates[target & mask] = 1;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const distance = i * 4 + word;
    if (candidates[distance & mask] === 1 && targets.has(distance)) yield { nameField: i * 4, relative: true };
    const offset = (word - low) | 0;
    // an address of the image has its upper half, unless the image crosses 4 GiB, which none does
    if (candidates[offset & mask] === 1 && words[i + 1] === high && i % 2 === 0 && targets.has(offset)) {
      yield { nameField: i * 4, relative: false };
    }
  }
}

class Table {
  private readonly image: ImageBytes;
  private readonly view: DataView;

  constructor(image: ImageBytes) {
    this.image = image;
    this.view = new DataView(image.bytes.buffer, image.bytes.byteOffset, image.bytes.byteLength);
  }

  /** The whole table around one entry; null if it is none. */
  around(entry: number, form: Form): ExportedSymbol[] | null {
    const symbols: ExportedSymbol[] = [];
    let first = entry;
    while (first >= form.stride && this.symbol(first - form.stride, form) !== null) first -= form.stride;
    let runs = 1;
    for (let at = first; symbols.length < maxEntries; at += form.stride) {
      const symbol = this.symbol(at, form);
      if (symbol === null) break;
      const last = symbols.at(-1);
      if (last !== undefined && last.name >= symbol.name && ++runs > maxRuns) return null;
      symbols.push(symbol);
    }
    return symbols.length < minEntries ? null : symbols;
  }

  /** The entry at an offset; null if it is none. */
  private symbol(at: number, { relative, stride }: Form): ExportedSymbol | null {
    if (at < 0 || at + stride > this.view.byteLength) return null;
    const field = (offset: number): bigint =>
      relative
        ? this.image.start + BigInt(at + offset + this.view.getInt32(at + offset, true))
        : this.view.getBigUint64(at + offset, true);
    const name = this.name(Number(field(relative ? 4 : 8) - this.image.start));
    return name === null ? null : { name, address: virtAddr(BigInt.asUintN(64, field(0))) };
  }

  /** A name at an offset, which may be the end of a longer one; null if there is none that C would take. */
  private name(at: number): string | null {
    const { bytes } = this.image;
    if (at <= 0 || at >= bytes.length) return null;
    let end = at;
    while (end < bytes.length && end - at < maxName && isNameByte(bytes[end]!)) end++;
    if (end === at || bytes[end] !== 0) return null;
    return Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString('latin1');
  }
}

function isNameByte(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x5f ||
    byte === 0x2e ||
    byte === 0x24
  );
}
