// A dump with the debug information that belongs to it, and the programs that inquest is held against.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { debugInfoKinds } from '../../src/debuginfo/debug_sources.ts';
import { DebugFiles } from '../../src/debuginfo/files/debug_files.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';

/** What is compared, and with what. Paths are of this system; the peers may see another root. */
export interface Setup {
  readonly dump: string;
  readonly vmlinux: string;
  readonly modules: readonly string[];
  /** Root directory that drgn and crash are started in; null for this one. Files that they get must lie under it. */
  readonly root: string | null;
  /** Seed of the random samples. */
  readonly seed: number;
  readonly kernel: Kernel;
  /** How far the kernel lies from where it was linked, bytes. */
  readonly offset: bigint;
}

/** How one comparison ended. */
export interface Comparison {
  readonly what: string;
  /** How many things were compared, and how many were equal. */
  readonly compared: number;
  readonly equal: number;
  /** What differs, each in a line; and other things to know. */
  readonly differences: readonly string[];
  readonly notes: readonly string[];
}

export function openSetup(given: Omit<Setup, 'kernel' | 'offset'>): Setup {
  const { vmlinux, modules } = given;
  const tell = (sentence: string): void => console.error(sentence);
  const files = new DebugFiles({ vmlinux, modules, dirs: [], force: false, fetch: null, tell });
  const kernel = openKernel(openDump([given.dump]), debugInfoKinds, files);
  return { ...given, kernel, offset: kernel.vmcoreinfo.kernelOffset ?? 0n };
}

/**
 * What a program printed.
 * @param statuses those that mean that it did its work
 * @param all with what it said on standard error
 * @throws Error with its last words if it fails
 */
export function output(argv: readonly string[], input = '', statuses: readonly number[] = [0], all = false): string {
  const words = all ? ['sh', '-c', 'exec "$@" 2>&1', 'sh', ...argv] : argv;
  const run = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8', input, maxBuffer: 1 << 30 });
  if (run.error !== undefined) throw run.error;
  if (!statuses.includes(run.status ?? -1))
    throw new Error(`${argv.slice(0, 2).join(' ')}: ${run.stderr.slice(-2000)}`);
  return run.stdout;
}

/** A file with a text, while something is done with it. */
export function withFile<T>(text: string, work: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-bench-'));
  const path = join(folder, 'input');
  writeFileSync(path, text);
  try {
    return work(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A program of the peers' root, and a path as it sees it. */
export function entered({ root }: Pick<Setup, 'root'>, argv: readonly string[]): readonly string[] {
  return root === null ? argv : ['chroot', root, ...argv];
}

export function seenInside({ root }: Pick<Setup, 'root'>, path: string): string {
  if (root === null) return path;
  if (!path.startsWith(`${root}/`)) throw new Error(`${path} is not under ${root}: the peers cannot see it`);
  return path.slice(root.length);
}

/** `count` of `all`, drawn by a seed: the same ones each time. */
export function sample<T>(all: readonly T[], count: number, seed: number): T[] {
  const rest = [...all];
  const drawn: T[] = [];
  const random = generator(seed);
  while (drawn.length < count && rest.length > 0) {
    const at = Math.floor(random() * rest.length);
    drawn.push(rest[at]!);
    rest[at] = rest.at(-1)!;
    rest.pop();
  }
  return drawn;
}

/** Numbers in [0, 1), the same ones for a seed each time (Numerical Recipes' generator). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
