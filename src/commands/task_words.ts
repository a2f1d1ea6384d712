// Tasks as users name them where a word may stand for several: `ps`, `foreach`.
import { UsageError } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import type { Task } from '../kernel/task.ts';
import { type CommandContext, parseHex } from './context.ts';

/** Tasks by pid, task address, command name, or pattern over command names in '...'. @throws UsageError for none */
export function tasksByWord(context: CommandContext, word: string): Task[] {
  const { tasks } = context;
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
