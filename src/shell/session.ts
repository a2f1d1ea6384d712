// Runs command lines of one session: aliases, pipes, redirection, `!`, and what each command printed.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { assertNever, InquestError, messageOf, NotFoundError, UsageError } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';
import { unwatched, type Work } from '../base/work.ts';
import { type Command, toJson } from '../commands/command.ts';
import type { CommandContext } from '../commands/context.ts';
import { errorData, type Outcome, runCommand, type Sink } from '../commands/run.ts';
import { interpretUnknown } from '../commands/session/fallback.ts';
import { usageText } from '../commands/usage.ts';
import { type OutputTarget, parseCommandLine } from './command_line.ts';
import { ShellPipe } from './pipe.ts';

/** crash(8)'s own aliases. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  man: ['help'],
  '?': ['help'],
  q: ['exit'],
  quit: ['exit'],
  sf: ['set', 'scroll', 'off'],
  sn: ['set', 'scroll', 'on'],
  hex: ['set', 'radix', '16'],
  dec: ['set', 'radix', '10'],
  px: ['p', '-x'],
  pd: ['p', '-d'],
  for: ['foreach'],
  size: ['*'],
  dmesg: ['log'],
  lsmod: ['mod'],
};

/** Files of commands may name files of commands, this deep. */
const maxSourceDepth = 16;

/** Where a session writes. */
export interface SessionOutput extends Sink {
  /** Everything but the output of commands: what could not be read or done, and why. */
  warn(text: string): void;
}

export interface SessionOptions {
  /** A line of JSON for each command. */
  readonly json: boolean;
  /** What watches the commands. */
  readonly work?: Work;
  /** Told when the session begins and ends to wait for others: a child, a slow reader. */
  readonly outside?: (isOutside: boolean) => void;
  /** Told of output, in characters. */
  readonly wrote?: (length: number) => void;
}

export class ShellSession {
  readonly context: CommandContext;
  private readonly commands: ReadonlyMap<string, Command>;
  /** True once a command has failed. */
  failed = false;
  private readonly json: boolean;
  private readonly output: SessionOutput;
  private readonly work: Work;
  private readonly outside: (isOutside: boolean) => void;
  private readonly wrote: (length: number) => void;

  /** @param commands by name */
  constructor(
    context: CommandContext,
    commands: ReadonlyMap<string, Command>,
    output: SessionOutput,
    options: SessionOptions,
  ) {
    this.context = context;
    this.commands = commands;
    this.output = output;
    this.json = options.json;
    this.work = options.work ?? unwatched;
    this.outside = options.outside ?? (() => {});
    this.wrote = options.wrote ?? (() => {});
  }

  /** Runs one line. False when the line asks to leave, or nobody reads the output any more. Errors are printed. */
  async run(line: string, depth = 0): Promise<boolean> {
    try {
      const parsed = parseCommandLine(line);
      switch (parsed.kind) {
        case 'empty':
          return true;
        case 'system':
          await this.waiting(() => this.system(parsed.command));
          return true;
        case 'source':
          return await this.source(parsed.path, depth);
        case 'command':
          return await this.command(line.trim(), parsed.words, parsed.output);
        default:
          return assertNever(parsed);
      }
    } catch (error) {
      return this.fail(line.trim(), null, error);
    }
  }

  private async command(line: string, given: readonly string[], target: OutputTarget): Promise<boolean> {
    const { name, args } = this.resolve(given);
    if (name === 'exit') return false;
    const command = this.commands.get(name);
    if (command === undefined) throw new NotFoundError('command', name);
    switch (target.kind) {
      case 'stdout': {
        const outcome = this.collect(command, args, this.output, line);
        return this.finish(command, outcome) && outcome.end !== 'closed';
      }
      case 'pipe': {
        const pipe = new ShellPipe(target.command);
        let outcome: Outcome;
        try {
          outcome = this.collect(command, args, pipe, line);
        } finally {
          await this.waiting(() => pipe.close());
        }
        return this.finish(command, outcome);
      }
      case 'file': {
        const file = new FileSink(expandHome(target.path), target.append);
        try {
          return this.finish(command, this.collect(command, args, file, line));
        } finally {
          file.close();
        }
      }
      default:
        return assertNever(target);
    }
  }

  private collect(command: Command, args: readonly string[], sink: Sink, line: string): Outcome {
    const patient: Sink = {
      write: (text) => {
        this.wrote(text.length);
        this.outside(true);
        try {
          return sink.write(text);
        } finally {
          this.outside(false);
        }
      },
    };
    return runCommand(command, this.context, args, patient, { json: this.json, line, work: this.work });
  }

  private async waiting(work: () => Promise<void> | void): Promise<void> {
    this.outside(true);
    try {
      await work();
    } finally {
      this.outside(false);
    }
  }

  /** Says what could not be read or done. */
  private finish(command: Command, { end, error, faults, droppedFaults }: Outcome): boolean {
    if (end === 'failed') this.failed = true;
    if (end === 'cancelled') this.output.warn(`${command.name}: cancelled\n`);
    if (!this.json) {
      for (const { what, message } of faults) {
        this.output.warn(`${command.name}: ${escapeTerminal(`${what}: ${message}`)}\n`);
      }
      if (droppedFaults > 0) this.output.warn(`${command.name}: ${droppedFaults} more of these are not shown\n`);
    }
    if (end === 'failed' && error !== null) this.explain(command, error);
    return true;
  }

  private resolve(words: readonly string[]): { name: string; args: readonly string[] } {
    const [first = '', ...rest] = words;
    const alias = Object.hasOwn(aliases, first) ? aliases[first]! : [first];
    const name = alias[0]!;
    const args = [...alias.slice(1), ...rest];
    if (name === 'exit' || this.commands.has(name)) return { name, args };
    return interpretUnknown(this.context, words) ?? { name, args };
  }

  /** An error that came before any command could run. */
  private fail(line: string, command: Command | null, error: unknown): boolean {
    this.failed = true;
    if (!this.json) this.explain(command, error);
    else {
      const failure = { command: line, data: null, faults: [], error: errorData(error) };
      return this.output.write(`${toJson(failure)}\n`);
    }
    return true;
  }

  private explain(command: Command | null, error: unknown): void {
    const message = escapeTerminal(messageOf(error));
    if (this.json) {
      // the line of JSON has said it
    } else if (command === null) {
      const advice = error instanceof NotFoundError ? '; "help" lists the commands' : '';
      this.output.warn(`inquest: ${message}${advice}\n`);
    } else if (error instanceof UsageError && message === '') {
      this.output.warn(usageText(command));
    } else {
      const usage = error instanceof UsageError && message.startsWith('Unknown option') ? usageText(command) : '';
      this.output.warn(`${command.name}: ${message}\n${usage}`);
    }
    if (!(error instanceof InquestError) && process.env['INQUEST_DEBUG'] !== undefined) {
      this.output.warn(`${error instanceof Error ? error.stack : String(error)}\n`);
    }
  }

  private system(command: string): void {
    const run = spawnSync(
      command === '' ? (process.env['SHELL'] ?? 'sh') : 'sh',
      command === '' ? [] : ['-c', command],
      {
        stdio: ['inherit', 'inherit', 'inherit'],
      },
    );
    if (run.error !== undefined) throw run.error;
  }

  private async source(path: string, depth: number): Promise<boolean> {
    if (depth >= maxSourceDepth) throw new UsageError(`files of commands are nested more than ${maxSourceDepth} deep`);
    for (const line of readFileSync(expandHome(path), 'utf8').split('\n')) {
      if (!(await this.run(line, depth + 1))) return false;
    }
    return true;
  }
}

/** A file that a command's output goes to. */
class FileSink implements Sink {
  private readonly fd: number;

  constructor(path: string, append: boolean) {
    this.fd = openSync(path, append ? 'a' : 'w');
  }

  write(text: string): boolean {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    return true;
  }

  close(): void {
    closeSync(this.fd);
  }
}

function expandHome(path: string): string {
  return path.startsWith('~/') ? homedir() + path.slice(1) : path;
}
