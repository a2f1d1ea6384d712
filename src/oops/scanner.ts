// Log text in, incidents out. Reads a stream of any size in constant memory:
//
//   bytes -> KeywordFinder -> lines -> PlainLines, or RecordReader, parseLine -> PstoreOrder -> MachineLog by host -> Incidents
//            (skips nearly all)        (journal, netconsole, other prefixes)
//
// While nothing is wrong only the finder of keywords looks at the bytes. From the first suspicious line until its report is
// over, every line is read; and while a report may still get a line, those in which words of such lines stand.

import { SearchedText, searchWindow } from './byte_search.ts';
import type { Incident } from './incident.ts';
import { farWords, words } from './keywords.ts';
import type { LogLine } from './log_line.ts';
import { MachineLog } from './machine_log.ts';
import { maxLine, PlainLines } from './plain_lines.ts';
import { PstoreOrder } from './pstore_order.ts';
import { RecordReader } from './records.ts';

const sliceSize = 1 << 20;
/** How much of the text before a kernel's first message is looked at, in bytes. */
const lookBack = 4096;
/** Machines whose open reports are kept apart in one text. */
const maxMachines = 64;

/** How closely the text is read. */
type Attention =
  /** nothing is wrong: only lines that may start an incident */
  | 'none'
  /** a report may still get a line far below its beginning */
  | 'far'
  /** a report is coming in */
  | 'every';

export class LogScanner {
  private readonly plain = new PlainLines();
  private readonly records = new RecordReader();
  private readonly order = new PstoreOrder();
  private readonly machines = new Map<string, MachineLog>();
  /** The same, for those who ask all of them with every line. */
  private allMachines: readonly MachineLog[] = [];
  private lastHost = '';
  /** A line whose end has not come. */
  private carry: Buffer = Buffer.alloc(0);
  /** The end of the text before `carry`: kept in one place, since there may be thousands of scanners with little each. */
  private readonly tail = Buffer.alloc(lookBack);
  private tailLength = 0;
  /** Offset in the input of the first byte of `carry`. */
  private offset = 0;
  private lineNumber = 0;
  private skippingLongLine = false;
  /** What stood before the last kernel's first message. */
  private beforeBoot = '';
  private done: Incident[] = [];

  /** Reads more text. Returns the incidents that are complete by now. */
  push(chunk: Uint8Array | string): Incident[] {
    if (typeof chunk === 'string') {
      for (let at = 0; at < chunk.length; ) {
        let to = Math.min(at + sliceSize, chunk.length);
        if (to < chunk.length && (chunk.charCodeAt(to - 1) & 0xfc00) === 0xd800) to++; // not inside a character
        this.pushBytes(Buffer.from(chunk.slice(at, to)));
        at = to;
      }
    } else this.pushBytes(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    return this.take();
  }

  /** The text is over. Returns the incidents that were still open. */
  end(): Incident[] {
    if (this.carry.length > 0 && !this.skippingLongLine) {
      this.lineNumber++;
      this.rawLine(this.carry, 0, this.carry.length, this.offset);
    }
    this.offset += this.carry.length;
    this.carry = Buffer.alloc(0);
    for (const line of this.records.flush()) this.ordered(line);
    for (const line of this.order.flush()) this.line(line);
    for (const machine of this.machines.values()) machine.end(this.lineNumber);
    return this.take();
  }

  private pushBytes(chunk: Buffer): void {
    let pos = 0;
    if (this.carry.length > 0 || this.skippingLongLine) {
      const newline = chunk.indexOf(10);
      if (newline < 0) {
        this.keep(chunk);
        return;
      }
      if (this.skippingLongLine) this.offset += this.carry.length + newline + 1;
      else {
        const line = Buffer.concat([this.carry, chunk.subarray(0, newline + 1)]);
        this.readLines(line, 0, line.length, this.offset);
        this.offset += line.length;
      }
      this.skippingLongLine = false;
      this.carry = Buffer.alloc(0);
      pos = newline + 1;
    }
    const end = chunk.lastIndexOf(10) + 1;
    if (end > pos) {
      this.readLines(chunk, pos, end, this.offset - pos);
      this.offset += end - pos;
    } else if (end === 0) {
      this.keep(chunk.subarray(pos));
      return;
    }
    this.keep(chunk.subarray(Math.max(end, pos)));
  }

  /** Keeps what has no end yet; of an overlong line the beginning is read and the rest passed over. */
  private keep(rest: Buffer): void {
    if (this.skippingLongLine) {
      this.offset += rest.length;
      return;
    }
    this.carry = this.carry.length === 0 ? Buffer.from(rest) : Buffer.concat([this.carry, rest]);
    if (this.carry.length <= maxLine * 4) return;
    this.lineNumber++;
    this.rawLine(this.carry, 0, this.carry.length, this.offset);
    this.skippingLongLine = true;
    this.offset += this.carry.length;
    this.carry = Buffer.alloc(0);
  }

  /**
   * Reads `bytes[from, to)`, whole lines.
   * @param base offset in the input of `bytes[0]`
   */
  private readLines(bytes: Buffer, from: number, to: number, base: number): void {
    for (let pos = from; pos < to; ) {
      let end = Math.min(to, pos + searchWindow);
      // of a line that is longer than the window no more than its beginning is looked at
      const searched = end;
      if (end < to) end = bytes.lastIndexOf(10, end - 1) + 1;
      if (end <= pos) end = bytes.indexOf(10, searched) + 1;
      this.readWindow(bytes, pos, end, base, Math.min(end, searched));
      pos = end;
    }
    this.keepTail(bytes, to);
  }

  /** @param searched where what is searched for words ends: not before `to`, unless that is one line */
  private readWindow(bytes: Buffer, from: number, to: number, base: number, searched: number): void {
    let text: SearchedText | null | undefined;
    this.plain.take(bytes);
    for (let pos = from; pos < to; ) {
      const attention = this.attention;
      if (attention !== 'every') {
        if (text === undefined) text = SearchedText.take(bytes, from, searched);
        const hit = (attention === 'none' ? words : farWords).find(bytes, pos, searched, text);
        const line = hit < 0 ? to : Math.max(pos, bytes.lastIndexOf(10, hit) + 1);
        this.lineNumber += text === null || to > searched ? countLines(bytes, pos, line) : text.lines(pos, line);
        pos = line;
        if (attention === 'far') this.expire(this.lineNumber);
        if (hit < 0) break;
      }
      this.lineNumber++;
      const plain = this.holding ? null : this.plain.read(pos, to, base, this.lineNumber);
      if (plain !== null) {
        this.records.passPlain();
        if (plain.announces === true && plain.text.includes('Linux version ')) this.seeBoot(bytes, pos);
        this.line(plain);
        pos = plain.end - base + 1;
        continue;
      }
      const end = bytes.indexOf(10, pos);
      this.rawLine(bytes, pos, end, base + pos);
      pos = end + 1;
    }
  }

  private keepTail(bytes: Buffer, to: number): void {
    const { tail } = this;
    const added = Math.min(to, lookBack);
    const kept = Math.min(this.tailLength, lookBack - added);
    tail.copyWithin(0, this.tailLength - kept, this.tailLength);
    bytes.copy(tail, kept, to - added, to);
    this.tailLength = kept + added;
  }

  /** The text before `bytes[at]`, as far back as it is kept. */
  private before(bytes: Buffer, at: number): Buffer {
    if (at >= lookBack) return bytes.subarray(at - lookBack, at);
    const all = Buffer.concat([this.tail.subarray(0, this.tailLength), bytes.subarray(0, at)]);
    return all.subarray(Math.max(0, all.length - lookBack));
  }

  /** A kernel's first message begins at `bytes[at]`. */
  private seeBoot(bytes: Buffer, at: number): void {
    this.beforeBoot = this.before(bytes, at).toString('latin1');
  }

  /** @param offset of the line in the input */
  private rawLine(bytes: Buffer, from: number, to: number, offset: number): void {
    const end = Math.min(to, from + maxLine);
    const raw = bytes.toString('utf8', from, bytes[end - 1] === 13 ? end - 1 : end);
    if (raw.includes('Linux version ')) this.seeBoot(bytes, from);
    for (const line of this.records.read(raw, offset, offset + (to - from), this.lineNumber)) this.ordered(line);
  }

  private ordered(line: LogLine): void {
    for (const next of this.order.push(line)) this.line(next);
  }

  private line(line: LogLine): void {
    if (!line.foreign) this.machine(line).line(line, this.beforeBoot);
    this.expire(line.number);
  }

  private expire(number: number): void {
    for (const machine of this.allMachines) machine.expire(number);
  }

  /** The machine whose message it is. A line that names none continues the one before it. */
  private machine(line: LogLine): MachineLog {
    const host = line.host ?? (line.kernel || line.timestamp !== undefined ? '' : this.lastHost);
    this.lastHost = host;
    let machine = this.machines.get(host);
    if (machine === undefined) {
      if (this.machines.size >= maxMachines) {
        const [oldest, old] = this.machines.entries().next().value!;
        old.end(-1);
        this.done = this.done.concat(old.take());
        this.machines.delete(oldest);
      }
      machine = new MachineLog();
      this.machines.set(host, machine);
      this.allMachines = [...this.machines.values()];
    }
    return machine;
  }

  /** Whether a record, or a part of pstore's, waits for its rest. */
  private get holding(): boolean {
    return this.order.holding || this.records.holding;
  }

  private get attention(): Attention {
    if (this.holding) return 'every';
    let attention: Attention = 'none';
    for (const machine of this.allMachines) {
      if (machine.needsEveryLine(this.lineNumber)) return 'every';
      if (machine.active) attention = 'far';
    }
    return attention;
  }

  private take(): Incident[] {
    const done = this.done;
    this.done = [];
    for (const machine of this.machines.values()) for (const incident of machine.take()) done.push(incident);
    return done;
  }
}

/** Newlines in `bytes[from, to)`. */
function countLines(bytes: Buffer, from: number, to: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(10, from); at >= 0 && at < to; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

/** All incidents of a text, in the order in which they begin. */
export function findIncidents(text: string | Uint8Array): Incident[] {
  const scanner = new LogScanner();
  const incidents = scanner.push(text).concat(scanner.end());
  return incidents.sort((a, b) => a.span.start - b.span.start);
}
