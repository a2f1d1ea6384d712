// ps: the tasks.
import { assertNever, UsageError } from '../../../base/errors.ts';
import { defineCommand } from '../../command.ts';
import { type CommandContext, parseCpus } from '../../context.ts';
import { parseOptions } from '../../options.ts';
import { type Arguments, argumentsOf, type Limits, limitsOf, renderArguments, renderLimits } from './ps_details.ts';
import { type Family, families, type Relation, renderFamilies } from './ps_family.ts';
import { selectTasks } from './ps_select.ts';
import {
  countStates,
  renderStates,
  renderTable,
  type StateCount,
  type TaskColumns,
  type TaskRow,
  taskRows,
} from './ps_table.ts';
import { type LastRuns, lastRuns, type RunTimes, renderLastRuns, renderRunTimes, runTimes } from './ps_times.ts';

type PsData =
  | {
      readonly kind: 'table';
      readonly tasks: readonly TaskRow[];
      readonly columns: TaskColumns;
      readonly header: boolean;
    }
  | { readonly kind: 'states'; readonly states: readonly StateCount[] }
  | { readonly kind: Relation; readonly tasks: readonly Family[] }
  | { readonly kind: 'times'; readonly tasks: readonly RunTimes[] }
  | { readonly kind: 'last-run'; readonly style: 'timestamp' | 'ago'; readonly groups: readonly LastRuns[] }
  | { readonly kind: 'arguments'; readonly tasks: readonly Arguments[] }
  | { readonly kind: 'limits'; readonly tasks: readonly Limits[] };

export const ps = defineCommand<PsData>({
  name: 'ps',
  help: {
    summary: 'tasks: processes, threads, kernel threads',
    usage: [
      '[-k|-u|-G|-I|-A] [-y policy] [-s] [-Y] [-H] [task]...',
      '[-p|-c|-t|-[l|m] [-C cpus]|-a|-g|-r|-S] [task]...',
    ],
    description: `Shows every task, or those named: by pid, by the address of a task_struct, by command name, or by
a pattern over command names in '...'.

Which tasks:
  -k         kernel threads
  -u         user processes
  -G         leaders of thread groups: one line a process
  -I         no idle tasks
  -A         only what each CPU was running
  -y policy  with one of these scheduling policies, by number or name: 0 NORMAL, 1 FIFO, 2 RR, 3 BATCH,
             5 IDLE, 6 DEADLINE, 7 EXT

What is shown:
  (none)     a table. > marks what each CPU was running; CPU is where a task runs or last ran; VSZ and RSS in
             KiB; kernel threads are in [brackets].
             ST: RU running or ready, IN interruptible sleep, UN uninterruptible sleep, ID idle kernel thread,
             ST stopped, TR traced, ZO zombie, DE dead, WA being woken, PA parked, NE new
  -s         the table with the kernel stack pointer instead of the task's address
  -Y         the table with scheduling policy and priority (the kernel's: 0-99 real-time, 100-139 normal)
  -H         the table without its header
  -S         how many tasks are in each state
  -p         each task's ancestors
  -c         each task's children
  -g         each task's threads
  -t         how long each task ran (START TIME, UTIME, STIME in nanoseconds)
  -l         when each task last came to run, latest first, by its runqueue's clock in nanoseconds
  -m         the same as days, hours:minutes:seconds.milliseconds ago
  -C cpus    with -l and -m: apart for each of these CPUs (1,3,5-7 or a)
  -a         arguments and environment, from user memory, which most dumps leave out
  -r         resource limits`,
    examples: [
      ['ps', 'every task'],
      ['ps -m | head -20', 'what ran last'],
      ["ps -u 'ssh.*'", 'processes by a pattern'],
      ['ps -A', 'what each CPU was doing'],
    ],
  },
  collect: collectPs,
  render: renderPs,
});

const relations: readonly (readonly [option: string, relation: Relation])[] = [
  ['p', 'ancestors'],
  ['c', 'children'],
  ['g', 'threads'],
];

function collectPs(context: CommandContext, args: readonly string[]): PsData {
  const options = parseOptions(args, 'kuGIAsYHpctlmagrSC:y:');
  const { kernel } = context;
  const modes = [...'pctlmagrS'].filter((letter) => options.has(letter));
  if (modes.length > 1) throw new UsageError(`-${modes[0]} and -${modes[1]} exclude each other`);
  if (options.has('C') && !options.has('l') && !options.has('m')) throw new UsageError('-C needs -l or -m');
  const tasks = selectTasks(context, options);
  const relation = relations.find(([option]) => options.has(option))?.[1];
  // threads of a process are asked for once, not once for each of them
  const subjects = relation === 'threads' && options.args.length === 0 ? tasks.filter((t) => t.pid === t.tgid) : tasks;
  if (relation !== undefined) return { kind: relation, tasks: families(kernel, subjects, relation) };
  if (options.has('S')) return { kind: 'states', states: countStates(tasks) };
  if (options.has('t')) return { kind: 'times', tasks: runTimes(kernel, tasks) };
  if (options.has('a')) return { kind: 'arguments', tasks: argumentsOf(kernel, tasks) };
  if (options.has('r')) return { kind: 'limits', tasks: limitsOf(kernel, tasks) };
  if (options.has('l') || options.has('m')) {
    const spec = options.value('C');
    const cpus = spec === null ? null : parseCpus(context, spec);
    return {
      kind: 'last-run',
      style: options.has('l') ? 'timestamp' : 'ago',
      groups: lastRuns(kernel, tasks, cpus),
    };
  }
  const columns = { stackPointer: options.has('s'), policy: options.has('Y') };
  return { kind: 'table', tasks: taskRows(kernel, tasks, columns), columns, header: !options.has('H') };
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
      return renderLastRuns(data.groups, data.style);
    case 'arguments':
      return renderArguments(data.tasks);
    case 'limits':
      return renderLimits(data.tasks);
    default:
      return assertNever(data);
  }
}
