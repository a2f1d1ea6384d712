// What may follow on a command line: commands, options, and the kinds of values that a command declares.
import type { Command } from '../commands/command.ts';
import type { CommandContext } from '../commands/context.ts';
import type { Kind } from '../commands/params.ts';

/** Most words offered. */
const maxOffers = 200;

/**
 * Words that may stand for the last word of a line, which may be empty.
 * @param command that the line begins with, or null @param names of commands and aliases
 * @returns the words, and the text that they would replace
 */
export function complete(
  context: CommandContext,
  command: Command | null,
  names: readonly string[],
  line: string,
): [words: string[], replaced: string] {
  const words = line.trimStart().split(/\s+/);
  const last = words.at(-1) ?? '';
  if (words.length <= 1) {
    return [starting([...names].sort(), last), last];
  }
  const params = command === null ? [] : Object.values(command.params);
  if (last.startsWith('-') && command !== null) {
    const letters = params.flatMap(({ letter, help }) => (letter === null || help === '' ? [] : [`-${letter}`]));
    return [starting(letters, last), last];
  }
  const previous = words.at(-2)!;
  const option = params.find(({ letter, arity }) => arity === 'value' && previous === `-${letter}`);
  const kinds =
    option === undefined ? params.filter(({ letter }) => letter === null).map(({ kind }) => kind) : [option.kind];
  const offers = new Set(
    (command === null ? (['symbol'] as Kind[]) : kinds).flatMap((kind) => ofKind(context, names, kind, last)),
  );
  return [[...offers].sort().slice(0, maxOffers), last];
}

function ofKind(context: CommandContext, names: readonly string[], kind: Kind, start: string): readonly string[] {
  const { kernel } = context;
  switch (kind) {
    case 'task':
      return starting(
        kernel.tasks.all.flatMap(({ pid, comm }) => [String(pid), ...(/^[\w.-]+$/.test(comm) ? [comm] : [])]),
        start,
      );
    case 'cpus':
      return starting(['a', ...kernel.cpus.possible.map(String)], start);
    case 'module':
      return starting(
        kernel.modules.map(({ name }) => name),
        start,
      );
    case 'command':
      return starting(names, start);
    case 'symbol':
    case 'address':
      return start.length < 2 ? [] : symbols(context, start);
    case 'type':
    case 'member':
      return start.length < 2 ? [] : types(context, start);
    case 'flag':
    case 'number':
    case 'file':
    case 'word':
      return [];
  }
}

function starting(words: Iterable<string>, start: string): string[] {
  const found: string[] = [];
  for (const word of words) {
    if (word.startsWith(start)) found.push(word);
    if (found.length >= maxOffers) break;
  }
  return found;
}

function symbols({ kernel }: CommandContext, start: string): string[] {
  const found: string[] = [];
  for (const { name } of kernel.symbols.all()) {
    if (name.startsWith(start)) found.push(name);
    if (found.length >= maxOffers) break;
  }
  return found;
}

/** Structs and unions by name; behind a dot, members. */
function types({ kernel }: CommandContext, start: string): string[] {
  const dot = start.lastIndexOf('.');
  if (dot >= 0) {
    const name = start.slice(0, dot);
    const type = kernel.types.find(`struct ${name}`) ?? kernel.types.find(`union ${name}`) ?? kernel.types.find(name);
    if (type === null || (type.kind !== 'struct' && type.kind !== 'union')) return [];
    return starting(
      type.members.filter((member) => member.name !== '').map((member) => `${name}.${member.name}`),
      start,
    );
  }
  const found: string[] = [];
  for (const type of kernel.types.all()) {
    if ((type.kind === 'struct' || type.kind === 'union') && type.name.startsWith(start)) found.push(type.name);
    if (found.length >= maxOffers) break;
  }
  return found;
}
