// A command run on words, as tests want it: its data in one piece as `--json` prints it, its text, its faults.
import { asOne, type Command } from '../../src/commands/command.ts';
import type { CommandContext } from '../../src/commands/context.ts';
import { gather } from '../../src/commands/run.ts';
import type { Fault } from '../../src/kernel/faults.ts';

export interface CommandOutput {
  readonly data: unknown;
  readonly text: string;
  readonly faults: readonly Fault[];
}

export function run(command: Command, context: CommandContext, words: readonly string[]): CommandOutput {
  const { head, items, tail, text, faults } = gather(command, context, words);
  return { data: asOne(command, { head, items, tail }), text, faults };
}
