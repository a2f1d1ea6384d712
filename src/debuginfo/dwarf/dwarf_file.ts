// The DWARF sections of one ELF file, and what is shared by its units. Nothing is read before it is needed, and never
// a whole section where that can be large.
//
//   .debug_info: unit | unit | ...     each a tree of entries, shaped by a table in .debug_abbrev
//   .debug_types                       units of one type each, in DWARF 4; in DWARF 5 they are in .debug_info
//   .debug_aranges, DW_AT_ranges       address -> unit          (code_index.ts)
//   .debug_line                        address -> file, line    (line_table.ts)
//   .debug_loclists, .debug_frame      where variables and registers are
//   *.dwo                              the same sections of a unit that was moved out (split_units.ts)
import { FormatError } from '../../base/errors.ts';
import { ElfFile } from '../elf/elf_file.ts';
import type { ElfSection } from '../elf/elf_section.ts';
import { Relocator, type SectionAddress } from '../elf/relocations.ts';
import { SectionBytes } from '../elf/section_bytes.ts';
import { AbbreviationTable } from './abbreviations.ts';
import type { LinkAddress } from './address.ts';
import { unitType } from './constants.ts';
import { Cursor } from './cursor.ts';
import { type Die, dieIn } from './die.ts';
import type { EntryUnit } from './entry_source.ts';
import { splitUnits } from './split_units.ts';
import { readUnit, readUnits, type Unit, type UnitFile } from './unit.ts';

/** Bytes of units kept at hand, together. The largest alone may have more. */
const unitCache = 8 * 1024 * 1024;
/** Most sections of units in one file. */
const mostInfoSections = 1000;
/** Tables of abbreviations kept. */
const tableCache = 64;

export class DwarfFile implements UnitFile {
  readonly elf: ElfFile;
  /** For messages. */
  readonly what: string;
  /** .debug_info and, behind it, DWARF 4's .debug_types. */
  readonly info: SectionBytes;
  readonly typesAt: number;
  /** Where this file's entries begin in `info`: 0 but for a .dwo file. */
  readonly base: number;
  /** Of a .dwo file: the unit that it was moved out of; else null. */
  readonly skeleton: Unit | null;
  /** What is wrong with .dwo files: damaged, or not there. */
  readonly splitProblems: FormatError[] = [];
  /** What dwz moved out of several files into one that they share; null if there is none, or it is not there. */
  readonly alternate: DwarfFile | null;
  private readonly sections = new Map<string, SectionBytes | null>();
  /** Widths of expressions: kernels that are analysed have 64 bits. */
  readonly widths = { addressSize: 8, offsetSize: 4 } as const;
  /** Where a section of a relocatable file was loaded; null for one that was not, and for other files. */
  readonly addressOf: SectionAddress;
  private readonly relocator: Relocator | null;
  private readonly cursors = new Map<Unit, Cursor>();
  private cursorBytes = 0;
  private readonly tables = new Map<string, AbbreviationTable>();
  private readonly starting = new Map<number, Unit>();
  private known: { units: Unit[]; problem: FormatError | null } | null = null;
  private signatures: Map<bigint, Unit> | null = null;
  private splits: ReadonlyMap<Unit, Unit> = new Map();

  /**
   * @param addressOf where the sections of a relocatable file were loaded; not asked of other files
   * @param split for a .dwo file: where its entries stand among those of the file that it belongs to
   * @throws FormatError for a file without debug information, or with sections that are cut off
   */
  constructor(
    elf: ElfFile,
    addressOf: SectionAddress = () => null,
    alternate: DwarfFile | null = null,
    split: { readonly skeleton: Unit; readonly base: number } | null = null,
  ) {
    this.elf = elf;
    this.skeleton = split?.skeleton ?? null;
    this.base = split?.base ?? 0;
    this.alternate = alternate;
    this.addressOf = elf.kind === 'relocatable' ? addressOf : () => null;
    this.relocator = elf.kind === 'relocatable' ? new Relocator(elf, addressOf) : null;
    const info = this.infoSections();
    if (info === null) throw new FormatError(elf.path, 'has no debug information');
    const types = this.section('.debug_types');
    this.typesAt = this.base + info.size;
    if (split !== null) this.info = SectionBytes.shifted(info, split.base);
    else this.info = types === null ? info : SectionBytes.joined(info, types);
    this.what = info.what;
  }

  /** True for a file that has DWARF: a stripped one, or one with symbols only, has not. */
  static isIn(elf: ElfFile): boolean {
    return elf.sections.some(({ name, fileSize }) => /^\.z?debug_info$/.test(name) && fileSize > 0);
  }

  /** A section by its name, or null. @throws FormatError for one that is cut off or cannot be unpacked */
  section(called: string): SectionBytes | null {
    const name = this.skeleton === null ? called : `${called}.dwo`;
    let content = this.sections.get(name);
    if (content === undefined) {
      const found = this.elf.section(name) ?? this.elf.section(name.replace('.debug_', '.zdebug_'));
      content = found === null || found.fileSize === 0 ? null : this.contentOf(found);
      this.sections.set(name, content);
    }
    return content;
  }

  private contentOf(section: ElfSection): SectionBytes {
    return this.relocator === null ? this.elf.content(section) : this.relocator.content(section);
  }

  /** All of .debug_info: what was not linked has a section of that name for each unit of a type, before the main one. */
  private infoSections(): SectionBytes | null {
    const name = this.skeleton === null ? '.debug_info' : '.debug_info.dwo';
    const all = this.elf.sections.filter((section) => section.name === name && section.fileSize > 0);
    if (all.length <= 1) return this.section('.debug_info');
    if (all.length > mostInfoSections) throw new FormatError(this.elf.path, `has ${all.length} sections ${name}`);
    return all.map((section) => this.contentOf(section)).reduceRight(SectionBytes.joined);
  }

  /** @throws FormatError if it is not there */
  needSection(name: string): SectionBytes {
    const content = this.section(name);
    if (content === null) throw new FormatError(this.elf.path, `has no section ${name}`);
    return content;
  }

  /** @throws FormatError where dwz's file is not there */
  needAlternate(): DwarfFile {
    if (this.alternate === null) throw new FormatError(this.elf.path, 'refers to a file of dwz that is not there');
    return this.alternate;
  }

  /** By ascending offset; those of .dwo files behind the file's own. */
  get units(): readonly Unit[] {
    return this.read().units;
  }

  /** What is wrong behind the last unit, or null. */
  get problem(): FormatError | null {
    return this.read().problem;
  }

  /** The unit that has the entries of one: itself, or that in the .dwo file that they were moved to. */
  whole(unit: Unit): Unit {
    if (unit.type !== unitType.skeleton || unit.file !== this) return unit;
    this.read();
    return this.splits.get(unit) ?? unit;
  }

  /** True where units have their entries in .dwo files. */
  get isSplit(): boolean {
    if (this.section('.debug_addr') === null) return false;
    this.read();
    return this.splits.size > 0;
  }

  private read(): { units: Unit[]; problem: FormatError | null } {
    if (this.known === null) {
      this.known = readUnits(this);
      // what is left of units that were moved out has its addresses there
      if (this.skeleton === null && this.section('.debug_addr') !== null) this.readSplits(this.known.units);
    }
    return this.known;
  }

  private readSplits(units: Unit[]): void {
    const split = splitUnits(this.elf.path, units, (path, skeleton, base) => {
      const file = new DwarfFile(ElfFile.open(path), () => null, null, { skeleton, base });
      if (file.problem !== null) this.splitProblems.push(file.problem);
      return file.units;
    });
    this.splits = split.of;
    this.splitProblems.push(...split.problems);
    units.push(...split.units);
  }

  /** The unit that begins at an offset of .debug_info, without a look at any other. @throws FormatError */
  unitStartingAt(offset: number): Unit {
    let unit = this.starting.get(offset);
    if (unit === undefined) {
      unit = readUnit(this, offset);
      this.starting.set(offset, unit);
    }
    return unit;
  }

  /** The unit that an offset of .debug_info lies in; null outside of all. */
  unitAt(offset: number): Unit | null {
    const { units } = this;
    let low = 0;
    let high = units.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (units[middle]!.end <= offset) low = middle + 1;
      else high = middle;
    }
    const unit = units[low];
    return unit !== undefined && unit.offset <= offset ? unit : null;
  }

  unitOf(offset: number): Unit {
    const unit = this.unitAt(offset);
    if (unit === null) throw new FormatError(this.what, `no unit at 0x${offset.toString(16)}`);
    return unit;
  }

  /** @throws FormatError */
  die(offset: number): Die {
    return dieIn(this, offset);
  }

  typeUnit(signature: bigint): { unit: Unit; offset: number } {
    if (this.signatures === null) {
      this.signatures = new Map();
      for (const unit of this.units) if (unit.signature !== null) this.signatures.set(unit.signature, unit);
    }
    const unit = this.signatures.get(signature);
    if (unit === undefined) throw new FormatError(this.what, `no type with signature 0x${signature.toString(16)}`);
    return { unit, offset: unit.offset + unit.typeAt };
  }

  cursorOf(unit: Unit): Cursor {
    const known = this.cursors.get(unit);
    if (known !== undefined) return known;
    const bytes = this.info.read(unit.offset, unit.end - unit.offset);
    const cursor = new Cursor(bytes, this.what);
    this.cursors.set(unit, cursor);
    this.cursorBytes += bytes.length;
    for (const [oldest, { bytes: old }] of this.cursors) {
      if (this.cursorBytes <= unitCache || oldest === unit) break;
      this.cursors.delete(oldest);
      this.cursorBytes -= old.length;
    }
    return cursor;
  }

  abbreviationsOf(unit: Unit): AbbreviationTable {
    const { abbreviationsAt, version, addressSize, offsetSize } = unit;
    const key = `${abbreviationsAt} ${version} ${addressSize} ${offsetSize}`;
    let table = this.tables.get(key);
    if (table === undefined) {
      table = AbbreviationTable.read(this.needSection('.debug_abbrev'), abbreviationsAt, unit);
      if (this.tables.size >= tableCache) this.tables.delete(this.tables.keys().next().value!);
      this.tables.set(key, table);
    }
    return table;
  }

  string(offset: number): string {
    return this.needSection('.debug_str').text(offset);
  }

  lineString(offset: number): string {
    return this.needSection('.debug_line_str').text(offset);
  }

  indexedString(unit: EntryUnit, index: number): string {
    // behind a header of 8 bytes (16 in the 64-bit format), where the unit does not say
    const base = unit.bases.strings ?? (unit.offsetSize === 8 ? 16 : 8);
    const section = this.needSection('.debug_str_offsets');
    return this.string(
      new Cursor(section.read(base + index * unit.offsetSize, unit.offsetSize), section.what).offset(unit.offsetSize),
    );
  }

  indexedAddress(unit: EntryUnit, index: number): LinkAddress {
    if (this.skeleton !== null) return this.skeleton.file.indexedAddress(this.skeleton, index);
    const base = unit.bases.addresses ?? 8;
    const section = this.needSection('.debug_addr');
    return new Cursor(section.read(base + index * unit.addressSize, unit.addressSize), section.what).address(
      unit.addressSize,
    );
  }
}
