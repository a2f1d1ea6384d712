// foreach: commands run for each of many tasks.
import { FormatError, InquestError, messageOf, UsageError } from '../../base/errors.ts';
import { escapeLine } from '../../base/text.ts';
import type { Task, TaskState } from '../../kernel/task.ts';
import { type Answer, asOne, type Command, call, defineStream, drawn, type Gathered } from '../command.ts';
import { type CommandContext, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { eachWord } from '../each_word.ts';
import { type Params, parseParams, text } from '../params.ts';
import { tasksByWord } from '../task_words.ts';

/** One command as it was asked for. Drawing its data needs its options, which are not data. */
interface Invocation {
  readonly command: Command;
  readonly options: Readonly<Record<string, unknown>>;
}

const invocations: unique symbol = Symbol('invocations');
const gathered: unique symbol = Symbol('gathered');

export interface ForeachHead {
  readonly commands: readonly string[];
  readonly [invocations]: readonly Invocation[];
}

/** What one command said of one task. */
export interface ForeachItem {
  /** Null where the command was run once for all of them (`foreach ps`). */
  readonly task: TaskLabel | null;
  /** Position in the head's list of commands. */
  readonly command: number;
  /** Its data, as its own `--json` prints it; null where it failed. */
  readonly data: unknown;
  readonly [gathered]: Gathered<unknown, unknown, unknown> | null;
  /** Why it failed. */
  readonly problem: string | null;
}

export interface ForeachTail {
  /** How often a command failed. */
  readonly failed: number;
}

/** Commands that do not say which task they tell of. */
const unnamed: ReadonlySet<string> = new Set(['set', 'vtop']);

const states: readonly TaskState[] = ['RU', 'IN', 'UN', 'ST', 'ZO', 'TR', 'SW', 'DE', 'WA', 'PA', 'ID', 'NE'];

/** The `foreach` command over these commands. */
export function foreachOver(commands: ReadonlyMap<string, Command>) {
  return defineStream({
    name: 'foreach',
    help: {
      summary: 'commands run for each of many tasks',
      usage: ['[pid|task|name|user|gleader|kernel|active|STATE]... command [options] [command [options]]...'],
      description: `Runs commands for every task, or for those chosen. Choices may be mixed:

  pid, task, name, 'pattern'   these tasks; \\name where the name is also a command or a choice
  user, kernel                 processes of users; kernel threads
  gleader                      leaders of thread groups: of each process of users one task
  active                       what each CPU was running
  RU IN UN ST ZO TR DE PA ...  tasks in one of these states

Commands that can be run: those whose arguments are tasks. The options behind a command are its own.`,
      examples: [
        ['foreach bt', 'every stack'],
        ['foreach UN bt | grep -c mutex_lock', 'who waits uninterruptibly, and for mutexes'],
        ['foreach gleader files', 'the open files of every process'],
      ],
    },
    params: { words: text('choices and commands', 'word') },
    items: 'results',
    unlimited: true,
    collect: (context, { words }) => collectForeach(context, commands, words),
    failed: (_head: ForeachHead, { failed }: ForeachTail) => failed > 0,
    text: {
      item({ task, command, [gathered]: data }, view, head, index) {
        const { command: one, options } = head[invocations][command]!;
        // why there is nothing is a fault: it goes where no reader takes it for output
        const body = data === null ? '' : drawn(one, data, { ...view, options });
        if (body === '') return '';
        // of `ps` one table, as far as nothing stands between its lines
        if (one.name === 'ps' && index > 0) return body.replace(/^ +PID +PPID .*\n/, '');
        const header = task !== null && unnamed.has(one.name) ? `${taskHeader(task)}\n` : '';
        const gap = index > 0 && !body.endsWith('\n\n') ? '\n' : '';
        return `${gap}${header}${body}`;
      },
    },
  });
}

function collectForeach(
  context: CommandContext,
  commands: ReadonlyMap<string, Command>,
  words: readonly string[],
): Answer<ForeachHead, ForeachItem, ForeachTail> {
  const first = words.findIndex((word) => commands.has(word));
  if (first < 0) throw new UsageError(words.length === 0 ? '' : 'no command is named');
  const chosen = chooseTasks(context, words.slice(0, first));
  const asked = splitCommands(commands, words.slice(first)).map(([command, rest]): Invocation => {
    if (!command.aboutTasks) throw new UsageError(`${command.name} is not for tasks`);
    const options = parseParams<Params>(command.params, rest, context);
    // the devices are no task's: of each its sockets are meant
    if (command.name === 'net' && rest.length === 0) return { command, options: { ...options, sockets: true } };
    return { command, options };
  });
  let failed = 0;
  function one(
    { command }: Invocation,
    number: number,
    task: Task | null,
    options: Invocation['options'],
  ): ForeachItem {
    const label = { task: task === null ? null : taskLabel(task), command: number };
    try {
      const { value } = call(context, command, options);
      return { ...label, data: asOne(command, value), [gathered]: value, problem: null };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      failed++;
      const problem = messageOf(error);
      const what = task === null ? 'tasks' : `pid ${task.pid}`;
      context.kernel.faults.record(what, new FormatError(command.name, problem));
      return { ...label, data: null, [gathered]: null, problem };
    }
  }
  function* results(): Generator<ForeachItem, ForeachTail> {
    const [only] = asked;
    if (asked.length === 1 && only?.command.together === true) {
      if (chosen.length > 0) yield one(only, 0, null, { ...only.options, tasks: chosen });
      return { failed };
    }
    for (const [done, task] of chosen.entries()) {
      context.kernel.work.progress(done, chosen.length);
      for (const [number, invocation] of asked.entries()) {
        const { command, options } = invocation;
        // kernel threads have no arguments: asked of every task, that is no news
        if (command.name === 'ps' && options['arguments'] === true && task.kernelThread) continue;
        // a process with all its threads is told once, at its leader
        if (command.name === 'sig' && options['group'] === true && task.pid !== task.tgid) continue;
        yield one(invocation, number, task, command.forTask(options, task));
      }
    }
    return { failed };
  }
  return { head: { commands: asked.map(({ command }) => command.name), [invocations]: asked }, items: results() };
}

/** Commands with the words behind each. */
function splitCommands(
  commands: ReadonlyMap<string, Command>,
  words: readonly string[],
): [command: Command, words: string[]][] {
  const found: [Command, string[]][] = [];
  for (const word of words) {
    const command = commands.get(word);
    if (command?.aboutTasks === true) found.push([command, []]);
    else if (found.length === 0) throw new UsageError(`${escapeLine(word)} is not for tasks`);
    else found.at(-1)![1].push(word);
  }
  return found;
}

/** Tasks that any of the words names, of the kinds and in one of the states that others name. */
function chooseTasks(context: CommandContext, words: readonly string[]): readonly Task[] {
  const names: string[] = [];
  const wantedStates = new Set<string>();
  const kinds = new Set<string>();
  for (const word of words) {
    if (['user', 'kernel', 'gleader', 'active'].includes(word)) kinds.add(word);
    else if (states.includes(word as TaskState)) wantedStates.add(word);
    else names.push(word);
  }
  const { all } = context.tasks;
  const named = names.length === 0 ? null : eachWord(context, names, (word) => tasksByWord(context, word));
  const from = named === null ? null : new Set(named.flat());
  return all.filter(
    (task) =>
      (from === null || from.has(task)) &&
      (wantedStates.size === 0 || wantedStates.has(task.state)) &&
      (!kinds.has('user') || !task.kernelThread) &&
      (!kinds.has('kernel') || task.kernelThread) &&
      (!kinds.has('gleader') || (task.pid === task.tgid && !task.kernelThread)) &&
      (!kinds.has('active') || task.active),
  );
}
