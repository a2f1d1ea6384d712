// Which tasks `ps` shows.
import { UsageError } from '../../../base/errors.ts';
import { escapeLine } from '../../../base/text.ts';
import type { Task } from '../../../kernel/task.ts';
import type { CommandContext } from '../../context.ts';
import { parseHex } from '../../context.ts';
import type { ValueKind } from '../../params.ts';

/** SCHED_* (include/uapi/linux/sched.h) by number. */
const policies = ['NORMAL', 'FIFO', 'RR', 'BATCH', 'ISO', 'IDLE', 'DEADLINE', 'EXT'];

/** Name of a scheduling policy, without its prefix. */
export function policyName(policy: number): string {
  return policies[policy] ?? String(policy);
}

/** Which tasks are asked for. */
export interface TaskChoice {
  readonly kernel: boolean;
  readonly user: boolean;
  readonly leaders: boolean;
  readonly busy: boolean;
  readonly active: boolean;
  readonly policy: string | null;
  /** One list for each argument; none: all tasks. */
  readonly tasks: readonly (readonly Task[])[];
}

/** An argument of `ps`: a pid, a task's address, a name, or a pattern. */
export const taskWords: ValueKind<readonly Task[]> = {
  kind: 'task',
  parse: (word, context) => tasksByWord(context, word),
};

/** Tasks that the options and arguments ask for, in the order of the arguments, each once. @throws UsageError */
export function selectTasks(context: CommandContext, choice: TaskChoice): Task[] {
  const { tasks } = context.kernel;
  const chosen = choice.tasks.length > 0 ? [...new Set(choice.tasks.flat())] : tasks.all;
  const policy = choice.policy === null ? null : parsePolicies(choice.policy);
  return chosen.filter(
    (task) =>
      (!choice.kernel || task.kernelThread) &&
      (!choice.user || !task.kernelThread) &&
      (!choice.leaders || task.pid === task.tgid) &&
      (!choice.busy || !task.idle) &&
      (!choice.active || task.active) &&
      (policy === null || policy.has(task.object.member('policy').number())),
  );
}

/** Tasks by pid, task address, command name, or pattern over command names in '...'. */
function tasksByWord(context: CommandContext, word: string): Task[] {
  const { tasks } = context.kernel;
  const pattern = /^'(.*)'$/.exec(word);
  if (pattern !== null) {
    const regex = compilePattern(pattern[1]!);
    return tasks.all.filter((task) => regex.test(task.comm));
  }
  if (/^\d{1,10}$/.test(word)) {
    // every CPU's idle task has pid 0
    const found = word === '0' ? tasks.all.filter((task) => task.pid === 0) : [tasks.byPid(Number(word))];
    if (found.length > 0 && found[0] !== null) return found as Task[];
  }
  const address = parseHex(word);
  const task = address === null ? null : tasks.byAddress(address);
  if (task !== null) return [task];
  // a name that looks like a number or an option can be written with a backslash before it
  const name = word.startsWith('\\') ? word.slice(1) : word;
  const named = tasks.all.filter((t) => t.comm === name.slice(0, 15));
  if (named.length === 0) throw new UsageError(`invalid task or pid value: ${escapeLine(word)}`);
  return named;
}

/** A pattern is matched against names of at most 15 characters, so that no pattern can take long. */
function compilePattern(pattern: string): RegExp {
  try {
    return new RegExp(pattern.slice(0, 256));
  } catch {
    throw new UsageError(`invalid regular expression: ${escapeLine(pattern)}`);
  }
}

function parsePolicies(text: string): Set<number> {
  const numbers = text.split(',').map((part) => {
    const named = policies.indexOf(part.toUpperCase().replace(/^SCHED_/, ''));
    const number = /^\d{1,3}$/.test(part) ? Number(part) : part.toUpperCase() === 'OTHER' ? 0 : named;
    if (number < 0 || number >= policies.length) {
      throw new UsageError(`invalid scheduling policy: ${escapeLine(part)}`);
    }
    return number;
  });
  return new Set(numbers);
}
