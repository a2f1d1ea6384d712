// Many dumps with what their guests said, held against what was reached before: of each fact, no less may be compared, no more
// may be wrong, and what is wrong and accepted has its reason (`because`). The record is test/levels/truth.json.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './check.ts';
import type { Told } from './given.ts';
import { projectFolder } from './place.ts';

interface FactLevel {
  /** Least that is compared; what is explained counts. */
  readonly compared: number;
  /** Most that may be wrong. */
  readonly wrong: number;
  /** Why that is not mended; null where nothing is wrong. */
  readonly because: string | null;
}

/** Of a dump, by its folder's name. */
interface Level {
  /** Null for a run of the lab. */
  readonly told: Told | null;
  readonly facts: Readonly<Record<string, FactLevel>>;
}

const file = join(projectFolder, 'test/levels/truth.json');

export interface TruthOptions {
  /** Writes down what is reached now. */
  readonly record: boolean;
  /** Which folders, by their names. */
  readonly only: RegExp;
  readonly program: string | undefined;
}

/**
 * Checks every folder below one that has a dump and is in the record, and prints what is worse.
 * @returns whether anything is
 */
export function holdTruth(folder: string, options: TruthOptions): boolean {
  const levels = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Level>;
  let worse = false;
  for (const name of readdirSync(folder).sort()) {
    const level = levels[name];
    if (level === undefined || !existsSync(join(folder, name, 'vmcore')) || !options.only.test(name)) continue;
    const { rows } = check(join(folder, name), { program: options.program, told: level.told });
    const facts: Record<string, FactLevel> = {};
    let compared = 0;
    for (const { fact, tally } of rows) {
      const before = level.facts[fact] ?? { compared: 0, wrong: 0, because: null };
      const [now, wrong] = [tally?.compared ?? 0, tally?.wrong ?? 0];
      compared += now;
      const because = wrong === 0 ? null : before.because;
      if (now > 0) facts[fact] = { compared: now, wrong, because };
      const problems = [
        !options.record && now < before.compared ? `${now} compared, it were ${before.compared}` : '',
        !options.record && wrong > before.wrong ? `${wrong} wrong, it were ${before.wrong}` : '',
        wrong > 0 && because === null ? `${wrong} wrong, and no reason is recorded` : '',
      ].filter(Boolean);
      if (problems.length === 0) continue;
      worse = true;
      process.stdout.write(`WORSE ${name}, ${fact}: ${problems.join('; ')}\n`);
      for (const fault of tally?.faults.slice(0, 5) ?? []) process.stdout.write(`    ${fault}\n`);
    }
    process.stdout.write(`${name}: ${compared} compared in ${Object.keys(facts).length} facts\n`);
    levels[name] = { told: level.told, facts };
  }
  if (options.record) writeFileSync(file, `${JSON.stringify(levels, null, 2)}\n`);
  return worse;
}
