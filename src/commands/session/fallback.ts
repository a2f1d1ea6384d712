// What a word means that is no command: crash(8) tries it as a symbol, and then as a type.
import { splitCpuSpec } from '../address.ts';
import type { CommandContext } from '../context.ts';
import { splitStructSpec } from '../types/struct_spec.ts';

/**
 * The command that words stand for which begin with none: `jiffies` is `p jiffies`, `task_struct.pid init_task`
 * is `* task_struct.pid init_task`, `p/x jiffies` is `p --format x jiffies`. Null where they stand for none.
 */
export function interpretUnknown(
  context: CommandContext,
  words: readonly string[],
): { readonly name: string; readonly args: string[] } | null {
  const [first = '', ...rest] = words;
  const byGdb = gdbCommand(words);
  if (byGdb !== null) return byGdb;
  const { symbols, types } = context.kernel;
  const { name } = splitStructSpec(first);
  const symbol = symbols.find(splitCpuSpec(first).base) ?? symbols.find(/^[A-Za-z_]\w*/.exec(first)?.[0] ?? '');
  // a struct's name is more often meant than a symbol's of the same name when something follows it
  const type = /^[A-Za-z_]\w*$/.test(name) ? (types.find(name) ?? types.find(`enum ${name}`)) : null;
  const isType = type !== null && type.kind !== 'incomplete' && type.kind !== 'int' && type.kind !== 'float';
  if (symbol !== null && !(isType && (rest.length > 0 || first !== name))) return { name: 'p', args: [...words] };
  return isType ? { name: '*', args: [first, ...rest] } : null;
}

/** Bits of gdb's units of memory. */
const units: Readonly<Record<string, string>> = { b: '8', h: '16', w: '32', g: '64' };

/**
 * What is often asked of gdb, by the command that tells it here: `print/x jiffies`, `ptype struct page`, `x/4xg &init_task`.
 * Null for anything else.
 */
export function gdbCommand(words: readonly string[]): { readonly name: string; readonly args: string[] } | null {
  const [, verb, format = ''] = /^(p|print|inspect|output|call|ptype|whatis|x)(?:\/(\w*))?$/.exec(words[0] ?? '') ?? [];
  const rest = words.slice(1);
  switch (verb) {
    case 'ptype':
    case 'whatis':
      return { name: 'whatis', args: rest };
    case 'x': {
      const count = /\d+/.exec(format)?.[0] ?? '1';
      const where = rest.join('').replace(/^&(\w+)$/, '$1');
      if (format.includes('i')) return { name: 'dis', args: [where, count] };
      if (format.includes('s')) return { name: 'rd', args: ['-a', where] };
      return { name: 'rd', args: [`-${units[/[bhwg]/.exec(format)?.[0] ?? 'g']}`, where, count] };
    }
    case undefined:
      return null;
    default:
      // as without a format, but that gdb tells no names
      return { name: 'p', args: ['--format', format === '' ? 's' : format, ...rest] };
  }
}
