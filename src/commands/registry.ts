// Every command of the crash shell, by name. One line a command; aliases are the shell's.
import { bt } from './bt.ts';
import type { Command } from './command.ts';
import { dis } from './dis.ts';
import { helpOn } from './help.ts';
import { list } from './list.ts';
import { log } from './log.ts';
import { mod } from './mod.ts';
import { p } from './p.ts';
import { ps } from './ps.ts';
import { rd } from './rd.ts';
import { set } from './set.ts';
import { pointerTo, struct, union } from './struct.ts';
import { sym } from './sym.ts';
import { sys } from './sys.ts';
import { task } from './task.ts';

const commands: readonly Command[] = [
  bt,
  dis,
  helpOn(allCommands),
  list,
  log,
  mod,
  p,
  pointerTo,
  ps,
  rd,
  set,
  struct,
  sym,
  sys,
  task,
  union,
];

const byName = new Map(commands.map((command) => [command.name, command]));

/** All commands by name, ascending. */
export function allCommands(): readonly Command[] {
  return [...commands].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function findCommand(name: string): Command | null {
  return byName.get(name) ?? null;
}
