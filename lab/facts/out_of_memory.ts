// Memory when it ran out: the report's account of it is the one that the kernel's OOM killer printed.
import { reportCommand } from '../answers.ts';
import type { Fact } from '../fact.ts';

interface ReportedMemory {
  readonly uses: readonly { readonly name: string; readonly bytes: number }[];
  readonly tasks: readonly { readonly pid: number; readonly rss: number }[];
  readonly slabs: readonly { readonly name: string; readonly objects: number }[];
}

/** Bytes; of every kernel that the lab has. */
const pageSize = 4096;

/** Pages that may come and go between the kernel's words and the panic that follows them. */
const lastMoves = 256;
/** Pages that kswapd may have freed meanwhile on another CPU. */
const reclaimed = 2048;
/** Pages that another CPU may have taken for objects while thousands of processes were listed. */
const taken = 1024;

/** A counter of the kernel's `Mem-Info:`, what the report calls it, and by how many pages it may have moved. */
const uses = [
  ['slab_reclaimable', 'slab, reclaimable', reclaimed],
  ['slab_unreclaimable', 'slab, not reclaimable', taken],
  ['shmem', 'files in tmpfs and shared memory', lastMoves],
  ['pagetables', 'page tables', lastMoves],
  ['free', 'free', reclaimed],
] as const;

export const outOfMemory: Fact = {
  name: 'memory when it ran out',
  commands: [reportCommand, 'log'],
  compare(world, [report = '', log = ''], tally) {
    if (world.scenario.verdict?.kind !== 'out-of-memory') return;
    // of a cgroup's memory the kernel prints another account, and none of the machine's
    const start = log.lastIndexOf('Mem-Info:');
    if (start < 0) return;
    const said = log.slice(start);
    const memory = (JSON.parse(report || '{}') as { memory?: ReportedMemory | null }).memory ?? undefined;
    const nearly = (what: string, then: number, now: number | undefined, limit: number, why: string) =>
      tally.compare(what, then, now, now !== undefined && Math.abs(now - then) <= limit ? why : undefined);
    for (const [counter, name, moves] of uses) {
      const then = Number(new RegExp(`\\b${counter}:(\\d+)`).exec(said)?.[1]);
      const bytes = memory?.uses.find((use) => use.name === name)?.bytes;
      const now = bytes === undefined ? undefined : bytes / pageSize;
      nearly(`${name}, pages`, then, now, moves, 'a few pages were taken and freed before the panic');
    }
    // Lines `name  used KB  total KB`: objects times their size, which /proc/slabinfo has.
    const caches = new Map([...said.matchAll(/(\S+) +\d+KB +(\d+)KB$/gm)].map(([, name, total]) => [name, total]));
    const sizes = new Map(world.picture.rows('slabinfo').map(([name, , , size]) => [name, Number(size)]));
    for (const { name, objects } of memory?.slabs ?? []) {
      const total = caches.get(name);
      const size = sizes.get(name);
      if (total === undefined || size === undefined) continue;
      const kib = Math.floor((objects * size) / 1024);
      nearly(`cache ${name}, KiB`, Number(total), kib, (lastMoves * pageSize) / 1024, 'a few objects more');
    }
    // Rows `[ pid ] uid tgid total_vm rss ...`, in pages.
    const rows = new Map(
      [...said.matchAll(/\[ *(\d+)\] +\d+ +\d+ +\d+ +(\d+) /g)].map(([, pid, rss]) => [Number(pid), Number(rss)]),
    );
    for (const { pid, rss } of memory?.tasks ?? []) {
      const then = rows.get(pid);
      if (then === undefined) continue;
      nearly(`process ${pid}: RSS, pages`, then, rss / pageSize, lastMoves, 'some pages were not counted yet');
    }
  },
};
