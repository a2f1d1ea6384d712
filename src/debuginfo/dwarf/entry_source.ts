// What an entry needs of the unit and of the file that it is in.
import type { SectionBytes } from '../elf/section_bytes.ts';
import type { AbbreviationTable } from './abbreviations.ts';
import type { LinkAddress } from './address.ts';
import type { Cursor, Widths } from './cursor.ts';

/** Where a unit's own parts of tables that units share begin (DWARF 5, section 7.5.1.1); null for none. */
export interface Bases {
  readonly strings: number | null;
  readonly addresses: number | null;
  readonly ranges: number | null;
  readonly locations: number | null;
}

export interface EntryUnit extends Widths {
  readonly file: EntryFile;
  /** In .debug_info, [offset, end). */
  readonly offset: number;
  readonly end: number;
  /** Where its first entry is, in .debug_info. */
  readonly firstDie: number;
  /** The unit's bytes; position 0 is `offset`. One for all who read the unit: its position is set before each use. */
  readonly cursor: Cursor;
  readonly abbreviations: AbbreviationTable;
  readonly bases: Bases;
  /** What addresses in its range and location lists are relative to. */
  readonly lowPc: LinkAddress;
  /** The folder that the compiler ran in; paths of source files are relative to it. */
  readonly folder: string;
}

export interface EntryFile {
  /** For messages. */
  readonly what: string;
  readonly alternate: EntryFile | null;
  /** @throws FormatError where dwz's file is not there */
  needAlternate(): EntryFile;
  /** The unit that an offset of .debug_info lies in. @throws FormatError outside of all */
  unitOf(offset: number): EntryUnit;
  /** The unit of a type, and the type's offset in .debug_info. @throws FormatError if there is none of that signature */
  typeUnit(signature: bigint): { readonly unit: EntryUnit; readonly offset: number };
  /** A section by its name. @throws FormatError if it is not there */
  needSection(name: string): SectionBytes;
  /** Text in .debug_str. @throws FormatError */
  string(offset: number): string;
  /** Text in .debug_line_str. @throws FormatError */
  lineString(offset: number): string;
  /** Text by its number in the unit's part of .debug_str_offsets. @throws FormatError */
  indexedString(unit: EntryUnit, index: number): string;
  /** An address by its number in the unit's part of .debug_addr. @throws FormatError */
  indexedAddress(unit: EntryUnit, index: number): LinkAddress;
}
