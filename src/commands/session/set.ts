// set: the task that other commands mean, and how they print.

import { assertNever, UsageError } from '../../base/errors.ts';
import { escapeLine, hex } from '../../base/text.ts';
import { formatPlace } from '../../debuginfo/symbol_table.ts';
import { installExcludedPageJudge } from '../../kernel/excluded_pages.ts';
import { crashedTask } from '../../kernel/panic.ts';
import { addressArgument } from '../address.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseCpus } from '../context.ts';
import { flag, type Options, optional, valued, values } from '../params.ts';
import { type ContextTask, contextTask, contextTaskText } from '../task_context.ts';
import { unassigned } from './variables.ts';

interface Variable {
  readonly name: string;
  readonly value: string;
}

export type SetData =
  | { readonly kind: 'task'; readonly task: ContextTask; readonly silent: boolean }
  | { readonly kind: 'variables'; readonly variables: readonly Variable[] };

const params = {
  panicked: flag('p', 'back to the task that panicked'),
  cpu: valued('c', 'cpu', values.word, 'the task that this CPU was running'),
  active: valued(
    'a',
    'pid|task',
    values.task,
    'declares this to be the task that its CPU was running, where the dump has that wrong',
  ),
  variables: flag('v', 'shows the variables'),
  name: optional('pid|task|variable', values.word),
  value: optional('value', values.word),
};

export const set = defineCommand({
  name: 'set',
  help: {
    summary: 'the current task, and how values are printed',
    usage: ['[pid|task]', '-p', '-c cpu', '-a pid|task', '[variable [value]]', '-v'],
    description: `Shows or changes the current task, which bt, task, files and others mean when no task is named. At first
it is the task that panicked. Without arguments it is shown; a pid or the address of a task_struct changes it.

Variables: a name alone shows it, with a value changes it.
  radix 10|16        how values are printed when neither -x nor -d is given; also: hex, dec
  scroll on|off      whether output that is longer than the screen is shown by a pager
  zero_excluded on   pages that the dump's filter left out read as zeroes

The other variables of crash(8) are kept and shown, and have no effect.`,
    examples: [
      ['set 1', 'makes pid 1 the current task'],
      ['set -c 1', 'what CPU 1 was doing'],
      ['set radix 16', 'hexadecimal from now on'],
    ],
  },
  params,
  forTask: (options, task) => ({ ...options, name: `0x${task.address.toString(16)}` }),
  collect: collectSet,
  render: renderSet,
});

function collectSet(context: CommandContext, options: Options<typeof params>): SetData {
  const { name: first, value: second, cpu: spec, active } = options;
  if (options.variables) return { kind: 'variables', variables: context.variables.shown() };

  if (spec !== null) {
    const [cpu] = parseCpus(context, /^\d+$/.test(spec) ? spec : '');
    const task = context.tasks.active(cpu!);
    if (task === null) throw new UsageError(`the task that CPU ${cpu} was running is not known`);
    const before = context.task;
    context.task = task;
    // crash(8) shows a context only where it is another one
    return { kind: 'task', task: contextTask(context, task), silent: before.address === task.address };
  }
  if (active !== null) {
    context.declareActive(active);
    return { kind: 'task', task: contextTask(context, context.task), silent: true };
  }
  if (options.panicked) {
    const crashed = crashedTask(context.kernel, context.tasks);
    if (crashed === null) throw new UsageError('no task panicked, as far as the dump tells');
    context.task = crashed.task;
  } else if (first !== null) {
    // hex and dec alone are aliases of set radix, and were words of set itself once
    const [name, value] = first === 'hex' || first === 'dec' ? ['radix', first] : [first, second];
    if (context.variables.has(name)) {
      if (value !== null) change(context, name, value);
      const shown = context.variables.shown(name);
      // crash(8) calls it so, except in the list of all
      return {
        kind: 'variables',
        variables: shown.map((one) =>
          name === 'radix'
            ? { ...one, name: 'output radix' }
            : name === 'console' && one.value === unassigned
              ? { ...one, value: 'not set' }
              : one,
        ),
      };
    }
    if (second !== null) throw new UsageError(`no such variable: ${escapeLine(first)}`);
    context.task = context.taskByWord(first);
  }
  return { kind: 'task', task: contextTask(context, context.task), silent: false };
}

/** Some have an effect at once. */
function change(context: CommandContext, name: string, value: string): void {
  const { kernel, variables } = context;
  if (name === 'scope') {
    const address = addressArgument(context, value);
    const place = kernel.place(address);
    if (place === null) throw new UsageError(`scope is an address of text, not ${escapeLine(value)}`);
    variables.set(name, `${hex(address)} (${formatPlace(place)})`);
    return;
  }
  variables.set(name, value);
  if (name !== 'zero_excluded') return;
  if (variables.get(name) === 'on') kernel.dump.memory.setExcludedPageJudge(() => true);
  else installExcludedPageJudge(kernel);
}

function renderSet(data: SetData): string {
  switch (data.kind) {
    case 'variables':
      // in a column where there are several
      return data.variables
        .map(({ name, value }, _, { length }) => `${length > 1 ? name.padStart(14) : name}: ${escapeLine(value)}\n`)
        .join('');
    case 'task':
      return data.silent ? '' : contextTaskText(data.task);
    default:
      return assertNever(data);
  }
}
