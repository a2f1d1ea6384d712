// Every command of the crash shell: one line a command. Its file is loaded when it is first wanted: most runs of the
// program want one, and all of them take a tenth of a second to load.
import type { Command } from './command.ts';

/** Commands by name, each with how it is had. */
export const commandFiles = {
  '*': async () => (await import('./types/struct.ts')).pointerTo,
  ascii: async () => (await import('./code/ascii.ts')).ascii,
  bpf: async () => (await import('./system/bpf.ts')).bpf,
  bt: async () => (await import('./tasks/bt/bt.ts')).bt,
  btop: async () => (await import('./memory/btop.ts')).btop,
  cgroup: async () => (await import('./tasks/cgroup.ts')).cgroup,
  cpu: async () => (await import('./system/cpu.ts')).cpu,
  dev: async () => (await import('./system/dev.ts')).dev,
  dis: async () => (await import('./code/dis.ts')).dis,
  eval: async () => (await import('./code/eval.ts')).evaluate,
  files: async () => (await import('./filesystems/files.ts')).files,
  find: async () => (await import('./memory/find.ts')).find,
  frames: async () => (await import('./memory/frames.ts')).frames,
  fuser: async () => (await import('./filesystems/fuser.ts')).fuser,
  gcore: async () => (await import('./tasks/gcore.ts')).gcore,
  io: async () => (await import('./system/io.ts')).io,
  ipcs: async () => (await import('./tasks/ipcs.ts')).ipcs,
  irq: async () => (await import('./system/irq.ts')).irq,
  kmem: async () => (await import('./memory/kmem/kmem.ts')).kmem,
  list: async () => (await import('./types/list.ts')).list,
  lock: async () => (await import('./tasks/lock.ts')).lock,
  log: async () => (await import('./system/log.ts')).log,
  mach: async () => (await import('./system/mach.ts')).mach,
  mod: async () => (await import('./system/mod.ts')).mod,
  mount: async () => (await import('./filesystems/mount.ts')).mount,
  net: async () => (await import('./network/net.ts')).net,
  p: async () => (await import('./types/p.ts')).p,
  ps: async () => (await import('./tasks/ps/ps.ts')).ps,
  pte: async () => (await import('./memory/pte.ts')).pte,
  ptob: async () => (await import('./memory/btop.ts')).ptob,
  ptov: async () => (await import('./memory/ptov.ts')).ptov,
  rd: async () => (await import('./memory/rd.ts')).rd,
  refs: async () => (await import('./memory/refs.ts')).refs,
  runq: async () => (await import('./tasks/runq.ts')).runq,
  rustfilt: async () => (await import('./code/rustfilt.ts')).rustfilt,
  sbitmapq: async () => (await import('./system/sbitmapq.ts')).sbitmapq,
  search: async () => (await import('./memory/search.ts')).search,
  set: async () => (await import('./session/set.ts')).set,
  sig: async () => (await import('./tasks/sig.ts')).sig,
  stacks: async () => (await import('./tasks/stacks.ts')).stacks,
  struct: async () => (await import('./types/struct.ts')).struct,
  swap: async () => (await import('./memory/swap.ts')).swap,
  sym: async () => (await import('./code/sym.ts')).sym,
  sys: async () => (await import('./system/sys.ts')).sys,
  task: async () => (await import('./tasks/task.ts')).task,
  timer: async () => (await import('./system/timer.ts')).timer,
  trace: async () => (await import('./system/trace/trace.ts')).trace,
  tree: async () => (await import('./types/tree.ts')).tree,
  union: async () => (await import('./types/struct.ts')).union,
  vm: async () => (await import('./memory/vm.ts')).vm,
  vtop: async () => (await import('./memory/vtop.ts')).vtop,
  waitq: async () => (await import('./tasks/waitq.ts')).waitq,
  whatis: async () => (await import('./types/whatis.ts')).whatis,
  wq: async () => (await import('./system/wq.ts')).wq,
  wr: async () => (await import('./memory/wr.ts')).wr,
} as const;

/** Commands by name with their options' and data's types. */
export type Commands = {
  readonly [Name in keyof typeof commandFiles]: Awaited<ReturnType<(typeof commandFiles)[Name]>>;
};

/** A command, or how to have it. */
export type CommandEntry = Command | (() => Promise<Command>);

/** The commands of a shell, loaded when they are run. */
export function commandEntries(): ReadonlyMap<string, CommandEntry> {
  return new Map<string, CommandEntry>(Object.entries(commandFiles));
}

/** Every command. */
export async function loadCommands(): Promise<Commands> {
  const loaded = await Promise.all(
    Object.entries(commandFiles).map(async ([name, load]) => [name, await load()] as const),
  );
  return Object.fromEntries(loaded) as unknown as Commands;
}
