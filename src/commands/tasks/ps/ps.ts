// ps: the tasks.
import { assertNever, UsageError } from '../../../base/errors.ts';
import { defineCommand } from '../../command.ts';
import type { CommandContext } from '../../context.ts';
import { flag, type Options, valued, values } from '../../params.ts';
import { type Arguments, argumentsOf, type Limits, limitsOf, renderArguments, renderLimits } from './ps_details.ts';
import { type Family, families, type Relation, renderFamilies } from './ps_family.ts';
import { selectTasks, taskArguments } from './ps_select.ts';
import {
  countStates,
  renderStates,
  renderTable,
  type StateCount,
  type TaskColumns,
  type TaskRow,
  taskRows,
} from './ps_table.ts';
import {
  type LastRuns,
  lastRuns,
  latestRun,
  type RunTimes,
  renderLastRuns,
  renderRunTimes,
  runTimes,
} from './ps_times.ts';

export type PsData =
  | {
      readonly kind: 'table';
      readonly tasks: readonly TaskRow[];
      readonly columns: TaskColumns;
      readonly header: boolean;
    }
  | { readonly kind: 'states'; readonly states: readonly StateCount[] }
  | { readonly kind: Relation; readonly tasks: readonly Family[] }
  | { readonly kind: 'times'; readonly tasks: readonly RunTimes[] }
  | {
      readonly kind: 'last-run';
      readonly style: 'timestamp' | 'ago';
      readonly groups: readonly LastRuns[];
      readonly widest: string | null;
    }
  | { readonly kind: 'arguments'; readonly tasks: readonly Arguments[] }
  | { readonly kind: 'limits'; readonly tasks: readonly Limits[] };

const which = { group: 'Which tasks' };
const what = { group: 'What is shown' };
/** A view of its own: one at a time. */
function mode(letter: string, help: string) {
  return flag(letter, help, { ...what, excludes: [...'pctlmagrS'].filter((other) => other !== letter) });
}

const params = {
  kernel: flag('k', 'kernel threads', which),
  user: flag('u', 'user processes', which),
  leaders: flag('G', 'leaders of thread groups: one line a process', which),
  busy: flag('I', 'no idle tasks', which),
  active: flag('A', 'only what each CPU was running', which),
  policy: valued(
    'y',
    'policy',
    values.word,
    `with one of these scheduling policies, by number or name: 0 NORMAL, 1 FIFO, 2 RR, 3 BATCH, 5 IDLE,
6 DEADLINE, 7 EXT`,
    which,
  ),
  stackPointer: flag('s', "the table with the kernel stack pointer instead of the task's address", what),
  policies: flag(
    'Y',
    "the table with scheduling policy and priority (the kernel's: 0-99 real-time, 100-139 normal)",
    what,
  ),
  bare: flag('H', 'the table without its header', what),
  states: mode('S', 'how many tasks are in each state'),
  ancestors: mode('p', "each task's ancestors"),
  children: mode('c', "each task's children"),
  threads: mode('g', "each task's threads"),
  times: mode('t', 'how long each task ran (START TIME, UTIME, STIME in nanoseconds)'),
  lastRun: mode('l', "when each task last came to run, latest first, by its runqueue's clock in nanoseconds"),
  ago: mode('m', 'the same as days, hours:minutes:seconds.milliseconds ago'),
  cpus: valued('C', 'cpus', values.cpus, 'with -l and -m: apart for each of these CPUs (1,3,5-7 or a)', what),
  arguments: mode('a', 'arguments and environment, from user memory, which most dumps leave out'),
  limits: mode('r', 'resource limits'),
  tasks: taskArguments,
};

export type PsOptions = Options<typeof params>;

export const ps = defineCommand({
  name: 'ps',
  help: {
    summary: 'tasks: processes, threads, kernel threads',
    usage: [
      '[-k|-u|-G|-I|-A] [-y policy] [-s] [-Y] [-H] [task]...',
      '[-p|-c|-t|-l|-m|-a|-g|-r|-S] [-C cpus] [task]...',
    ],
    description: `Shows every task, or those named: by pid, by the address of a task_struct, by command name, or by
a pattern over command names in '...'.

In the table > marks what each CPU was running; CPU is where a task runs or last ran; VSZ and RSS are in KiB; kernel
threads are in [brackets]. ST: RU running or ready, IN interruptible sleep, UN uninterruptible sleep, ID idle kernel
thread, ST stopped, TR traced, ZO zombie, DE dead, WA being woken, PA parked, NE new.`,
    examples: [
      ['ps', 'every task'],
      ['ps -m | head -20', 'what ran last'],
      ["ps -u 'ssh.*'", 'processes by a pattern'],
      ['ps -A', 'what each CPU was doing'],
    ],
  },
  params,
  together: true,
  collect: collectPs,
  render: renderPs,
});

function collectPs(context: CommandContext, options: PsOptions): PsData {
  const { kernel } = context;
  if (options.cpus !== null && !options.lastRun && !options.ago) throw new UsageError('-C needs -l or -m');
  const tasks = selectTasks(context, options);
  const relation: Relation | null = options.ancestors
    ? 'ancestors'
    : options.children
      ? 'children'
      : options.threads
        ? 'threads'
        : null;
  // threads of a process are asked for once, not once for each of them
  const all = options.tasks.length === 0;
  const subjects = relation === 'threads' && all ? tasks.filter((t) => t.pid === t.tgid) : tasks;
  if (relation !== null) return { kind: relation, tasks: families(context, subjects, relation) };
  if (options.states) return { kind: 'states', states: countStates(tasks) };
  if (options.times) {
    const times = runTimes(kernel, tasks);
    // of all, in the order in which they were made
    if (all) times.sort((a, b) => (BigInt(a.startTime) < BigInt(b.startTime) ? -1 : 1));
    return { kind: 'times', tasks: times };
  }
  if (options.arguments) return { kind: 'arguments', tasks: argumentsOf(kernel, tasks) };
  if (options.limits) return { kind: 'limits', tasks: limitsOf(kernel, tasks) };
  if (options.lastRun || options.ago) {
    return {
      kind: 'last-run',
      style: options.lastRun ? 'timestamp' : 'ago',
      groups: lastRuns(kernel, tasks, options.cpus),
      // the columns of one task stand where they do among all
      widest: options.lastRun ? latestRun(kernel, context.tasks.all) : null,
    };
  }
  const columns = { stackPointer: options.stackPointer, policy: options.policies };
  return { kind: 'table', tasks: taskRows(kernel, tasks, columns), columns, header: !options.bare };
}

function renderPs(data: PsData): string {
  switch (data.kind) {
    case 'table':
      return renderTable(data.tasks, data.columns, data.header);
    case 'states':
      return renderStates(data.states);
    case 'ancestors':
    case 'children':
    case 'threads':
      return renderFamilies(data.tasks, data.kind);
    case 'times':
      return renderRunTimes(data.tasks);
    case 'last-run':
      return renderLastRuns(data.groups, data.style, data.widest?.length ?? 0);
    case 'arguments':
      return renderArguments(data.tasks);
    case 'limits':
      return renderLimits(data.tasks);
    default:
      return assertNever(data);
  }
}
