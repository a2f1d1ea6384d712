// `inquest crash`: the shell, run by hand, by -c, or by a file of commands.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CommandContext } from '../commands/context.ts';
import { ShellSession } from '../shell/session.ts';
import { openKernel } from './open.ts';
import { writeError, writeOut } from './output.ts';

export interface CrashOptions {
  readonly silent: boolean;
  readonly input: string | null;
  readonly commands: readonly string[];
  readonly json: boolean;
}

/** Runs the shell. @returns the exit status: 1 if a command failed, when they came from -c or -i */
export async function runCrash(files: readonly string[], options: CrashOptions): Promise<number> {
  const script = options.input === null ? null : readFileSync(options.input, 'utf8');
  const kernel = openKernel(files);
  const session = new ShellSession(new CommandContext(kernel), { write: writeOut, warn: writeError }, options);

  const lines = [...options.commands, ...(script?.split('\n') ?? [])];
  if (script !== null || options.commands.length > 0) {
    for (const line of lines) if (!session.run(line)) break;
    return session.failed ? 1 : 0;
  }
  const interactive = process.stdin.isTTY === true;
  if (interactive && !options.silent) {
    session.run('sys');
    session.run('set');
    writeOut('\nType "help" for the commands, "quit" to leave.\n');
  }
  await readCommands(session, interactive);
  return interactive || !session.failed ? 0 : 1;
}

/** Reads command lines until the end of input, `exit`, or a second interrupt at an empty prompt. */
function readCommands(session: ShellSession, interactive: boolean): Promise<void> {
  const lines = createInterface({
    input: process.stdin,
    output: interactive ? process.stdout : undefined,
    prompt: 'crash> ',
  });
  return new Promise((resolve) => {
    lines.on('close', () => {
      if (interactive) writeOut('\n');
      resolve();
    });
    lines.on('SIGINT', () => {
      if (lines.line === '') lines.close();
      else {
        writeOut('^C\n');
        lines.write(null, { ctrl: true, name: 'u' });
        lines.prompt();
      }
    });
    lines.on('line', (line) => {
      if (!session.run(line)) lines.close();
      else if (interactive) lines.prompt();
    });
    if (interactive) lines.prompt();
  });
}
