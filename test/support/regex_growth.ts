// How long a regular expression works on a text, with a limit.
import { createContext, runInContext } from 'node:vm';

const context = createContext({ pattern: /x/, text: '' });

/** The longest that an expression may work on a text of `attackLength` characters, in ms of the processor. A quadratic one takes minutes. */
const limit = 1500;
export const attackLength = 100_000;

/** Whether the expression comes to an end on the text in time, however little of the processor this process gets. */
export function endsInTime(pattern: RegExp, text: string): boolean {
  Object.assign(context, { pattern, text });
  for (let timeout = limit; ; timeout *= 2) {
    const before = process.cpuUsage();
    try {
      runInContext('pattern.lastIndex = 0; text.replace(pattern, "")', context, { timeout });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      if (process.cpuUsage(before).user / 1000 >= limit * 0.9) return false;
    }
  }
}

/** Literal characters at the beginning of a pattern, to get past them. */
export function literalStart(source: string): string {
  return (/^\^?((?:[\w :;=#<>"'-]|\\[[\](){}.*+?|/^$-])*)(?![?*{+])/.exec(source)?.[1] ?? '').replace(/\\(.)/g, '$1');
}
