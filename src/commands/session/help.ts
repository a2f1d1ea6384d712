// help: what commands there are, and what each does.
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { type Command, type CommandHelp, defineCommand } from '../command.ts';

interface CommandEntry extends CommandHelp {
  readonly name: string;
}

type HelpData =
  | { readonly kind: 'list'; readonly commands: readonly { readonly name: string; readonly summary: string }[] }
  | { readonly kind: 'commands'; readonly commands: readonly CommandEntry[] }
  | { readonly kind: 'topic'; readonly topic: string; readonly text: string };

const topics: Readonly<Record<string, string>> = {
  input: `A line is a command with its arguments, and where its output goes.

  COMMAND ARGS            runs a command; "help" lists them
  COMMAND | SHELL-LINE    pipes its output into a line of the system's shell
  COMMAND > FILE          writes its output to a file; >> appends
  < FILE                  runs the commands in a file, one a line
  !SHELL-LINE             runs a line in the system's shell; ! alone starts a shell
  # TEXT, // TEXT         a comment
  exit, quit, q           leaves

A word that is no command is taken as a symbol, and then as the name of a struct: "jiffies" is "p jiffies",
"list_head" is "struct list_head".

Numbers: addresses are hexadecimal, with or without 0x; pids and counts decimal. A word that is both a
hexadecimal number and a symbol is the symbol. "..." keeps blanks in one argument; (...) is an expression.
CPUs are written as 1,3,5-7 or a for all.`,
  output: `Every command prints to standard output what it could read. What it could not read, and why, goes to standard
error, with the address: excluded by the dump's filter, not in the dump, not mapped, lost to a cut file, or
corrupt.

Text that comes from the dump (names of tasks, the log) has its control characters written as \\xNN.

With --json, each command prints one line of JSON: {"command": ..., "data": ..., "faults": [...]}. Addresses and other
64-bit values are strings such as "0xffffffff81000000".

radix, shown and changed by "set radix", is how values are printed: 10 or 16. Most commands have -d and -x to
choose for once.`,
};

/** The `help` command over these commands. @param commands asked each time, since `help` is one of them */
export function helpOn(commands: () => readonly Command[]): Command {
  return defineCommand<HelpData>({
    name: 'help',
    help: {
      summary: 'what commands there are, and what each does',
      usage: ['[command]...', 'all', 'input', 'output'],
      description: `Lists the commands, or explains those named.

  all      explains every command
  input    how command lines are written
  output   where output goes, and how to read it`,
      examples: [['help bt', 'what bt can show']],
    },
    collect(_context, args) {
      const entry = ({ name, help }: Command): CommandEntry => ({ name, ...help });
      if (args.length === 0) {
        return { kind: 'list', commands: commands().map(({ name, help }) => ({ name, summary: help.summary })) };
      }
      if (args.length === 1 && args[0] === 'all') return { kind: 'commands', commands: commands().map(entry) };
      if (args.length === 1 && Object.hasOwn(topics, args[0]!)) {
        return { kind: 'topic', topic: args[0]!, text: topics[args[0]!]! };
      }
      if (args.some((word) => word.startsWith('-'))) throw new UsageError('');
      return {
        kind: 'commands',
        commands: args.map((word) => {
          const found = commands().find(({ name }) => name === word);
          if (found === undefined) throw new NotFoundError('command', word);
          return entry(found);
        }),
      };
    },
    render(data) {
      switch (data.kind) {
        case 'list':
          return `\n${columns(data.commands.map(({ name }) => name))}\nhelp COMMAND explains one of them; help all, every one; help input and help output, the rest.\n`;
        case 'topic':
          return `${data.text}\n`;
        case 'commands':
          return data.commands.map(renderCommand).join('\n');
      }
    },
  });
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

function renderCommand({ name, summary, usage, description, examples }: CommandEntry): string {
  const forms = usage.map((form) => `  ${name}${form === '' ? '' : ` ${form}`}\n`).join('');
  const body = `${description.replace(/^(?=.)/gm, '  ')}\n`;
  const shown = examples.map(([line, meaning]) => `  crash> ${line.padEnd(36)} ${meaning}\n`).join('');
  return `NAME\n  ${name} - ${summary}\n\nSYNOPSIS\n${forms}\nDESCRIPTION\n${body}${shown === '' ? '' : `\nEXAMPLES\n${shown}`}`;
}
