// Runs command lines of one session: aliases, pipes, redirection, `!`, and what each command printed.
import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { InquestError, messageOf, NotFoundError, UsageError } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';
import { type Command, type CommandOutput, toJson, usageText } from '../commands/command.ts';
import type { CommandContext } from '../commands/context.ts';
import { findCommand } from '../commands/registry.ts';
import { interpretUnknown } from '../commands/session/fallback.ts';
import { type OutputTarget, parseCommandLine } from './command_line.ts';

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
export interface SessionOutput {
  /** Output of commands. */
  write(text: string): void;
  /** Everything else: what could not be read, and why. */
  warn(text: string): void;
}

export class ShellSession {
  readonly context: CommandContext;
  /** True once a command has failed. */
  failed = false;
  private readonly json: boolean;
  private readonly output: SessionOutput;

  constructor(context: CommandContext, output: SessionOutput, options: { json: boolean }) {
    this.context = context;
    this.output = output;
    this.json = options.json;
  }

  /** Runs one line. False when the line asks to leave. Errors are printed, never thrown. */
  run(line: string, depth = 0): boolean {
    try {
      const parsed = parseCommandLine(line);
      switch (parsed.kind) {
        case 'empty':
          return true;
        case 'system':
          this.system(parsed.command);
          return true;
        case 'source':
          return this.source(parsed.path, depth);
        case 'command':
          return this.command(line.trim(), parsed.words, parsed.output);
      }
    } catch (error) {
      this.fail(line.trim(), null, error, { kind: 'stdout' });
      return true;
    }
  }

  private command(line: string, given: readonly string[], target: OutputTarget): boolean {
    const { name, args } = this.resolve(given);
    if (name === 'exit') return false;
    const command = findCommand(name);
    try {
      if (command === null) throw new NotFoundError('command', name);
      const result = command.run(this.context, args);
      this.show(line, name, result, target);
    } catch (error) {
      this.fail(line, command, error, target);
    }
    return true;
  }

  private resolve(words: readonly string[]): { name: string; args: readonly string[] } {
    const [first = '', ...rest] = words;
    const alias = Object.hasOwn(aliases, first) ? aliases[first]! : [first];
    const name = alias[0]!;
    const args = [...alias.slice(1), ...rest];
    if (name === 'exit' || findCommand(name) !== null) return { name, args };
    return interpretUnknown(this.context, words) ?? { name, args };
  }

  private show(line: string, name: string, result: CommandOutput, target: OutputTarget): void {
    if (this.json) {
      this.send(`${toJson({ command: line, data: result.data, faults: result.faults })}\n`, target);
      return;
    }
    this.send(result.text, target);
    for (const fault of result.faults)
      this.output.warn(`${name}: ${escapeTerminal(`${fault.what}: ${fault.message}`)}\n`);
  }

  private fail(line: string, command: Command | null, error: unknown, target: OutputTarget): void {
    this.failed = true;
    const message = escapeTerminal(messageOf(error));
    if (this.json) {
      const code = error instanceof InquestError ? error.code : 'internal';
      this.send(`${toJson({ command: line, data: null, faults: [], error: { code, message } })}\n`, target);
    } else if (command === null) {
      const advice = error instanceof NotFoundError ? '; "help" lists the commands' : '';
      this.send(`inquest: ${message}${advice}\n`, target);
    } else if (error instanceof UsageError && message === '') {
      this.send(usageText(command), target);
    } else {
      const usage = error instanceof UsageError && message.startsWith('Unknown option') ? usageText(command) : '';
      this.send(`${command.name}: ${message}\n${usage}`, target);
    }
    if (!(error instanceof InquestError) && process.env['INQUEST_DEBUG'] !== undefined) {
      this.output.warn(`${error instanceof Error ? error.stack : String(error)}\n`);
    }
  }

  private send(text: string, target: OutputTarget): void {
    switch (target.kind) {
      case 'stdout':
        this.output.write(text);
        return;
      case 'pipe': {
        // what the pipe's end does with its input is its own affair: `head` closing early is no error
        const run = spawnSync('sh', ['-c', target.command], {
          input: text,
          stdio: ['pipe', 'pipe', 'inherit'],
          maxBuffer: 1 << 30,
        });
        if (run.stdout !== null) this.output.write(run.stdout.toString());
        return;
      }
      case 'file':
        if (target.append) appendFileSync(expandHome(target.path), text);
        else writeFileSync(expandHome(target.path), text);
        return;
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

  private source(path: string, depth: number): boolean {
    if (depth >= maxSourceDepth) throw new UsageError(`files of commands are nested more than ${maxSourceDepth} deep`);
    for (const line of readFileSync(expandHome(path), 'utf8').split('\n')) {
      if (!this.run(line, depth + 1)) return false;
    }
    return true;
  }
}

function expandHome(path: string): string {
  return path.startsWith('~/') ? homedir() + path.slice(1) : path;
}
