// Walking over the outer entries of a unit at the speed of memory: no object is made for an entry, what lies inside
// of entries is jumped over where compilers say how far it goes (DW_AT_sibling).
import { FormatError } from '../../base/errors.ts';
import type { AbbreviationTable } from './abbreviations.ts';
import { tag } from './constants.ts';
import { siblingOf, skipChildren } from './die.ts';
import type { Unit } from './unit.ts';

/** Deepest nesting of namespaces. */
const maxDepth = 64;

/** One entry, as the walk passes it. */
export interface Scanned {
  /** From the start of .debug_info. */
  offset: number;
  tag: number;
  table: AbbreviationTable;
  /** Its position in `table`. */
  abbreviation: number;
  /** Where its values begin, in the unit's bytes. */
  valuesAt: number;
  /** Namespaces around it, 0 for the unit's own entries. */
  depth: number;
}

/**
 * Visits the entries directly inside the unit's, and inside namespaces (Rust's modules).
 * @param visit is given one object again and again; it may move the unit's cursor
 * @throws FormatError where the unit is damaged; what it held before has been visited
 */
export function scanUnit(unit: Unit, visit: (entry: Scanned) => void): void {
  const { cursor, abbreviations: table } = unit;
  const end = unit.end - unit.offset;
  const entry: Scanned = { offset: 0, tag: 0, table, abbreviation: 0, valuesAt: 0, depth: 0 };
  let at = unit.firstDie - unit.offset;
  let level = -1; // of the entry at `at`: -1 is the unit's own
  while (at < end) {
    const from = at;
    cursor.at = at;
    const code = cursor.uleb();
    if (code === 0) {
      at = cursor.at;
      if (--level < 0) return;
      continue;
    }
    const abbreviation = table.position(code);
    if (abbreviation < 0)
      throw new FormatError(
        unit.file.what,
        `the entry at 0x${(unit.offset + from).toString(16)} has abbreviation ${code}`,
      );
    const entryTag = table.tags[abbreviation]!;
    const valuesAt = cursor.at;
    if (level >= 0) {
      entry.offset = unit.offset + from;
      entry.tag = entryTag;
      entry.abbreviation = abbreviation;
      entry.valuesAt = valuesAt;
      entry.depth = level;
      visit(entry);
    }
    cursor.at = valuesAt;
    table.skip(cursor, abbreviation, unit);
    cursor.check();
    at = cursor.at;
    if (table.children[abbreviation] !== 1) {
      if (level < 0) return;
    } else if (level < 0 || entryTag === tag.namespace) {
      if (++level > maxDepth) throw new FormatError(unit.file.what, 'namespaces nested too deep');
    } else {
      const sibling = siblingOf(unit, table, abbreviation, valuesAt);
      at = sibling > at && sibling <= end ? sibling : skipChildren(unit, table, at);
    }
  }
}
