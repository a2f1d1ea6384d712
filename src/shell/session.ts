// Runs command lines of one session: aliases, pipes, redirection, `!`, and what each command printed.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, realpathSync, writeSync } from 'node:fs';
import { isBug, problemText } from '../base/bug.ts';
import { assertNever, messageOf, NotFoundError, UsageError } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';
import { Cancelled, ShortWork, unwatched, type Work } from '../base/work.ts';
import { type Command, defineCommand, toJson } from '../commands/command.ts';
import type { CommandEntry } from '../commands/command_files.ts';
import type { CommandContext } from '../commands/context.ts';
import { errorData, type Outcome, runCommand, type Sink } from '../commands/run.ts';
import { gdbCommand, interpretUnknown } from '../commands/session/fallback.ts';
import { foreachOver } from '../commands/session/foreach.ts';
import { helpOn } from '../commands/session/help.ts';
import { sessionWords } from '../commands/session/session_words.ts';
import { usageText } from '../commands/usage.ts';
import { Aliases, aliasCommand } from './aliases.ts';
import { type OutputTarget, parseCommandLine } from './command_line.ts';
import { complete } from './completion.ts';
import { Extensions } from './extensions.ts';
import { History, historyCommand } from './history.ts';
import { expandHome } from './home.ts';
import { PagedSink, pagerCommand } from './pager.ts';
import { ShellPipe } from './pipe.ts';
import { nearest } from './suggest.ts';
import { ToldFaults } from './told_faults.ts';

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
  /** Told when a child gets the terminal for the rest of the command. */
  readonly child?: () => void;
  /** Lines of the screen, for paging by `set scroll`; none where output goes to no screen. */
  readonly rows?: () => number;
  /** Told of output, in characters. */
  readonly wrote?: (length: number) => void;
}

export class ShellSession {
  readonly context: CommandContext;
  /** By name: those loaded, and how to have the others. */
  private readonly entries: Map<string, CommandEntry>;
  /** Those loaded. */
  private readonly commands = new Map<string, Command>();
  private readonly aliases = new Aliases();
  private readonly history = new History();
  private readonly extensions: Extensions;
  private readonly told = new ToldFaults();
  /** Files of commands that are being run. */
  private readonly sourcing = new Set<string>();
  /** True once a command has failed. */
  failed = false;
  private readonly json: boolean;
  private readonly output: SessionOutput;
  private readonly work: Work;
  private readonly outside: (isOutside: boolean) => void;
  private readonly child: () => void;
  private readonly wrote: (length: number) => void;
  private readonly rows: (() => number) | null;

  /** @param commands by name */
  constructor(
    context: CommandContext,
    commands: ReadonlyMap<string, CommandEntry>,
    output: SessionOutput,
    options: SessionOptions,
  ) {
    this.context = context;
    this.entries = new Map<string, CommandEntry>([
      ...commands,
      ['alias', aliasCommand(this.aliases, commands)],
      ['foreach', foreachOver(this.commands)],
      ['h', historyCommand(this.history)],
      ['help', helpOn(this.commands)],
    ]);
    this.extensions = new Extensions(this.entries);
    this.output = output;
    this.json = options.json;
    this.work = options.work ?? unwatched;
    this.outside = options.outside ?? (() => {});
    this.child = options.child ?? (() => {});
    this.wrote = options.wrote ?? (() => {});
    this.rows = options.rows ?? null;
  }

  /** Words that may stand for the last one of a line, and the text that they would replace. */
  async complete(line: string): Promise<[words: string[], replaced: string]> {
    const names = [...this.entries.keys(), ...reserved, ...this.aliases.all().map(({ name }) => name)];
    const command = await this.load(line.trimStart().split(/\s+/)[0] ?? '');
    return complete(this.context, command, names, line);
  }

  /** A command by name, loaded if it was not; null if there is none. */
  private async load(name: string): Promise<Command | null> {
    const entry = this.entries.get(name);
    if (entry === undefined) return null;
    const command = typeof entry === 'function' ? await entry() : entry;
    this.entries.set(name, command);
    this.commands.set(name, command);
    return command;
  }

  /** Loads all commands, one after another, so that each that is typed is there. */
  async loadAll(): Promise<void> {
    for (const name of [...this.entries.keys()]) await this.load(name);
  }

  /**
   * Runs a command that may be asked for next, for nobody: then its pages are in memory, and its code is compiled. What could not
   * be read is told to whoever asks for it.
   * @param most in ms
   */
  async readAhead(line: string, most: number): Promise<void> {
    // what a running kernel says is read anew for each command
    if (this.context.kernel.live) return;
    const [name = '', ...args] = line.split(' ');
    const command = await this.load(name);
    if (command !== null) runCommand(command, this.context, args, nobody, { work: new ShortWork(most) });
  }

  /** Loads what a command asks for that stands on others: `help` on all, `foreach` on those named. */
  private async loadFor(name: string, args: readonly string[]): Promise<void> {
    const wanted = name === 'help' ? [...this.entries.keys()] : name === 'foreach' ? args : [];
    for (const one of wanted) await this.load(one);
  }

  /** Runs a line that was typed, or stands in a file: it may ask for one of those before it, and is kept. Otherwise as `run`. */
  async type(typed: string, depth = 0): Promise<boolean> {
    let line = typed;
    try {
      line = this.history.expand(typed);
    } catch (error) {
      return this.fail(typed.trim(), null, error);
    }
    if (line !== typed && !this.json) this.output.write(`${line}\n`);
    if (!/^h\s*(\||>|$)/.test(line.trim())) this.history.add(line);
    return this.run(line, depth);
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

  /** A command for each line of a file, which holds its last arguments: `vtop < addresses`. */
  private async commandForLines(words: readonly string[], path: string, target: OutputTarget): Promise<boolean> {
    let append = false;
    for (const text of readFileSync(expandHome(path), 'utf8').split('\n')) {
      const more = parseCommandLine(text);
      if (more.kind !== 'command') continue;
      const all = [...words, ...more.words];
      if (!(await this.command(all.join(' '), all, target.kind === 'file' && append ? { ...target, append } : target)))
        return false;
      append = true;
    }
    return true;
  }

  private async command(line: string, given: readonly string[], target: OutputTarget): Promise<boolean> {
    const from = argumentsFile(given);
    if (from !== null && !expressions.has(this.aliases.expand(given)[0] ?? '')) {
      return this.commandForLines(from.words, from.path, target);
    }
    const { name, args } = this.resolve(given);
    if (name === 'exit' || name === 'q') return false;
    if (name === 'repeat') return this.repeat(args, line);
    if (name === 'extend') return this.into(await this.extend(args), [], target, line);
    const command = await this.load(name);
    if (command === null) {
      const why = Object.hasOwn(notHere, name) ? notHere[name] : undefined;
      if (why !== undefined) throw new UsageError(`${name} is not here: ${why}`);
      const meant = nearest(name, [...this.entries.keys(), ...this.aliases.all().map((alias) => alias.name)]);
      throw new NotFoundError('command', name, meant === null ? '' : `did you mean "${meant}"?`);
    }
    await this.loadFor(name, args);
    return this.into(command, args, target, line);
  }

  /** Loads extensions, or takes them away. @returns a command that says what was done */
  private async extend(args: readonly string[]): Promise<Command> {
    const said = await this.extensions.run(args);
    for (const one of this.commands.keys()) if (!this.entries.has(one)) this.commands.delete(one);
    const page = sessionWords.find(({ name }) => name === 'extend')!;
    return defineCommand({ name: page.name, help: page, params: {}, collect: () => said, render: (text) => text });
  }

  /** Runs a command, and its output to where the line says. */
  private async into(command: Command, args: readonly string[], target: OutputTarget, line: string): Promise<boolean> {
    switch (target.kind) {
      case 'stdout': {
        const scroll = this.context.variables.get('scroll');
        if (this.rows === null || scroll === 'off') {
          const outcome = this.collect(command, args, this.output, line);
          return this.finish(command, outcome, line) && outcome.end !== 'closed';
        }
        const paged = new PagedSink(this.output, () => this.pipeInto(pagerCommand(scroll)), this.rows());
        let outcome: Outcome;
        try {
          outcome = this.collect(command, args, paged, line);
        } finally {
          await this.waiting(() => paged.close());
        }
        return this.finish(command, outcome, line);
      }
      case 'pipe': {
        const pipe = this.pipeInto(target.command);
        let outcome: Outcome;
        try {
          outcome = this.collect(command, args, pipe, line);
        } finally {
          await this.waiting(() => pipe.close());
        }
        return this.finish(command, outcome, line);
      }
      case 'file': {
        const file = new FileSink(expandHome(target.path), target.append);
        try {
          return this.finish(command, this.collect(command, args, file, line), line);
        } finally {
          file.close();
        }
      }
      default:
        return assertNever(target);
    }
  }

  private pipeInto(line: string): ShellPipe {
    this.child();
    return new ShellPipe(line);
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
  private finish(command: Command, { end, error, faults, droppedFaults }: Outcome, line: string): boolean {
    if (end === 'failed') this.failed = true;
    if (end === 'cancelled') this.output.warn(`${command.name}: cancelled\n`);
    if (!this.json) {
      const last = error === null ? null : messageOf(error);
      const others = faults.filter(({ message }) => message !== last);
      for (const text of this.told.lines(others, line)) this.output.warn(`${command.name}: ${escapeTerminal(text)}\n`);
      if (droppedFaults > 0) this.output.warn(`${command.name}: ${droppedFaults} more of these are not shown\n`);
    }
    if (end === 'failed' && error !== null) this.explain(command, error);
    return true;
  }

  /** The command that a line's words stand for: an alias, a glued form, or what crash(8) tries for an unknown word. */
  private resolve(words: readonly string[]): { name: string; args: readonly string[] } {
    const [name = '', ...args] = this.aliases.expand(words);
    if (reserved.includes(name) || this.entries.has(name)) return { name, args };
    // *mutex.owner ADDRESS
    if (name.startsWith('*') && name.length > 1) return { name: '*', args: [name.slice(1), ...args] };
    const ofGdb = name === 'gdb' ? gdbCommand(args) : null;
    if (ofGdb !== null) return ofGdb;
    return interpretUnknown(this.context, words) ?? { name, args };
  }

  /** `repeat -SECONDS COMMAND`: until cancelled, or until the command fails. */
  private async repeat(args: readonly string[], line: string): Promise<boolean> {
    const [first = '', ...rest] = args;
    const seconds = /^-(\d{1,6})$/.exec(first)?.[1];
    const words = seconds === undefined ? args : rest;
    if (words.length === 0) throw new UsageError('repeat needs a command: repeat -10 runq');
    // as it was written, since where its output goes is part of it
    const repeated = /^repeat\s+(?:-\d{1,6}\s+)?(.+)$/s.exec(line)?.[1] ?? words.join(' ');
    const failedBefore = this.failed;
    this.failed = false;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    try {
      for (;;) {
        if (!(await this.run(repeated)) || this.failed) return true;
        for (let tenth = 0; tenth < Number(seconds ?? 0) * 10; tenth++) {
          this.work.charge('nodes', 1);
          Atomics.wait(pause, 0, 0, 100);
        }
        this.work.charge('nodes', 1);
      }
    } catch (error) {
      if (error instanceof Cancelled) return true;
      throw error;
    } finally {
      this.failed ||= failedBefore;
    }
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
    if (isBug(error)) {
      this.output.warn(`${command?.name ?? 'inquest'}: ${problemText(error)}`);
    } else if (this.json) {
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
  }

  private system(command: string): void {
    this.child();
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
    const file = realpathSync(expandHome(path));
    if (this.sourcing.has(file)) throw new UsageError(`${file} runs itself`);
    this.sourcing.add(file);
    try {
      for (const line of readFileSync(file, 'utf8').split('\n')) {
        if (!(await this.type(line, depth + 1))) return false;
      }
    } finally {
      this.sourcing.delete(file);
    }
    return true;
  }
}

/** Commands in whose arguments `<` compares. */
const expressions: ReadonlySet<string> = new Set(['p', 'eval', 'print', 'output', 'gdb', 'repeat']);

/** The words before `< FILE` at the end of a line; null where there is no such end. */
function argumentsFile(words: readonly string[]): { readonly words: readonly string[]; readonly path: string } | null {
  const last = words.at(-1) ?? '';
  if (words.length > 2 && words.at(-2) === '<') return { words: words.slice(0, -2), path: last };
  const glued = /^<([^<=].*)$/.exec(last)?.[1];
  return words.length > 1 && glued !== undefined ? { words: words.slice(0, -1), path: glued } : null;
}

/** Takes everything, and shows nothing. */
const nobody: Sink = { write: () => true };

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

/** Commands of crash(8) that are not here, and why. */
const notHere: Readonly<Record<string, string>> = {
  gdb: 'there is no gdb in it; of its commands print, output, ptype, whatis and x are taken',
  map: 'it is for dumps of virsh, which inquest does not read',
  test: "it is for crash's own developers",
  s390dbf: 'it is for s390x, whose dumps inquest does not read',
};

/** What the shell does itself. */
const reserved: readonly string[] = sessionWords.map(({ name }) => name);
