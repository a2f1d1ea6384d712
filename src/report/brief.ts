// The verdict on one screen: the sentence, the stack that it is about, and what to look at next.
import { styleText } from 'node:util';
import { escapeLine } from '../base/text.ts';
import type { Analysis, BlamedStack } from '../triage/analysis.ts';
import { wrap } from './text.ts';

/** Rows of the smallest screen that it fits, and the columns; one row is the prompt's. */
const rows = 40;
const columns = 80;
/** Rows that the sentence may take, and each step. */
const maxSentence = 10;
const maxWhy = 2;
const steps = 3;

/** Text that fits 80 columns and 39 rows, whatever the dump. @param colour whether machinery is dimmed */
export function renderBrief(analysis: Analysis, { colour, width }: { colour: boolean; width: number }): string {
  const columnsHere = Math.min(columns, width);
  const styled = (style: 'bold' | 'dim' | 'red', text: string): string =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const { panic, kernel } = analysis;
  const prose = (text: string, most: number): string[] =>
    clipped(wrap(escapeLine(text), columnsHere), most, columnsHere);

  const head = [
    ...prose(panic.message, maxSentence).map((line) => styled('bold', line)),
    ...prose(`(${panic.confidence}: ${panic.because})`, maxWhy),
    '',
    ...prose(panic.subject, 2),
    cut(escapeLine(crashLine(kernel)), columnsHere),
    '',
  ];
  const next = analysis.next
    .slice(0, steps)
    .flatMap(({ command, why }) => [
      styled('bold', cut(`crash> ${escapeLine(command)}`, columnsHere)),
      ...clipped(wrap(escapeLine(why), columnsHere - 7), maxWhy, columnsHere - 7).map((line) => `       ${line}`),
    ]);
  const room = rows - 1 - head.length - (next.length === 0 ? 0 : next.length + 2) - 1;
  const stack = stackLines(analysis.blamedStack, Math.max(3, room), columnsHere).map(({ text, machinery }) =>
    machinery ? styled('dim', text) : text,
  );
  const lines = [...head, ...stack, ...(next.length === 0 ? [] : ['', ...next])];
  return `${lines.join('\n')}\n`;
}

function crashLine({ crashTime, uptimeSeconds, nodename }: Analysis['kernel']): string {
  const when = crashTime === null ? 'at an unknown time' : crashTime.replace('T', ' ').replace('Z', ' UTC');
  return `${nodename ?? 'the machine'}, ${when}${uptimeSeconds === null ? '' : `, ${Math.round(uptimeSeconds)} s after it booted`}`;
}

/** The stack with equal frames counted, the blamed end of it where there is no room for all. */
function stackLines({ of, frames }: BlamedStack, most: number, width: number): { text: string; machinery: boolean }[] {
  if (frames.length === 0) return [];
  const counted: { name: string; times: number; machinery: boolean }[] = [];
  for (const { name: own, offset, module, machinery } of frames) {
    const name = `${own}${offset === null ? '' : `+0x${offset.toString(16)}`}${module === null ? '' : ` [${module}]`}`;
    const last = counted.at(-1);
    if (last !== undefined && last.name === name) last.times++;
    else counted.push({ name, times: 1, machinery });
  }
  // what stands above the first blamed function only reports, or waits for others
  const own = counted.findIndex(({ machinery }) => !machinery);
  const room = most - 2;
  const from = own > 2 && counted.length > room ? own - 2 : 0;
  const shown = counted.slice(from, from + room);
  const left = counted.length - from - shown.length;
  return [
    { text: cut(escapeLine(of === null ? 'The stack:' : `The stack of ${of}:`), width), machinery: false },
    ...shown.map(({ name, times, machinery }) => ({
      text: cut(`  ${escapeLine(name)}${times > 1 ? `  (${times} times)` : ''}`, width),
      machinery,
    })),
    ...(left > 0 ? [{ text: `  ... ${left} more`, machinery: true }] : []),
  ];
}

/** Lines, the last of them ending in dots where there were more. */
function clipped(lines: readonly string[], most: number, width: number): string[] {
  const shown = lines.slice(0, most).map((line) => cut(line, width));
  if (lines.length > most) shown[most - 1] = `${shown[most - 1]!.slice(0, width - 4)} ...`;
  return shown;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}
