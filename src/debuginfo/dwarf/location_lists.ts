// Where a variable is depends on where the code is: lists of expressions, each for a range of addresses, in
// .debug_loclists (DWARF 5, section 7.7.3) or .debug_loc (DWARF 4, section 2.6.2).
import { FormatError } from '../../base/errors.ts';
import type { LinkAddress } from './address.ts';
import { form } from './constants.ts';
import { Cursor } from './cursor.ts';
import type { Die } from './die.ts';
import type { EntryUnit } from './entry_source.ts';

const firstRead = 512;
const largestList = 1 << 22;
/** No entry without its expression is longer, in bytes. */
const longestEntry = 48;

/**
 * The expression that an attribute has at an address; null where it has none there.
 * @throws FormatError for a damaged list
 */
export function expressionAt(die: Die, attribute: number, address: LinkAddress): Uint8Array | null {
  switch (die.form(attribute)) {
    case 0:
      return null;
    case form.exprloc:
    case form.block:
    case form.block1:
    case form.block2:
    case form.block4:
      return die.block(attribute);
    case form.secOffset:
    case form.data4:
    case form.data8:
    case form.loclistx: {
      const value = die.number(attribute);
      return value === null ? null : inList(die, attribute, value, address);
    }
    default:
      return null;
  }
}

function inList(die: Die, attribute: number, value: number, address: LinkAddress): Uint8Array | null {
  const { unit } = die;
  if (unit.version < 5) return search(unit, '.debug_loc', value, address, oldEntry);
  const offset = die.form(attribute) === form.loclistx ? indexed(unit, value) : value;
  return search(unit, '.debug_loclists', offset, address, newEntry);
}

function indexed(unit: EntryUnit, index: number): number {
  const base = unit.bases.locations ?? (unit.offsetSize === 8 ? 20 : 12);
  const section = unit.file.needSection('.debug_loclists');
  return (
    base +
    new Cursor(section.read(base + index * unit.offsetSize, unit.offsetSize), section.what).offset(unit.offsetSize)
  );
}

interface ListState {
  base: LinkAddress;
  /** For addresses that no other entry of the list is for. */
  fallback: Uint8Array | null;
}

type ReadEntry = (cursor: Cursor, unit: EntryUnit, state: ListState) => Entry;

/** `range` of null: an entry that changes the state only. */
type Entry = { readonly range: { start: LinkAddress; end: LinkAddress } | null; readonly bytes: Uint8Array } | 'end';

function search(
  unit: EntryUnit,
  name: string,
  offset: number,
  address: LinkAddress,
  read: ReadEntry,
): Uint8Array | null {
  const section = unit.file.needSection(name);
  for (let length = firstRead; ; length *= 8) {
    const bytes = section.readUpTo(offset, length);
    const cursor = new Cursor(bytes, section.what);
    const state: ListState = { base: unit.lowPc, fallback: null };
    const end = bytes.length < length ? bytes.length : bytes.length - longestEntry;
    while (cursor.at < end) {
      const entry = read(cursor, unit, state);
      if (cursor.at > bytes.length) break;
      if (entry === 'end') return state.fallback;
      if (entry.range !== null && address >= entry.range.start && address < entry.range.end) return entry.bytes.slice();
    }
    if (bytes.length < length || length > largestList) {
      throw new FormatError(section.what, `the list at 0x${offset.toString(16)} does not end`);
    }
  }
}

const nothing = new Uint8Array(0);

const oldEntry: ReadEntry = (cursor, { addressSize }, state) => {
  const start = cursor.address(addressSize);
  const end = cursor.address(addressSize);
  if (start === 0 && end === 0) return 'end';
  if (start === (addressSize === 8 ? -1 : 0xffff_ffff)) {
    state.base = end;
    return { range: null, bytes: nothing };
  }
  return { range: { start: state.base + start, end: state.base + end }, bytes: cursor.take(cursor.u16()) };
};

const newEntry: ReadEntry = (cursor, unit, state) => {
  const { file, addressSize } = unit;
  const expression = (): Uint8Array => cursor.take(cursor.uleb());
  const kind = cursor.u8();
  switch (kind) {
    case 0: // DW_LLE_end_of_list
      return 'end';
    case 1: // base_addressx
      state.base = file.indexedAddress(unit, cursor.uleb());
      return { range: null, bytes: nothing };
    case 2: {
      // startx_endx
      const start = file.indexedAddress(unit, cursor.uleb());
      const end = file.indexedAddress(unit, cursor.uleb());
      return { range: { start, end }, bytes: expression() };
    }
    case 3: {
      // startx_length
      const start = file.indexedAddress(unit, cursor.uleb());
      const end = start + cursor.uleb();
      return { range: { start, end }, bytes: expression() };
    }
    case 4: {
      // offset_pair
      const start = state.base + cursor.uleb();
      const end = state.base + cursor.uleb();
      return { range: { start, end }, bytes: expression() };
    }
    case 5: // default_location
      state.fallback = expression().slice();
      return { range: null, bytes: nothing };
    case 6: // base_address
      state.base = cursor.address(addressSize);
      return { range: null, bytes: nothing };
    case 7: {
      // start_end
      const start = cursor.address(addressSize);
      const end = cursor.address(addressSize);
      return { range: { start, end }, bytes: expression() };
    }
    case 8: {
      // start_length
      const start = cursor.address(addressSize);
      const end = start + cursor.uleb();
      return { range: { start, end }, bytes: expression() };
    }
    case 9: // GNU_view_pair
      cursor.skipLeb();
      cursor.skipLeb();
      return { range: null, bytes: nothing };
    default:
      throw new FormatError(file.what, `location list entry of kind ${kind}`);
  }
};
