// Units whose entries were moved out, each into a .dwo file (-gsplit-dwarf, DWARF 5, section 7.3.2): what stays is a
// skeleton with the addresses and lines. Entries of .dwo files have offsets far behind those of the file itself, so that
// an offset stands for one entry among all.
//
//   vmlinux: skeleton  --DW_AT_dwo_name-->  fork.dwo: .debug_info.dwo, .debug_str.dwo, ...
import { statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { FormatError, InquestError } from '../../base/errors.ts';
import { attribute, unitType } from './constants.ts';
import type { Unit } from './unit.ts';

/** Offsets that each .dwo file has room for; the file itself comes before them. */
const room = 2 ** 33;
/** Most .dwo files of one file. */
const mostFiles = 100_000;

export interface SplitUnits {
  readonly of: ReadonlyMap<Unit, Unit>;
  /** By ascending offset, units of types among them. */
  readonly units: readonly Unit[];
  readonly problems: readonly FormatError[];
}

/**
 * The units that were moved out of some of a file.
 * @param file path of the file
 * @param open the units of a .dwo file, their offsets counted from `base`; throws InquestError
 */
export function splitUnits(
  file: string,
  own: readonly Unit[],
  open: (path: string, skeleton: Unit, base: number) => readonly Unit[],
): SplitUnits {
  const of = new Map<Unit, Unit>();
  const units: Unit[] = [];
  const problems: FormatError[] = [];
  const missing: string[] = [];
  for (const skeleton of own) {
    try {
      const name = nameOf(skeleton);
      if (name === null) continue;
      const path = placesOf(file, skeleton, name).find(isFile);
      if (path === undefined || of.size >= mostFiles) {
        missing.push(name);
        continue;
      }
      const moved = open(path, skeleton, room * (of.size + 1));
      const whole = moved.find(({ type, splitId }) => type === unitType.splitCompile && splitId === skeleton.splitId);
      if (whole === undefined) throw new FormatError(path, 'is of another build than what refers to it');
      of.set(skeleton, whole);
      units.push(...moved);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      problems.push(error instanceof FormatError ? error : new FormatError(file, error.message));
    }
  }
  const [first] = missing;
  if (first !== undefined) {
    const others = missing.length === 1 ? '' : ` and ${missing.length - 1} more`;
    problems.push(new FormatError(file, `its types and variables are in files that are not there: ${first}${others}`));
  }
  return { of, units, problems };
}

/** The name of the file that a unit's entries were moved to; null for a unit that has them. */
function nameOf(unit: Unit): string | null {
  // before DWARF 5 a compiler's own way: such files are told, and not read
  if (unit.type === unitType.skeleton) return unit.root.string(attribute.dwoName);
  return unit.version < 5 && !unit.root.hasChildren ? unit.root.string(attribute.gnuDwoName) : null;
}

function placesOf(file: string, unit: Unit, name: string): string[] {
  if (unit.type !== unitType.skeleton) return [];
  const beside = dirname(file);
  return [isAbsolute(name) ? name : join(unit.folder, name), join(beside, name), join(beside, basename(name))];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
