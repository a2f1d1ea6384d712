// Relocations of modules: a .ko is linked by the kernel that loads it, so addresses in its debug information are
// zeroes with a note on what to add ("apply_relocate_add" of arch/x86/kernel/module.c and arch/arm64/kernel/module.c
// does it for code). Here they are applied to the bytes of a section as they are read.
import { FormatError } from '../../base/errors.ts';
import type { ElfFile } from './elf_file.ts';
import { type ElfSection, sectionFlags, sectionTypes } from './elf_section.ts';
import { SectionBytes } from './section_bytes.ts';
import { ElfSymbols } from './symbols.ts';

/** Where sections lie, by their index; null for one that is not loaded. */
export type SectionAddress = (section: number) => bigint | null;

/** What a relocation type does to how many bytes; the types that debug sections have. */
interface RelocationKind {
  readonly size: 4 | 8;
  /** True: relative to the place itself. */
  readonly relative: boolean;
}

// R_X86_64_64, _PC32, _32, _32S, _PC64; R_AARCH64_ABS64, _ABS32, _PREL64, _PREL32
const kinds: Readonly<Record<string, Readonly<Record<number, RelocationKind>>>> = {
  x86_64: {
    1: { size: 8, relative: false },
    2: { size: 4, relative: true },
    10: { size: 4, relative: false },
    11: { size: 4, relative: false },
    24: { size: 8, relative: true },
  },
  aarch64: {
    257: { size: 8, relative: false },
    258: { size: 4, relative: false },
    260: { size: 8, relative: true },
    261: { size: 4, relative: true },
  },
};

const entrySize = 24; // Elf64_Rela
const entriesPerRead = 4096;
/** Most relocations that are sorted in memory, where a file does not have them in order. */
const mostUnsorted = 4_000_000;

/** Gives the content of sections of a relocatable file with their relocations applied. */
export class Relocator {
  private readonly file: ElfFile;
  private readonly addressOf: SectionAddress;
  private readonly symbols: ElfSymbols | null;
  private readonly kinds: Readonly<Record<number, RelocationKind>>;

  /** @throws FormatError for a symbol table that is cut off */
  constructor(file: ElfFile, addressOf: SectionAddress) {
    this.file = file;
    this.addressOf = addressOf;
    this.symbols = ElfSymbols.of(file);
    this.kinds = kinds[file.machine] ?? {};
  }

  /** @throws FormatError as `ElfFile.content` */
  content(section: ElfSection): SectionBytes {
    const plain = this.file.content(section);
    const table = this.file.sections.find(({ type, info }) => type === sectionTypes.rela && info === section.index);
    if (table === undefined || this.symbols === null) return plain;
    const entries = new RelocationTable(this.file.content(table));
    const place = this.addressOf(section.index) ?? 0n;
    return new SectionBytes(plain.what, plain.size, (offset, into) => {
      into.set(plain.readUpTo(offset, into.length));
      entries.eachBetween(offset - 7, offset + into.length, (at, type, symbol, addend) => {
        this.apply(into, at - offset, type, symbol, addend, place + BigInt(at));
      });
    });
  }

  /** @param at of the first changed byte in `bytes`; some of those changed may lie outside */
  private apply(bytes: Uint8Array, at: number, type: number, symbol: number, addend: bigint, place: bigint): void {
    const kind = this.kinds[type];
    if (kind === undefined || symbol >= this.symbols!.count) return;
    const section = this.symbols!.sectionOf(symbol);
    // of code that was not loaded (.init.text after boot) nothing is known: 0 marks what is gone. What refers to another
    // section of debug information means an offset in it.
    const isLoaded = ((this.file.sections[section]?.flags ?? 0) & sectionFlags.alloc) !== 0;
    const base = isLoaded ? this.addressOf(section) : 0n;
    let value = 0n;
    if (base !== null) value = base + this.symbols!.valueOf(symbol) + addend - (kind.relative ? place : 0n);
    value = BigInt.asUintN(64, value);
    for (let i = 0; i < kind.size; i++, value >>= 8n) {
      if (at + i >= 0 && at + i < bytes.length) bytes[at + i] = Number(value & 0xffn);
    }
  }
}

type Visit = (offset: number, type: number, symbol: number, addend: bigint) => void;

/** The entries of one relocation section by ascending offset, read as they are needed. */
class RelocationTable {
  private readonly content: SectionBytes;
  private readonly count: number;
  /** Positions by ascending offset, where the file has them in another order; null where it does not. */
  private order: Uint32Array | null = null;

  constructor(content: SectionBytes) {
    this.content = content;
    this.count = Math.floor(content.size / entrySize);
    if (!this.isSorted()) this.sort();
  }

  /** Every entry whose offset is in [from, to). */
  eachBetween(from: number, to: number, visit: Visit): void {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetAt(middle) < from) low = middle + 1;
      else high = middle;
    }
    if (this.order !== null) {
      for (let i = low; i < this.count; i++) if (!this.visitAt(this.order[i]!, to, visit)) return;
      return;
    }
    for (let i = low; i < this.count; i += entriesPerRead) {
      const bytes = this.content.readUpTo(i * entrySize, entriesPerRead * entrySize);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + entrySize <= bytes.length; at += entrySize) if (!entry(view, at, to, visit)) return;
    }
  }

  private visitAt(index: number, to: number, visit: Visit): boolean {
    const bytes = this.content.read(index * entrySize, entrySize);
    return entry(new DataView(bytes.buffer, bytes.byteOffset, entrySize), 0, to, visit);
  }

  private offsetAt(position: number): number {
    const bytes = this.content.read((this.order?.[position] ?? position) * entrySize, 8);
    return offsetOf(new DataView(bytes.buffer, bytes.byteOffset, 8), 0);
  }

  private isSorted(): boolean {
    let last = -1;
    for (const offset of this.offsets()) {
      if (offset < last) return false;
      last = offset;
    }
    return true;
  }

  private sort(): void {
    if (this.count > mostUnsorted) throw new FormatError(this.content.what, `${this.count} relocations in no order`);
    const offsets = Float64Array.from(this.offsets());
    this.order = Uint32Array.from(offsets.keys()).sort((a, b) => offsets[a]! - offsets[b]!);
  }

  private *offsets(): Generator<number> {
    for (let i = 0; i < this.count; i += entriesPerRead) {
      const bytes = this.content.readUpTo(i * entrySize, entriesPerRead * entrySize);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + entrySize <= bytes.length; at += entrySize) yield offsetOf(view, at);
    }
  }
}

/** Visits an entry that is below `to`; false for one that is not. */
function entry(view: DataView, at: number, to: number, visit: Visit): boolean {
  const offset = offsetOf(view, at);
  if (offset >= to) return false;
  visit(offset, view.getUint32(at + 8, true), view.getUint32(at + 12, true), view.getBigInt64(at + 16, true));
  return true;
}

function offsetOf(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
