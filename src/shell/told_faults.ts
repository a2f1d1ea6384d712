// Which faults a session has told already: what is damaged in a dump meets every command that comes by it.
import { badArgument } from '../commands/each_word.ts';
import type { Fault } from '../kernel/faults.ts';
import { faultLines } from './fault_lines.ts';

/** Most faults remembered; those after them are told each time. */
const maxTold = 10_000;
/** Most command lines named in one line, and how much of each. */
const maxNamed = 3;
const maxName = 40;

export class ToldFaults {
  /** The command line that told a fault. */
  private readonly by = new Map<string, string>();

  /**
   * Lines, without ends, for the faults of a command. Those that another command line of the session has told are counted in
   * one line that names it: whoever wants to read them again repeats that one.
   * @param line the command line, as it was written
   */
  lines(faults: readonly Fault[], line: string): string[] {
    const known: string[] = [];
    const news: Fault[] = [];
    for (const fault of faults) {
      const by = this.by.get(keyOf(fault));
      if (by === undefined || by === line) news.push(fault);
      else known.push(by);
    }
    for (const fault of news) {
      // what was asked for is no damage of the dump
      if (fault.what !== badArgument && this.by.size < maxTold) this.by.set(keyOf(fault), line);
    }
    return [...faultLines(news), ...(known.length === 0 ? [] : [asBefore(known)])];
  }
}

function asBefore(by: readonly string[]): string {
  const lines = [...new Set(by)];
  const named = lines
    .slice(0, maxNamed)
    .map((line) => `"${line.length > maxName ? `${line.slice(0, maxName)}...` : line}"`);
  const count = by.length === 1 ? '1 fault' : `${by.length} faults`;
  return `${count} as before: see ${named.join(', ')}${lines.length > maxNamed ? ', ...' : ''}`;
}

function keyOf({ what, message }: Fault): string {
  return `${what}\n${message}`;
}
