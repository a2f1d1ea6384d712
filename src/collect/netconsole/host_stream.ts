// What one machine sends, put together again: packets in any order, twice, or not at all; records in fragments; lines that
// printk printed in pieces; plain text cut anywhere. One machine is one source address and port. Its sequence numbers and
// clock start again when it boots.
//
//     packets --> fragments --> sequence --> pieces of lines --> sink
//                 (whole bodies) (order, gaps)
import { type ExtendedHeader, parseExtendedHeader, recordFields, recordText } from '../../oops/extended_record.ts';
import { PlainRecord } from './plain_record.ts';

/** One message of a kernel. */
export interface NetRecord {
  /** null: plain netconsole has none. */
  readonly sequence: number | null;
  /** Since boot; null: plain netconsole without stamps. */
  readonly microseconds: number | null;
  /** syslog severity, 0 (emergency) to 7 (debug). */
  readonly level: number | null;
  readonly caller: string | null;
  readonly release: string | null;
  /** The message, of several lines perhaps. */
  readonly text: string;
  /** The device that it is about, and netconsole's user data: `SUBSYSTEM`, `cpu`, `taskname`, ... */
  readonly fields: readonly (readonly [string, string])[];
  /** Bytes of a fragmented record that did not come; 0 mostly. */
  readonly missingBytes: number;
}

export interface HostSink {
  /** Another boot begins: what came before is complete. */
  boot(release: string | null, microseconds: number | null): void;
  record(record: NetRecord): void;
  /** A record as nearly all are, in its packet. It is read over by the next one. */
  plain(record: PlainRecord, packet: Buffer): void;
  /** Sequence numbers that did not come, both inclusive: lost, or of messages that the console's log level holds back. */
  missing(from: number, to: number): void;
}

export interface HostCounts {
  packets: number;
  bytes: number;
  records: number;
  /** Records that did not come. */
  missing: number;
  duplicates: number;
  /** Records that came after a later one. */
  reordered: number;
  /** Fragmented records of which a part did not come. */
  incomplete: number;
}

export function noCounts(): HostCounts {
  return { packets: 0, bytes: 0, records: 0, missing: 0, duplicates: 0, reordered: 0, incomplete: 0 };
}

/**
 * How long a record is waited for when a later one is there, a fragment for the others, and a piece of a line for its rest,
 * in ms. What comes later still is taken, out of its order.
 */
const patience = 30;
/** Records that are kept while an earlier one is waited for, and bytes of them. */
const maxHeld = 512;
const maxHeldBytes = 1 << 20;
/** Fragmented records that are being put together, and the largest. */
const maxFragmented = 64;
const maxBody = 64 * 1024;
/** A clock that goes back by more: another boot. */
const bootGap = 5_000_000;
/** Of how many of the last records it is known which came, and when they were printed. */
const memory = 1024;
/** Pieces of lines that wait for their rest, by caller. */
const maxPieces = 64;
/** A plain line without its end. */
const maxPlain = 16 * 1024;

/** What the packet at hand is, for all machines. */
const plain = new PlainRecord();

const plainStamp = /^(?:<(\d{1,3})>)?\[\s{0,8}(\d{1,10})\.(\d{6})\](?:\[\s{0,8}([TC]\d{1,10})\])? ?/;

interface Fragmented {
  readonly head: ExtendedHeader;
  readonly body: Buffer;
  /** Ranges that came: [from, to), apart, ascending. */
  ranges: [number, number][];
  readonly since: number;
}

interface Held {
  readonly head: ExtendedHeader;
  readonly body: string;
  readonly missingBytes: number;
  readonly since: number;
}

interface Piece {
  readonly head: ExtendedHeader;
  text: string;
  fields: [string, string][];
  readonly since: number;
}

export class HostStream {
  readonly counts = noCounts();
  private readonly sink: HostSink;
  /** Whether anything has come. */
  private begun = false;
  /** The sequence number that comes next; null: none has come. */
  private next: number | null = null;
  /** When the last records were printed, by sequence number modulo `memory`; NaN: it has not come. */
  private readonly recent = new Float64Array(memory).fill(Number.NaN);
  private lastMicroseconds = 0;
  private release: string | null = null;
  private readonly fragmented = new Map<number, Fragmented>();
  private readonly held = new Map<number, Held>();
  private heldBytes = 0;
  private readonly pieces = new Map<string, Piece>();
  private plain = '';
  private plainSince = 0;
  /** Whether something waits, so that `tick` has work. */
  waiting = false;

  constructor(sink: HostSink) {
    this.sink = sink;
  }

  /** Goes on where an earlier run of the receiver stopped. */
  resume(next: number | null, microseconds: number, release: string | null): void {
    this.begun = true;
    this.next = next;
    this.lastMicroseconds = microseconds;
    this.release = release;
  }

  /** Takes a packet. @param now in ms, on any clock that only goes forward */
  packet(bytes: Buffer, now: number): void {
    this.counts.packets++;
    this.counts.bytes += bytes.length;
    if (plain.read(bytes) && this.isNext(plain, bytes)) {
      this.came(plain);
      this.counts.records++;
      this.sink.plain(plain, bytes);
      return;
    }
    // a digit of the priority, or of the release; a body may hold anything
    const text = bytes.toString('latin1');
    const head = parseExtendedHeader(text);
    if (head === null) this.plainText(bytes, now);
    else if (head.fragment !== null) this.fragment(head, bytes.subarray(head.bodyAt), now);
    else this.sequenced(head, text.slice(head.bodyAt), 0, now);
  }

  /** Whether a record is the one that comes next, of the same boot, with nothing that waits for it. */
  private isNext(record: PlainRecord, packet: Buffer): boolean {
    return (
      record.sequence === this.next &&
      record.microseconds + bootGap >= this.lastMicroseconds &&
      this.held.size === 0 &&
      this.pieces.size === 0 &&
      (record.releaseEnd === 0 || (this.release !== null && record.isOf(packet, this.release)))
    );
  }

  private came({ sequence, microseconds }: Pick<ExtendedHeader, 'sequence' | 'microseconds'>): void {
    this.next = sequence + 1;
    this.recent[sequence % memory] = microseconds;
    if (microseconds > this.lastMicroseconds) this.lastMicroseconds = microseconds;
  }

  /** Time has passed: what has waited long enough is given up. */
  tick(now: number): void {
    if (!this.waiting) return;
    for (const [sequence, record] of this.fragmented)
      if (now - record.since >= patience) this.complete(sequence, record, now);
    if (this.held.size > 0) {
      const oldest = Math.min(...[...this.held.values()].map(({ since }) => since));
      if (now - oldest >= patience) this.skipGap(now);
    }
    for (const [caller, piece] of this.pieces) if (now - piece.since >= patience) this.givePiece(caller);
    if (this.plain !== '' && now - this.plainSince >= patience) this.plainRest();
    this.waiting = this.fragmented.size > 0 || this.held.size > 0 || this.pieces.size > 0 || this.plain !== '';
  }

  /** Nothing more comes. */
  end(): void {
    for (const [sequence, record] of this.fragmented) this.complete(sequence, record, 0);
    while (this.held.size > 0) this.skipGap(0);
    for (const caller of [...this.pieces.keys()]) this.givePiece(caller);
    if (this.plain !== '') this.plainRest();
    this.waiting = false;
  }

  // ---- fragments

  private fragment(head: ExtendedHeader, bytes: Buffer, now: number): void {
    const { offset, total } = head.fragment!;
    if (total > maxBody || offset + bytes.length > total) return;
    let record = this.fragmented.get(head.sequence);
    if (record === undefined || record.body.length !== total) {
      // a record that is complete already, again
      if (!this.isBoot(head) && this.hasCome(head.sequence)) {
        this.counts.duplicates++;
        return;
      }
      if (this.fragmented.size >= maxFragmented) {
        const [first, oldest] = this.fragmented.entries().next().value!;
        this.complete(first, oldest, now);
      }
      record = { head, body: Buffer.alloc(total), ranges: [], since: now };
      this.fragmented.set(head.sequence, record);
    }
    bytes.copy(record.body, offset);
    record.ranges = merged(record.ranges, offset, offset + bytes.length);
    this.waiting = true;
    const [range] = record.ranges;
    if (record.ranges.length === 1 && range![0] === 0 && range![1] === total) this.complete(head.sequence, record, now);
  }

  private complete(sequence: number, { head, body, ranges }: Fragmented, now: number): void {
    this.fragmented.delete(sequence);
    const have = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
    if (have < body.length) this.counts.incomplete++;
    // gaps are marked where they are; NULs that were sent stay what they are
    let text = '';
    let at = 0;
    for (const [from, to] of ranges) {
      if (from > at) text += `[${from - at} bytes missing]`;
      text += body.toString('latin1', from, to);
      at = to;
    }
    if (at < body.length) text += `[${body.length - at} bytes missing]`;
    this.sequenced(head, text, body.length - have, now);
  }

  // ---- sequence

  /** Whether a record is the first of another boot: its number or its time does not fit those before it. */
  private isBoot({ sequence, microseconds, release }: ExtendedHeader): boolean {
    if (this.next === null) return false;
    if (release !== null && this.release !== null && release !== this.release) return true;
    if (microseconds + bootGap < this.lastMicroseconds) return true;
    if (sequence >= this.next) return false;
    // nothing is as late as that
    if (sequence < this.next - memory) return true;
    const came = this.recent[sequence % memory]!;
    return !Number.isNaN(came) && came !== microseconds;
  }

  /** Of a record of this boot. */
  private hasCome(sequence: number): boolean {
    return this.next !== null && sequence < this.next && !Number.isNaN(this.recent[sequence % memory]!);
  }

  private sequenced(head: ExtendedHeader, body: string, missingBytes: number, now: number): void {
    if (!this.begun || this.isBoot(head)) {
      this.endBoot();
      this.begun = true;
      this.next = null;
      this.release = head.release;
      this.sink.boot(head.release, head.microseconds);
    }
    if (this.next === null) {
      this.next = head.sequence;
      this.recent.fill(Number.NaN);
    }
    if (head.sequence < this.next) {
      if (this.hasCome(head.sequence)) {
        this.counts.duplicates++;
        return;
      }
      this.counts.reordered++;
      this.recent[head.sequence % memory] = head.microseconds;
      this.toSink(head, recordText(body), recordFields(body), missingBytes);
      return;
    }
    if (head.sequence > this.next) {
      if (this.held.has(head.sequence)) {
        this.counts.duplicates++;
        return;
      }
      this.held.set(head.sequence, { head, body, missingBytes, since: now });
      this.heldBytes += body.length;
      this.waiting = true;
      if (this.held.size > maxHeld || this.heldBytes > maxHeldBytes) this.skipGap(now);
      return;
    }
    this.give(head, body, missingBytes, now);
    if (this.held.size > 0) {
      this.counts.reordered++;
      this.drain(now);
    }
  }

  /** What was waited for does not come: it is said, and the records behind it follow. */
  private skipGap(now: number): void {
    const first = Math.min(...this.held.keys());
    this.counts.missing += first - this.next!;
    this.sink.missing(this.next!, first - 1);
    for (let n = Math.max(this.next!, first - memory); n < first; n++) this.recent[n % memory] = Number.NaN;
    this.next = first;
    this.drain(now);
  }

  private drain(now: number): void {
    for (let held = this.held.get(this.next!); held !== undefined; held = this.held.get(this.next!)) {
      this.held.delete(this.next!);
      this.heldBytes -= held.body.length;
      this.give(held.head, held.body, held.missingBytes, now);
    }
  }

  private endBoot(): void {
    if (this.next !== null) {
      for (const [sequence, record] of this.fragmented) if (sequence >= this.next) this.complete(sequence, record, 0);
      while (this.held.size > 0) this.skipGap(0);
    }
    for (const caller of [...this.pieces.keys()]) this.givePiece(caller);
    this.lastMicroseconds = 0;
  }

  // ---- pieces of lines

  private give(head: ExtendedHeader, body: string, missingBytes: number, now: number): void {
    this.came(head);
    const key = head.caller ?? '';
    if (this.pieces.size > 0) {
      const piece = this.pieces.get(key);
      if (piece !== undefined && head.flag === '+' && piece.text.length < maxBody) {
        piece.text += recordText(body);
        piece.fields.push(...recordFields(body));
        return;
      }
      this.givePiece(key);
    }
    const fields = body.includes('\n') ? recordFields(body) : [];
    if (head.flag === 'c') {
      if (this.pieces.size >= maxPieces) this.givePiece(this.pieces.keys().next().value!);
      this.pieces.set(key, { head, text: recordText(body), fields, since: now });
      this.waiting = true;
      return;
    }
    this.toSink(head, recordText(body), fields, missingBytes);
  }

  private givePiece(caller: string): void {
    const piece = this.pieces.get(caller);
    if (piece === undefined) return;
    this.pieces.delete(caller);
    this.toSink(piece.head, piece.text, piece.fields, 0);
  }

  private toSink(
    { sequence, microseconds, priority, caller, release }: ExtendedHeader,
    text: string,
    fields: readonly [string, string][],
    missingBytes: number,
  ): void {
    this.counts.records++;
    this.sink.record({ sequence, microseconds, level: priority & 7, caller, release, text, fields, missingBytes });
  }

  // ---- plain netconsole

  private plainText(bytes: Buffer, now: number): void {
    // bytes, since a packet may end inside a character
    const lines = (this.plain + bytes.toString('latin1')).split('\n');
    this.plain = lines.pop()!;
    for (const line of lines) this.plainLine(line);
    if (this.plain === '') return;
    this.plainSince = now;
    this.waiting = true;
    if (this.plain.length > maxPlain) this.plainRest();
  }

  /** A line whose end does not come. */
  private plainRest(): void {
    const rest = this.plain;
    this.plain = '';
    this.plainLine(rest);
  }

  private plainLine(bytes: string): void {
    const raw = Buffer.from(bytes, 'latin1').toString('utf8');
    const m = plainStamp.exec(raw);
    const microseconds = stampMicroseconds(m);
    // without sequence numbers, the clock alone tells another boot
    const again = microseconds !== null && microseconds + bootGap < this.lastMicroseconds;
    if (!this.begun || again) {
      this.endBoot();
      this.begun = true;
      this.next = null;
      this.release = null;
      this.sink.boot(null, microseconds);
    }
    if (microseconds !== null) this.lastMicroseconds = Math.max(this.lastMicroseconds, microseconds);
    this.counts.records++;
    this.sink.record({
      sequence: null,
      microseconds,
      level: m?.[1] === undefined ? null : Number(m[1]) & 7,
      caller: m?.[4] ?? null,
      release: null,
      text: m === null ? raw : raw.slice(m[0].length),
      fields: [],
      missingBytes: 0,
    });
  }
}

/** When the first line of a packet was printed, in microseconds since boot; null: it does not say. */
export function printedAt(packet: Buffer): number | null {
  const text = packet.toString('latin1', 0, 1100);
  return parseExtendedHeader(text)?.microseconds ?? stampMicroseconds(plainStamp.exec(text));
}

function stampMicroseconds(m: RegExpExecArray | null): number | null {
  return m === null ? null : Number(m[2]) * 1e6 + Number(m[3]);
}

/** Ranges with one more, those that touch joined. */
function merged(ranges: readonly [number, number][], from: number, to: number): [number, number][] {
  const out: [number, number][] = [];
  for (const range of [...ranges, [from, to] as [number, number]].sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last !== undefined && range[0] <= last[1]) last[1] = Math.max(last[1], range[1]);
    else out.push([range[0], range[1]]);
  }
  return out;
}
