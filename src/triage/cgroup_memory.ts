// A cgroup whose memory ran out: which one, what it may have, what it used that for, and by which tasks. Its path and its
// uses stand in the log (mem_cgroup_print_oom_meminfo() in mm/memcontrol.c); limit and tasks in memory, too.
import { frameName } from '../kernel/backtrace.ts';
import { type Cgroup, cgroupHierarchies, cgroupTree, taskCgroups } from '../kernel/cgroup.ts';
import { functionName } from '../oops/frames.ts';
import type { CgroupReport } from './analysis.ts';
import type { Facts } from './facts.ts';
import { largestProcesses } from './memory_report.ts';

/** The lines of memory.stat that are uses of memory, and what they are called; sizes in bytes. */
const uses: readonly (readonly [line: string, name: string])[] = [
  ['anon', 'memory of processes (anonymous)'],
  ['shmem', 'files in tmpfs and shared memory'],
  ['slab', 'slab'],
  ['kernel_stack', 'kernel stacks'],
  ['pagetables', 'page tables'],
  ['percpu', 'per-CPU memory'],
  ['sock', 'buffers of sockets'],
  ['vmalloc', 'vmalloc'],
];

/** The cgroup that ran out of memory; null where it was the machine, as far as can be told. */
export function cgroupThatRanOut(facts: Facts): CgroupReport | null {
  const frames = [...facts.deathFrames, ...(facts.death?.traces.flatMap((trace) => trace.frames) ?? [])];
  const names = frames.map((frame) => functionName('symbol' in frame ? (frame.symbol ?? '') : frameName(frame)));
  if (!names.includes('mem_cgroup_out_of_memory')) return null;
  const lines = reportLines(facts);
  const path = firstMatch(lines, /^Memory cgroup stats for (\/.*?):/) ?? pathOfTask(facts);
  if (path === null) return null;
  const group = findGroup(facts, path);
  const kib = (pattern: RegExp): number | null => {
    const text = firstMatch(lines, pattern);
    return text === null ? null : Number(text) * 1024;
  };
  const stat = new Map(
    lines.flatMap((line) => {
      const [, name, bytes] = /^(\w+) (\d+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(bytes)] as const];
    }),
  );
  const file = (stat.get('file') ?? 0) - (stat.get('shmem') ?? 0);
  const rows = [
    ...uses.map(([line, name]) => ({ name, bytes: stat.get(line) ?? 0 })),
    { name: 'page cache of files', bytes: Math.max(0, file) },
  ];
  const page = facts.kernel.dump.memory.pageSize;
  const members = new Set<bigint>(group?.tasks ?? []);
  return {
    path,
    usage: kib(/^memory: usage (\d+)kB/) ?? group?.own?.memory?.current ?? null,
    limit: kib(/^memory: usage \d+kB, limit (\d+)kB/) ?? group?.own?.memory?.max ?? null,
    uses: rows.filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes),
    tasks: largestProcesses(facts.kernel, 10, ({ address }) => members.has(address)).map(({ task, rssPages }) => ({
      pid: task.pid,
      comm: task.comm,
      rss: rssPages * page,
    })),
  };
}

/** The lines of the last report of the out-of-memory killer, without their times. */
function reportLines({ log }: Facts): string[] {
  const lines = log.flatMap(({ text }) => text.split('\n'));
  const start = lines.findLastIndex((line) => line.includes(' invoked oom-killer: '));
  return start < 0 ? [] : lines.slice(start);
}

function firstMatch(lines: readonly string[], pattern: RegExp): string | null {
  for (const line of lines) {
    const found = pattern.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  return null;
}

/** The nearest group above the task that panicked whose memory is at its limit. */
function pathOfTask(facts: Facts): string | null {
  if (facts.crashed === null) return null;
  const own = taskCgroups(facts.kernel, facts.crashed.task).map(({ path }) => path);
  const full = memoryGroups(facts)
    .filter(
      ({ path, memory }) => memory?.max != null && memory.current >= memory.max && own.some((of) => isBelow(of, path)),
    )
    .sort((a, b) => b.depth - a.depth);
  return full[0]?.path ?? null;
}

function isBelow(path: string, group: string): boolean {
  return path === group || path.startsWith(`${group === '/' ? '' : group}/`);
}

function memoryGroups({ kernel }: Facts): Cgroup[] {
  return kernel.faults.attempt(
    'cgroups',
    () =>
      cgroupHierarchies(kernel)
        .filter(({ controllers }) => controllers.includes('memory'))
        .flatMap((hierarchy) => [...cgroupTree(kernel, hierarchy)]),
    [],
  );
}

/** A group by its path, and the tasks of it and of all below it. */
function findGroup(
  facts: Facts,
  path: string,
): { readonly own: Cgroup | null; readonly tasks: readonly bigint[] } | null {
  const groups = memoryGroups(facts).filter((group) => isBelow(group.path, path));
  if (groups.length === 0) return null;
  return { own: groups.find((group) => group.path === path) ?? null, tasks: groups.flatMap(({ tasks }) => tasks) };
}
