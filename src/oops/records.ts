// Transports that wrap each kernel message in a record of their own:
//
//   netconsole (extended), /dev/kmsg   6,339,5140900,-,caller=T123;text\n SUBSYSTEM=usb\n
//   netconsole fragments               4,416,1758426,-,ncfrag=0/1200;first half      4,416,1758426,-,ncfrag=952/1200;rest
//   journalctl -o json                 {"MESSAGE":"text","_TRANSPORT":"kernel",...}
//   dmesg --json                       "msg": "text"  on a line of its own, after "time": 12.345678
//
// Documentation/networking/netconsole.rst, Documentation/ABI/testing/dev-kmsg, systemd.journal-fields(7).
import { parseExtendedHeader, recordText } from './extended_record.ts';
import { type LogLine, parseLine } from './log_line.ts';

const extendedStart =
  /(?:[\w.+~-]{1,64},)?\d{1,5},\d{1,20},\d{1,20},[-c+],(?:[^;,\n]{1,80},){0,4}ncfrag=\d{1,5}\/\d{1,5};/g;
const dictionary = /^ [A-Za-z][\w.-]{0,63}=/;
const dmesgFrame = /^\s{0,32}(?:[{}\]],?|"(?:pri|fac|caller|prio|facility|dmesg)":.{0,64})\s*$/;
const maxPending = 16 * 1024;

interface Pending {
  sequence: number;
  template: LogLine;
  text: string;
  /** Bytes still missing of a fragmented message; 0 for continuation pieces. */
  missing: number;
}

/** Turns raw lines into kernel messages. Keeps what a record may still be missing; `flush` gives it up. */
export class RecordReader {
  private pending: Pending | undefined;
  private afterRecord = false;
  private dmesgTime: number | undefined;

  /** Whether a record waits for its rest. */
  get holding(): boolean {
    return this.pending !== undefined;
  }

  /** A line was read that is none of a record: see plain_lines.ts. Only for who has seen that none is being held. */
  passPlain(): void {
    this.afterRecord = false;
  }

  read(raw: string, start: number, end: number, number: number): LogLine[] {
    const c = raw.charCodeAt(0);
    if (c === 0x7b /* { */ && raw.includes('"MESSAGE"')) {
      const lines = journalRecord(raw, start, end, number);
      if (lines !== undefined) return [...this.flush(), ...lines];
    }
    if ((c === 0x20 || c === 0x09 || c === 0x22) && (this.dmesgTime !== undefined || raw.includes('": '))) {
      const lines = this.dmesgJson(raw, start, end, number);
      if (lines !== undefined) return lines;
    }
    if (raw.includes(',') && raw.includes(';')) {
      const lines = this.extendedRecords(raw, start, end, number);
      if (lines !== undefined) {
        this.afterRecord = true;
        return lines;
      }
    }
    if (this.afterRecord && c === 0x20 && dictionary.test(raw)) return [];
    this.afterRecord = false;
    const out = this.pending === undefined ? [] : this.flush();
    if (!raw.includes('\r')) {
      out.push(...parseLine(raw, start, end, number));
      return out;
    }
    for (const piece of raw.split('\r')) {
      if (piece !== '') out.push(...parseLine(piece, start, end, number));
    }
    return out;
  }

  /** What is left of an unfinished record. */
  flush(): LogLine[] {
    const pending = this.pending;
    if (pending === undefined) return [];
    this.pending = undefined;
    return finish(pending);
  }

  private extendedRecords(raw: string, start: number, end: number, number: number): LogLine[] | undefined {
    // fragments arrive without newlines between them
    const starts: number[] = [];
    if (raw.includes('ncfrag=')) {
      extendedStart.lastIndex = 0;
      for (let m = extendedStart.exec(raw); m !== null && starts.length < 64; m = extendedStart.exec(raw))
        starts.push(m.index);
    }
    if (starts.length === 0) starts.push(0);
    else if (starts[0] !== 0) starts.unshift(0);
    const out: LogLine[] = [];
    let any = false;
    for (const [i, from] of starts.entries()) {
      const piece = raw.slice(from, starts[i + 1] ?? raw.length);
      const head = parseExtendedHeader(piece);
      if (head === null) {
        if (i === 0 && starts.length > 1) continue;
        return any ? out : undefined;
      }
      any = true;
      const line: LogLine = {
        text: '',
        start,
        end,
        number,
        timestamp: head.microseconds / 1e6,
        level: head.priority & 7,
        kernel: head.priority >> 3 === 0,
        foreign: head.priority >> 3 !== 0,
        dropped: false,
      };
      if (head.caller !== null) line.caller = head.caller;
      const text = piece.slice(head.bodyAt);
      const last = this.pending;
      if (head.fragment !== null) {
        const { offset, total } = head.fragment;
        const size = Buffer.byteLength(text);
        if (last !== undefined && last.sequence === head.sequence && offset > 0 && last.text.length < maxPending) {
          last.text += text;
          last.missing -= size;
          last.template.end = end;
        } else {
          out.push(...this.flush());
          this.pending = { sequence: head.sequence, template: line, text, missing: total - offset - size };
        }
        if (this.pending !== undefined && this.pending.missing <= 0) out.push(...this.flush());
      } else if (head.flag === '+' && last !== undefined && last.text.length < maxPending) {
        last.text += text;
        last.template.end = end;
      } else {
        out.push(...this.flush());
        const record: Pending = { sequence: head.sequence, template: line, text, missing: 0 };
        if (head.flag === 'c') this.pending = record;
        else out.push(...finish(record));
      }
    }
    return out;
  }

  private dmesgJson(raw: string, start: number, end: number, number: number): LogLine[] | undefined {
    const time = /^\s{0,32}"time":\s{0,16}(\d{1,10}\.\d{1,9}),?\s*$/.exec(raw);
    if (time !== null) {
      this.dmesgTime = Number(time[1]);
      return [];
    }
    if (this.dmesgTime !== undefined && dmesgFrame.test(raw)) return [];
    const msg = /^\s{0,32}"msg":\s{0,16}(".{0,16000}"),?\s*$/.exec(raw);
    if (msg === null) return undefined;
    let text: unknown;
    try {
      text = JSON.parse(msg[1]!);
    } catch {
      return undefined; // cut JSON: read as it stands
    }
    if (typeof text !== 'string') return undefined;
    return text.split('\n').map((part) => {
      const line: LogLine = { text: part, start, end, number, kernel: true, foreign: false, dropped: false };
      if (this.dmesgTime !== undefined) line.timestamp = this.dmesgTime;
      return line;
    });
  }
}

function finish(record: Pending): LogLine[] {
  // dictionary entries of a fragmented record follow its text
  return recordText(record.text)
    .split('\n', 64)
    .map((text) => ({ ...record.template, text }));
}

function journalRecord(raw: string, start: number, end: number, number: number): LogLine[] | undefined {
  let record: unknown;
  try {
    record = JSON.parse(raw);
  } catch {
    return cutJournalRecord(raw, start, end, number);
  }
  if (typeof record !== 'object' || record === null) return undefined;
  const field = (name: string): string | undefined => {
    const value = (record as Record<string, unknown>)[name];
    if (typeof value === 'string') return value;
    if (!Array.isArray(value)) return undefined;
    if (value.every((byte) => typeof byte === 'number')) return Buffer.from(value as number[]).toString('utf8');
    return typeof value[0] === 'string' ? value[0] : undefined;
  };
  const message = field('MESSAGE');
  if (message === undefined) return undefined;
  const transport = field('_TRANSPORT');
  const identifier = field('SYSLOG_IDENTIFIER');
  const kernel =
    transport === 'kernel'
      ? identifier === undefined || identifier === 'kernel'
      : transport === undefined && identifier === 'kernel';
  const count = (text: string | undefined): number => (/^\d{1,18}$/.test(text ?? '') ? Number(text) : Number.NaN);
  const monotonic = count(field('_SOURCE_MONOTONIC_TIMESTAMP') ?? field('__MONOTONIC_TIMESTAMP'));
  const realtime = count(field('__REALTIME_TIMESTAMP'));
  const level = count(field('PRIORITY'));
  const lines: LogLine[] = [];
  for (const text of message.split('\n', 256)) {
    for (const line of parseLine(text, start, end, number)) {
      line.kernel = kernel;
      line.foreign = !kernel;
      const host = field('_HOSTNAME');
      if (host !== undefined) line.host = host;
      if (Number.isFinite(monotonic)) line.timestamp ??= monotonic / 1e6;
      if (Math.abs(realtime) < 8.64e18) line.wallTime = new Date(realtime / 1000).toISOString();
      if (Number.isFinite(level)) line.level ??= level & 7;
      lines.push(line);
    }
  }
  return lines;
}

/** A record whose end is missing still says its message, when the message is whole. */
function cutJournalRecord(raw: string, start: number, end: number, number: number): LogLine[] | undefined {
  const m = /"MESSAGE"\s{0,2}:\s{0,2}"((?:[^"\\]|\\.){0,8000})"/.exec(raw);
  if (m === null) return undefined;
  const kernel =
    /"_TRANSPORT"\s{0,2}:\s{0,2}"kernel"/.test(raw) || /"SYSLOG_IDENTIFIER"\s{0,2}:\s{0,2}"kernel"/.test(raw);
  const text = m[1]!
    .replace(/\\n/g, '\n')
    .replace(/\\t/g, '\t')
    .replace(/\\(["\\/])/g, '$1');
  return text
    .split('\n', 256)
    .map((part) => ({ text: part, start, end, number, kernel, foreign: false, dropped: false }));
}
