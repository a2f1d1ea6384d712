// From an address of code to the function that it is in, and to the functions that the compiler put in line there.
//
//   subprogram vfs_write            code of vfs_write
//     inlined_subroutine new_sync_write      part of it: call at read_write.c:584
//       lexical_block                        variables of a block
//         inlined_subroutine call_write_iter
import { FormatError } from '../../base/errors.ts';
import type { CodeRange, LinkAddress } from './address.ts';
import { attribute, tag } from './constants.ts';
import type { Die } from './die.ts';
import { rangesOf } from './ranges.ts';
import { scanUnit } from './scan.ts';
import type { Unit } from './unit.ts';

/** Deepest nesting of blocks and inlined functions. */
const maxDepth = 256;

/** The functions of one unit that have code. */
export class UnitFunctions {
  /** By ascending start. */
  private readonly ranges: readonly (CodeRange & { readonly offset: number })[];
  private readonly unit: Unit;

  /** @throws FormatError for a unit that is damaged */
  constructor(unit: Unit) {
    this.unit = unit;
    const found: { start: number; end: number; offset: number }[] = [];
    scanUnit(unit, (entry) => {
      if (entry.tag !== tag.subprogram) return;
      const { table, abbreviation, offset } = entry;
      const hasCode =
        table.attribute(abbreviation, attribute.lowPc) >= 0 || table.attribute(abbreviation, attribute.ranges) >= 0;
      if (!hasCode) return;
      for (const range of rangesOf(unit.die(offset))) found.push({ ...range, offset });
    });
    this.ranges = found.sort((a, b) => a.start - b.start);
  }

  /** The function whose code is at an address, or null. */
  at(address: LinkAddress): Die | null {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ranges[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.ranges[low - 1];
    return found !== undefined && address < found.end ? this.unit.die(found.offset) : null;
  }
}

/**
 * The blocks and inlined functions around an address, outermost first, beginning with the function itself.
 * @throws FormatError for damaged entries
 */
export function scopesAt(subprogram: Die, address: LinkAddress): Die[] {
  const scopes = [subprogram];
  for (let inner: Die | null = subprogram; inner !== null; ) {
    inner = innerScope(inner, address);
    if (inner === null) break;
    scopes.push(inner);
    if (scopes.length > maxDepth) throw new FormatError(subprogram.unit.file.what, 'blocks nested too deep');
  }
  return scopes;
}

function innerScope(scope: Die, address: LinkAddress): Die | null {
  for (const child of scope.children()) {
    if (child.tag !== tag.lexicalBlock && child.tag !== tag.inlinedSubroutine) continue;
    if (rangesOf(child).some(({ start, end }) => address >= start && address < end)) return child;
  }
  return null;
}
