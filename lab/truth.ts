// Many dumps with what their guests said, held against what was reached before: of each fact, no less may be compared, no more
// may be wrong, and what is wrong and accepted has its reason (`because`). The record is test/levels/truth.json.
// Of runs of the lab, no two of which are alike, nothing may be wrong; how much each fact compares in all runs of CI
// together is in test/levels/lab.json, and may not fall far.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checked, check } from './check.ts';
import { projectFolder } from './place.ts';

export interface FactLevel {
  /** Least that is compared; what is explained counts. */
  readonly compared: number;
  /** Most that may be wrong. */
  readonly wrong: number;
  /** Why that is not mended; null where nothing is wrong. */
  readonly because: string | null;
}

/** What was reached of a dump, by the facts' names. */
export type Level = Readonly<Record<string, FactLevel>>;

/** How much each fact compared; a fact is left out that could not be judged for want of a program. */
export type Totals = Readonly<Record<string, number>>;

const labFile = join(projectFolder, 'test/levels/lab.json');
/** Share of what was compared before that is enough: who ran since the picture differs from run to run. */
const enough = 0.5;

const file = join(projectFolder, 'test/levels/truth.json');

export interface TruthOptions {
  /** Writes down what is reached now. */
  readonly record: boolean;
  /** Which folders, by their names. */
  readonly only: RegExp;
  readonly program: string | undefined;
}

/**
 * Checks every folder below one that has a dump and a picture, and prints what is worse.
 * @returns whether anything is
 */
export function holdTruth(folder: string, { record, only, program }: TruthOptions): boolean {
  const levels = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Level>;
  let worse = false;
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (!existsSync(join(path, 'vmcore')) || !existsSync(join(path, 'proc.tar.zst')) || !only.test(name)) continue;
    const { rows } = check(path, { program });
    const before = levels[name] ?? {};
    const reached = levelOf(rows, before);
    const problems = worseThan(reached, record ? {} : before);
    worse ||= problems.length > 0;
    const compared = Object.values(reached).reduce((sum, fact) => sum + fact.compared, 0);
    const wrong = Object.values(reached).reduce((sum, fact) => sum + fact.wrong, 0);
    process.stdout.write(
      `${name}: ${compared} compared in ${Object.keys(reached).length} facts, ${wrong} wrong and accepted\n`,
    );
    for (const { fact, problem } of problems) {
      process.stdout.write(`  WORSE ${fact}: ${problem}\n`);
      const { faults = [] } = rows.find((row) => row.fact === fact)?.tally ?? {};
      for (const fault of faults.slice(0, 5)) process.stdout.write(`    ${fault}\n`);
    }
    levels[name] = reached;
  }
  if (record) writeFileSync(file, `${JSON.stringify(levels, null, 2)}\n`);
  return worse;
}

/** @param before whose reasons stay as long as something is wrong */
export function levelOf(rows: Checked['rows'], before: Level): Level {
  return Object.fromEntries(
    rows.flatMap(({ fact, tally, lacks }) => {
      // what nobody here can judge is as it was
      if (lacks !== undefined) return fact in before ? [[fact, before[fact]!]] : [];
      if (tally === undefined || tally.compared === 0) return [];
      const because = tally.wrong === 0 ? null : (before[fact]?.because ?? null);
      return [[fact, { compared: tally.compared, wrong: tally.wrong, because }]];
    }),
  );
}

/** What is worse than before, fact by fact; a fact that is compared no more among them. */
export function worseThan(
  reached: Level,
  before: Level,
): readonly { readonly fact: string; readonly problem: string }[] {
  const nothing: FactLevel = { compared: 0, wrong: 0, because: null };
  return [...new Set([...Object.keys(before), ...Object.keys(reached)])].flatMap((fact) => {
    const [then, now] = [before[fact] ?? nothing, reached[fact] ?? nothing];
    const problems = [
      now.compared < then.compared ? `${now.compared} compared, and ${then.compared} before` : '',
      now.wrong > then.wrong && fact in before ? `${now.wrong} wrong, and ${then.wrong} before` : '',
      now.wrong > 0 && now.because === null ? `${now.wrong} wrong, and no reason is recorded` : '',
    ].filter((problem) => problem !== '');
    return problems.length === 0 ? [] : [{ fact, problem: problems.join('; ') }];
  });
}

/** Of all runs together. */
export function totalsOf(checked: readonly Checked[]): Totals {
  const totals = new Map<string, number>();
  for (const { rows } of checked) {
    for (const { fact, tally } of rows) totals.set(fact, (totals.get(fact) ?? 0) + (tally?.compared ?? 0));
  }
  for (const { rows } of checked) for (const { fact, lacks } of rows) if (lacks !== undefined) totals.delete(fact);
  return Object.fromEntries(totals);
}

/** Facts that compare far less than they did. @param unjudged those that nobody here can judge */
export function fallenFar(reached: Totals, before: Totals, unjudged: ReadonlySet<string>): readonly string[] {
  return Object.entries(before).flatMap(([fact, then]) => {
    const now = reached[fact] ?? 0;
    return unjudged.has(fact) || now >= then * enough
      ? []
      : [`${fact}: ${now} compared in all runs, and ${then} before`];
  });
}

/** Holds all runs of CI's matrix against what they compared before. @param record writes down what is reached now @returns what is less */
export function holdTotals(checked: readonly Checked[], record: boolean): readonly string[] {
  const totals = totalsOf(checked);
  if (record) {
    writeFileSync(labFile, `${JSON.stringify(totals, null, 2)}\n`);
    return [];
  }
  const unjudged = new Set(
    checked.flatMap(({ rows }) => rows.filter(({ lacks }) => lacks !== undefined).map(({ fact }) => fact)),
  );
  return fallenFar(totals, JSON.parse(readFileSync(labFile, 'utf8')) as Totals, unjudged);
}
