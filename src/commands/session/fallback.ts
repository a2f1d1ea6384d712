// What a word means that is no command: crash(8) tries it as a symbol, and then as a type.
import { splitCpuSpec } from '../address.ts';
import type { CommandContext } from '../context.ts';
import { splitStructSpec } from '../types/struct_spec.ts';

/**
 * The command that words stand for which begin with none: `jiffies` is `p jiffies`, `task_struct.pid init_task`
 * is `* task_struct.pid init_task`, `p/x jiffies` is `p -x jiffies`. Null where they stand for none.
 */
export function interpretUnknown(
  context: CommandContext,
  words: readonly string[],
): { readonly name: string; readonly args: string[] } | null {
  const [first = '', ...rest] = words;
  const format = /^p\/([xd])$/.exec(first);
  if (format !== null) return { name: 'p', args: [`-${format[1]}`, ...rest] };
  const { symbols, types } = context.kernel;
  const { name } = splitStructSpec(first);
  const symbol = symbols.find(splitCpuSpec(first).base) ?? symbols.find(/^[A-Za-z_]\w*/.exec(first)?.[0] ?? '');
  // a struct's name is more often meant than a symbol's of the same name when something follows it
  const type = /^[A-Za-z_]\w*$/.test(name) ? (types.find(name) ?? types.find(`enum ${name}`)) : null;
  const isType = type !== null && type.kind !== 'incomplete' && type.kind !== 'int' && type.kind !== 'float';
  if (symbol !== null && !(isType && (rest.length > 0 || first !== name))) return { name: 'p', args: [...words] };
  return isType ? { name: '*', args: [first, ...rest] } : null;
}
