// Evidence: what commands say, kept as data, cut to what matters.
import { assertNever, InquestError, UnsupportedError, UsageError } from '../base/errors.ts';
import { dis } from '../commands/code/dis.ts';
import { type Command, call } from '../commands/command.ts';
import { kmem } from '../commands/memory/kmem/kmem.ts';
import { rd } from '../commands/memory/rd.ts';
import { parseParams } from '../commands/params.ts';
import { type Cut, keep, linesOf, type ShownOutput } from '../commands/shown.ts';
import { type LogItem, log } from '../commands/system/log.ts';
import { mod } from '../commands/system/mod.ts';
import { bt } from '../commands/tasks/bt/bt.ts';
import { ps } from '../commands/tasks/ps/ps.ts';
import { p } from '../commands/types/p.ts';
import { struct } from '../commands/types/struct.ts';
import type { Evidence } from './analysis.ts';
import type { CommandAnswer, Facts } from './facts.ts';

/** The commands that reports show. */
const table = new Map<string, Command>(
  [bt, dis, kmem, log, mod, p, ps, rd, struct].map((command) => [command.name, command as Command]),
);

/** Most lines of one command that a report shows. */
const maxLines = 40;

/** What is asked for besides a command line. */
export interface Wanted {
  readonly cut?: Cut;
  /** What to mark, by the command's data. */
  readonly marks?: (items: readonly unknown[]) => readonly string[];
  readonly limit?: number;
}

/**
 * What a command says, or null if it fails or says nothing: then there is nothing to show.
 * @param line a command line without filters: those that cut it as asked are added for the reader
 */
export function evidence(facts: Facts, line: string, why: string, wanted: Wanted = {}): Evidence | null {
  const { value, faults } = facts.kernel.faults.collect(() => shown(facts, line, wanted));
  return value === null ? null : { ...value, why, faults };
}

/** As `evidence`, without a reason. */
export function shown(facts: Facts, line: string, wanted: Wanted = {}): ShownOutput | null {
  const answer = facts.answer(line, () => run(facts, line));
  if (answer === null) return null;
  const { command, gathered, view } = answer;
  const { cut = { kind: 'all' }, marks, limit = maxLines } = wanted;
  const lines = linesOf(command, gathered, view);
  const isEmpty = lines.length === 0 || (cut.kind === 'telling' && !lines.some(({ at }) => at?.startsWith(cut.of)));
  if (isEmpty) return null;
  return keep(command, gathered, view, {
    line: `${line}${filterText(cut)}`,
    cut,
    marks: marks?.(gathered.items) ?? [],
    limit,
  });
}

function run(facts: Facts, line: string): CommandAnswer | null {
  const [name = '', ...words] = line.split(' ');
  const command = table.get(name);
  if (command === undefined) return null;
  const { context } = facts;
  try {
    const options = parseParams(command.params, words, context);
    return { command, gathered: call(context, command, options).value, view: { options, ...context.style } };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    // words that mean nothing in this dump are no damage to it
    if (!(error instanceof UsageError || error instanceof UnsupportedError)) facts.kernel.faults.record(line, error);
    return null;
  }
}

/** The filters of the shell that cut as a report does. */
function filterText(cut: Cut): string {
  switch (cut.kind) {
    case 'all':
      return '';
    case 'head':
    case 'tail':
      return ` | ${cut.kind} -${cut.lines}`;
    case 'telling':
      return ` | grep -F '[${cut.of}'`;
    default:
      return assertNever(cut);
  }
}

/**
 * The messages of the log that have `text` in them, each with `after` further ones. Null where so little of the text
 * can stand in quotes that a search for it would find anything.
 */
export function logEvidence(facts: Facts, text: string, why: string, after = 0): Evidence | null {
  const wanted = searchable(text);
  if (wanted === null) return null;
  const { value, faults } = facts.kernel.faults.collect(() => facts.answer('log', () => run(facts, 'log')));
  if (value === null) return null;
  const { command, gathered, view } = value;
  const items: LogItem[] = [];
  let last = -1;
  for (const [i, item] of (gathered.items as readonly LogItem[]).entries()) {
    if (item.kind === 'record' && item.text.includes(wanted)) last = i + after;
    if (i <= last) items.push(item);
  }
  if (items.length === 0) return null;
  const line = `log | grep -F ${after > 0 ? `-A${after} ` : ''}'${wanted}'`;
  return {
    ...keep(command, { ...gathered, items }, view, { line, cut: { kind: 'all' }, limit: maxLines }),
    why,
    faults,
  };
}

/** The evidence that could be had. */
export function present(...pieces: readonly (Evidence | null)[]): Evidence[] {
  return pieces.filter((piece) => piece !== null);
}

/**
 * The part of a text that a search in the log can be for, or null where too little of it can. Quotes end the text for
 * the shell, | ends the command for ours, and other than printable ASCII is escaped when printed.
 */
export function searchable(text: string): string | null {
  const plain = /^[^'|\x00-\x1f\x7f-\uffff\\]*/.exec(text)![0].slice(0, 60).trim();
  return plain.length < 4 ? null : plain;
}
