// Workqueues: how many workers each CPU's pools have, by `wq -a` and by the names of the kworkers in /proc and `ps`.
import { parsePs } from '../crash_text.ts';
import { type Fact, goesOn } from '../fact.ts';

export const workers: Fact = {
  name: 'workers of workqueues',
  commands: ['wq -a', 'ps'],
  compare(world, [text = '', list = ''], tally) {
    const pools = new Map(
      [...text.matchAll(/^POOL \d+ [0-9a-f]{16} {2}CPU (\d+) {2}nice (-?\d+) {2}workers: (\d+)/gm)].map(
        ([, cpu, nice, count]) => [`${cpu} ${nice}`, Number(count)],
      ),
    );
    const now = countOf(parsePs(list).map(({ comm }) => comm.replace(/^\[(.*)\]$/, '$1')));
    const then = countOf([...world.picture.tasks.values()].map(({ comm }) => comm));
    for (const [pool, count] of then) {
      const answer = pools.get(pool);
      // what ps shows of the same memory says whether the world moved
      const why =
        answer === now.get(pool) && answer !== undefined
          ? 'workers are made and end as work comes and goes'
          : goesOn(world);
      tally.compare(`workers of CPU and nice ${pool}`, count, answer, why);
    }
  },
};

/** kworker/CPU:ID, with an H where the pool's nice is -20 (create_worker(), kernel/workqueue.c). */
function countOf(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    const [, cpu, high] = /^kworker\/(\d+):\d+(H?)/.exec(name) ?? [];
    if (cpu === undefined) continue;
    const pool = `${Number(cpu)} ${high === 'H' ? -20 : 0}`;
    counts.set(pool, (counts.get(pool) ?? 0) + 1);
  }
  return counts;
}
