// A kernel message without what terminals, loggers and transports put around it.
import type { Frame } from './frames.ts';

export interface LogLine {
  /** The message. Leading blanks are kept: they are part of the kernel's layout. */
  text: string;
  /** Bytes of the raw line in the input, `end` exclusive; the line's number counts from 1. */
  start: number;
  end: number;
  number: number;
  /** Seconds since boot. */
  timestamp?: number;
  /** Wall clock as printed. */
  wallTime?: string;
  /** syslog severity, 0 (emergency) to 7 (debug). */
  level?: number;
  /** printk's caller: `T123` a task, `C1` a CPU outside of task context. */
  caller?: string;
  /** The machine, where the prefix names one (a log of several machines). */
  host?: string;
  /** Whether a prefix proves that the kernel wrote it. */
  kernel: boolean;
  /** Whether a prefix proves that another program wrote it. */
  foreign: boolean;
  /** printk said just before that messages were dropped. */
  dropped: boolean;
  /** Whether a word stands in it that announces something, where that is known (keywords.ts). */
  announces?: boolean;
  /** The frame with offset and size that the text is (frames.ts), where that is known; null: none. */
  frame?: Frame | null;
}

const ansi = /\x1b(?:\[[0-9;?]{0,32}[ -/]{0,4}[@-~]|[()][0-9A-B]|[=>78cDEHM])/g;
/** `[   12.345678] `, with caller `[ T123]` or cpu `@1`. Also without blank after it. */
const kernelStamp =
  /^\[\s{0,8}(\d{1,10}\.(?:\d{3,9})?)s?(?:[@,](\d{1,4}))?\](?:\s?\[pid:\d{1,10},cpu\d{1,4},[^\]]{0,32}\]|\s?\[\s{0,8}([TC])(\d{1,10})(?:[-@/ ][^\]]{0,48})?\]|\s{0,2}\(\d{1,4}\)\[\d{1,10}:[^\]]{0,32}\]|\s{1,2}\[\d{1,3}:\s{0,16}[^\]:]{1,24}:\s{0,8}\d{1,10}\])?(?: |$)?/;
/** A mail's or an issue's mark before a line of a log. */
const quotedStamp =
  /^(?:[>|`] {0,4}){1,8}(?=\[ {0,8}\d{1,10}\.\d{6}\]|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\dT\d\d:\d\d)/;
const cutStamp = /^\d{1,8}\.\d{6}\] /;
const embeddedStamp = /\[ {0,6}\d{1,8}\.\d{6}\](?:\[ {0,6}[TC]\d{1,8}[^\]]{0,40}\])? /g;
const priority = /^<(\d{1,3})>(?:1 (?=\d{4}-\d\d-\d\dT))?/;
const isoDate =
  /^\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)(?:\]|:|,| \||\t|)(?: |$)/;
const syslogDate =
  /^((?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2}(?: \d{4})?,? \d\d:\d\d:\d\d(?:\.\d{1,9})?(?: \d{4})?(?: [A-Z]{3,5})?)(?: |:\s|$)/;
const bracketDate =
  /^\[((?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})? \d{4}|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {0,2}\d{1,2} \d\d:\d\d(?::\d\d)?|\s{0,3}\+\s{0,8}\d{1,8}\.\d{1,9}|\d\d:\d\d:\d\d(?:\.\d{1,9})?)\](?: |$)/;
const timeOnly = /^(\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)(?: \||:)? {1,2}(?=\[|<)/;
const unixTime = /^(\d{9,10}\.\d{3,9}) (?=\S{1,255} \S)/;
const hostAndTag = /^(\S{1,255}) ([\w./@:()-]{1,64}?)(?:\[\d{1,10}\])?:(?: |$)/;
/** A date in any language or order, the machine, the facility: `27 июл 14:08:03 box kernel: `, `+0000 UTC kern.alert kernel: `. */
const anyDateAndTag =
  /^(?:[^\s"'`<>()[\]:=]{1,40} {1,2}){0,4}(?:\d\d:\d\d:\d\d[.,\d]{0,12} )?(?:[^\s"'`<>()[\]:=]{1,64} ){0,3}kernel: /;
/** Android: CPU and task behind the stamp; logcat's columns. */
const cpuAndTask = /^c\d{1,2} {1,8}\d{1,10} /;
const logcat =
  /^(\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) {1,8}(?:root {1,8})?\d{1,8} {1,8}\d{1,8} [VDIWEF] (KERNEL)? {0,12}: /;
const tagOnly = /^(kernel)(?:\[\d{1,10}\])?:(?: |$)/;
const rfc5424 = /^(\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) (?:-|\[[^\]]{0,512}\])(?: |$)/;
const facility =
  /^(kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local[0-7]) {0,4}:(emerg|alert|crit|err|warn|notice|info|debug) {0,4}: /;
const dropped = /^\*\* \d{1,10} (?:printk messages dropped|netconsole messages? missing: [\d-]{1,40}) \*\* ?/;
const levels = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'];

/** Removes terminal colours and control characters other than tab. */
export function plainText(raw: string): string {
  let text = raw;
  if (text.includes('\x1b')) text = text.replace(ansi, '');
  return text;
}

/**
 * Takes the prefixes off one line (no newline, no carriage returns in it). A line into which another writer
 * broke gives two.
 */
export function parseLine(raw: string, start: number, end: number, number: number): LogLine[] {
  const line = stripPrefixes(plainText(raw), start, end, number);
  if (line.foreign) return [line];
  return splitEmbedded(line);
}

function stripPrefixes(input: string, start: number, end: number, number: number): LogLine {
  const line: LogLine = { text: input, start, end, number, kernel: false, foreign: false, dropped: false };
  let text = input;
  for (let round = 0; round < 8; round++) {
    const c = text.charCodeAt(0);
    if (c === 0x5b /* [ */) {
      const plain = endOfPlainStamp(text);
      if (plain > 0) {
        line.timestamp = plainStamp(text, plain);
        line.kernel = true;
        text = stripMonotonicTag(text.slice(plain), line);
        continue;
      }
      const m = kernelStamp.exec(text);
      if (m !== null) {
        const stamp = Number(m[1]);
        line.timestamp = stamp;
        line.kernel = true;
        if (m[3] !== undefined) line.caller = `${m[3]}${m[4]}`;
        text = stripMonotonicTag(text.slice(m[0].length), line);
        continue;
      }
      const b = bracketDate.exec(text) ?? isoDate.exec(text);
      if (b !== null) {
        line.wallTime = b[1]!;
        text = text.slice(b[0].length);
        continue;
      }
      break;
    }
    if (round === 0 && c >= 0x30 && c <= 0x39 && cutStamp.test(text)) {
      text = `[${text}`; // whoever copied it began one character late
      continue;
    }
    if (round === 0 && (c === 0x3e || c === 0x60 || c === 0x7c) /* > ` | */) {
      const m = quotedStamp.exec(text);
      if (m === null) break;
      text = text.slice(m[0].length);
      continue;
    }
    if (c === 0x3c /* < */) {
      const m = priority.exec(text);
      if (m === null) break;
      line.level = Number(m[1]) & 7;
      text = text.slice(m[0].length);
      continue;
    }
    if (c === 0x2a /* * */) {
      const m = dropped.exec(text);
      if (m === null) break;
      line.dropped = true;
      text = text.slice(m[0].length);
      continue;
    }
    if (c >= 0x30 && c <= 0x39) {
      const m = isoDate.exec(text) ?? timeOnly.exec(text) ?? unixTime.exec(text) ?? logcat.exec(text);
      if (m === null) break;
      line.wallTime = m[1]!;
      text = text.slice(m[0].length);
      text = stripTag(text, line);
      if (line.foreign) break;
      continue;
    }
    if (c >= 0x41 && c <= 0x57) {
      const m = text.charCodeAt(3) === 0x20 ? syslogDate.exec(text) : null;
      if (m === null) break;
      line.wallTime = m[1]!;
      text = stripTag(text.slice(m[0].length), line);
      if (line.foreign) break;
      continue;
    }
    if (c === 0x6b /* k */) {
      const m = tagOnly.exec(text) ?? facility.exec(text);
      if (m === null) break;
      if (m[2] !== undefined) line.level = levels.indexOf(m[2]);
      line.kernel = true;
      text = text.slice(m[0].length);
      continue;
    }
    const task = c === 0x63 && line.timestamp !== undefined ? cpuAndTask.exec(text) : null;
    if (task !== null) {
      text = text.slice(task[0].length);
      continue;
    }
    const f = c >= 0x61 && c <= 0x7a ? facility.exec(text) : null;
    if (f !== null) {
      line.foreign = true; // dmesg -x: a message written to /dev/kmsg by another program
      text = text.slice(f[0].length);
      break;
    }
    if (c === 0x20) {
      const m = /^ {1,4}(?=kernel:|\[ {0,8}\d{1,10}\.\d{6}\])/.exec(text);
      if (m === null) break;
      text = text.slice(m[0].length);
      continue;
    }
    break;
  }
  const tagged = line.kernel || line.foreign || !text.includes(' kernel: ') ? null : anyDateAndTag.exec(text);
  if (tagged !== null && (line.wallTime !== undefined || /\d\d:\d\d:\d\d/.test(tagged[0]))) {
    const rest = stripPrefixes(text.slice(tagged[0].length), start, end, number);
    const host = / (?!kern\.)([\w.-]{1,64}) kernel: $/.exec(tagged[0])?.[1];
    if (!rest.foreign) {
      const wallTime = line.wallTime ?? /^.*\d\d:\d\d:\d\d[.,\d]*/.exec(tagged[0])![0];
      return { ...rest, kernel: true, wallTime, ...(host === undefined ? null : { host }) };
    }
  }
  line.text = text;
  return line;
}

/** Where the message begins after `[   12.345678] `, the most frequent prefix; 0: another one, or more of it follows. */
function endOfPlainStamp(text: string): number {
  let i = 1;
  while (text.charCodeAt(i) === 0x20 && i < 9) i++;
  const digits = i;
  while (isDigit(text.charCodeAt(i))) i++;
  if (i === digits || i - digits > 10 || text.charCodeAt(i) !== 0x2e) return 0;
  for (let n = 1; n <= 6; n++) if (!isDigit(text.charCodeAt(i + n))) return 0;
  if (text.charCodeAt(i + 7) !== 0x5d || text.charCodeAt(i + 8) !== 0x20) return 0;
  const next = text.charCodeAt(i + 9) === 0x20 ? text.charCodeAt(i + 10) : text.charCodeAt(i + 9);
  return next === 0x5b || next === 0x28 ? 0 : i + 9;
}

/** The seconds of such a stamp of six digits behind the point. */
function plainStamp(text: string, end: number): number {
  let microseconds = 0;
  for (let i = 1; i < end - 2; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0x30) microseconds = microseconds * 10 + (c - 0x30);
  }
  return microseconds / 1e6;
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

/** journalctl -o short-monotonic: the stamp comes before host and tag. */
function stripMonotonicTag(text: string, line: LogLine): string {
  const tagged = text.includes(' kernel: ') ? /^(\S{1,255}) kernel: /.exec(text) : null;
  if (tagged === null) return text;
  line.host = tagged[1]!;
  return text.slice(tagged[0].length);
}

function stripTag(text: string, line: LogLine): string {
  const structured = rfc5424.exec(text);
  if (structured !== null && structured[3] !== undefined && /^(?:-|\d{1,10})$/.test(structured[3])) {
    line.host = structured[1]!;
    if (structured[2] === 'kernel') line.kernel = true;
    else line.foreign = true;
    return text.slice(structured[0].length);
  }
  const m = hostAndTag.exec(text);
  if (m === null) return text;
  const tag = m[2]!;
  // `BUG: ` and its like are not tags, and neither is anything when the "host" is a kernel stamp
  if (m[1]!.startsWith('[') || m[1]!.endsWith(':') || /^(?:BUG|WARNING|INFO|Oops|RIP|CPU|Code)$/.test(tag)) return text;
  line.host = m[1]!;
  if (tag === 'kernel') line.kernel = true;
  else line.foreign = true;
  return text.slice(m[0].length);
}

/**
 * `login: [   12.3] BUG: ...` and `[   12.1] half a li[   12.3] BUG: ...`: another writer's line continues with the
 * kernel's. Not so where a program quotes a kernel line.
 */
function splitEmbedded(line: LogLine): LogLine[] {
  const { text } = line;
  if (!text.includes('] ') || !text.includes('.')) return [line];
  embeddedStamp.lastIndex = 0;
  let m: RegExpExecArray | null = embeddedStamp.exec(text);
  if (m === null) return [line];
  const parts: LogLine[] = [];
  let from = 0;
  let current = line;
  for (let n = 0; m !== null && n < 8; n++) {
    const before = text[m.index - 1];
    const quoted = before === '"' || before === "'" || before === '`' || before === '>' || before === '(';
    const stamp = kernelStamp.exec(text.slice(m.index, m.index + 128));
    const value = stamp === null ? Number.NaN : Number(stamp[1]);
    const near =
      line.timestamp === undefined
        ? before !== ' ' || isPrompt(text.slice(0, m.index))
        : Math.abs(value - line.timestamp) < 10;
    if (stamp !== null && !quoted && near && m.index > 0) {
      parts.push({ ...current, text: text.slice(from, m.index) });
      from = m.index + stamp[0].length;
      current = { ...line, timestamp: value, kernel: true };
      if (stamp[3] !== undefined) current.caller = `${stamp[3]}${stamp[4]}`;
    }
    m = embeddedStamp.exec(text);
  }
  if (from === 0) return [line];
  parts.push({ ...current, text: text.slice(from) });
  return parts;
}

function isPrompt(text: string): boolean {
  return /(?:[#$%>] |login: |[Pp]assword: |\)\s)$/.test(text) && text.length < 120;
}
