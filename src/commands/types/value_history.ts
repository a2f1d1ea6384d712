// The values that `p` printed in a session, which gdb counts and keeps: $ is the last one, $$ the one before, $$N the one N
// before the last, and $N the one that was printed as $N.
import { UsageError } from '../../base/errors.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import type { CommandContext } from '../context.ts';

/** Most values kept: the last ones. */
const maxKept = 10_000;

interface ValueHistory {
  /** Number of the first one kept. */
  first: number;
  readonly values: KernelObject[];
}

const histories = new WeakMap<CommandContext, ValueHistory>();

/** Keeps a value. @returns its number, from 1 on */
export function keepValue(context: CommandContext, value: KernelObject): number {
  let history = histories.get(context);
  if (history === undefined) {
    history = { first: 1, values: [] };
    histories.set(context, history);
  }
  const number = history.first + history.values.push(value) - 1;
  if (history.values.length > maxKept) {
    history.values.shift();
    history.first++;
  }
  return number;
}

/** The value that a name such as `$`, `$$`, `$$2` or `$7` stands for; null for any other name. @throws UsageError where there is none */
export function keptValue(context: CommandContext, name: string): KernelObject | null {
  const [, back, digits] = /^\$(\$?)(\d*)$/.exec(name) ?? [];
  if (back === undefined || digits === undefined) return null;
  const { first, values } = histories.get(context) ?? { first: 1, values: [] };
  const last = first + values.length - 1;
  const wanted = back === '$' ? last - (digits === '' ? 1 : Number(digits)) : digits === '' ? last : Number(digits);
  const value = values[wanted - first];
  if (value === undefined) throw new UsageError(`no value was printed as ${name}`);
  return value;
}
