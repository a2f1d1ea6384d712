// Who waits, and for what: `lock` against the hung tasks that the kernel reported, `stacks` against /proc/PID/stack.
import { type Fact, whyGone } from '../fact.ts';

/** Functions in which a task waits for a lock, as they stand in the traces of hung tasks. */
const lockFunctions = /\b(?:__mutex_lock|mutex_lock|rwsem_down_(?:read|write)_slowpath|__down_\w+|percpu_rwsem_wait)/;

export const locks: Fact = {
  name: 'locks that hung tasks wait for',
  commands: ['lock'],
  compare(world, [text = ''], tally) {
    const reports = (world.dmesgOfMakedumpfile ?? '').split(/(?=INFO: task )/).slice(1);
    const waiters = new Set(
      [...text.matchAll(/^ +(\d+) {2}[0-9a-f]{16} {2}[A-Z?]{2} /gm)].map(([, pid]) => Number(pid)),
    );
    for (const report of reports) {
      const told = /^INFO: task .*?:(\d+)(?: <[^>]*>)? blocked for more than/.exec(report)?.[1];
      const end = report.search(/Kernel panic|<\/TASK>/);
      if (told === undefined || !lockFunctions.test(end < 0 ? report : report.slice(0, end))) continue;
      tally.compare(`task ${told} waits for a lock`, 'waits', waiters.has(Number(told)) ? 'waits' : undefined);
      // since 6.16, 3cf67d61ff98: the kernel knows the owner of a mutex, too
      const owner = /is blocked on (?:a|an) \S+ likely owned by task .*?:(\d+)/.exec(report)?.[1];
      if (owner === undefined) continue;
      const block = text.split('\n\n').find((one) => new RegExp(`^ +${told} {2}[0-9a-f]{16} `, 'm').test(one));
      tally.compare(`owner of what task ${told} waits for`, owner, /^ {2}held by (\d+) /m.exec(block ?? '')?.[1]);
    }
  },
};

export const groups: Fact = {
  name: 'groups of equal stacks',
  commands: ['stacks --folded'],
  compare(world, [text = ''], tally) {
    const { addresses } = world.picture;
    const edge = (name: string): bigint => addresses.get(`__sched_text_${name}`)?.[0] ?? 0n;
    const [start, end] = [edge('start'), edge('end')];
    // /proc leaves the scheduler's own functions out wherever they are
    const isScheduler = (name: string): boolean => (addresses.get(name) ?? []).some((at) => at >= start && at < end);
    const listed = new Map<string, number>();
    for (const [, path = '', count] of text.matchAll(/^(\S+) (\d+)$/gm)) {
      const key = path
        .split(';')
        .filter((name) => !isScheduler(name))
        .join(';');
      listed.set(key, (listed.get(key) ?? 0) + Number(count));
    }
    const said = new Map<string, { all: number; rested: number }>();
    for (const task of world.picture.tasks.values()) {
      if (task.state === 'R' || task.stack.length === 0) continue;
      const key = task.stack
        .map(({ name }) => name)
        .reverse()
        .join(';');
      const group = said.get(key) ?? { all: 0, rested: 0 };
      said.set(key, group);
      group.all++;
      const isAtRest = world.ranSince(task) === undefined && whyGone(world, task.comm) === undefined;
      if (isAtRest && !task.comm.startsWith('kworker/')) group.rested++;
    }
    for (const [key, { all, rested }] of said) {
      const count = listed.get(key) ?? 0;
      if (count === all) tally.same();
      else if (count >= rested && (rested < all || count > all))
        tally.moved('tasks of the group ran again or ended, or new ones came to it');
      else tally.fault(`${all} tasks (${rested} of them at rest) in ${key}: ${count} in the dump`);
    }
  },
};
