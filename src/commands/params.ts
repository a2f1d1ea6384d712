// What a command takes, declared once as data: parsing, help, completion, the man page and typed calls come from it.
//
//   params: {
//     all: flag('a', 'the active task of every CPU', { excludes: ['c'] }),
//     cpus: valued('c', 'cpus', values.cpus, 'the active task of each of these CPUs'),
//     tasks: rest('pid|task', values.task, 'whose stack'),
//   }
//   -> options: { all: boolean; cpus: readonly number[] | null; tasks: readonly Task[] }
import type { VirtAddr } from '../base/address.ts';
import { UsageError } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';
import type { Task } from '../kernel/task.ts';
import { addressArgument, countArgument } from './address.ts';
import { type CommandContext, parseCpus } from './context.ts';
import { eachWord } from './each_word.ts';

/** What a value is: how to complete it, and what a form or a tool's schema asks for. */
export type Kind =
  | 'flag'
  | 'number'
  | 'address'
  | 'cpus'
  | 'task'
  | 'symbol'
  | 'type'
  | 'member'
  | 'module'
  | 'command'
  | 'file'
  | 'word';

/** One time that an option or an argument was given. */
export interface Given {
  /** Position among everything that was given: orders options of different letters. */
  readonly at: number;
  /** Its value; empty for a flag. */
  readonly word: string;
}

export interface Param<T> {
  /** As typed after the dash; null for an argument. More than one character only for numbers: `16`. */
  readonly letter: string | null;
  /** Letters that old habits use for it, which help does not tell. */
  readonly also: string;
  readonly kind: Kind;
  /**
   * - `flag`: no value     - `value`: one, glued or as the next word     - `attached`: an optional one, after `=`
   * - `one`, `optional`, `rest`: arguments     - `text`: everything from the first word that is no option
   */
  readonly arity: 'flag' | 'value' | 'attached' | 'one' | 'optional' | 'rest' | 'text';
  /** What stands for the value in help; empty for a flag. */
  readonly value: string;
  /** What it means, on as many lines as it needs; empty for one that only exists for old habits. */
  readonly help: string;
  /** Letters of options that must not be given with it. */
  readonly excludes: readonly string[];
  /** Title of its group in help. */
  readonly group: string | null;
  /** @param given empty if it was not given. @throws UsageError, NotFoundError */
  parse(given: readonly Given[], context: CommandContext): T;
}

export type Params = Readonly<Record<string, Param<unknown>>>;

/** What a command's `collect` is given: each parameter by name. */
export type Options<P extends Params> = { readonly [K in keyof P]: P[K] extends Param<infer T> ? T : never };

/** How one word becomes a value. */
export interface ValueKind<T> {
  readonly kind: Kind;
  parse(word: string, context: CommandContext): T;
  /** All that one word stands for, where that may be several. */
  every?(word: string, context: CommandContext): readonly T[];
}

const asIs = (kind: Kind): ValueKind<string> => ({ kind, parse: (word) => word });

export const values = {
  word: asIs('word'),
  file: asIs('file'),
  symbol: asIs('symbol'),
  /** Names of types, with members or not: `task_struct.pid`. */
  type: asIs('type'),
  member: asIs('member'),
  module: asIs('module'),
  command: asIs('command'),
  /** An address not yet looked up: for commands with a grammar of their own. */
  place: asIs('address'),
  /** A whole number above zero, decimal or `0x`. */
  count: { kind: 'number', parse: (word) => countArgument(word) } as ValueKind<number>,
  /** As `count`; may be below zero. */
  signedCount: { kind: 'number', parse: (word) => countArgument(word, { negative: true }) } as ValueKind<number>,
  /** A symbol, hexadecimal digits or a sum: a virtual address. */
  address: { kind: 'address', parse: (word, context) => addressArgument(context, word) } as ValueKind<VirtAddr>,
  /** `1,3,5-7` or `a`. */
  cpus: { kind: 'cpus', parse: (word, context) => parseCpus(context, word) } as ValueKind<readonly number[]>,
  task: {
    kind: 'task',
    parse: (word, context) => context.taskByWord(word),
    // every CPU's idle task has pid 0
    every: (word, context) =>
      /^0+$/.test(word) ? context.tasks.all.filter((task) => task.pid === 0) : [context.taskByWord(word)],
  } as ValueKind<Task>,
} as const;

/** What may be said of any parameter. */
interface More {
  readonly also?: string;
  readonly excludes?: readonly string[];
  readonly group?: string;
}

type Shape = Pick<Param<unknown>, 'letter' | 'kind' | 'arity' | 'value' | 'help'>;

function param<T>(shape: Shape, more: More, parse: Param<T>['parse']): Param<T> {
  return { ...shape, also: more.also ?? '', excludes: more.excludes ?? [], group: more.group ?? null, parse };
}

/** `-a`: given or not. */
export function flag(letter: string, help: string, more: More = {}): Param<boolean> {
  return param({ letter, kind: 'flag', arity: 'flag', value: '', help }, more, (given) => given.length > 0);
}

/** An option of crash(8) that is not here: given all the same, the answer says why. @param why ends a sentence */
export function absent(letter: string, why: string): Param<null> {
  return param({ letter, kind: 'flag', arity: 'flag', value: '', help: '' }, {}, (given) => {
    if (given.length > 0) throw new UsageError(`-${letter} is not here: ${why}`);
    return null;
  });
}

/** `-F`, `-FF`: how often it was given. */
export function counted(letter: string, help: string, more: More = {}): Param<number> {
  return param({ letter, kind: 'flag', arity: 'flag', value: '', help }, more, (given) => given.length);
}

/** `-c 1`, `-c1`: an option with a value; null if not given; of several the last. */
export function valued<T>(
  letter: string,
  value: string,
  { kind, parse }: ValueKind<T>,
  help: string,
  more: More = {},
): Param<T | null> {
  return param({ letter, kind, arity: 'value', value, help }, more, (given, context) =>
    given.length === 0 ? null : parse(given.at(-1)!.word, context),
  );
}

/** As `valued`, every time it was given, with its place among the others. */
export function repeated<T>(
  letter: string,
  value: string,
  { kind, parse }: ValueKind<T>,
  help: string,
  more: More = {},
): Param<readonly { readonly at: number; readonly value: T }[]> {
  return param({ letter, kind, arity: 'value', value, help }, more, (given, context) =>
    given.map(({ at, word }) => ({ at, value: parse(word, context) })),
  );
}

/** `-S`, `-S=cpus`: null if not given, the empty text if without a value. */
export function attached(letter: string, value: string, help: string, more: More = {}): Param<string | null> {
  return param({ letter, kind: 'word', arity: 'attached', value, help }, more, (given) => given.at(-1)?.word ?? null);
}

/** An argument that must be there. */
export function required<T>(value: string, { kind, parse }: ValueKind<T>, help = ''): Param<T> {
  return param({ letter: null, kind, arity: 'one', value, help }, {}, (given, context) =>
    parse(given[0]!.word, context),
  );
}

/** An argument that may be there. */
export function optional<T>(value: string, { kind, parse }: ValueKind<T>, help = ''): Param<T | null> {
  return param({ letter: null, kind, arity: 'optional', value, help }, {}, (given, context) =>
    given.length === 0 ? null : parse(given[0]!.word, context),
  );
}

/** All further arguments. */
export function rest<T>(value: string, { kind, parse, every }: ValueKind<T>, help = ''): Param<readonly T[]> {
  return param(
    { letter: null, kind, arity: 'rest', value, help },
    {},
    (given, context) =>
      eachWord(context, given, ({ word }) => every?.(word, context) ?? [parse(word, context)]).flat() as T[],
  );
}

/** Every word from the first that is no option of the command: expressions, other commands. */
export function text(value: string, kind: Kind, help = ''): Param<readonly string[]> {
  return param({ letter: null, kind, arity: 'text', value, help }, {}, (given) => given.map(({ word }) => word));
}

/** `-x` and `-d`, which many commands have: numbers in hexadecimal or decimal, else in the session's radix. */
export const radixParams = {
  hex: flag('x', 'numbers in hexadecimal'),
  decimal: flag('d', 'numbers in decimal'),
} as const;

/** As `radixParams`, for commands that take `-h` for `-x`. */
export const radixParamsOrH = { ...radixParams, hex: flag('x', 'numbers in hexadecimal', { also: 'h' }) } as const;

/** The radix by `radixParams`. @param session what the session shows numbers in: a context, or a renderer's view */
export function radixOf(
  session: { readonly radix: 10 | 16 },
  options: { readonly hex: boolean; readonly decimal: boolean },
): 10 | 16 {
  return options.hex ? 16 : options.decimal ? 10 : session.radix;
}

/**
 * The options of a command line in the style of crash(8)'s getopt: letters that may be joined (`-tl`), values glued or
 * apart (`-c1`, `-c 1`), arguments anywhere, `-3` a number, nothing an option behind `--`.
 * @throws UsageError for what the command does not take: with an empty message where its usage says it best
 */
export function parseParams<P extends Params>(
  params: P,
  words: readonly string[],
  context: CommandContext,
): Options<P> {
  const given = distribute(params, words);
  const options: Record<string, unknown> = {};
  for (const [name, param] of Object.entries(params)) options[name] = param.parse(given.get(name) ?? [], context);
  return options as Options<P>;
}

/** Options of a typed call: what is left out was not given. @throws UsageError where an argument must be there */
export function completeOptions<P extends Params>(
  params: P,
  some: Partial<Options<P>>,
  context: CommandContext,
): Options<P> {
  const options: Record<string, unknown> = {};
  for (const [name, param] of Object.entries(params)) {
    if (Object.hasOwn(some, name)) options[name] = some[name];
    else if (param.arity === 'one') throw new UsageError(`${param.value} is needed`);
    else options[name] = param.parse([], context);
  }
  return options as Options<P>;
}

/** Which words were given for which parameter. */
function distribute(params: Params, words: readonly string[]): Map<string, Given[]> {
  const given = new Map<string, Given[]>();
  const byLetter = new Map<string, [name: string, param: Param<unknown>]>();
  for (const [name, param] of Object.entries(params)) {
    if (param.letter !== null) byLetter.set(param.letter, [name, param]);
    for (const letter of param.also) byLetter.set(letter, [name, param]);
  }
  const hasText = Object.values(params).some(({ arity }) => arity === 'text');
  const give = (name: string, at: number, word: string): void => {
    const list = given.get(name);
    if (list === undefined) given.set(name, [{ at, word }]);
    else list.push({ at, word });
  };
  const args: Given[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const whole = word.length > 2 ? byLetter.get(word.slice(1)) : undefined;
    if (word === '--') {
      args.push(...words.slice(i + 1).map((w, k) => ({ at: i + 1 + k, word: w })));
      break;
    }
    if (word.startsWith('-') && whole !== undefined) {
      const [name, { arity, value }] = whole;
      const at = i;
      const behind = arity === 'value' ? words[++i] : '';
      if (behind === undefined) throw new UsageError(`${word} needs a value: ${value}`);
      give(name, at, behind);
      continue;
    }
    const isNumber = /^-\d/.test(word) && !byLetter.has(word[1]!);
    if (hasText && (!word.startsWith('-') || word === '-' || isNumber || !areLetters(word, byLetter))) {
      args.push(...words.slice(i).map((w, k) => ({ at: i + k, word: w })));
      break;
    }
    if (!word.startsWith('-') || word === '-' || isNumber) {
      args.push({ at: i, word });
      continue;
    }
    if (word.startsWith('--')) throw unknownOption(word);
    for (let j = 1; j < word.length; j++) {
      const found = byLetter.get(word[j]!);
      if (found === undefined) throw unknownOption(`-${word[j]}`);
      const [name, { arity, value }] = found;
      const behind = word.slice(j + 1);
      if (arity === 'flag') {
        give(name, i, '');
        continue;
      }
      if (arity === 'attached') {
        if (behind !== '' && !behind.startsWith('=')) {
          give(name, i, '');
          continue;
        }
        give(name, i, behind.slice(1));
      } else if (behind !== '') give(name, i, behind);
      else {
        const next = words[++i];
        if (next === undefined) throw new UsageError(`-${word[j]} needs a value: ${value}`);
        give(name, i, next);
      }
      break;
    }
  }
  checkExclusions(params, given);
  takeArguments(params, args, give);
  return given;
}

function areLetters(word: string, byLetter: ReadonlyMap<string, [string, Param<unknown>]>): boolean {
  for (const letter of word.slice(1)) {
    const found = byLetter.get(letter);
    if (found === undefined) return false;
    if (found[1].arity !== 'flag') return true;
  }
  return true;
}

function unknownOption(option: string): UsageError {
  return new UsageError(`Unknown option '${escapeTerminal(option)}'`);
}

function checkExclusions(params: Params, given: ReadonlyMap<string, readonly Given[]>): void {
  const letters = new Set(Object.entries(params).flatMap(([name, { letter }]) => (given.has(name) ? [letter] : [])));
  for (const [name, { letter, excludes }] of Object.entries(params)) {
    if (!given.has(name)) continue;
    const other = excludes.find((one) => letters.has(one));
    if (other !== undefined) throw new UsageError(`-${letter} and -${other} exclude each other`);
  }
}

function takeArguments(params: Params, args: Given[], give: (name: string, at: number, word: string) => void): void {
  let next = 0;
  for (const [name, { arity }] of Object.entries(params)) {
    switch (arity) {
      case 'one':
        if (next >= args.length) throw new UsageError('');
        give(name, args[next]!.at, args[next]!.word);
        next++;
        break;
      case 'optional':
        if (next < args.length) give(name, args[next]!.at, args[next]!.word);
        next++;
        break;
      case 'rest':
      case 'text':
        for (; next < args.length; next++) give(name, args[next]!.at, args[next]!.word);
        break;
      case 'flag':
      case 'value':
      case 'attached':
        break;
    }
  }
  if (next < args.length) throw new UsageError('');
}
