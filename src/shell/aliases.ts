// Aliases: crash(8)'s own, and those that a session makes.
import { UsageError } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import { type Command, defineCommand } from '../commands/command.ts';
import { text } from '../commands/params.ts';

const builtin: Readonly<Record<string, string>> = {
  man: 'help',
  '?': 'help',
  quit: 'q',
  sf: 'set scroll off',
  sn: 'set scroll on',
  hex: 'set radix 16',
  dec: 'set radix 10',
  g: 'gdb',
  px: 'p -x',
  pd: 'p -d',
  for: 'foreach',
  size: '*',
  dmesg: 'log',
  lsmod: 'mod',
  last: 'ps -l',
};

export interface Alias {
  readonly name: string;
  /** What stands for it. */
  readonly words: string;
  readonly origin: 'builtin' | 'runtime';
}

export class Aliases {
  private readonly known = new Map<string, Alias>(
    Object.entries(builtin).map(([name, words]) => [name, { name, words, origin: 'builtin' }]),
  );

  find(name: string): Alias | null {
    return this.known.get(name) ?? null;
  }

  all(): readonly Alias[] {
    return [...this.known.values()];
  }

  /** @param words empty to forget it */
  define(name: string, words: string): void {
    if (words === '') this.known.delete(name);
    else this.known.set(name, { name, words, origin: 'runtime' });
  }

  /** A line's words with an alias at their start replaced; an alias may name another, but not itself. */
  expand(words: readonly string[]): readonly string[] {
    const seen = new Set<string>();
    let line = words;
    for (;;) {
      const [first = '', ...rest] = line;
      const alias = seen.has(first) ? null : this.find(first);
      if (alias === null) return line;
      seen.add(first);
      line = [...alias.words.split(/\s+/).filter((word) => word !== ''), ...rest];
    }
  }
}

/** The `alias` command over these aliases. @param commands names that an alias must not take */
export function aliasCommand(aliases: Aliases, commands: ReadonlyMap<string, unknown>): Command {
  return defineCommand({
    name: 'alias',
    help: {
      summary: 'short names for commands',
      usage: ['', 'name', 'name words...', 'name ""'],
      description: `Without arguments lists the aliases; with a name shows that one; with words makes it stand for them; with ""
forgets it. Aliases last as long as the session: put them into .crashrc in the home directory to keep them.`,
      examples: [['alias blocked foreach UN bt', 'blocked, from now on']],
    },
    params: { words: text('name words', 'word') },
    collect(_context, { words }): { readonly aliases: readonly Alias[]; readonly deleted: string | null } {
      const [name, ...rest] = words;
      if (name === undefined) return { aliases: aliases.all(), deleted: null };
      if (rest.length === 0) {
        const found = aliases.find(name);
        if (found === null) throw new UsageError(`no such alias: ${escapeLine(name)}`);
        return { aliases: [found], deleted: null };
      }
      if (commands.has(name)) throw new UsageError(`${escapeLine(name)} is a command`);
      aliases.define(name, rest.join(' ').trim());
      const made = aliases.find(name);
      return { aliases: made === null ? [] : [made], deleted: made === null ? name : null };
    },
    render: ({ aliases: shown, deleted }) =>
      shown.length === 0
        ? deleted === null
          ? ''
          : `alias deleted: ${escapeLine(deleted)}\n`
        : `ORIGIN   ALIAS    COMMAND\n${shown
            .map(
              ({ origin, name, words }) => `${origin.padEnd(8)} ${escapeLine(name).padEnd(8)} ${escapeLine(words)} \n`,
            )
            .join('')}`,
  });
}
