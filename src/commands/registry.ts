// Every command of the crash shell, by name. One line a command; aliases are the shell's.

import { dis } from './code/dis.ts';
import { sym } from './code/sym.ts';
import type { Command } from './command.ts';
import { rd } from './memory/rd.ts';
import { helpOn } from './session/help.ts';
import { set } from './session/set.ts';
import { log } from './system/log.ts';
import { mod } from './system/mod.ts';
import { sys } from './system/sys.ts';
import { bt } from './tasks/bt/bt.ts';
import { ps } from './tasks/ps/ps.ts';
import { task } from './tasks/task.ts';
import { list } from './types/list.ts';
import { p } from './types/p.ts';
import { pointerTo, struct, union } from './types/struct.ts';

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
