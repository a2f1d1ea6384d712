// Options in the style of crash(8)'s getopt: single letters that may be joined (`-tl`), some with a value
// (`-c 1` or `-c1`), arguments anywhere.
import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../base/errors.ts';

export interface ParsedOptions {
  /** How many times a flag was given: `-FF` is 2. */
  count(flag: string): number;
  has(flag: string): boolean;
  /** Value of an option that takes one; the last, if given more than once. */
  value(option: string): string | null;
  /** The words that are no options, in order. */
  readonly args: readonly string[];
}

/**
 * Parses `args` by a getopt(3) string: `'aFc:'` has flags `a` and `F`, and `c` with a value.
 * @throws UsageError for any other option
 */
export function parseOptions(args: readonly string[], letters: string): ParsedOptions {
  const options: Record<string, { type: 'boolean' | 'string'; short: string; multiple: true }> = {};
  for (const [, letter, colon] of letters.matchAll(/(.)(:?)/g)) {
    options[`option-${letter!}`] = { type: colon === '' ? 'boolean' : 'string', short: letter!, multiple: true };
  }
  // the names that options have here are nobody's business
  const end = args.indexOf('--');
  const long = args.slice(0, end < 0 ? args.length : end).find((word) => word.startsWith('--'));
  if (long !== undefined) throw new UsageError(`Unknown option '${long}'`);
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: args.map(protectNumbers), options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(messageOf(error).split('. ')[0]!);
  }
  const given = (letter: string): unknown[] => (parsed.values[`option-${letter}`] as unknown[] | undefined) ?? [];
  return {
    count: (flag) => given(flag).length,
    has: (flag) => given(flag).length > 0,
    value: (option) => {
      const word = given(option).at(-1) as string | undefined;
      return word === undefined ? null : unprotect(word);
    },
    args: parsed.positionals.map(unprotect),
  };

  /** `-3` is a number (struct's count), not an option, unless the command has that digit as one. */
  function protectNumbers(word: string): string {
    return /^-\d/.test(word) && !letters.includes(word[1]!) ? `${negative}${word.slice(1)}` : word;
  }
}

const negative = '\0minus';

function unprotect(word: string): string {
  return word.startsWith(negative) ? `-${word.slice(negative.length)}` : word;
}
