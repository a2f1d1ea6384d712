// Control groups and namespaces of processes, and how many tasks each group has.
import { parseTaskBlocks } from '../crash_text.ts';
import { type Fact, processesAtRest } from '../fact.ts';

/** Namespaces of which a picture has the links. */
const kinds = ['mnt', 'net', 'pid'] as const;

export const cgroups: Fact = {
  name: 'cgroups and namespaces',
  commands: ['foreach cgroup', 'cgroup'],
  compare(world, [text = '', tree = ''], tally) {
    const bodies = new Map(parseTaskBlocks(text).map((block) => [block.pid, block.body]));
    const members = new Map<string, number>();
    for (const task of processesAtRest(world)) {
      const label = `process ${task.pid} ${task.comm}`;
      const body = bodies.get(task.pid) ?? '';
      const why = body === '' ? world.scenario.moves : undefined;
      const group = /^0::(.*)$/m.exec(world.picture.text(`${task.pid}/cgroup`) ?? '')?.[1];
      if (group !== undefined) {
        tally.compare(`${label}: cgroup`, group, /^ *CGROUP: (\S+)/m.exec(body)?.[1], why);
        members.set(group, (members.get(group) ?? 0) + 1);
      }
      for (const kind of kinds) {
        const link = world.picture.text(`${task.pid}/ns/${kind}`)?.trimEnd();
        if (link === undefined) continue;
        tally.compare(`${label}: ${kind} namespace`, link, new RegExp(`\\b${kind}:\\[\\d+\\]`).exec(body)?.[0], why);
      }
    }
    const rows = [...tree.matchAll(/^[0-9a-f]{16} +(\d+) .* (\/\S*)$/gm)];
    const listed = new Map(rows.map(([, tasks, path]) => [path, Number(tasks)]));
    for (const [path, count] of members) {
      // The groups of those that ran since, and threads, are not counted in the picture.
      if ((listed.get(path) ?? 0) >= count) tally.same();
      else tally.fault(`cgroup ${path}: ${count} processes at the picture, ${listed.get(path) ?? 'not listed'}`);
    }
  },
};
