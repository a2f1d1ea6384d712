// A unit of .debug_info: what one compilation gave or, after dwz, what several have in common.
import { FormatError } from '../../base/errors.ts';
import type { SectionBytes } from '../elf/section_bytes.ts';
import type { AbbreviationTable } from './abbreviations.ts';
import type { CodeRange, LinkAddress } from './address.ts';
import { attribute, unitType } from './constants.ts';
import { Cursor, type Widths } from './cursor.ts';
import { Die } from './die.ts';
import type { Bases, EntryFile, EntryUnit } from './entry_source.ts';
import { rangesOf } from './ranges.ts';

/** More units than any kernel has: a full one has 30,000. */
const mostUnits = 400_000;
/** Longest header: DWARF 5's, of a type unit in the 64-bit format. */
const longestHeader = 40;
/** Largest unit that is read, in bytes. */
const largestUnit = 256 * 1024 * 1024;

/** What a unit's header says. Offsets are from the start of .debug_info. */
interface UnitHeader extends Widths {
  readonly offset: number;
  /** Exclusive. */
  readonly end: number;
  /** Where its abbreviations are in .debug_abbrev. */
  readonly abbreviationsAt: number;
  readonly type: number;
  /** Where its first entry is. */
  readonly firstDie: number;
  /** Of a type unit: by what others refer to its type; else null. */
  readonly signature: bigint | null;
  /** Of a type unit: where the type is, from the unit's start. */
  readonly typeAt: number;
  /** What a skeleton and the unit moved out of it have in common; null for other units. */
  readonly splitId: bigint | null;
}

/** What a unit needs of its file. */
export interface UnitFile extends EntryFile {
  /** .debug_info and, behind it, .debug_types: offsets of entries are offsets here. */
  readonly info: SectionBytes;
  /** Where .debug_types begins in `info`: its units have the header of a type unit. */
  readonly typesAt: number;
  /** Where the entries begin in `info`. */
  readonly base: number;
  /** Of a .dwo file: the unit that it was moved out of, which has what depends on addresses; else null. */
  readonly skeleton: Unit | null;
  cursorOf(unit: Unit): Cursor;
  abbreviationsOf(unit: Unit): AbbreviationTable;
  /** @throws FormatError */
  unitStartingAt(offset: number): Unit;
}

export class Unit implements UnitHeader, EntryUnit {
  readonly file: UnitFile;
  readonly offset: number;
  readonly end: number;
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: number;
  readonly abbreviationsAt: number;
  readonly type: number;
  readonly firstDie: number;
  readonly signature: bigint | null;
  readonly typeAt: number;
  readonly splitId: bigint | null;
  private rootDie: Die | null = null;
  private knownBases: Bases | null = null;

  constructor(file: UnitFile, header: UnitHeader) {
    this.file = file;
    this.offset = header.offset;
    this.end = header.end;
    this.version = header.version;
    this.addressSize = header.addressSize;
    this.offsetSize = header.offsetSize;
    this.abbreviationsAt = header.abbreviationsAt;
    this.type = header.type;
    this.firstDie = header.firstDie;
    this.signature = header.signature;
    this.typeAt = header.typeAt;
    this.splitId = header.splitId;
  }

  /** The unit's bytes; position 0 is `offset`. One for all who read the unit: set its position before each use. */
  get cursor(): Cursor {
    return this.file.cursorOf(this);
  }

  get abbreviations(): AbbreviationTable {
    return this.file.abbreviationsOf(this);
  }

  /** The entry at an offset of .debug_info. @throws FormatError for a place that has none */
  die(offset: number): Die {
    return Die.at(this, offset);
  }

  /** The entry of the unit itself. */
  get root(): Die {
    this.rootDie ??= this.die(this.firstDie);
    return this.rootDie;
  }

  get name(): string {
    return this.root.string(attribute.name) ?? '';
  }

  /** The folder that the compiler ran in; paths of source files are relative to it. */
  get folder(): string {
    return this.root.string(attribute.compDir) ?? this.file.skeleton?.folder ?? '';
  }

  get bases(): Bases {
    if (this.knownBases === null) {
      // strings and addresses of the first entry itself may need the bases that stand in it
      this.knownBases = { strings: null, addresses: null, ranges: null, locations: null };
      const { root } = this;
      this.knownBases = {
        strings: root.number(attribute.strOffsetsBase),
        addresses: root.number(attribute.addrBase),
        ranges: root.number(attribute.rnglistsBase),
        locations: root.number(attribute.loclistsBase),
      };
    }
    return this.knownBases;
  }

  /** What addresses in its range and location lists are relative to. */
  get lowPc(): LinkAddress {
    return this.root.address(attribute.lowPc) ?? this.file.skeleton?.lowPc ?? 0;
  }

  /** The code that it holds, as its first entry says. */
  get ranges(): CodeRange[] {
    return rangesOf(this.root);
  }
}

/**
 * The units of a file, by ascending offset. Damage ends the list.
 * @returns the units, and what was wrong behind them
 */
export function readUnits(file: UnitFile): { units: Unit[]; problem: FormatError | null } {
  const { info, what } = file;
  const units: Unit[] = [];
  for (let offset = file.base; offset < info.size; ) {
    try {
      const unit = file.unitStartingAt(offset);
      if (units.length === mostUnits) throw new FormatError(what, `more than ${mostUnits} units`);
      units.push(unit);
      offset = unit.end;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { units, problem: error };
    }
  }
  return { units, problem: null };
}

/** The unit that begins at an offset of .debug_info. @throws FormatError */
export function readUnit(file: UnitFile, offset: number): Unit {
  return new Unit(file, readHeader(file, offset));
}

function readHeader({ info, what, typesAt }: UnitFile, offset: number): UnitHeader {
  const cursor = new Cursor(info.readOnce(offset, longestHeader), what);
  const { length, width: offsetSize } = cursor.initialLength();
  const end = offset + cursor.at + length;
  const place = `the unit at 0x${offset.toString(16)}`;
  if (length === 0 || end > info.size) throw new FormatError(what, `${place} has 0x${length.toString(16)} bytes`);
  if (length > largestUnit) throw new FormatError(what, `${place} is larger than any: 0x${length.toString(16)} bytes`);
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new FormatError(what, `${place} is of DWARF version ${version}`);
  const type = version >= 5 ? cursor.u8() : offset >= typesAt ? unitType.type : unitType.compile;
  let addressSize = version >= 5 ? cursor.u8() : 0;
  const abbreviationsAt = cursor.offset(offsetSize);
  if (version < 5) addressSize = cursor.u8();
  if (addressSize !== 4 && addressSize !== 8)
    throw new FormatError(what, `${place} has addresses of ${addressSize} bytes`);
  const isTypeUnit = type === unitType.type || type === unitType.splitType;
  const signature = isTypeUnit ? cursor.u64() : null;
  const typeAt = isTypeUnit ? cursor.offset(offsetSize) : 0;
  const splitId = type === unitType.skeleton || type === unitType.splitCompile ? cursor.u64() : null;
  cursor.check();
  return {
    offset,
    end,
    version,
    type,
    addressSize,
    offsetSize,
    abbreviationsAt,
    signature,
    typeAt,
    splitId,
    firstDie: offset + cursor.at,
  };
}
