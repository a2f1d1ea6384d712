// The program's own declarations as data: its jobs with their options and arguments. Completion scripts and man pages
// are made from it, as its help is.
import type { Argument, Command, Option } from 'commander';

export interface JobOption {
  /** `-o`; null without one. */
  readonly short: string | null;
  /** `--output`; null without one. */
  readonly long: string | null;
  /** What stands for its value: `<file>`; null for a flag. */
  readonly value: string | null;
  readonly choices: readonly string[];
  readonly help: string;
}

export interface Job {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly JobOption[];
  /** As in usage lines: `<dump...>`. */
  readonly args: readonly { readonly form: string; readonly choices: readonly string[]; readonly help: string }[];
}

/** The jobs of the program, in the order of its help. */
export function jobsOf(program: Command): readonly Job[] {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.description(),
    options: command.options.filter(({ hidden }) => !hidden).map(optionOf),
    args: command.registeredArguments.map((argument) => ({
      form: formOf(argument),
      choices: argument.argChoices ?? [],
      help: argument.description,
    })),
  }));
}

function optionOf(option: Option): JobOption {
  return {
    short: option.short ?? null,
    long: option.long ?? null,
    value: /[<[].*$/.exec(option.flags)?.[0] ?? null,
    choices: option.argChoices ?? [],
    help: option.description,
  };
}

function formOf(argument: Argument): string {
  const inner = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${inner}>` : `[${inner}]`;
}
