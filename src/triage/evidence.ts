// Evidence: commands run for the report, with the lines of their output that matter.
import { InquestError, UnsupportedError, UsageError } from '../base/errors.ts';
import { commandTable } from '../commands/registry.ts';
import { gather } from '../commands/run.ts';
import type { Evidence } from './analysis.ts';
import type { Facts } from './facts.ts';

const table = commandTable();

/** Most lines of one command that a report shows. */
const maxLines = 40;

/**
 * Runs a command line and keeps its output; a line may end in filters, as one would type them:
 * `| head -N`, `| tail -N`, `| grep -F 'text'`, `| grep -F -A5 'text'`. Null if the command fails or prints
 * nothing: then there is nothing to show.
 */
export function evidence(facts: Facts, command: string, why: string): Evidence | null {
  const [line = '', ...filters] = command.split(' | ');
  const { value: text, faults } = facts.kernel.faults.collect(() => commandOutput(facts, line));
  if (text === null) return null;
  let lines = text.replace(/\n+$/, '').split('\n');
  for (const filter of filters) lines = filterLines(lines, filter);
  if (lines.length === 0 || (lines.length === 1 && lines[0] === '')) return null;
  if (lines.length > maxLines) lines = [...lines.slice(0, maxLines), `... ${lines.length - maxLines} more lines`];
  return { command, output: lines.join('\n'), why, faults };
}

/** What a command line without filters prints; null if it fails. Run once, however often it is asked for. */
export function commandOutput(facts: Facts, line: string): string | null {
  return facts.output(line, () => run(facts, line));
}

function run(facts: Facts, line: string): string | null {
  const [name = '', ...args] = line.split(' ');
  const found = table.get(name);
  if (found === undefined) return null;
  try {
    return gather(found, facts.context, args).text;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    // words that mean nothing in this dump are no damage to it
    if (!(error instanceof UsageError || error instanceof UnsupportedError)) facts.kernel.faults.record(line, error);
    return null;
  }
}

/** The evidence that could be had. */
export function present(...pieces: readonly (Evidence | null)[]): Evidence[] {
  return pieces.filter((piece) => piece !== null);
}

/**
 * The command that finds `text` in the log, or null where so little of the text can stand in quotes that it would
 * find anything. @param after lines to show behind each line found
 */
export function logSearch(text: string, after = 0): string | null {
  // quotes end the text for the shell, | ends the command for ours, and other than printable ASCII is escaped when printed
  const plain = /^[^'|\x00-\x1f\x7f-\uffff\\]*/.exec(text)![0].slice(0, 60).trim();
  return plain.length < 4 ? null : `log | grep -F ${after > 0 ? `-A${after} ` : ''}'${plain}'`;
}

function filterLines(lines: readonly string[], filter: string): string[] {
  const slice = /^(head|tail) -(\d+)$/.exec(filter);
  if (slice !== null) return slice[1] === 'head' ? lines.slice(0, Number(slice[2])) : lines.slice(-Number(slice[2]));
  const grep = /^grep -F (?:-A(\d+) )?'([^']+)'$/.exec(filter);
  if (grep === null) throw new Error(`evidence cannot filter by: ${filter}`);
  const after = Number(grep[1] ?? 0);
  const shown: string[] = [];
  let last = -1;
  for (const [i, text] of lines.entries()) {
    if (!text.includes(grep[2]!)) continue;
    if (after > 0 && last >= 0 && i > last + 1) shown.push('--'); // as grep parts its groups
    const end = Math.min(lines.length - 1, i + after);
    for (let at = Math.max(i, last + 1); at <= end; at++) shown.push(lines[at]!);
    last = Math.max(last, end);
  }
  return shown;
}
