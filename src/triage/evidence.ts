// Evidence: commands run for the report, with the lines of their output that matter.
import { InquestError } from '../base/errors.ts';
import { findCommand } from '../commands/registry.ts';
import type { Evidence } from './analysis.ts';
import type { Facts } from './facts.ts';

/** Most lines of one command that a report shows. */
const maxLines = 40;

/**
 * Runs a command line and keeps its output; a line may end in `| head -N`, `| tail -N` or `| grep WORD`, as
 * one would type it. Null if the command fails or prints nothing: then there is nothing to show.
 */
export function evidence(facts: Facts, command: string, why: string): Evidence | null {
  const [line = '', ...filters] = command.split(' | ');
  const [name = '', ...args] = line.split(' ');
  const found = findCommand(name);
  if (found === null) return null;
  let text: string;
  try {
    text = found.run(facts.context, args).text;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    facts.kernel.faults.record(command, error);
    return null;
  }
  let lines = text.replace(/\n+$/, '').split('\n');
  for (const filter of filters) lines = filterLines(lines, filter);
  if (lines.length === 0 || (lines.length === 1 && lines[0] === '')) return null;
  if (lines.length > maxLines) lines = [...lines.slice(0, maxLines), `... ${lines.length - maxLines} more lines`];
  return { command, output: lines.join('\n'), why };
}

/** The evidence that could be had. */
export function present(...pieces: readonly (Evidence | null)[]): Evidence[] {
  return pieces.filter((piece) => piece !== null);
}

function filterLines(lines: readonly string[], filter: string): string[] {
  const match = /^(head|tail) -(\d+)$|^grep (\S+)$/.exec(filter.trim());
  if (match === null) throw new Error(`evidence cannot filter by: ${filter}`);
  if (match[1] === 'head') return lines.slice(0, Number(match[2]));
  if (match[1] === 'tail') return lines.slice(-Number(match[2]));
  return lines.filter((text) => text.includes(match[3]!));
}
