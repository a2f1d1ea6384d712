// A debugging information entry: a tag, attributes, and entries inside it. Made for entries that something is asked
// of, not for those that are walked over; attributes are found in the unit's bytes each time they are asked for.
import { FormatError } from '../../base/errors.ts';
import type { AbbreviationTable } from './abbreviations.ts';
import type { LinkAddress } from './address.ts';
import { attribute, form } from './constants.ts';
import type { Cursor } from './cursor.ts';
import type { EntryFile, EntryUnit } from './entry_source.ts';

/** Most entries from which an attribute is inherited, one from the other. */
const maxOrigins = 8;

export class Die {
  readonly unit: EntryUnit;
  /** From the start of .debug_info: what stands for the entry. */
  readonly offset: number;
  readonly tag: number;
  readonly hasChildren: boolean;
  private readonly table: AbbreviationTable;
  private readonly abbreviation: number;
  /** Where its values begin, in the unit's bytes. */
  private readonly valuesAt: number;

  private constructor(
    unit: EntryUnit,
    offset: number,
    table: AbbreviationTable,
    abbreviation: number,
    valuesAt: number,
  ) {
    this.unit = unit;
    this.offset = offset;
    this.table = table;
    this.abbreviation = abbreviation;
    this.valuesAt = valuesAt;
    this.tag = table.tags[abbreviation]!;
    this.hasChildren = table.children[abbreviation] === 1;
  }

  /** The entry at an offset of .debug_info. @throws FormatError for a place that has none */
  static at(unit: EntryUnit, offset: number): Die {
    const die = offset >= unit.firstDie && offset < unit.end ? Die.read(unit, offset) : null;
    if (die === null) throw new FormatError(unit.file.what, `no entry at 0x${offset.toString(16)}`);
    return die;
  }

  /** The entry at an offset of .debug_info inside the unit; null for the mark that ends a list. @throws FormatError */
  static read(unit: EntryUnit, offset: number): Die | null {
    const { cursor } = unit;
    cursor.at = offset - unit.offset;
    const code = cursor.uleb();
    cursor.check();
    if (code === 0) return null;
    const table = unit.abbreviations;
    const abbreviation = table.position(code);
    if (abbreviation < 0) {
      throw new FormatError(
        unit.file.what,
        `the entry at 0x${offset.toString(16)} has abbreviation ${code}, which is not there`,
      );
    }
    return new Die(unit, offset, table, abbreviation, cursor.at);
  }

  has(name: number): boolean {
    return this.table.attribute(this.abbreviation, name) >= 0;
  }

  /** The form of an attribute; 0 if the entry does not have it. */
  form(name: number): number {
    return this.find(name)?.of ?? 0;
  }

  /** An attribute that is a number, an offset or a flag; null if it is not there, is another thing, or is not exact. */
  number(name: number): number | null {
    const value = this.bigint(name);
    return value === null || value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER ? null : Number(value);
  }

  /** As `number`, with all 64 bits. Data of fixed size is unsigned: what it means, its user knows. */
  bigint(name: number): bigint | null {
    const found = this.find(name);
    if (found === null) return null;
    const { cursor } = found;
    switch (found.of) {
      case form.data1:
      case form.flag:
        return BigInt(cursor.u8());
      case form.data2:
        return BigInt(cursor.u16());
      case form.data4:
        return BigInt(cursor.u32());
      case form.data8:
        return cursor.u64();
      case form.udata:
      case form.loclistx:
      case form.rnglistx:
        return cursor.uleb64();
      case form.sdata:
        return cursor.sleb64();
      case form.secOffset:
        return BigInt(cursor.offset(this.unit.offsetSize));
      case form.implicitConst:
        return this.table.constants.get(found.position) ?? null;
      case form.flagPresent:
        return 1n;
      default:
        return null;
    }
  }

  /** As `bigint`, with data of fixed size taken for signed. */
  signed(name: number): bigint | null {
    const value = this.bigint(name);
    if (value === null) return null;
    const bits = { [form.data1]: 8, [form.data2]: 16, [form.data4]: 32, [form.data8]: 64 }[this.form(name)];
    return bits === undefined ? value : BigInt.asIntN(bits, value);
  }

  flag(name: number): boolean {
    return (this.number(name) ?? 0) !== 0;
  }

  /** An attribute that is text; null if it is not there, or cannot be read. */
  string(name: number): string | null {
    const found = this.find(name);
    if (found === null) return null;
    const { cursor } = found;
    const { file, offsetSize } = this.unit;
    switch (found.of) {
      case form.string:
        return cursor.text();
      case form.strp:
        return file.string(cursor.offset(offsetSize));
      case form.lineStrp:
        return file.lineString(cursor.offset(offsetSize));
      case form.strpSup:
      case form.gnuStrpAlt:
        return file.alternate?.string(cursor.offset(offsetSize)) ?? null;
      case form.strx:
      case form.gnuStrIndex:
        return file.indexedString(this.unit, cursor.uleb());
      case form.strx1:
        return file.indexedString(this.unit, cursor.u8());
      case form.strx2:
        return file.indexedString(this.unit, cursor.u16());
      case form.strx3:
        return file.indexedString(this.unit, cursor.u24());
      case form.strx4:
        return file.indexedString(this.unit, cursor.u32());
      default:
        return null;
    }
  }

  /** An attribute that is an address. */
  address(name: number): LinkAddress | null {
    const found = this.find(name);
    if (found === null) return null;
    const { cursor } = found;
    const { file } = this.unit;
    switch (found.of) {
      case form.addr:
        return cursor.address(this.unit.addressSize);
      case form.addrx:
      case form.gnuAddrIndex:
        return file.indexedAddress(this.unit, cursor.uleb());
      case form.addrx1:
        return file.indexedAddress(this.unit, cursor.u8());
      case form.addrx2:
        return file.indexedAddress(this.unit, cursor.u16());
      case form.addrx3:
        return file.indexedAddress(this.unit, cursor.u24());
      case form.addrx4:
        return file.indexedAddress(this.unit, cursor.u32());
      default:
        return null;
    }
  }

  /** An attribute that is an expression or a block of bytes: a view. */
  block(name: number): Uint8Array | null {
    const found = this.find(name);
    if (found === null) return null;
    const { cursor } = found;
    switch (found.of) {
      case form.exprloc:
      case form.block:
        return cursor.take(cursor.uleb());
      case form.block1:
        return cursor.take(cursor.u8());
      case form.block2:
        return cursor.take(cursor.u16());
      case form.block4:
        return cursor.take(cursor.u32());
      case form.data16:
        return cursor.take(16);
      default:
        return null;
    }
  }

  /** The entry that an attribute refers to; null if it has no such attribute. @throws FormatError for one that leads nowhere */
  reference(name: number): Die | null {
    const found = this.find(name);
    if (found === null) return null;
    const { cursor } = found;
    const { unit } = this;
    const { file, offsetSize } = unit;
    switch (found.of) {
      case form.ref1:
        return Die.at(unit, unit.offset + cursor.u8());
      case form.ref2:
        return Die.at(unit, unit.offset + cursor.u16());
      case form.ref4:
        return Die.at(unit, unit.offset + cursor.u32());
      case form.ref8:
        return Die.at(unit, unit.offset + cursor.offset(8));
      case form.refUdata:
        return Die.at(unit, unit.offset + cursor.uleb());
      case form.refAddr:
        return dieIn(file, cursor.offset(unit.version <= 2 ? unit.addressSize : offsetSize));
      case form.refSig8: {
        const type = file.typeUnit(cursor.u64());
        return Die.at(type.unit, type.offset);
      }
      case form.gnuRefAlt:
        return dieIn(file.needAlternate(), cursor.offset(offsetSize));
      case form.refSup4:
        return dieIn(file.needAlternate(), cursor.u32());
      case form.refSup8:
        return dieIn(file.needAlternate(), cursor.offset(8));
      default:
        return null;
    }
  }

  /** This, or the first of the entries that it completes or is an instance of, that has an attribute. */
  withAttribute(name: number): Die | null {
    let die: Die | null = this;
    for (let i = 0; i < maxOrigins && die !== null; i++) {
      if (die.has(name)) return die;
      die = die.origin;
    }
    return null;
  }

  /** The entry that this is an instance of, or completes (DW_AT_abstract_origin, DW_AT_specification); null if none. */
  get origin(): Die | null {
    return this.reference(attribute.abstractOrigin) ?? this.reference(attribute.specification);
  }

  /** Its name, or that of the entry that it is an instance of; empty if it has none. */
  get name(): string {
    return this.withAttribute(attribute.name)?.string(attribute.name) ?? '';
  }

  /** The entries directly inside. */
  *children(): Generator<Die> {
    if (!this.hasChildren) return;
    const { unit } = this;
    let offset = unit.offset + this.afterValues();
    while (offset < unit.end) {
      const child = Die.read(unit, offset);
      if (child === null) return;
      offset = child.next();
      yield child;
    }
  }

  /** Offset behind this entry and all that is inside it. */
  next(): number {
    const after = this.unit.offset + this.afterValues();
    if (!this.hasChildren) return after;
    const sibling = siblingOf(this.unit, this.table, this.abbreviation, this.valuesAt) + this.unit.offset;
    // believed where it leads on: else all that is inside is walked over
    if (sibling > this.offset && sibling <= this.unit.end) return sibling;
    return this.unit.offset + skipChildren(this.unit, this.table, after - this.unit.offset);
  }

  /** Where its values end, in the unit's bytes. */
  private afterValues(): number {
    const { cursor } = this.unit;
    cursor.at = this.valuesAt;
    this.table.skip(cursor, this.abbreviation, this.unit);
    cursor.check();
    return cursor.at;
  }

  /** The unit's cursor at the value of an attribute, and the value's form. */
  private find(name: number): { of: number; position: number; cursor: Cursor } | null {
    const position = this.table.attribute(this.abbreviation, name);
    if (position < 0) return null;
    const { cursor } = this.unit;
    cursor.at = this.valuesAt;
    this.table.seek(cursor, this.abbreviation, position, this.unit);
    let of = this.table.forms[position]!;
    if (of === form.indirect) of = cursor.uleb();
    cursor.check();
    return { of, position, cursor };
  }
}

/** The entry at an offset of a file's .debug_info. @throws FormatError */
export function dieIn(file: EntryFile, offset: number): Die {
  return Die.at(file.unitOf(offset), offset);
}

/** Where the entry behind this one and all inside it begins, from the unit's start; -1 where it does not say. */
export function siblingOf(unit: EntryUnit, table: AbbreviationTable, abbreviation: number, valuesAt: number): number {
  const position = table.siblings[abbreviation]!;
  if (position < 0) return -1;
  const { cursor } = unit;
  cursor.at = valuesAt;
  table.seek(cursor, abbreviation, position, unit);
  switch (table.forms[position]) {
    case form.ref1:
      return cursor.u8();
    case form.ref2:
      return cursor.u16();
    case form.ref4:
      return cursor.u32();
    case form.ref8:
      return cursor.offset(8);
    case form.refUdata:
      return cursor.uleb();
    default:
      return -1;
  }
}

/** Walks over a list of entries and all inside them. @returns the position behind the mark that ends it */
export function skipChildren(unit: EntryUnit, table: AbbreviationTable, at: number): number {
  const { cursor } = unit;
  cursor.at = at;
  for (let depth = 1; depth > 0; ) {
    const code = cursor.uleb();
    cursor.check();
    if (code === 0) {
      depth--;
      continue;
    }
    const abbreviation = table.position(code);
    if (abbreviation < 0) throw new FormatError(unit.file.what, `abbreviation ${code} is not there`);
    table.skip(cursor, abbreviation, unit);
    if (table.children[abbreviation] === 1) depth++;
  }
  return cursor.at;
}
