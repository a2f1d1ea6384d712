// From an address of code to the unit that it was compiled in: by .debug_aranges, which compilers write for the
// purpose; for units that it lacks (clang's, Rust's) by the ranges that the units themselves name.
import { FormatError } from '../../base/errors.ts';
import { type CodeRange, isDropped, type LinkAddress } from './address.ts';
import { Cursor } from './cursor.ts';
import type { DwarfFile } from './dwarf_file.ts';
import type { Unit } from './unit.ts';

/** Most ranges of one file. */
const mostRanges = 8_000_000;
/** Largest .debug_aranges that is read, in bytes. */
const largestTable = 1 << 28;

export class CodeIndex {
  private readonly file: DwarfFile;
  /** By the table; and, made when an address is not in it, by units that it does not tell of. */
  private readonly byTable: RangeIndex;
  private byUnits: RangeIndex | null = null;
  /** Offsets of the units that the table tells of. */
  private readonly covered = new Set<number>();
  private readonly found: FormatError[] = [];

  constructor(file: DwarfFile) {
    this.file = file;
    const ranges = new RangeList();
    this.collect(() => readAranges(file, ranges, this.covered));
    this.byTable = ranges.index();
  }

  /** What was wrong with tables and units that had to be left out. */
  get problems(): readonly FormatError[] {
    return this.found;
  }

  /** The unit that code at an address was compiled in, or null. @throws FormatError for a table that leads astray */
  unitAt(address: LinkAddress): Unit | null {
    let at = this.byTable.find(address);
    if (at === null) {
      this.byUnits ??= this.indexUnits();
      at = this.byUnits.find(address);
    }
    return at === null ? null : this.file.unitStartingAt(at);
  }

  private indexUnits(): RangeIndex {
    const ranges = new RangeList();
    for (const unit of this.file.units) {
      if (this.covered.has(unit.offset) || unit.file !== this.file) continue;
      this.collect(() => {
        for (const range of unit.ranges) ranges.add(range, unit.offset);
      });
    }
    return ranges.index();
  }

  private collect(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.found.push(error);
    }
  }
}

/** Ranges by ascending start. They may overlap where files are odd: the one that starts last is taken. */
class RangeIndex {
  private readonly starts: Float64Array;
  private readonly ends: Float64Array;
  private readonly values: Float64Array;
  /** Highest end of this range and all before it: tells how far back one may lie that reaches here. */
  private readonly reach: Float64Array;

  constructor(starts: readonly number[], ends: readonly number[], values: readonly number[]) {
    const order = new Uint32Array(starts.keys()).sort((a, b) => starts[a]! - starts[b]!);
    const by = (list: readonly number[]): Float64Array => Float64Array.from(order, (i) => list[i]!);
    this.starts = by(starts);
    this.ends = by(ends);
    this.values = by(values);
    let highest = Number.NEGATIVE_INFINITY;
    this.reach = this.ends.map((end) => {
      highest = Math.max(highest, end);
      return highest;
    });
  }

  /** What belongs to the range around an address, or null. */
  find(address: LinkAddress): number | null {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    for (let i = low - 1; i >= 0 && this.reach[i]! > address; i--) if (this.ends[i]! > address) return this.values[i]!;
    return null;
  }
}

/** Ranges while they are gathered. */
class RangeList {
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private readonly values: number[] = [];

  /** @throws FormatError when there are too many */
  add({ start, end }: CodeRange, value: number): void {
    if (isDropped(start) || end <= start) return;
    if (this.starts.length >= mostRanges)
      throw new FormatError('debug information', `more than ${mostRanges} ranges of code`);
    this.starts.push(start);
    this.ends.push(end);
    this.values.push(value);
  }

  index(): RangeIndex {
    return new RangeIndex(this.starts, this.ends, this.values);
  }
}

/** Adds what .debug_aranges has, and the offsets of the units that it tells of. @throws FormatError */
function readAranges(file: DwarfFile, found: RangeList, covered: Set<number>): void {
  const section = file.section('.debug_aranges');
  if (section === null) return;
  const cursor = new Cursor(section.readUpTo(0, Math.min(section.size, largestTable)), section.what);
  while (!cursor.atEnd) readSet(cursor, section.what, found, covered);
}

/** The ranges of one unit (DWARF 5, section 6.1.2). */
function readSet(cursor: Cursor, what: string, found: RangeList, covered: Set<number>): void {
  const from = cursor.at;
  const { length, width } = cursor.initialLength();
  const end = cursor.at + length;
  const version = cursor.u16();
  const unit = cursor.offset(width);
  const addressSize = cursor.u8();
  const segmentSize = cursor.u8();
  cursor.check();
  if (end > cursor.bytes.length || length === 0)
    throw new FormatError(what, `the set at 0x${from.toString(16)} is cut`);
  if (version === 2 && segmentSize === 0 && (addressSize === 8 || addressSize === 4)) {
    // pairs begin at a multiple of their size, from the set's start
    const pair = 2 * addressSize;
    cursor.at = from + Math.ceil((cursor.at - from) / pair) * pair;
    while (cursor.at + pair <= end) {
      const start = cursor.address(addressSize);
      const size = cursor.address(addressSize);
      if (start === 0 && size === 0) break;
      if (size <= 0) continue;
      found.add({ start, end: start + size }, unit);
      covered.add(unit);
    }
  }
  cursor.at = end;
}
