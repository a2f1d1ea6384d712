// `extend`: commands written against the library, in files of their own.
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NotFoundError, UsageError } from '../base/errors.ts';
import { escapeLine, escapeTerminal } from '../base/text.ts';
import type { Command } from '../commands/command.ts';
import type { CommandEntry } from '../commands/command_files.ts';
import { expandHome } from './home.ts';

/** What a file brought. */
interface Extension {
  readonly names: readonly string[];
  /** Commands that had these names before; null where there was none. */
  readonly before: ReadonlyMap<string, CommandEntry | null>;
}

/** The files that a session loaded. */
export class Extensions {
  /** By file, in the order in which they were loaded. */
  private readonly loaded = new Map<string, Extension>();
  private readonly entries: Map<string, CommandEntry>;

  /** @param entries a session's commands, which loading changes */
  constructor(entries: Map<string, CommandEntry>) {
    this.entries = entries;
  }

  /**
   * `extend [FILE...]`, `extend -u [FILE...]`, `extend -s`: loads files, or takes their commands away again (of all files
   * where none is named), or lists those that there are. What was loaded, as text, where neither is asked for.
   * @throws UsageError for a file that exports no command, NotFoundError for one that was not loaded
   */
  async run(args: readonly string[]): Promise<string> {
    const [first, ...rest] = args;
    if (first === '-s')
      return available()
        .map((file) => `${escapeLine(file)}\n`)
        .join('');
    if (first === '-u') {
      for (const path of rest.length > 0 ? rest : [...this.loaded.keys()].reverse()) this.unload(path);
      return '';
    }
    const files = first === '-l' ? rest : args;
    const bad = files.find((word) => word.startsWith('-'));
    if (bad !== undefined || (first === '-l' && rest.length === 0)) {
      throw new UsageError(
        'extend takes files of commands: extend [commands.js...], extend -u [commands.js...], extend -s',
      );
    }
    let said = '';
    for (const path of files) said += await this.load(path);
    return files.length > 0 ? said : [...this.loaded].map(([file, { names }]) => line(file, names)).join('');
  }

  private async load(path: string): Promise<string> {
    const file = locate(path);
    if (this.loaded.has(file)) this.unload(file);
    const exported = Object.values((await import(pathToFileURL(file).href)) as Record<string, unknown>);
    const found = exported.filter(isCommand);
    if (found.length === 0) throw new UsageError(`${escapeTerminal(path)} exports no command`);
    const names = found.map(({ name }) => name);
    const before = new Map(names.map((name) => [name, this.entries.get(name) ?? null]));
    for (const command of found) this.entries.set(command.name, command);
    this.loaded.set(file, { names, before });
    return line(path, names);
  }

  private unload(path: string): void {
    const file = this.loaded.has(path) ? path : locate(path);
    const extension = this.loaded.get(file);
    if (extension === undefined) throw new NotFoundError('extension', escapeTerminal(path), 'it was not loaded');
    for (const [name, entry] of extension.before) {
      if (entry === null) this.entries.delete(name);
      else this.entries.set(name, entry);
    }
    this.loaded.delete(file);
  }
}

function line(file: string, names: readonly string[]): string {
  return `${escapeLine(file)}: ${names.map(escapeLine).join(', ')}\n`;
}

/** Where crash(8) looks for extensions, too. */
const folder = (): string | null => process.env['CRASH_EXTENSIONS'] ?? null;

/** A file as named: from here, else from where extensions are. */
function locate(path: string): string {
  const here = resolve(expandHome(path));
  const at = folder();
  return !existsSync(here) && at !== null && existsSync(join(at, path)) ? resolve(at, path) : here;
}

/** The files in the folder that `CRASH_EXTENSIONS` names. */
function available(): string[] {
  const at = folder();
  if (at === null || !existsSync(at)) return [];
  return readdirSync(at)
    .filter((name) => /\.m?js$/.test(name))
    .sort()
    .map((name) => join(at, name));
}

function isCommand(value: unknown): value is Command {
  const command = value as Partial<Command> | null;
  return (
    typeof command === 'object' &&
    command !== null &&
    typeof command.name === 'string' &&
    typeof command.collect === 'function' &&
    typeof command.params === 'object'
  );
}
