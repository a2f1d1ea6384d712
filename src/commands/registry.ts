// Every command at hand, for those who call them by name: the library, and tests.
import type { Command } from './command.ts';
import { loadCommands } from './command_files.ts';
import { foreachOver } from './session/foreach.ts';
import { helpOn } from './session/help.ts';

/** Those that stand alone. */
const alone = await loadCommands();

/** The commands of a session by name. @param more further ones; one of a known name takes its place */
export function commandTable(more: readonly Command[] = []): ReadonlyMap<string, Command> {
  const table = new Map<string, Command>(Object.entries(alone));
  for (const command of [helpOn(table), foreachOver(table), ...more]) table.set(command.name, command);
  return table;
}

/** By name; typed, so that `call(context, commands.bt, { all: true })` knows its options and its data. */
export const commands = {
  ...alone,
  foreach: foreachOver(commandTable()),
  help: helpOn(commandTable()),
} as const;
