// Ranges of code: DW_AT_low_pc and DW_AT_high_pc, or a list in .debug_rnglists (DWARF 5, section 7.25) or
// .debug_ranges (DWARF 4, section 2.17.3).
import { FormatError } from '../../base/errors.ts';
import type { CodeRange, LinkAddress } from './address.ts';
import { attribute, form } from './constants.ts';
import { Cursor } from './cursor.ts';
import type { Die } from './die.ts';
import type { EntryUnit } from './entry_source.ts';

/** Most ranges of one entry; a unit compiled with a section for each function has some thousand. */
const mostRanges = 200_000;
const firstRead = 512;
/** No entry of a list is longer, in bytes. */
const longestEntry = 32;

/** The code of an entry; none for one that has no code. @throws FormatError */
export function rangesOf(die: Die): CodeRange[] {
  if (die.has(attribute.ranges)) return listOf(die);
  const start = die.address(attribute.lowPc);
  if (start === null) return [];
  const of = die.form(attribute.highPc);
  if (of === 0) return [];
  const isAddress = of === form.addr || (of >= form.addrx1 && of <= form.addrx4) || of === form.addrx;
  const end = isAddress ? die.address(attribute.highPc) : start + (die.number(attribute.highPc) ?? 0);
  return end === null || end <= start ? [] : [{ start, end }];
}

function listOf(die: Die): CodeRange[] {
  const { unit } = die;
  const value = die.number(attribute.ranges);
  if (value === null) return [];
  if (unit.version < 5) return readList(unit, '.debug_ranges', value, oldEntry);
  const offset = die.form(attribute.ranges) === form.rnglistx ? indexed(unit, value) : value;
  return readList(unit, '.debug_rnglists', offset, newEntry);
}

function indexed(unit: EntryUnit, index: number): number {
  const base = unit.bases.ranges ?? (unit.offsetSize === 8 ? 20 : 12);
  const section = unit.file.needSection('.debug_rnglists');
  const at = base + index * unit.offsetSize;
  return base + new Cursor(section.read(at, unit.offsetSize), section.what).offset(unit.offsetSize);
}

interface ListState {
  base: LinkAddress;
  readonly ranges: CodeRange[];
}

/** Reads one entry; false for the one that ends the list. */
type ReadEntry = (cursor: Cursor, unit: EntryUnit, state: ListState) => boolean;

function readList(unit: EntryUnit, sectionName: string, offset: number, entry: ReadEntry): CodeRange[] {
  const section = unit.file.needSection(sectionName);
  for (let length = firstRead; ; length *= 8) {
    const bytes = section.readUpTo(offset, length);
    const cursor = new Cursor(bytes, section.what);
    const state: ListState = { base: unit.lowPc, ranges: [] };
    let whole = false;
    const end = bytes.length < length ? bytes.length : bytes.length - longestEntry;
    while (cursor.at < end && !whole) {
      if (state.ranges.length > mostRanges) throw new FormatError(section.what, `more than ${mostRanges} ranges`);
      whole = !entry(cursor, unit, state);
    }
    if (whole && cursor.at <= bytes.length) return state.ranges;
    if (bytes.length < length) throw new FormatError(section.what, `the list at 0x${offset.toString(16)} does not end`);
  }
}

const oldEntry: ReadEntry = (cursor, { addressSize }, state) => {
  const start = cursor.address(addressSize);
  const end = cursor.address(addressSize);
  if (start === 0 && end === 0) return false;
  if (start === (addressSize === 8 ? -1 : 0xffff_ffff)) state.base = end;
  else add(state, state.base + start, state.base + end);
  return true;
};

const newEntry: ReadEntry = (cursor, unit, state) => {
  const { file, addressSize } = unit;
  const kind = cursor.u8();
  switch (kind) {
    case 0: // DW_RLE_end_of_list
      return false;
    case 1: // base_addressx
      state.base = file.indexedAddress(unit, cursor.uleb());
      return true;
    case 2: {
      // startx_endx
      const start = file.indexedAddress(unit, cursor.uleb());
      add(state, start, file.indexedAddress(unit, cursor.uleb()));
      return true;
    }
    case 3: {
      // startx_length
      const start = file.indexedAddress(unit, cursor.uleb());
      add(state, start, start + cursor.uleb());
      return true;
    }
    case 4: {
      // offset_pair
      const start = cursor.uleb();
      add(state, state.base + start, state.base + cursor.uleb());
      return true;
    }
    case 5: // base_address
      state.base = cursor.address(addressSize);
      return true;
    case 6: {
      // start_end
      const start = cursor.address(addressSize);
      add(state, start, cursor.address(addressSize));
      return true;
    }
    case 7: {
      // start_length
      const start = cursor.address(addressSize);
      add(state, start, start + cursor.uleb());
      return true;
    }
    default:
      throw new FormatError(unit.file.what, `range list entry of kind ${kind}`);
  }
};

function add(state: ListState, start: LinkAddress, end: LinkAddress): void {
  if (end > start) state.ranges.push({ start, end });
}
