// Runs every command with every option on a dump: whatever a dump holds, no command may end with an internal error. What
// there is to run is asked of `help all`: options and arguments with their kinds, and the examples.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { projectFolder } from './place.ts';

/** What of `help all --json` is needed. */
export interface Entry {
  readonly name: string;
  readonly params: readonly { readonly letter: string | null; readonly kind: string; readonly arity: string }[];
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

export interface Swept {
  /** Lines that were run. */
  readonly lines: number;
  /** Those that ended with an error that is no answer, with its text. */
  readonly internal: readonly { readonly line: string; readonly text: string }[];
}

/** Words that fit a kind of argument: good ones, and ones that no dump has. */
const words: Readonly<Record<string, readonly string[]>> = {
  number: ['1', '2'],
  address: ['init_task', 'runqueues:0', '1234', 'ffffffffffffffff'],
  cpus: ['0', 'a'],
  task: ['0', '1', '2'],
  symbol: ['schedule', 'jiffies', 'init_task'],
  type: ['task_struct', 'list_head'],
  member: ['pid,comm', 'task_struct.tasks'],
  module: ['nosuch'],
  command: ['bt'],
  word: ['1', 'init_task', 'ext4'],
};

/**
 * Sweeps a dump.
 * @param program inquest's entry point @param json whether each line's answer is JSON, else text
 * @throws Error when the session dies
 */
export function sweep(dumps: readonly string[], program = join(projectFolder, 'src/cli/main.ts')): Swept {
  const folder = mkdtempSync(join(tmpdir(), 'lab-sweep-'));
  const run = (args: readonly string[]) =>
    spawnSync(process.execPath, [resolve(program), 'crash', '-s', ...dumps.map((dump) => resolve(dump)), ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
      timeout: 3_600_000,
      cwd: folder,
    });
  try {
    const help = run(['--json', '-c', 'help all']);
    const { commands } = (JSON.parse(help.stdout) as { data: { commands: readonly Entry[] } }).data;
    const lines = [...new Set(commands.flatMap((entry) => linesOf(entry, join(folder, 'file'))))];
    const internal: { line: string; text: string }[] = [];
    // a stack trace tells of an error that is no answer
    const script = join(folder, 'script');
    writeFileSync(script, lines.map((line, i) => `!echo "@@ ${i}" >&2\n${line} > /dev/null\n`).join(''));
    const { stderr, signal } = run(['-i', script]);
    const parts = stderr.split(/^@@ (\d+)\n/m);
    for (let i = 1; i < parts.length; i += 2) {
      const said = parts[i + 1] ?? '';
      if (/^ {4}at /m.test(said)) internal.push({ line: lines[Number(parts[i])] ?? '?', text: said });
    }
    const last = Number(parts.at(-2) ?? -1);
    if (signal !== null || last !== lines.length - 1)
      throw new Error(`the session died at: ${lines[last] ?? 'its start'}\n${stderr.slice(-1000)}`);
    return { lines: lines.length, internal };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the shell does itself: it would end the session, or ask for files. */
const ofTheShell: readonly string[] = ['exit', 'extend', 'q', 'repeat'];

/** A command without anything, with each option, and with arguments; and its examples. @param file fits where a file is wanted */
export function linesOf({ name, params, examples }: Entry, file: string): readonly string[] {
  if (ofTheShell.includes(name)) return [];
  const fitting = (kind: string): readonly string[] => (kind === 'file' ? [file] : (words[kind] ?? ['1']));
  const args = params.filter(({ letter }) => letter === null);
  const options = params.flatMap(({ letter, kind, arity }) => {
    if (letter === null) return [];
    const dashed = `-${letter}`;
    return arity === 'value' ? fitting(kind).map((word) => `${dashed} ${word}`) : [dashed];
  });
  // without options each argument alone; with them none, and one of each
  const tails = ['', ...args.flatMap(({ kind }) => fitting(kind)), args.map(({ kind }) => fitting(kind)[0]).join(' ')];
  const made = ['', ...options].flatMap((option) => tails.map((tail) => `${name} ${option} ${tail}`.trim()));
  // `foreach 1` would ask for a command
  return [...(name === 'foreach' ? [] : made), ...examples.map(([line]) => line.replace(/[|>].*$/, '').trim())];
}
