// The symbol table of an ELF file (.symtab): which symbols there are and where, without building all of them.
import { FormatError } from '../../base/errors.ts';
import type { ElfFile } from './elf_file.ts';
import { type ElfSection, sectionTypes } from './elf_section.ts';
import type { SectionBytes } from './section_bytes.ts';

const entrySize = 24; // Elf64_Sym
/** Most symbols believed: a kernel with everything built in has some 500,000. */
const mostSymbols = 8_000_000;
const bindings: Readonly<Record<number, 'local' | 'global' | 'weak'>> = { 0: 'local', 1: 'global', 2: 'weak' };
const sttSection = 3;
const sttFile = 4;

export interface ElfSymbol {
  readonly name: string;
  /** Virtual address; in relocatable files, the offset in its section. */
  readonly value: bigint;
  /** Bytes; 0 if unknown. */
  readonly size: number;
  /** The section that it lies in; 0 for an undefined one, 0xfff1 and others of ELF's special numbers as they are. */
  readonly section: number;
  readonly type: number;
  /** Seen by other units: not static; weak: where nobody else defines it. */
  readonly binding: 'local' | 'global' | 'weak';
}

export class ElfSymbols {
  readonly count: number;
  private readonly entries: DataView;
  private readonly strings: SectionBytes;
  private byName: Map<string, number[]> | null = null;

  /** The symbols of a file; null if it has been stripped of them. @throws FormatError for a table that is cut off */
  static of(file: ElfFile): ElfSymbols | null {
    const table = file.sections.find((section) => section.type === sectionTypes.symbols && section.fileSize > 0);
    return table === undefined ? null : new ElfSymbols(file, table);
  }

  /** @throws FormatError */
  constructor(file: ElfFile, table: ElfSection) {
    const strings = file.sections[table.link];
    if (strings === undefined)
      throw new FormatError(`${table.name} of ${file.path}`, `strings in section ${table.link}`);
    const content = file.content(table);
    this.count = Math.floor(content.size / entrySize);
    if (this.count > mostSymbols) throw new FormatError(content.what, `${this.count} symbols is out of range`);
    const bytes = content.read(0, this.count * entrySize);
    this.entries = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.strings = file.content(strings);
  }

  /** The symbol at a position. @throws FormatError */
  symbol(index: number): ElfSymbol {
    const at = index * entrySize;
    if (!(index >= 0) || index >= this.count) throw new FormatError(this.strings.what, `no symbol ${index}`);
    return {
      name: this.strings.text(this.entries.getUint32(at, true)),
      type: this.entries.getUint8(at + 4) & 0xf,
      binding: bindings[this.entries.getUint8(at + 4) >> 4] ?? 'global',
      section: this.sectionOf(index),
      value: this.entries.getBigUint64(at + 8, true),
      size: Number(this.entries.getBigUint64(at + 16, true)),
    };
  }

  sectionOf(index: number): number {
    return this.entries.getUint16(index * entrySize + 6, true);
  }

  valueOf(index: number): bigint {
    return this.entries.getBigUint64(index * entrySize + 8, true);
  }

  /** Every symbol that has a name and a place, in the table's order. Names that cannot be read are left out. */
  *all(): Generator<ElfSymbol> {
    for (let index = 1; index < this.count; index++) {
      const type = this.entries.getUint8(index * entrySize + 4) & 0xf;
      const nameAt = this.entries.getUint32(index * entrySize, true);
      if (type === sttSection || type === sttFile || nameAt === 0 || nameAt >= this.strings.size) continue;
      if (this.sectionOf(index) !== 0) yield this.symbol(index);
    }
  }

  /** Every symbol of that name. */
  find(name: string): ElfSymbol[] {
    if (this.byName === null) {
      this.byName = new Map();
      for (let index = 1; index < this.count; index++) {
        const nameAt = this.entries.getUint32(index * entrySize, true);
        const type = this.entries.getUint8(index * entrySize + 4) & 0xf;
        if (type === sttFile || nameAt === 0 || nameAt >= this.strings.size || this.sectionOf(index) === 0) continue;
        const text = this.strings.text(nameAt);
        const known = this.byName.get(text);
        if (known === undefined) this.byName.set(text, [index]);
        else known.push(index);
      }
    }
    return (this.byName.get(name) ?? []).map((index) => this.symbol(index));
  }

  /** Value of the first symbol of that name, found without an index of all: for a few names. Null if there is none. */
  value(name: string): bigint | null {
    // linkers let a name share the end of a longer one
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    const offsets = new Set<number>();
    const step = 1 << 20;
    for (let at = 0; at < this.strings.size; at += step) {
      const piece = Buffer.from(this.strings.readUpTo(at, step + wanted.length));
      for (let found = piece.indexOf(wanted); found >= 0; found = piece.indexOf(wanted, found + 1))
        offsets.add(at + found);
    }
    if (offsets.size === 0) return null;
    for (let index = 1; index < this.count; index++) {
      if (offsets.has(this.entries.getUint32(index * entrySize, true)) && this.sectionOf(index) !== 0)
        return this.valueOf(index);
    }
    return null;
  }
}
