// Tasks: every thread that /proc showed is in `ps`, with its parent, name, state and CPU; and no others.
import { parsePs } from '../crash_text.ts';
import { type Fact, goesOn, type World, whyGone } from '../fact.ts';
import type { PictureTask } from '../picture.ts';
import type { Tally } from '../tally.ts';

/** ps's two letters for the state letters of /proc (crash(8), help ps). */
const letters: Record<string, string> = {
  R: 'RU',
  S: 'IN',
  D: 'UN',
  T: 'ST',
  t: 'TR',
  Z: 'ZO',
  X: 'DE',
  I: 'ID',
  P: 'PA',
  K: 'WK',
};

export const processes: Fact = {
  name: 'processes',
  commands: ['ps'],
  compare: (world, [text = ''], tally) => comparePs(world, text, tally, (task) => task.tid === task.pid),
};

export const threads: Fact = {
  name: 'threads',
  commands: ['ps'],
  compare: (world, [text = ''], tally) => comparePs(world, text, tally, (task) => task.tid !== task.pid),
};

function comparePs(world: World, text: string, tally: Tally, which: (task: PictureTask) => boolean): void {
  const rows = new Map(
    parsePs(text)
      .filter((row) => row.pid !== 0)
      .map((row) => [row.pid, row]),
  );
  const tasks = world.picture.tasks;
  for (const task of tasks.values()) {
    if (!which(task)) continue;
    const row = rows.get(task.tid);
    const label = `task ${task.tid} ${task.comm}`;
    if (row === undefined) {
      const why = mayHaveEnded(world, task);
      if (why === undefined) tally.fault(`${label}: not in ps`);
      else tally.moved(why);
      continue;
    }
    const ran = world.ranSince(task);
    tally.compare(
      `${label}: parent`,
      task.ppid,
      row.ppid,
      tasks.has(task.ppid) && !rows.has(task.ppid) ? 'its parent ended' : undefined,
    );
    if (commMatches(task.comm, row.comm)) tally.same();
    else tally.compare(`${label}: name`, task.comm, row.comm, ran);
    tally.compare(`${label}: state`, letters[task.state] ?? task.state, row.state.slice(0, 2), ran);
    tally.compare(`${label}: CPU`, task.cpu, row.cpu, ran ?? goesOn(world));
  }
  if (which({ tid: 1, pid: 1 } as PictureTask)) {
    const highest = Math.max(...tasks.keys());
    for (const row of rows.values()) {
      if (tasks.has(row.pid)) continue;
      if (row.pid > highest || row.comm.startsWith('kworker/')) tally.moved('it started after the picture');
      else if (world.picture.pids.includes(row.pid)) tally.moved('it took the picture, or ended during it');
      else tally.fault(`task ${row.pid} ${row.comm}: in ps, but the guest had none of that number`);
    }
  }
}

/** Only what is known to come and go may be missing: idle workers, and the children of the loop in userland.sh. */
function mayHaveEnded(world: World, task: PictureTask): string | undefined {
  if (task.comm.startsWith('kworker/')) return 'an idle worker ended';
  const parent = world.picture.text(`${task.ppid}/cmdline`) ?? '';
  if (/sleep 0\.\d/.test(parent)) return 'a child of the loop ended';
  return whyGone(world, task.comm) ?? world.scenario.moves;
}

/**
 * task_struct.comm has 15 characters; /proc shows all of a kernel thread's name (since 5.17), and after a worker's
 * the work it does (`kworker/0:1-events`).
 */
export function commMatches(picture: string, dump: string): boolean {
  if (picture.slice(0, 15) === dump) return true;
  return dump.startsWith('kworker/') && picture.startsWith(dump) && /^[-+]/.test(picture.slice(dump.length));
}
