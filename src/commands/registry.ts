// Every command of the crash shell, by name. One line a command; aliases are the shell's.
import { bt } from './bt.ts';
import type { Command } from './command.ts';

const commands: readonly Command[] = [
  bt,
];

const byName = new Map(commands.map((command) => [command.name, command]));

/** All commands by name, ascending. */
export function allCommands(): readonly Command[] {
  return [...commands].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function findCommand(name: string): Command | null {
  return byName.get(name) ?? null;
}
