// Checks a run: asks a program about the dump, and compares with what the guest said. One row a fact.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answers, CrashAnswers, DrgnAnswers, InquestAnswers } from './answers.ts';
import { type Fact, switchesCommand, type World, whoRan } from './fact.ts';
import { facts } from './facts/index.ts';
import { fetchKernel } from './fetch.ts';
import { type Judged, judged } from './given.ts';
import { kernelNamed } from './kernels.ts';
import { readRecord } from './run.ts';
import { Tally } from './tally.ts';

export interface Row {
  readonly fact: string;
  /** Undefined: the program has no command for it, so it claims nothing. */
  readonly tally: Tally | undefined;
  /** A program that is not installed here, without which the fact could not be judged. */
  readonly lacks?: string | undefined;
}

export interface Checked {
  readonly program: string;
  readonly rows: readonly Row[];
  readonly wrong: number;
}

export interface CheckOptions {
  /** inquest's entry point, if not the checkout's own source. */
  readonly program?: string | undefined;
}

/**
 * Compares inquest's answers with the guest's picture.
 * @throws Error when the folder is no run and no dump that is told of, or has no dump or picture
 */
export function check(folder: string, { program }: CheckOptions = {}): Checked {
  return compare(folder, new InquestAnswers(dumpsOf(folder), program));
}

/** The same through crash(8) and drgn, whichever are installed; what one cannot do is said in words instead. */
export function checkPeers(folder: string): (Checked | string)[] {
  if (!CrashAnswers.installed && !DrgnAnswers.installed) return ['neither crash nor drgn is installed here'];
  const { vmlinux } = fetchKernel(kernelNamed(readRecord(folder).kernel), { debug: true });
  if (vmlinux === undefined) return ["no debug kernel in the kernel's packages"];
  const dump = dumpsOf(folder)[0] ?? '';
  const commands = asked();
  const peers: (() => Answers)[] = [];
  if (CrashAnswers.installed) peers.push(() => new CrashAnswers(dump, vmlinux, commands));
  if (DrgnAnswers.installed) peers.push(() => new DrgnAnswers(dump, vmlinux));
  return peers.map((open) => {
    try {
      return compare(folder, open());
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  });
}

/** Every command line that a fact needs. */
export function asked(): readonly string[] {
  return [...new Set([switchesCommand, ...facts.flatMap((fact) => fact.commands)])];
}

function dumpsOf(folder: string): string[] {
  const dumps = ['vmcore', ...globSync('vmcore.[0-9]', { cwd: folder }).sort()].map((name) => join(folder, name));
  if (!existsSync(dumps[0] ?? '')) throw new Error(`${folder}: no vmcore`);
  return dumps;
}

function compare(folder: string, answers: Answers): Checked {
  const known = judged(folder);
  const dmesg = join(folder, 'vmcore-dmesg.txt');
  try {
    return hold(known, answers, existsSync(dmesg) ? readFileSync(dmesg, 'utf8') : undefined);
  } finally {
    known.close();
  }
}

/** Compares answers with a picture. @param dmesg the log as makedumpfile read it, where it did */
export function hold(known: Judged, answers: Answers, dmesg?: string): Checked {
  const world: World = { ...known, dmesgOfMakedumpfile: dmesg, ranSince: whoRan(answers) };
  const rows = facts.map((fact) => {
    const lacks = fact.lacks?.(world.machine);
    return { fact: fact.name, tally: lacks === undefined ? checkFact(fact, world, answers) : undefined, lacks };
  });
  return { program: answers.name, rows, wrong: rows.reduce((sum, row) => sum + (row.tally?.wrong ?? 0), 0) };
}

function checkFact(fact: Fact, world: World, answers: Answers): Tally | undefined {
  const tally = new Tally();
  try {
    const texts = fact.commands.map((command) =>
      fact.isAsked?.(world.picture, command) === false ? '' : answers.ask(command),
    );
    if (texts.some((text) => text === undefined)) return undefined;
    fact.compare(world, texts as string[], tally);
  } catch (error) {
    tally.fault(error instanceof Error ? error.message : String(error));
  }
  return tally;
}

/** The table, then each wrong comparison in words, then why the explained ones moved. */
export function renderChecked(checked: Checked): string {
  const lines = [
    `${'fact'.padEnd(34)}${['compared', 'equal', 'explained', 'wrong'].map((head) => head.padStart(10)).join('')}`,
  ];
  for (const { fact, tally, lacks } of checked.rows) {
    const cells =
      tally === undefined
        ? `  ${lacks === undefined ? 'not claimed' : `no ${lacks} here`}`
        : [tally.compared, tally.equal, tally.explained, tally.wrong].map((n) => String(n).padStart(10)).join('');
    lines.push(fact.padEnd(34) + cells);
  }
  for (const { fact, tally } of checked.rows) {
    for (const fault of tally?.faults ?? []) lines.push(`WRONG ${fact}: ${fault}`);
    const more = (tally?.wrong ?? 0) - (tally?.faults.length ?? 0);
    if (more > 0) lines.push(`WRONG ${fact}: and ${more} more`);
  }
  for (const { fact, tally } of checked.rows) {
    for (const [why, count] of tally?.reasons ?? []) lines.push(`explained ${fact}: ${count} times: ${why}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The facts on which two programs differ, for `--peers`. */
export function renderPeers(ours: Checked, peer: Checked): string {
  const lines = [
    `${'fact'.padEnd(34)}${[ours.program, peer.program].map((name) => name.padStart(22)).join('')}   (equal / explained / wrong)`,
  ];
  for (const [i, { fact, tally }] of ours.rows.entries()) {
    const cells = [tally, peer.rows[i]?.tally].map((t) =>
      (t === undefined ? 'not claimed' : `${t.equal} / ${t.explained} / ${t.wrong}`).padStart(22),
    );
    if (cells[0] !== cells[1]) lines.push(fact.padEnd(34) + cells.join(''));
  }
  return `${lines.join('\n')}\n`;
}
