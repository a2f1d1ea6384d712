// `inquest crash`: the shell, run by hand, by -c, or by a file of commands.
import { createReadStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import type { Worker } from 'node:worker_threads';
import { ShellSession } from '../shell/session.ts';
import type { CrashWorkerData } from './crash_worker.ts';
import type { DebugOptions } from './debug_options.ts';
import { isTerminal } from './is_terminal.ts';
import { openContext } from './open.ts';
import { standardOutput, writeError, writeOut } from './output.ts';
import { sessionCommands } from './session/entries.ts';

export interface CrashOptions {
  readonly silent: boolean;
  readonly input: string | null;
  readonly commands: readonly string[];
  readonly json: boolean;
  readonly debug: DebugOptions;
  /** Command lines to run before all others, by options of crash(8): `set radix 16`. */
  readonly settings: readonly string[];
  /** Whether .crashrc files are read. */
  readonly startupFiles: boolean;
  readonly scroll: CrashWorkerData['scroll'];
  /** Where the program of the thread is that runs commands for a terminal. */
  readonly worker: URL;
}

/** Runs the shell. @returns the exit status: 1 if a command failed, when they came from -c, -i or a pipe */
export async function runCrash(files: readonly string[], options: CrashOptions): Promise<number> {
  const script = options.input === null ? null : readFileSync(options.input, 'utf8').split('\n');
  if (options.commands.length === 0 && isTerminal(0) && isTerminal(1)) {
    await byHand(files, options, script ?? []);
    return 0;
  }
  // a whole process does not pay for a thread
  const context = openContext(files, options.debug);
  if (options.silent) context.variables.assign('silent', 'on');
  const session = new ShellSession(
    context,
    sessionCommands(),
    { ...standardOutput, warn: writeError },
    { json: options.json, wrote: holdGarbage() },
  );
  for (const line of [...options.settings, ...homeFile(options)]) await session.run(line);
  const given = [...options.commands, ...(script ?? [])];
  const isScript = script !== null || options.commands.length > 0;
  for await (const line of isScript ? given : createInterface({ input: createReadStream('', { fd: 0 }) })) {
    if (!(await session.type(line))) break;
  }
  return session.failed ? 1 : 0;
}

/** Lines of the .crashrc in the home directory. One in another directory could be anybody's. */
function homeFile({ startupFiles }: CrashOptions): readonly string[] {
  return startupFiles ? linesOf(join(homedir(), '.crashrc')) : [];
}

function linesOf(path: string): readonly string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
}

/** Characters of output after which the output is a stream, and not an answer. */
const longOutput = 1 << 20;

/**
 * A stream makes garbage as fast as output. The heap's space for young objects would grow with it to a few times what
 * everything else takes, and gain nothing: it stays as it is from then on.
 */
function holdGarbage(): (length: number) => void {
  let written = 0;
  return (length) => {
    const before = written;
    written += length;
    if (before < longOutput && written >= longOutput) setFlagsFromString('--semi-space-growth-factor=1');
  };
}

async function byHand(files: readonly string[], options: CrashOptions, script: readonly string[]): Promise<void> {
  const { silent, json, worker, scroll, settings, debug } = options;
  const { Terminal } = await import('../shell/terminal.ts');
  const threads = await import('node:worker_threads');
  const start = (memory: SharedArrayBuffer): Worker =>
    new threads.Worker(worker, {
      workerData: { files, json, debug, memory, scroll } satisfies CrashWorkerData,
      resourceLimits: { maxYoungGenerationSizeMb: 32 },
    });
  const here = options.startupFiles ? await fileHere() : [];
  const file = historyFile();
  const terminal = new Terminal({
    start,
    first: [...settings, ...homeFile(options), ...here, ...(silent ? [] : ['sys', 'set'])],
    script,
    say: writeOut,
    history: linesOf(file).filter((line) => line !== ''),
    remember: (history) => {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${history.join('\n')}\n`, { mode: 0o600 });
    },
  });
  if (!silent) writeOut('Type "help" for the commands, "quit" to leave.\n\n');
  await terminal.run();
}

/** Lines of the .crashrc in the current directory, once the user has said that it may run. */
async function fileHere(): Promise<readonly string[]> {
  const path = join(process.cwd(), '.crashrc');
  if (process.cwd() === homedir() || !existsSync(path)) return [];
  const asked = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await new Promise<string>((resolve) => {
    asked.question('There is a .crashrc in this directory. Run it? [y/N] ', resolve);
    asked.on('close', () => resolve(''));
  });
  asked.close();
  return /^y(es)?$/i.test(answer.trim()) ? linesOf(path) : [];
}

/** Where typed lines are kept, the last first (the XDG base directory specification's state directory). */
function historyFile(): string {
  const state = process.env['XDG_STATE_HOME'];
  return join(state === undefined || state === '' ? join(homedir(), '.local', 'state') : state, 'inquest', 'history');
}
