// Log text in, incidents out. Reads a stream of any size in constant memory:
//
//   bytes -> KeywordFinder -> lines -> RecordReader, parseLine -> PstoreOrder -> MachineLog by host -> Incidents
//            (skips nearly all)   (journal, netconsole, prefixes)
//
// While nothing is wrong only the keyword automaton looks at the bytes. From the first suspicious line until its report is
// over, every line is read.
import type { Incident } from './incident.ts';
import { words } from './keywords.ts';
import type { LogLine } from './log_line.ts';
import { MachineLog } from './machine_log.ts';
import { PstoreOrder } from './pstore_order.ts';
import { RecordReader } from './records.ts';

/** Longest line that is looked at, in bytes; the rest of a longer one is passed over. */
const maxLine = 16 * 1024;
const sliceSize = 1 << 20;
/** How much of the text before a kernel's first message is looked at, in bytes. */
const lookBack = 4096;
/** Machines whose open reports are kept apart in one text. */
const maxMachines = 64;

export class LogScanner {
  private readonly records = new RecordReader();
  private readonly order = new PstoreOrder();
  private readonly machines = new Map<string, MachineLog>();
  private lastHost = '';
  private carry: Buffer = Buffer.alloc(0);
  /** The end of what was read before `carry`. */
  private tail: Buffer = Buffer.alloc(0);
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
    } else {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      for (let at = 0; at < bytes.length; at += sliceSize) this.pushBytes(bytes.subarray(at, at + sliceSize));
    }
    return this.take();
  }

  /** The text is over. Returns the incidents that were still open. */
  end(): Incident[] {
    if (this.carry.length > 0) {
      this.lineNumber++;
      this.rawLine(this.carry, 0, this.carry.length, this.offset);
      this.offset += this.carry.length;
      this.carry = Buffer.alloc(0);
    }
    for (const line of this.records.flush()) this.ordered(line);
    for (const line of this.order.flush()) this.line(line);
    for (const machine of this.machines.values()) machine.end(this.lineNumber);
    return this.take();
  }

  private pushBytes(chunk: Buffer): void {
    let bytes = chunk;
    if (this.carry.length > 0) bytes = Buffer.concat([this.carry, chunk]);
    const base = this.offset;
    const last = bytes.lastIndexOf(10);
    let pos = 0;
    const end = last + 1;
    if (this.skippingLongLine) {
      if (end === 0) {
        this.carry = Buffer.alloc(0);
        this.offset = base + bytes.length;
        return;
      }
      pos = bytes.indexOf(10) + 1;
      this.skippingLongLine = false;
    }
    while (pos < end) {
      if (!this.active) {
        const hit = words.find(bytes, pos, end);
        this.lineNumber += hit.newlines;
        if (hit.at < 0) {
          pos = end;
          break;
        }
        const newline = bytes.lastIndexOf(10, hit.at - 1);
        pos = Math.max(pos, newline + 1);
      }
      let next = bytes.indexOf(10, pos);
      if (next < 0) next = end;
      this.lineNumber++;
      this.rawLine(bytes, pos, next, base + pos);
      pos = next + 1;
    }
    // an overlong line is read in part and otherwise passed over
    if (bytes.length - end > maxLine * 4) {
      this.lineNumber++;
      this.rawLine(bytes, end, bytes.length, base + end);
      this.skippingLongLine = true;
      this.carry = Buffer.alloc(0);
      this.offset = base + bytes.length;
      return;
    }
    this.tail = Buffer.from(end >= lookBack ? bytes.subarray(end - lookBack, end) : this.before(bytes, end));
    this.carry = Buffer.from(bytes.subarray(end));
    this.offset = base + end;
  }

  /** The text before `bytes[at]`, as far back as it is kept. */
  private before(bytes: Buffer, at: number): Buffer {
    if (at >= lookBack) return bytes.subarray(at - lookBack, at);
    const all = Buffer.concat([this.tail, bytes.subarray(0, at)]);
    return all.subarray(Math.max(0, all.length - lookBack));
  }

  private rawLine(bytes: Buffer, from: number, to: number, offset: number): void {
    const end = Math.min(to, from + maxLine);
    const raw = bytes.toString('utf8', from, bytes[end - 1] === 13 ? end - 1 : end);
    if (raw.includes('Linux version ')) this.beforeBoot = this.before(bytes, from).toString('latin1');
    for (const line of this.records.read(raw, offset, offset + (to - from), this.lineNumber)) this.ordered(line);
  }

  private ordered(line: LogLine): void {
    for (const next of this.order.push(line)) this.line(next);
  }

  private line(line: LogLine): void {
    if (!line.foreign) this.machine(line).line(line, this.beforeBoot);
    for (const machine of this.machines.values()) if (machine.active) machine.expire(line.number);
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
        this.done.push(...old.take());
        this.machines.delete(oldest);
      }
      machine = new MachineLog();
      this.machines.set(host, machine);
    }
    return machine;
  }

  private get active(): boolean {
    if (this.order.holding) return true;
    for (const machine of this.machines.values()) if (machine.active) return true;
    return false;
  }

  private take(): Incident[] {
    const done = this.done;
    this.done = [];
    for (const machine of this.machines.values()) done.push(...machine.take());
    return done;
  }
}

/** All incidents of a text, in the order in which they begin. */
export function findIncidents(text: string | Uint8Array): Incident[] {
  const scanner = new LogScanner();
  const incidents = [...scanner.push(text), ...scanner.end()];
  return incidents.sort((a, b) => a.span.start - b.span.start);
}
