// cgroup: control groups, with their limits, what they use, and their tasks.
import { assertNever, UsageError } from '../../base/errors.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { type Cgroup, type CgroupHierarchy, cgroupHierarchies, cgroupTree, taskCgroups } from '../../kernel/cgroup.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type Namespace, namespacesOf } from '../../kernel/nsproxy.ts';
import type { Task } from '../../kernel/task.ts';
import { type Answer, defineStream } from '../command.ts';
import { type CommandContext, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { flag, type Options, rest, valued, values } from '../params.ts';

export type CgroupItem =
  /** A tree of groups begins: those of it follow. */
  | ({ readonly kind: 'hierarchy' } & Omit<CgroupHierarchy, 'root'>)
  | ({ readonly kind: 'group' } & Omit<Cgroup, 'tasks'> & {
        readonly taskCount: number;
        /** With -t; null without. */
        readonly tasks: readonly TaskLabel[] | null;
      })
  /** Where a task is. */
  | {
      readonly kind: 'task';
      readonly task: TaskLabel;
      /** Its group in each hierarchy: `hierarchy` is empty for version 2, of version 1 its controllers and name. */
      readonly groups: readonly { readonly hierarchy: string; readonly path: string }[];
      readonly namespaces: readonly Namespace[];
    };

type GroupItem = Extract<CgroupItem, { kind: 'group' }>;

const params = {
  members: flag('t', 'with the tasks of each group'),
  details: flag('l', 'every limit and all use of each group'),
  group: valued('g', 'path', values.word, 'only this group, by its path from the root, and those below it'),
  tasks: rest('pid|task', values.task, 'instead: the groups and the namespaces that a task is in'),
};

type CgroupOptions = Options<typeof params>;

export const cgroup = defineStream({
  name: 'cgroup',
  help: {
    summary: 'control groups: limits, use, tasks',
    description: `Lists the tree of control groups, of version 2 and of each mounted hierarchy of version 1: how many tasks each has
itself; of it and all below it how many tasks it holds and may hold, how much memory it uses, may use and has used at
most, and how many processes were killed for want of it; how many CPUs' time it may use. Numbers of memory are in KB. A
dash stands for a group without that controller, whose use counts for the group above.`,
    examples: [
      ['cgroup -t -g /system.slice', 'the services, with their tasks'],
      ['cgroup -l -g /kubepods', 'all limits'],
      ['cgroup 1234', 'which container a process belongs to'],
    ],
  },
  params,
  items: 'entries',
  collect: collectCgroup,
  text: {
    item(item, { options }, _head, index) {
      switch (item.kind) {
        case 'hierarchy':
          return `${index === 0 ? '' : '\n'}${hierarchyText(item)}${options.details ? '' : header}`;
        case 'group':
          return `${options.details ? detailsText(item) : rowText(item)}${tasksText(item)}`;
        case 'task':
          return `${index === 0 ? '' : '\n'}${whereText(item)}`;
        default:
          return assertNever(item);
      }
    },
  },
});

function collectCgroup({ kernel }: CommandContext, options: CgroupOptions): Answer<null, CgroupItem, null> {
  if (options.tasks.length > 0) {
    if (options.members || options.details || options.group !== null) throw new UsageError('');
    return { head: null, items: places(kernel, options.tasks) };
  }
  return { head: null, items: groups(kernel, cgroupHierarchies(kernel), options) };
}

/** A path without the slashes at its end. */
function withoutSlash(path: string): string {
  let end = path.length;
  while (path[end - 1] === '/') end--;
  return path.slice(0, end);
}

function* groups(
  kernel: Kernel,
  hierarchies: readonly CgroupHierarchy[],
  { members, group }: CgroupOptions,
): Generator<CgroupItem, null> {
  const below = group === null ? null : withoutSlash(group);
  let isFound = false;
  for (const { root, ...hierarchy } of hierarchies) {
    let isShown = false;
    for (const { tasks, ...one } of cgroupTree(kernel, { root, ...hierarchy })) {
      kernel.work.charge('nodes', 1);
      if (below !== null && one.path !== below && !one.path.startsWith(`${below}/`)) continue;
      if (!isShown) yield { kind: 'hierarchy', ...hierarchy };
      isShown = true;
      yield {
        kind: 'group',
        ...one,
        taskCount: tasks.length,
        tasks: members
          ? tasks.map((address) => {
              const task = kernel.tasks.byAddress(address);
              return task === null ? { pid: -1, task: address, cpu: -1, command: '?' } : taskLabel(task);
            })
          : null,
      };
    }
    isFound ||= isShown;
  }
  if (group !== null && !isFound) throw new UsageError(`no such group: ${escapeLine(group)}`);
  return null;
}

function* places(kernel: Kernel, tasks: readonly Task[]): Generator<CgroupItem, null> {
  for (const task of tasks) {
    kernel.work.charge('nodes', 1);
    yield {
      kind: 'task',
      task: taskLabel(task),
      groups: taskCgroups(kernel, task),
      namespaces: namespacesOf(kernel, task),
    };
  }
  return null;
}

function hierarchyText({ version, name, controllers }: Omit<CgroupHierarchy, 'root'>): string {
  const named = name === '' ? '' : `  NAME: ${escapeLine(name)}`;
  return `VERSION: ${version}${named}  CONTROLLERS: ${controllers.map(escapeLine).join(' ') || '(none)'}\n`;
}

const columns = (...[tasks, pids, used, max, peak, killed, cpus]: string[]): string =>
  `${tasks!.padStart(5)} ${pids!.padStart(13)} ${used!.padStart(10)} ${max!.padStart(10)} ${peak!.padStart(10)} ${killed!.padStart(6)} ${cpus!.padStart(6)}`;

const header = `     CGROUP      ${columns('TASKS', 'ALL/MAX', 'USED', 'MAX', 'PEAK', 'KILLED', 'CPUS')}  PATH\n`;

function rowText({ address, path, taskCount, pids, memory, cpu, frozen }: GroupItem): string {
  const row = columns(
    String(taskCount),
    pids === null ? '-' : `${pids.current}/${pids.max ?? 'max'}`,
    memory === null ? '-' : inKb(memory.current),
    memory === null ? '-' : inKb(memory.max),
    memory === null ? '-' : inKb(memory.peak),
    memory === null ? '-' : String(memory.oomKills ?? '?'),
    cpu === null ? '-' : cpus(cpu),
  );
  return `${hex16(address)} ${row}  ${escapeLine(path)}${frozen ? ' (frozen)' : ''}\n`;
}

function inKb(bytes: number | null): string {
  return bytes === null ? 'max' : String(Math.round(bytes / 1024));
}

/** CPUs whose whole time it may use. */
function cpus({ quota, period }: NonNullable<Cgroup['cpu']>): string {
  return quota === null || period === null || period === 0 ? 'max' : (quota / period).toFixed(2);
}

function detailsText({ address, path, controllers, taskCount, pids, memory, cpu, frozen }: GroupItem): string {
  const lines: [name: string, value: string][] = [
    ['CGROUP', hex16(address)],
    ['CONTROLLERS', controllers.map(escapeLine).join(' ') || '(none)'],
    ['TASKS', `${taskCount}${frozen ? ' (frozen)' : ''}`],
  ];
  if (pids !== null) lines.push(['PIDS', `${pids.current} of ${pids.max ?? 'max'}`]);
  if (memory !== null) {
    const { current, max, peak, min, low, high, swap, swapMax, oomKills } = memory;
    lines.push(
      ['MEMORY', `${inKb(current)} of ${inKb(max)} KB, at most ${inKb(peak)}`],
      ['LIMITS', `min ${inKb(min)}, low ${inKb(low)}, high ${inKb(high)} KB`],
    );
    if (swap !== null) lines.push(['SWAP', `${inKb(swap)} of ${inKb(swapMax)} KB`]);
    if (oomKills !== null) lines.push(['OOM KILLS', String(oomKills)]);
  }
  if (cpu !== null) lines.push(['CPU', `${cpus(cpu)} CPUs, weight ${cpu.weight}`]);
  return `\n${escapeLine(path)}\n${lines.map(([name, value]) => `${name.padStart(13)}: ${value}\n`).join('')}`;
}

function tasksText({ tasks }: GroupItem): string {
  return (tasks ?? []).map((task) => `    ${taskHeader(task)}\n`).join('');
}

function whereText({ task, groups, namespaces }: Extract<CgroupItem, { kind: 'task' }>): string {
  const named = groups.map(
    ({ hierarchy, path }) => `${hierarchy === '' ? '' : `${escapeLine(hierarchy)}:`}${escapeLine(path)}`,
  );
  const spaces = namespaces.map(({ kind, number }) => `${kind}:[${number ?? '?'}]`);
  const rows = [spaces.slice(0, 4), spaces.slice(4)].filter((row) => row.length > 0).map((row) => row.join(' '));
  const below = `\n${' '.repeat(12)}`;
  return `${taskHeader(task)}\n    CGROUP: ${named.join(below) || '(none)'}\nNAMESPACES: ${rows.join(below) || '(none)'}\n`;
}
