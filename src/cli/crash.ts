// `inquest crash`: the shell, run by hand, by -c, or by a file of commands.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CommandContext } from '../commands/context.ts';
import { commandTable } from '../commands/registry.ts';
import { ShellSession } from '../shell/session.ts';
import { openNamedKernel } from './open.ts';
import { standardOutput, writeError, writeOut } from './output.ts';

export interface CrashOptions {
  readonly silent: boolean;
  readonly input: string | null;
  readonly commands: readonly string[];
  readonly json: boolean;
}

/** Runs the shell. @returns the exit status: 1 if a command failed, when they came from -c or -i */
export async function runCrash(files: readonly string[], options: CrashOptions): Promise<number> {
  const script = options.input === null ? null : readFileSync(options.input, 'utf8');
  const kernel = openNamedKernel(files);
  const session = new ShellSession(
    new CommandContext(kernel, commandTable),
    { ...standardOutput, warn: writeError },
    options,
  );

  const lines = [...options.commands, ...(script?.split('\n') ?? [])];
  if (script !== null || options.commands.length > 0) {
    for (const line of lines) if (!(await session.run(line))) break;
    return session.failed ? 1 : 0;
  }
  const interactive = process.stdin.isTTY === true;
  if (interactive && !options.silent) {
    await session.run('sys');
    await session.run('set');
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
    // one line at a time, in order: a pipe's end is waited for
    let turn: Promise<boolean> = Promise.resolve(true);
    lines.on('close', () => {
      if (interactive) writeOut('\n');
      void turn.then(() => resolve());
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
      turn = turn.then(async (goOn) => {
        const open = goOn && (await session.run(line));
        if (!open) lines.close();
        else if (interactive) lines.prompt();
        return open;
      });
    });
    if (interactive) lines.prompt();
  });
}
