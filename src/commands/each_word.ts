// Several arguments of which some may be wrong.
import { NotFoundError, UsageError } from '../base/errors.ts';
import type { CommandContext } from './context.ts';

/** What the fault of an argument that stands for nothing says was being read: a command with such a fault has failed. */
export const badArgument = 'argument';

/**
 * What each word stands for. One that stands for nothing is a fault, and the others are answered, as crash(8) does;
 * `bt 99999 1` shows PID 1. @throws UsageError, NotFoundError where no word stands for anything: the first one's
 */
export function eachWord<Word, T>(context: CommandContext, words: readonly Word[], parse: (word: Word) => T): T[] {
  const found: T[] = [];
  const bad: (NotFoundError | UsageError)[] = [];
  for (const word of words) {
    try {
      found.push(parse(word));
    } catch (error) {
      if (!(error instanceof NotFoundError || error instanceof UsageError)) throw error;
      bad.push(error);
    }
  }
  if (bad.length > 0 && bad.length === words.length) throw bad[0]!;
  for (const error of bad) context.kernel.faults.refuse(badArgument, error);
  return found;
}
