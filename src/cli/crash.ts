// `inquest crash`: the shell, run by hand, by -c, or by a file of commands.
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import type { Worker } from 'node:worker_threads';
import { commandTable } from '../commands/registry.ts';
import { ShellSession } from '../shell/session.ts';
import type { CrashWorkerData } from './crash_worker.ts';
import type { DebugOptions } from './debug_options.ts';
import { openContext } from './open.ts';
import { standardOutput, writeError, writeOut } from './output.ts';

export interface CrashOptions {
  readonly silent: boolean;
  readonly input: string | null;
  readonly commands: readonly string[];
  readonly json: boolean;
  readonly debug: DebugOptions;
  /** Where the program of the thread is that runs commands for a terminal. */
  readonly worker: URL;
}

/** Runs the shell. @returns the exit status: 1 if a command failed, when they came from -c, -i or a pipe */
export async function runCrash(files: readonly string[], options: CrashOptions): Promise<number> {
  const script = options.input === null ? null : readFileSync(options.input, 'utf8');
  const given = [...options.commands, ...(script?.split('\n') ?? [])];
  const isScript = script !== null || options.commands.length > 0;
  if (!isScript && process.stdin.isTTY === true) {
    await byHand(files, options);
    return 0;
  }
  // a whole process does not pay for a thread
  const session = new ShellSession(
    openContext(files, options.debug),
    commandTable(),
    { ...standardOutput, warn: writeError },
    { json: options.json, wrote: holdGarbage() },
  );
  for await (const line of isScript ? given : createInterface({ input: createReadStream('', { fd: 0 }) })) {
    if (!(await session.run(line))) break;
  }
  return session.failed ? 1 : 0;
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

async function byHand(files: readonly string[], { silent, json, debug, worker }: CrashOptions): Promise<void> {
  const { Terminal } = await import('../shell/terminal.ts');
  const threads = await import('node:worker_threads');
  const start = (memory: SharedArrayBuffer): Worker =>
    new threads.Worker(worker, {
      workerData: { files, json, debug, memory } satisfies CrashWorkerData,
      resourceLimits: { maxYoungGenerationSizeMb: 32 },
    });
  const terminal = new Terminal({ start, first: silent ? [] : ['sys', 'set'], say: writeOut });
  if (!silent) writeOut('Type "help" for the commands, "quit" to leave.\n\n');
  await terminal.run();
}
