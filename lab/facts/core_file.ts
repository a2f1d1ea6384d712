// gcore: the core file of a process, as gdb sees it: its threads, where they were in user mode, the files it had mapped.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fact, World } from '../fact.ts';
import type { MachineKind } from '../kernels.ts';
import { programPath } from '../programs.ts';
import type { Tally } from '../tally.ts';

/** Of every guest: the process that starts the others. */
const pid = 1;
const file = join(tmpdir(), `lab-core-${process.pid}`);

export const coreFile: Fact = {
  name: 'core file of init, by gdb',
  commands: [`gcore -o ${file} ${pid}`, `bt ${pid}`],
  lacks: (machine) => (debuggerOf(machine) === undefined ? 'gdb' : undefined),
  compare(world, [, trace = ''], tally) {
    try {
      const gdb = debuggerOf(world.machine) ?? '';
      const looks = ['info threads', 'info registers', 'info proc mappings'].flatMap((look) => ['-ex', look]);
      const text = existsSync(file)
        ? spawnSync(gdb, ['-nx', '-batch', ...looks, '-c', file], { encoding: 'utf8' }).stdout
        : '';
      compareCore(world, text, trace, tally);
    } finally {
      rmSync(file, { force: true });
    }
  },
};

/** A gdb that knows the machine. */
function debuggerOf(machine: MachineKind): string | undefined {
  return programPath('gdb-multiarch') ?? (machine === 'x86_64' ? programPath('gdb') : undefined);
}

/** @param text what gdb says of the core file @param trace of the process by `bt` */
export function compareCore(world: World, text: string, trace: string, tally: Tally): void {
  const threads = [...world.picture.tasks.values()].filter((task) => task.pid === pid);
  const listed = [...text.matchAll(/\bLWP (\d+)/g)].map(([, lwp]) => Number(lwp));
  for (const { tid } of threads)
    tally.compare(
      'thread',
      tid,
      listed.find((lwp) => lwp === tid),
    );
  const [asleep] = threads;
  for (const [register, label] of [
    ['rip', 'RIP'],
    ['rsp', 'RSP'],
    ['rbx', 'RBX'],
    ['r12', 'R12'],
    ['pc', 'PC'],
    ['sp', 'SP'],
    ['x19', 'X19'],
    ['x29', 'X29'],
  ] as const) {
    // the registers with which it entered the kernel stand at the end of its trace
    const told = [...trace.matchAll(new RegExp(`\\b${label}: ([0-9a-f]{16})`, 'g'))].at(-1)?.[1];
    const inCore = new RegExp(`^${register} +0x([0-9a-f]+)`, 'm').exec(text)?.[1];
    if (told !== undefined)
      tally.compare(register, BigInt(`0x${told}`), inCore === undefined ? undefined : BigInt(`0x${inCore}`));
  }
  if (asleep === undefined || world.ranSince(asleep) !== undefined) return;
  const mapped = new Set(
    [...text.matchAll(/^ +0x([0-9a-f]+) +0x([0-9a-f]+) +0x[0-9a-f]+ +0x([0-9a-f]+) +(?:\S{4} +)?(\/.*)$/gm)].map(
      ([, from, to, offset, path]) => `${BigInt(`0x${from}`)} ${BigInt(`0x${to}`)} ${BigInt(`0x${offset}`)} ${path}`,
    ),
  );
  for (const [, from, to, offset, path] of (world.picture.text(`${pid}/maps`) ?? '').matchAll(
    /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ [1-9]\d* +(\/.*)$/gm,
  )) {
    const told = `${BigInt(`0x${from}`)} ${BigInt(`0x${to}`)} ${BigInt(`0x${offset}`)} ${path}`;
    tally.compare('mapped file', told, mapped.has(told) ? told : undefined);
  }
}
