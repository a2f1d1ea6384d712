// Records as they stand in a boot's files: as the kernel's console would have them, and as JSON.
import type { NetRecord } from './host_stream.ts';

const unsafe = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

/** `[   12.345678][  T123] `, as on a console. */
function consoleStamp(microseconds: number, caller: string | null): string {
  return `[${String(Math.floor(microseconds / 1e6)).padStart(5)}.${String(microseconds % 1e6).padStart(6, '0')}]${caller === null ? '' : `[${caller.padStart(6)}]`} `;
}

/**
 * The lines of a record, each with its stamp, as on a console. Control characters stay escaped as the kernel sent them, so
 * that a log can be looked at in a terminal.
 */
export function consoleLines({
  microseconds,
  caller,
  text,
}: Pick<NetRecord, 'microseconds' | 'caller' | 'text'>): string {
  const stamp = microseconds === null ? '' : consoleStamp(microseconds, caller);
  const safe = unsafe.test(text) ? escaped(text) : text;
  if (!safe.includes('\n')) return `${stamp}${safe}\n`;
  return safe
    .split('\n')
    .map((line) => `${stamp}${line}\n`)
    .join('');
}

/** Where records are missing. Their numbers are of the console's records: a log level that holds some back makes gaps, too. */
export function missingLine(from: number, to: number, microseconds: number): string {
  const count = to - from + 1;
  const stamp = `[${String(Math.floor(microseconds / 1e6)).padStart(5)}.${String(microseconds % 1e6).padStart(6, '0')}]`;
  return `${stamp} ** ${count} netconsole ${count === 1 ? 'message' : 'messages'} missing: ${from === to ? from : `${from}-${to}`} **\n`;
}

/** What stands before a record's text in JSON. */
function jsonStart({
  sequence,
  microseconds,
  level,
  caller,
}: Pick<NetRecord, 'sequence' | 'microseconds' | 'level' | 'caller'>): string {
  return `{"seq":${sequence},"us":${microseconds},"level":${level},"caller":${caller === null ? null : `"${caller}"`},"text":`;
}

/** @param received in ms since 1970 */
export function jsonLine(record: NetRecord, received: number): string {
  const { release, text, fields, missingBytes } = record;
  // put together by hand: text alone needs escaping, and there are many of these
  let line = `${jsonStart(record)}${JSON.stringify(text)},"received":${received}`;
  if (release !== null) line += `,"release":${JSON.stringify(release)}`;
  if (fields.length > 0) line += `,"fields":${JSON.stringify(Object.fromEntries(fields))}`;
  if (missingBytes > 0) line += `,"missingBytes":${missingBytes}`;
  return `${line}}\n`;
}

export function missingJson(from: number, to: number, received: number): string {
  return `${JSON.stringify({ missing: [from, to], received })}\n`;
}

/**
 * What the log has of the records behind the one that gave a line. Null: none of them did.
 * @param last line of the log; empty: the log is
 * @param records as JSON, the first cut perhaps
 */
export function linesAfter(last: string, records: string): string | null {
  const lines = records.split('\n');
  const after: string[] = [];
  for (let n = lines.length - 1; n >= 0; n--) {
    const text = lineOf(lines, n);
    if (text === null) continue;
    if (last !== '' && text.endsWith(`${last}\n`)) return after.reverse().join('');
    after.push(text);
  }
  return last === '' ? after.reverse().join('') : null;
}

interface WrittenRecord {
  readonly us?: unknown;
  readonly caller?: unknown;
  readonly text?: unknown;
  readonly missing?: unknown;
}

/** What a record gives in the log; null: it is cut. */
function lineOf(records: readonly string[], n: number): string | null {
  const record = parsed(records[n]!);
  if (record === null) return null;
  if (Array.isArray(record.missing)) {
    // stamped as the record before it
    let before = n - 1;
    while (before >= 0 && typeof parsed(records[before]!)?.us !== 'number') before--;
    const us = before < 0 ? 0 : Number(parsed(records[before]!)!.us);
    return missingLine(Number(record.missing[0]), Number(record.missing[1]), us);
  }
  if (typeof record.text !== 'string') return null;
  return consoleLines({
    microseconds: typeof record.us === 'number' ? record.us : null,
    caller: typeof record.caller === 'string' ? record.caller : null,
    text: record.text,
  });
}

function parsed(line: string): WrittenRecord | null {
  try {
    return JSON.parse(line) as WrittenRecord;
  } catch {
    return null; // cut, or the empty end
  }
}

function escaped(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
