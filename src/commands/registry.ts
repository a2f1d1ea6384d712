// Every command of the crash shell. One line a command; aliases are the shell's.
import { ascii } from './code/ascii.ts';
import { dis } from './code/dis.ts';
import { evaluate } from './code/eval.ts';
import { sym } from './code/sym.ts';
import type { Command } from './command.ts';
import { files } from './filesystems/files.ts';
import { fuser } from './filesystems/fuser.ts';
import { mount } from './filesystems/mount.ts';
import { btop, ptob } from './memory/btop.ts';
import { find } from './memory/find.ts';
import { frames } from './memory/frames.ts';
import { kmem } from './memory/kmem/kmem.ts';
import { pte } from './memory/pte.ts';
import { ptov } from './memory/ptov.ts';
import { rd } from './memory/rd.ts';
import { refs } from './memory/refs.ts';
import { search } from './memory/search.ts';
import { swap } from './memory/swap.ts';
import { vm } from './memory/vm.ts';
import { vtop } from './memory/vtop.ts';
import { wr } from './memory/wr.ts';
import { net } from './network/net.ts';
import { foreachOver } from './session/foreach.ts';
import { helpOn } from './session/help.ts';
import { set } from './session/set.ts';
import { bpf } from './system/bpf.ts';
import { cpu } from './system/cpu.ts';
import { dev } from './system/dev.ts';
import { io } from './system/io.ts';
import { irq } from './system/irq.ts';
import { log } from './system/log.ts';
import { mach } from './system/mach.ts';
import { mod } from './system/mod.ts';
import { sbitmapq } from './system/sbitmapq.ts';
import { sys } from './system/sys.ts';
import { timer } from './system/timer.ts';
import { wq } from './system/wq.ts';
import { bt } from './tasks/bt/bt.ts';
import { cgroup } from './tasks/cgroup.ts';
import { ipcs } from './tasks/ipcs.ts';
import { lock } from './tasks/lock.ts';
import { ps } from './tasks/ps/ps.ts';
import { runq } from './tasks/runq.ts';
import { sig } from './tasks/sig.ts';
import { stacks } from './tasks/stacks.ts';
import { task } from './tasks/task.ts';
import { waitq } from './tasks/waitq.ts';
import { list } from './types/list.ts';
import { p } from './types/p.ts';
import { pointerTo, struct, union } from './types/struct.ts';
import { tree } from './types/tree.ts';
import { whatis } from './types/whatis.ts';

/** Those that stand alone. */
const alone = {
  '*': pointerTo,
  ascii,
  bpf,
  bt,
  btop,
  cgroup,
  cpu,
  dev,
  dis,
  eval: evaluate,
  files,
  frames,
  fuser,
  ipcs,
  find,
  kmem,
  io,
  irq,
  list,
  lock,
  log,
  mach,
  mod,
  mount,
  net,
  p,
  ps,
  pte,
  ptob,
  ptov,
  rd,
  refs,
  runq,
  search,
  sbitmapq,
  set,
  stacks,
  sig,
  struct,
  swap,
  sym,
  sys,
  task,
  timer,
  tree,
  union,
  vm,
  vtop,
  wr,
  waitq,
  whatis,
  wq,
} as const;

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
