// The names that the units of a file define: types, variables, functions. One walk over the outer entries of all
// units; of types and functions that many units define, the first is kept, of variables every one.
//
// Nearly every name is an offset into .debug_str, where equal texts lie once: the walk tells names apart by those
// offsets, and reads a text only when it meets its offset for the first time.
import { FormatError } from '../../base/errors.ts';
import type { AbbreviationTable } from './abbreviations.ts';
import { attribute, form, tag } from './constants.ts';
import type { Die } from './die.ts';
import type { DwarfFile } from './dwarf_file.ts';
import { type Scanned, scanUnit } from './scan.ts';
import type { Unit } from './unit.ts';

export type NameKind =
  | 'struct'
  | 'union'
  | 'enum'
  | 'typedef'
  | 'base'
  | 'variable'
  | 'extern'
  | 'function'
  | 'prototype';

/** `extern` is a variable declared and nowhere defined (by the linker's script), `prototype` a function without code. */
const kindNames: readonly NameKind[] = [
  'struct',
  'union',
  'enum',
  'typedef',
  'base',
  'variable',
  'extern',
  'function',
  'prototype',
];
const [variableKind, externKind, functionKind, prototypeKind] = [5, 6, 7, 8];
const kindOfTag = new Map<number, number>([
  [tag.structureType, 0],
  [tag.classType, 0],
  [tag.unionType, 1],
  [tag.enumerationType, 2],
  [tag.typedef, 3],
  [tag.baseType, 4],
  [tag.variable, variableKind],
  [tag.subprogram, functionKind],
]);
/** Most entries of the index. */
const mostNames = 8_000_000;

export interface NamedDie {
  readonly kind: NameKind;
  readonly name: string;
  readonly die: Die;
}

export class NameIndex {
  private readonly file: DwarfFile;
  /** The first entry of each name; the others of that name follow by `next`, the last one added first. */
  private readonly byName = new Map<string, number>();
  private readonly next: number[] = [];
  /** Of each entry: offset in .debug_info, and its kind's position in `kindNames`. */
  private readonly offsets: number[] = [];
  private readonly kinds: number[] = [];
  private readonly names: string[] = [];
  /** What was wrong with units that had to be left out, in whole or in part. */
  readonly problems: FormatError[] = [];

  constructor(file: DwarfFile) {
    this.file = file;
    const seen = new SeenNames(file);
    for (const unit of file.units) {
      try {
        this.addUnit(unit, seen);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.problems.push(error);
        if (this.offsets.length >= mostNames) break;
      }
    }
  }

  /** Entries of that name, of the given kinds, in the file's order. @throws FormatError */
  find(name: string, kinds: readonly NameKind[]): Die[] {
    const entries: number[] = [];
    for (let entry = this.byName.get(name) ?? -1; entry >= 0; entry = this.next[entry]!) {
      if (kinds.includes(kindNames[this.kinds[entry]!]!)) entries.push(entry);
    }
    return entries.sort((a, b) => a - b).map((entry) => this.file.die(this.offsets[entry]!));
  }

  /** Every entry of the given kinds that is wanted. Those that cannot be read are left out. */
  *all(kinds: readonly NameKind[], wanted: (kind: NameKind, name: string) => boolean): Generator<NamedDie> {
    for (let entry = 0; entry < this.offsets.length; entry++) {
      const kind = kindNames[this.kinds[entry]!]!;
      if (!kinds.includes(kind) || !wanted(kind, this.names[entry]!)) continue;
      try {
        yield { kind, name: this.names[entry]!, die: this.file.die(this.offsets[entry]!) };
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.problems.push(error);
      }
    }
  }

  private addUnit(unit: Unit, seen: SeenNames): void {
    const plan = planOf(unit.abbreviations);
    const spaces: string[] = [];
    scanUnit(unit, (entry) => {
      const kind = plan.kinds[entry.abbreviation]!;
      if (kind >= 0) {
        const space = entry.depth === 0 ? '' : `${spaces.slice(0, entry.depth).join('::')}::`;
        this.addEntry(unit, entry, kind, plan.names[entry.abbreviation]!, space, seen);
      } else if (entry.tag === tag.namespace) {
        spaces.length = entry.depth;
        spaces.push(unit.die(entry.offset).name);
      }
    });
  }

  /** @param namePosition of the name among the table's attributes; -1 where it stands in another entry */
  private addEntry(
    unit: Unit,
    entry: Scanned,
    kind: number,
    namePosition: number,
    space: string,
    seen: SeenNames,
  ): void {
    const { table, abbreviation, offset } = entry;
    const { cursor } = unit;
    if (namePosition < 0) {
      const { name } = unit.die(offset);
      if (name !== '' && (kind === variableKind || seen.add(`${kind} ${space}${name}`)))
        this.add(space + name, kind, offset);
      return;
    }
    cursor.at = entry.valuesAt;
    table.seek(cursor, abbreviation, namePosition, unit);
    const of = table.forms[namePosition]!;
    if (of === form.strp && space === '' && unit.file === this.file) {
      const textAt = cursor.offset(unit.offsetSize);
      if (kind === variableKind || seen.addOffset(textAt, kind)) this.add(this.file.string(textAt), kind, offset);
      return;
    }
    const text = of === form.string ? cursor.text() : (unit.die(offset).string(attribute.name) ?? '');
    if (text !== '' && (kind === variableKind || seen.add(`${kind} ${space}${text}`)))
      this.add(space + text, kind, offset);
  }

  private add(name: string, kind: number, offset: number): void {
    if (this.offsets.length >= mostNames) throw new FormatError(this.file.what, `more than ${mostNames} names`);
    const entry = this.offsets.length;
    this.offsets.push(offset);
    this.kinds.push(kind);
    this.names.push(name);
    const first = this.byName.get(name);
    if (first === undefined) {
      this.byName.set(name, entry);
      this.next.push(-1);
    } else {
      this.next.push(this.next[first]!);
      this.next[first] = entry;
    }
  }
}

/** What the index does with the entries of each abbreviation of a table. */
interface Plan {
  /** Kind by position in `kindNames`; -1 for entries that are no names. */
  readonly kinds: Int8Array;
  /** Position of the name among the table's attributes; -1: it is in the entry that this one completes. */
  readonly names: Int32Array;
}

function planOf(table: AbbreviationTable): Plan {
  const kinds = new Int8Array(table.tags.length).fill(-1);
  const names = new Int32Array(table.tags.length).fill(-1);
  for (let i = 0; i < table.tags.length; i++) {
    const kind = kindOfTag.get(table.tags[i]!);
    if (kind === undefined) continue;
    const has = (name: number): boolean => table.attribute(i, name) >= 0;
    names[i] = table.attribute(i, attribute.name);
    // a definition may have its name in the declaration that it completes; instances of inlined functions are no names
    if (names[i]! < 0 && !(has(attribute.specification) && (kind === variableKind || kind === functionKind))) continue;
    if (kind === variableKind) kinds[i] = has(attribute.location) || has(attribute.constValue) ? kind : externKind;
    else if (kind === functionKind) {
      const hasCode = has(attribute.lowPc) || has(attribute.ranges) || has(attribute.inline);
      kinds[i] = hasCode ? kind : prototypeKind;
    } else if (!has(attribute.declaration)) kinds[i] = kind;
  }
  return { kinds, names };
}

/** Longest .debug_str of which every offset has a place in a table. */
const largestTable = 1 << 26;

/** The names met so far, while the index is made. */
class SeenNames {
  /** By offset in .debug_str: a bit for each kind. */
  private readonly offsets: Uint16Array;
  private readonly others = new Set<string>();

  constructor(file: DwarfFile) {
    this.offsets = new Uint16Array(Math.min(file.section('.debug_str')?.size ?? 0, largestTable));
  }

  /** False for a text that was added before as this kind of name. */
  addOffset(at: number, kind: number): boolean {
    const bit = 1 << kind;
    const known = this.offsets[at];
    if (known === undefined) return this.add(`${kind} at ${at}`);
    if ((known & bit) !== 0) return false;
    this.offsets[at] = known | bit;
    return true;
  }

  /** False for one that was added before. */
  add(key: string): boolean {
    if (this.others.has(key)) return false;
    this.others.add(key);
    return true;
  }
}
