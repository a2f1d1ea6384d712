// Which tasks `ps` shows.
import { UsageError } from '../../../base/errors.ts';
import { escapeLine } from '../../../base/text.ts';
import type { Task } from '../../../kernel/task.ts';
import type { CommandContext } from '../../context.ts';
import { eachWord } from '../../each_word.ts';
import { type Param, rest, values } from '../../params.ts';
import { tasksByWord } from '../../task_words.ts';

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
  /** None: all tasks. */
  readonly tasks: readonly Task[];
}

/** The arguments of `ps`: pids, addresses of tasks, names, patterns. Each task once. */
export const taskArguments: Param<readonly Task[]> = {
  ...rest('pid|task|name', values.task),
  parse: (given, context) => [...new Set(eachWord(context, given, ({ word }) => tasksByWord(context, word)).flat())],
};

/** Tasks that the options and arguments ask for, in the order of the arguments, each once. @throws UsageError */
export function selectTasks(context: CommandContext, choice: TaskChoice): Task[] {
  const { tasks } = context;
  const asked = choice.tasks.length > 0 ? choice.tasks : tasks.all;
  // of a thread that is named its process is meant
  const leader = (task: Task): Task => (task.pid === task.tgid ? task : (tasks.byPid(task.tgid) ?? task));
  const chosen = choice.leaders ? [...new Set(asked.map(leader))] : asked;
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
