// help: what commands there are, and what each does. The pages are made of what the commands declare.
import { assertNever, NotFoundError, UsageError } from '../../base/errors.ts';
import { type Command, defineCommand } from '../command.ts';
import { type Kind, type Param, rest, valued, values } from '../params.ts';
import { type Page, pageText, usageForms } from '../usage.ts';
import { topics } from './help_topics.ts';
import { sessionWords } from './session_words.ts';

/** An option or argument, as data: what a form, a completion or a tool's schema is made from. */
export interface ParamEntry {
  readonly name: string;
  /** null for an argument. */
  readonly letter: string | null;
  readonly kind: Kind;
  readonly arity: Param<unknown>['arity'];
  readonly value: string;
  readonly help: string;
  readonly excludes: readonly string[];
  readonly group: string | null;
}

export interface CommandEntry extends Page {
  readonly params: readonly ParamEntry[];
}

export type HelpData =
  | {
      readonly kind: 'list' | 'found';
      readonly commands: readonly { readonly name: string; readonly summary: string }[];
    }
  | { readonly kind: 'commands'; readonly commands: readonly CommandEntry[] }
  | { readonly kind: 'topic'; readonly topic: string; readonly text: string };

/** The `help` command over these commands, itself among them. */
export function helpOn(commands: ReadonlyMap<string, Command>) {
  return defineCommand({
    name: 'help',
    help: {
      summary: 'what commands there are, and what each does',
      usage: ['[command]...', 'all', 'input', 'output', '-k word'],
      description: `Lists the commands, or explains those named: "help all" every one, "help input" how command lines are
written, "help output" where output goes and how to read it.`,
      examples: [
        ['help bt', 'what bt can show'],
        ['help -k mutex', 'which commands have to do with mutexes'],
      ],
    },
    params: {
      word: valued('k', 'word', values.word, 'the commands whose help has this word'),
      commands: rest('command', values.command),
    },
    collect: (_context, { word, commands: names }) => collectHelp(commands, word, names),
    render: renderHelp,
  });
}

function collectHelp(commands: ReadonlyMap<string, Command>, word: string | null, names: readonly string[]): HelpData {
  const all = [...[...commands.values()].map(entryOf), ...sessionWords.map(wordEntry)];
  all.sort((a, b) => (a.name < b.name ? -1 : 1));
  const summary = ({ name, summary }: CommandEntry) => ({ name, summary });
  if (word !== null) {
    const wanted = word.toLowerCase();
    const found = all.filter((entry) => pageText(entry).toLowerCase().includes(wanted));
    return { kind: 'found', commands: found.map(summary) };
  }
  if (names.length === 0) return { kind: 'list', commands: all.map(summary) };
  if (names.length === 1 && names[0] === 'all') return { kind: 'commands', commands: all };
  if (names.length === 1 && Object.hasOwn(topics, names[0]!)) {
    return { kind: 'topic', topic: names[0]!, text: topics[names[0]!]! };
  }
  if (names.some((name) => name.startsWith('-') && name !== '-')) throw new UsageError('');
  return {
    kind: 'commands',
    commands: names.map((name) => {
      const found = all.find((entry) => entry.name === name);
      if (found === undefined) throw new NotFoundError('command', name);
      return found;
    }),
  };
}

function wordEntry(page: Page): CommandEntry {
  return { ...page, params: [] };
}

/** A command's page as data. */
export function entryOf({ name, help, params }: Command): CommandEntry {
  return {
    name,
    summary: help.summary,
    usage: help.usage ?? usageForms(params),
    description: help.description,
    params: Object.entries(params).map(([key, param]) => ({
      name: key,
      letter: param.letter,
      kind: param.kind,
      arity: param.arity,
      value: param.value,
      help: param.help,
      excludes: param.excludes,
      group: param.group,
    })),
    examples: help.examples,
  };
}

function renderHelp(data: HelpData): string {
  switch (data.kind) {
    case 'list':
      return `\n${columns(data.commands.map(({ name }) => name))}\nhelp COMMAND explains one of them; help all, every one; help input and help output, the rest.\n`;
    case 'found': {
      const width = Math.max(0, ...data.commands.map(({ name }) => name.length));
      const lines = data.commands.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}\n`);
      return lines.length === 0 ? '(no command)\n' : lines.join('');
    }
    case 'topic':
      return `${data.text}\n`;
    case 'commands':
      return data.commands.map(pageText).join('\n');
    default:
      return assertNever(data);
  }
}

/** In five columns, read from top to bottom. */
function columns(names: readonly string[]): string {
  const rows = Math.ceil(names.length / 5);
  const lines = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: 5 }, (_, column) => (names[column * rows + row] ?? '').padEnd(15))
      .join('')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
