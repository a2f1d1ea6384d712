// Where memory went, as the out-of-memory report of a log has it: for logs without a dump.
//
//   active_anon:5563 inactive_anon:56874 ...     pages, of the whole machine
//   Node 0 active_anon:22252kB ...               the same in KiB, node by node: how large a page is
//   130939 pages RAM / 60083 pages reserved
//   [  112]     0   112      565        1 ...    tasks: rss in pages
//   ticket          23104KB    23104KB           caches, where slab is what took it
import type { Incident } from '../oops/incident.ts';
import { oomZones } from '../oops/oom_request.ts';
import type { MemoryReport } from './analysis.ts';

/** Largest processes and caches that are kept. */
const most = 10;

/** Null where the log does not have the counters. */
export function toldMemory(incident: Pick<Incident, 'memory'>): Omit<MemoryReport, 'cgroup'> | null {
  const { memory } = incident;
  const counters = new Map<string, number>();
  for (const line of memory) {
    if (/^Node |kB|KB|^oom|^\[/.test(line)) continue;
    for (const [, name = '', value] of line.matchAll(/(?<![\w:])([a-z_]{2,30}):(\d{1,12})(?![\w:])/g))
      if (!counters.has(name)) counters.set(name, Number(value));
  }
  const pages = (pattern: RegExp): number | null => {
    const found = memory.map((line) => pattern.exec(line)?.[1]).find((value) => value !== undefined);
    return found === undefined ? null : Number(found);
  };
  const ram = pages(/^(\d{1,12}) pages RAM/);
  const free = counters.get('free');
  if (ram === null || free === undefined || !counters.has('inactive_anon')) return null;
  const page = pageSize(memory, counters);
  const total = Math.max(0, ram - (pages(/^(\d{1,12}) pages reserved/) ?? 0)) * page;
  const sum = (...names: string[]): number => names.reduce((all, name) => all + (counters.get(name) ?? 0), 0);
  const shmem = sum('shmem');
  const stacks = memory.reduce(
    (all, line) => all + Number(/^Node .*\bkernel_stack:(\d{1,12})kB/.exec(line)?.[1] ?? 0),
    0,
  );
  const uses = [
    // pages of tmpfs lie on the lists of anonymous ones
    { name: 'memory of processes (anonymous)', pages: sum('active_anon', 'inactive_anon', 'isolated_anon') - shmem },
    { name: 'files in tmpfs and shared memory', pages: shmem },
    { name: 'page cache of files', pages: sum('active_file', 'inactive_file', 'isolated_file') },
    { name: 'slab, not reclaimable', pages: sum('slab_unreclaimable') },
    { name: 'slab, reclaimable', pages: sum('slab_reclaimable') },
    { name: 'page tables', pages: sum('pagetables', 'sec_pagetables') },
    { name: 'kernel stacks', pages: Math.round((stacks * 1024) / page) },
    { name: 'free', pages: sum('free', 'free_pcp') },
  ].map((use) => ({ name: use.name, bytes: Math.max(0, use.pages) * page }));
  const counted = uses.reduce((all, { bytes }) => all + bytes, 0);
  if (total > counted) uses.push({ name: uncountedByLogs, bytes: total - counted });
  return {
    total,
    uses: uses.sort((a, b) => b.bytes - a.bytes),
    tasks: tasks(memory, page),
    zones: oomZones(incident).map(({ node, name, free: left, min, high, blocks }) => {
      const largest = blocks.findLastIndex((count) => count > 0);
      const line = memory.find((one) => one.startsWith(`Node ${node} ${name} free:`)) ?? '';
      const managed = Number(/\bmanaged:(\d{1,12})kB/.exec(line)?.[1] ?? 0) * 1024;
      return { node, name, managed, free: left, min, high, largest: largest < 0 ? null : page * 2 ** largest };
    }),
    slabs: memory
      .flatMap((line) => {
        const [, name, size] = /^(\S{1,40})\s{1,60}\d{1,12}KB\s{1,60}(\d{1,12})KB/.exec(line) ?? [];
        return name === undefined ? [] : [{ name, address: '', bytes: Number(size) * 1024, objects: 0 }];
      })
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, most),
    tmpfs: [],
  };
}

/** Such reports have neither vmalloc nor huge pages. */
const uncountedByLogs = 'not counted (vmalloc, huge pages, and what drivers and the kernel took for themselves)';

/** Bytes of a page: a counter in KiB held against the same in pages. */
function pageSize(memory: readonly string[], counters: ReadonlyMap<string, number>): number {
  for (const name of ['inactive_anon', 'active_anon', 'active_file', 'inactive_file']) {
    const pages = counters.get(name) ?? 0;
    const pattern = new RegExp(
      `^Node \\d{1,4} active_anon:.*?\\b${name}:(\\d{1,12})kB|^Node \\d{1,4} ${name}:(\\d{1,12})kB`,
    );
    const kib = memory.reduce((all, line) => {
      const found = pattern.exec(line);
      return all + Number(found?.[1] ?? found?.[2] ?? 0);
    }, 0);
    const size = pages === 0 ? 0 : (kib * 1024) / pages;
    if (size === 4096 || size === 16384 || size === 65536) return size;
  }
  return 4096;
}

/** `[  pid  ]   uid  tgid total_vm      rss ...`: the fifth column; the name is last. */
function tasks(memory: readonly string[], page: number): MemoryReport['tasks'] {
  return memory
    .flatMap((line) => {
      const found =
        /^\[\s{0,8}(\d{1,10})\s{0,8}\]\s+\d{1,10}\s+\d{1,10}\s+\d{1,12}\s+(\d{1,12})\s.*?-?\d{1,5}\s(\S.{0,31})$/.exec(
          line,
        );
      if (found === null) return [];
      return [{ pid: Number(found[1]), comm: found[3]!.trim(), rss: Number(found[2]) * page }];
    })
    .sort((a, b) => b.rss - a.rss)
    .slice(0, most);
}
