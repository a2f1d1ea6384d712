// The shape that every command shares: arguments -> typed data -> text.
//
// A command reads the kernel into plain data (numbers, strings, bigints, arrays, records: nothing that
// needs the dump any more), and renders that data as crash(8) prints it. `--json` prints the data itself.
import { escapeJson } from '../base/text.ts';
import type { Fault } from '../kernel/faults.ts';
import type { CommandContext } from './context.ts';

/** What a command gave: its data, and that data as text. */
export interface CommandOutput {
  readonly data: unknown;
  /** Text as crash(8) prints it, ending with a newline unless empty. Unescaped text of the dump has been made safe. */
  readonly text: string;
  readonly faults: readonly Fault[];
}

export interface CommandHelp {
  /** What it does, in a few words. */
  readonly summary: string;
  /** Arguments, one line a form, without the command's name. */
  readonly usage: readonly string[];
  /** What it does and what every option means; plain text. */
  readonly description: string;
  /** Command lines with what they are for. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

export interface Command {
  readonly name: string;
  readonly help: CommandHelp;
  /**
   * Runs the command.
   * @param args the words after the command's name
   * @throws UsageError for options or arguments that it does not understand; other InquestErrors when nothing
   *   could be done; what is lost on the way is in `faults`
   */
  run(context: CommandContext, args: readonly string[]): CommandOutput;
}

/**
 * Makes a command of a part that collects and a part that renders.
 * `collect` may change the context (`set`); `render` must not read the dump.
 */
export function defineCommand<Data>(definition: {
  readonly name: string;
  readonly help: CommandHelp;
  collect(context: CommandContext, args: readonly string[]): Data;
  render(data: Data, context: CommandContext): string;
}): Command {
  const { name, help } = definition;
  return {
    name,
    help,
    run(context, args) {
      const { value, faults } = context.kernel.faults.collect(() => definition.collect(context, args));
      const text = definition.render(value, context);
      return { data: value, text: text === '' || text.endsWith('\n') ? text : `${text}\n`, faults };
    },
  };
}

/** The two lines or more that crash(8) shows for wrong usage. */
export function usageText(command: Command): string {
  const forms = command.help.usage.map((form) => `  ${command.name}${form === '' ? '' : ` ${form}`}`);
  return `Usage:\n${forms.join('\n')}\nEnter "help ${command.name}" for details.\n`;
}

/** JSON text of a command's data: bigints as `0x` hexadecimal strings, since JSON numbers are not exact beyond 2^53. */
export function toJson(value: unknown, indent?: number): string {
  const plain = (_key: string, v: unknown): unknown =>
    typeof v !== 'bigint' ? v : v < 0n ? `-0x${(-v).toString(16)}` : `0x${v.toString(16)}`;
  return escapeJson(JSON.stringify(value, plain, indent));
}
