// What `ps` says of tasks besides who they are: memory, and by -t, -r and -a start times, limits and arguments.
import { parsePs, parseTaskBlocks } from '../crash_text.ts';
import { type Fact, goesOn, processesAtRest, type World } from '../fact.ts';
import type { PictureTask } from '../picture.ts';

/** What a command printed for each task that it should have printed: those of `ps`. Undefined: it left this one out. */
function bodiesOf(ps: string, text: string): Map<number, string | undefined> {
  const bodies = new Map(parseTaskBlocks(text).map((block) => [block.pid, block.body]));
  return new Map(parsePs(ps).map((row) => [row.pid, bodies.get(row.pid)]));
}

/** Nanoseconds in the clock tick of /proc/PID/stat. */
const tick = 10_000_000n;
/** Ticks between two readings of the clock, one after the other. */
const mostLate = 5;

export const startTimes: Fact = {
  name: 'start times',
  commands: ['ps', 'ps -t'],
  compare(world, [ps = '', text = ''], tally) {
    for (const [pid, body] of bodiesOf(ps, text)) {
      const task = world.picture.tasks.get(pid);
      if (task === undefined) continue;
      const ns = /START TIME: (\d+)$/m.exec(body ?? '')?.[1];
      const ticks = ns === undefined ? undefined : Number(BigInt(ns) / tick);
      // The kernel reads two clocks, one after the other: /proc shows the second, ps the first. On a host that is busy with other
      // machines the guest may stand still between them.
      const late = ticks === undefined ? Number.NaN : task.started - ticks;
      const why = late > 0 && late <= mostLate ? 'the next tick had begun' : undefined;
      tally.compare(`task ${pid} ${task.comm}: started, ticks`, task.started, ticks, why);
    }
  },
};

/** The processes at rest that are among these. */
function still(world: World, pids: { has(pid: number): boolean }): PictureTask[] {
  return processesAtRest(world).filter((task) => pids.has(task.pid));
}

/** A line `Name:  123 kB`, in KiB; undefined when there is none, as for a kernel thread, which has no memory of its own. */
function sizeIn(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

export const memory: Fact = {
  name: 'memory of processes',
  commands: ['ps'],
  compare(world, [text = ''], tally) {
    const rows = new Map(parsePs(text).map((row) => [row.pid, row]));
    for (const task of still(world, rows)) {
      const row = rows.get(task.pid);
      const status = world.picture.text(`${task.pid}/task/${task.pid}/status`) ?? '';
      const label = `process ${task.pid} ${task.comm}`;
      const vsz = sizeIn(status, 'VmSize');
      tally.compare(`${label}: VSZ, KiB`, vsz ?? 0, row?.vsz);
      // The count in `status` lags behind; the one of smaps_rollup is made by walking the page tables.
      const rss = vsz === undefined ? 0 : sizeIn(world.picture.text(`${task.pid}/smaps_rollup`) ?? '', 'Rss');
      if (rss !== undefined) tally.compare(`${label}: RSS, KiB`, rss, row?.rss, goesOn(world));
    }
  },
};

/** A line of /proc/PID/limits, and what `ps -r` calls it. */
const limitNames: Readonly<Record<string, string>> = {
  'Max cpu time': 'CPU',
  'Max file size': 'FSIZE',
  'Max data size': 'DATA',
  'Max stack size': 'STACK',
  'Max core file size': 'CORE',
  'Max resident set': 'RSS',
  'Max processes': 'NPROC',
  'Max open files': 'NOFILE',
  'Max locked memory': 'MEMLOCK',
  'Max address space': 'AS',
  'Max file locks': 'LOCKS',
  'Max pending signals': 'SIGPENDING',
  'Max msgqueue size': 'MSGQUEUE',
  'Max nice priority': 'NICE',
  'Max realtime priority': 'RTPRIO',
  'Max realtime timeout': 'RTTIME',
};

export const limits: Fact = {
  name: 'resource limits',
  commands: ['ps', 'ps -r'],
  compare(world, [ps = '', text = ''], tally) {
    const bodies = bodiesOf(ps, text);
    for (const task of still(world, bodies)) {
      const body = bodies.get(task.pid) ?? '';
      const shown = new Map(
        [...body.matchAll(/^ *([A-Z]+) +(\(unlimited\)|\d+) +(\(unlimited\)|\d+) *$/gm)].map(
          ([, name, current, maximum]) => [name, `${current} ${maximum}`.replaceAll(/[()]/g, '')],
        ),
      );
      const row = /^(Max [a-z ]+?) +(unlimited|\d+) +(unlimited|\d+) /gm;
      for (const [, name = '', current, maximum] of (world.picture.text(`${task.pid}/limits`) ?? '').matchAll(row)) {
        const called = limitNames[name];
        if (called === undefined) continue;
        tally.compare(`process ${task.pid} ${task.comm}: ${name}`, `${current} ${maximum}`, shown.get(called));
      }
    }
  },
};

export const processArguments: Fact = {
  name: 'arguments and environment',
  commands: ['ps', 'ps -a'],
  compare(world, [ps = '', text = ''], tally) {
    const bodies = bodiesOf(ps, text);
    // makedumpfile's level has a bit for the pages of user memory.
    const left = (world.record.level & 8) === 0 ? undefined : 'user memory is not in the dump';
    for (const task of still(world, bodies)) {
      const body = bodies.get(task.pid) ?? '';
      const label = `process ${task.pid} ${task.comm}`;
      const strings = (name: string) =>
        world.picture.text(`${task.pid}/${name}`)?.replace(/\0+$/, '').split('\0') ?? [];
      const isOfKernel = (world.picture.text(`${task.pid}/maps`) ?? '') === '';
      if (isOfKernel) tally.compare(`${label}: user stack`, 'ps: no user stack', body.trim());
      else if (left !== undefined && body.includes('cannot access user stack')) tally.moved(left);
      else {
        tally.compare(`${label}: arguments`, strings('cmdline').join(' '), /^ARG: (.*)$/m.exec(body)?.[1]?.trim());
        const [first, ...rest] = strings('environ').filter((entry) => entry !== '');
        if (first !== undefined)
          tally.compare(
            `${label}: environment`,
            `ENV: ${[first, ...rest].join('\n     ')}`,
            /^ENV: .*/ms.exec(body)?.[0]?.trimEnd(),
          );
      }
    }
  },
};
