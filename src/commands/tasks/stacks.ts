// stacks: what all tasks do, those that do the same together.
import { escapeLine, escapeTerminal } from '../../base/text.ts';
import { backtracer } from '../../kernel/backtrace.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { offCpuFor } from '../../kernel/sched_times.ts';
import type { Task, TaskState } from '../../kernel/task.ts';
import { waitOf } from '../../kernel/wait/wait.ts';
import { defineStream } from '../command.ts';
import { type CommandContext, type TaskLabel, taskLabel } from '../context.ts';
import { flag, rest } from '../params.ts';
import { addressName } from '../system/address_name.ts';
import { seconds } from '../system/outstanding.ts';
import { tasksByWord } from '../task_words.ts';
import { waitData } from './wait_data.ts';

/** Tasks with the same stack. */
export interface StackGroup {
  readonly count: number;
  readonly tasks: readonly TaskLabel[];
  /** How many of them are in each state. */
  readonly states: Readonly<Partial<Record<TaskState, number>>>;
  /** Functions with offsets, innermost first. */
  readonly frames: readonly string[];
  /** The functions alone, outermost first. */
  readonly functions: readonly string[];
  /** Why the stack ends early; empty if it is whole. */
  readonly problem: string;
  /** What they wait for, each once, those that most wait for first. */
  readonly waits: readonly { readonly words: string; readonly count: number }[];
  /** The longest time that one of them has been off its CPU, nanoseconds, decimal; null where that cannot be told. */
  readonly longest: string | null;
}

const states: ReadonlySet<string> = new Set<TaskState>([
  ...(['RU', 'IN', 'UN', 'ST', 'ZO', 'TR', 'SW', 'DE', 'WA', 'PA', 'ID', 'NE'] as const),
]);

export const stacks = defineStream({
  name: 'stacks',
  help: {
    summary: 'stacks of all tasks, equal ones together',
    usage: ['[--folded] [pid|task|name|STATE|user|kernel]...'],
    description: `Every kernel stack with the tasks that have it, the most frequent first, and what they wait for. Tasks may be chosen by
pid, address, name, 'pattern', state (UN: in uninterruptible sleep), or as user or kernel. Idle tasks are left out unless
named.`,
    examples: [
      ['stacks UN', 'what hangs?'],
      ['stacks --folded > stacks.txt', 'for flamegraph.pl'],
    ],
  },
  params: {
    folded: flag('-folded', 'one line a stack, outermost function first, then the count: for flame graphs'),
    words: rest('task', { kind: 'task', parse: (word) => word }, 'which tasks'),
  },
  items: 'stacks',
  collect(context, { words }) {
    return { head: null, items: groups(context, words) };
  },
  text: {
    item: (group, { options }, _head, index) =>
      options.folded ? foldedText(group) : `${index === 0 ? '' : '\n'}${groupText(group)}`,
  },
});

function chosen(context: CommandContext, words: readonly string[]): readonly Task[] {
  const { all } = context.tasks;
  if (words.length === 0) return all.filter(({ idle }) => !idle);
  const found = new Set<Task>();
  for (const word of words) {
    const tasks = states.has(word)
      ? all.filter(({ state, idle }) => state === word && !idle)
      : word === 'user' || word === 'kernel'
        ? all.filter(({ kernelThread, idle }) => kernelThread === (word === 'kernel') && !idle)
        : tasksByWord(context, word);
    for (const task of tasks) found.add(task);
  }
  return [...found];
}

function* groups(context: CommandContext, words: readonly string[]): Generator<StackGroup, null> {
  const { kernel } = context;
  const traces = new Map<string, { readonly task: Task; readonly others: Task[] }>();
  for (const task of chosen(context, words)) {
    const { frames, problem } = backtracer(kernel).of(task);
    const key = `${frames.map(({ address }) => address.toString(16)).join(' ')}${problem === '' ? '' : ' lost'}`;
    const known = traces.get(key);
    if (known === undefined) traces.set(key, { task, others: [] });
    else known.others.push(task);
  }
  const found = [...traces.values()].map(({ task, others }) => [task, ...others]);
  found.sort((a, b) => b.length - a.length);
  for (const tasks of found) yield group(kernel, tasks);
  return null;
}

function group(kernel: Kernel, tasks: readonly Task[]): StackGroup {
  const { frames, problem } = backtracer(kernel).of(tasks[0]!);
  const counts: Partial<Record<TaskState, number>> = {};
  const waits = new Map<string, number>();
  let longest: bigint | null = null;
  for (const task of tasks) {
    counts[task.state] = (counts[task.state] ?? 0) + 1;
    const wait = waitOf(kernel, task);
    if (wait !== null) {
      const { words } = waitData(kernel, wait);
      waits.set(words, (waits.get(words) ?? 0) + 1);
    }
    const time = task.state === 'ZO' || task.state === 'DE' ? null : offCpuFor(kernel, task);
    if (time !== null && (longest === null || time > longest)) longest = time;
  }
  return {
    count: tasks.length,
    tasks: tasks.map(taskLabel),
    states: counts,
    frames: frames.map((frame) => {
      const address = kernel.arch.shownAddress(frame);
      return addressName(kernel, address) ?? `0x${address.toString(16)}`;
    }),
    functions: frames.map(({ place, address }) => place?.symbol.name ?? `0x${address.toString(16)}`).reverse(),
    problem,
    waits: [...waits].map(([words, count]) => ({ words, count })).sort((a, b) => b.count - a.count),
    longest: longest?.toString() ?? null,
  };
}

/** Tasks and waits that are named before the rest is counted. */
const maxNamed = 8;

function groupText({ count, tasks, states: counts, frames, problem, waits, longest }: StackGroup): string {
  const inStates = Object.entries(counts)
    .map(([state, many]) => `${state} ${many}`)
    .join(', ');
  const named = tasks.slice(0, maxNamed).map(({ pid, command }) => `${pid} "${escapeLine(command)}"`);
  const rest = tasks.length > maxNamed ? `, and ${tasks.length - maxNamed} more` : '';
  const lines = [
    `${count} ${count === 1 ? 'task' : 'tasks'} (${inStates})${longest === null || longest === '0' ? '' : `, for at most ${seconds(longest)}`}: ${named.join(', ')}${rest}`,
    ...waits
      .slice(0, maxNamed)
      .map(({ words, count: many }) => `  ${many === count ? 'wait' : `${many} wait`} for ${words}`),
    ...(waits.length > maxNamed ? [`  and for ${waits.length - maxNamed} more`] : []),
    ...frames.map((frame, i) => `${`#${i}`.padStart(6)} ${escapeLine(frame)}`),
    ...(frames.length === 0 ? ['       (no stack)'] : []),
    ...(problem === '' ? [] : [`       ${escapeTerminal(problem)}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** As Brendan Gregg's flamegraph.pl wants it: `outer;inner 12`. */
function foldedText({ functions, count }: StackGroup): string {
  const names = functions.length === 0 ? ['(no stack)'] : functions;
  return `${names.map((name) => escapeLine(name).replaceAll(';', ':')).join(';')} ${count}\n`;
}
