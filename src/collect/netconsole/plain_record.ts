// A record as nearly all are: whole, one line of plain text, and perhaps netconsole's user data behind it. It is read from the
// packet's bytes and written to both files without a string being made, since a receiver does that a hundred thousand times
// a second. What is unusual in any way is left to `parseExtendedHeader` and the functions of `lines.ts`, which do the same.
//
//     [release,]6,1234,5678901,-[,caller=T1];text[\n KEY=value]*[\n]
import { plainTextEnd } from '../../oops/byte_search.ts';
import type { PendingLines } from './pending_lines.ts';

const maxRelease = 64;
/** Numbers of so many digits are exact. */
const maxDigits = 15;
const maxFields = 64;
const maxKey = 64;
const maxValue = 1000;

const comma = 0x2c;
const equals = 0x3d;
const newline = 10;
const quote = 0x22;
const semicolon = 0x3b;
const space = 0x20;
const zero = 0x30;

// what a byte may be in user data
const startsKey = 1;
const inKey = 2;
const inValue = 4;
const kinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return (
    (/[A-Za-z_]/.test(character) ? startsKey : 0) |
    (/[A-Za-z0-9_.-]/.test(character) ? inKey : 0) |
    (/[ !#-[\]-~]/.test(character) ? inValue : 0)
  );
});

const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const callerKey = ascii('-,caller=');
const seqKey = ascii('{"seq":');
const usKey = ascii(',"us":');
const levelKey = ascii(',"level":');
const callerStart = ascii(',"caller":"');
const noCaller = ascii(',"caller":null,"text":"');
const textStart = ascii('","text":"');
const releaseStart = ascii(',"release":"');
const fieldsStart = ascii(',"fields":{');
const lineEnd = ascii('}\n');

/** What `read` found in a packet, as offsets in it; ends are exclusive. Made once, and read into again. */
export class PlainRecord {
  /** 0: the record has no release in front. */
  releaseEnd = 0;
  /** syslog severity, 0 to 7. */
  level = 0;
  sequence = 0;
  /** Since boot. */
  microseconds = 0;
  /** `T123` or `C1`; both 0: it does not say. */
  callerAt = 0;
  callerEnd = 0;
  textAt = 0;
  textEnd = 0;
  /** ` KEY=value` lines behind the text. */
  fields = 0;
  private sequenceAt = 0;
  private microsecondsAt = 0;
  private microsecondsEnd = 0;

  /** Whether a packet is such a record. If not, nothing here means anything. */
  read(packet: Uint8Array): boolean {
    let at = 0;
    let end = endOfDigits(packet, 0);
    this.releaseEnd = 0;
    if (end === 0 || packet[end] !== comma) {
      while (at < maxRelease && packet[at] !== comma) at++;
      if (at === 0 || packet[at] !== comma) return false;
      this.releaseEnd = at++;
      end = endOfDigits(packet, at);
    }
    if (end === at || end - at > 5 || packet[end] !== comma) return false;
    this.level = numberOf(packet, at, end) & 7;
    at = end + 1;
    end = endOfDigits(packet, at);
    if (!isNumber(packet, at, end)) return false;
    this.sequence = numberOf(packet, at, end);
    this.sequenceAt = at;
    at = end + 1;
    end = endOfDigits(packet, at);
    if (!isNumber(packet, at, end)) return false;
    this.microseconds = numberOf(packet, at, end);
    this.microsecondsAt = at;
    this.microsecondsEnd = end;
    at = end + 1;
    this.callerAt = this.callerEnd = 0;
    if (packet[at + 1] === comma) {
      for (let n = 0; n < callerKey.length; n++) if (packet[at + n] !== callerKey[n]) return false;
      this.callerAt = at + callerKey.length;
      const kind = packet[this.callerAt];
      end = endOfDigits(packet, this.callerAt + 1);
      const digits = end - this.callerAt - 1;
      if ((kind !== 0x54 /* T */ && kind !== 0x43) /* C */ || digits < 1 || digits > 10) return false;
      this.callerEnd = end;
      at = end;
    } else if (packet[at++] !== 0x2d /* - */) return false;
    if (packet[at] !== semicolon) return false;
    this.textAt = at + 1;
    this.textEnd = plainTextEnd(packet, this.textAt);
    return this.readFields(packet);
  }

  private readFields(packet: Uint8Array): boolean {
    this.fields = 0;
    for (let at = this.textEnd; at < packet.length; ) {
      if (packet[at] !== newline) return false;
      if (++at === packet.length) return true;
      if (packet[at] !== space || (kinds[packet[at + 1]!]! & startsKey) === 0 || ++this.fields > maxFields)
        return false;
      const keyAt = ++at;
      while ((kinds[packet[at]!]! & inKey) !== 0) at++;
      if (packet[at] !== equals || at - keyAt > maxKey) return false;
      const valueAt = ++at;
      while (at < packet.length && (kinds[packet[at]!]! & inValue) !== 0) at++;
      if (at - valueAt > maxValue) return false;
    }
    return true;
  }

  /** Whether the record's release is this one. */
  isOf(packet: Uint8Array, release: string): boolean {
    if (release.length !== this.releaseEnd) return false;
    for (let n = 0; n < this.releaseEnd; n++) if (packet[n] !== release.charCodeAt(n)) return false;
    return true;
  }

  /** Adds the record as on a console: what `consoleLines` makes of it. */
  writeLine(packet: Buffer, to: PendingLines): void {
    const buffer = to.room(64 + this.textEnd - this.textAt);
    let at = to.length;
    buffer[at++] = 0x5b; // [
    const secondsEnd = Math.max(this.microsecondsEnd - 6, this.microsecondsAt);
    const digits = Math.max(1, secondsEnd - this.microsecondsAt);
    for (let n = digits; n < 5; n++) buffer[at++] = space;
    if (secondsEnd === this.microsecondsAt) buffer[at++] = zero;
    at = put(packet, this.microsecondsAt, secondsEnd, buffer, at);
    buffer[at++] = 0x2e; // .
    for (let n = this.microsecondsEnd - secondsEnd; n < 6; n++) buffer[at++] = zero;
    at = put(packet, secondsEnd, this.microsecondsEnd, buffer, at);
    buffer[at++] = 0x5d; // ]
    if (this.callerEnd > 0) {
      buffer[at++] = 0x5b;
      for (let n = this.callerEnd - this.callerAt; n < 6; n++) buffer[at++] = space;
      at = put(packet, this.callerAt, this.callerEnd, buffer, at);
      buffer[at++] = 0x5d;
    }
    buffer[at++] = space;
    at += packet.copy(buffer, at, this.textAt, this.textEnd);
    buffer[at++] = newline;
    to.length = at;
  }

  /**
   * Adds the record as JSON: what `jsonLine` makes of it.
   * @param received `","received":1763800000000`, as bytes
   */
  writeJson(packet: Buffer, received: Uint8Array, to: PendingLines): void {
    const buffer = to.room(192 + 2 * packet.length);
    let at = putAll(seqKey, buffer, to.length);
    at = put(packet, this.sequenceAt, this.microsecondsAt - 1, buffer, at);
    at = putAll(usKey, buffer, at);
    at = put(packet, this.microsecondsAt, this.microsecondsEnd, buffer, at);
    at = putAll(levelKey, buffer, at);
    buffer[at++] = zero + this.level;
    if (this.callerEnd > 0) {
      at = putAll(callerStart, buffer, at);
      at = put(packet, this.callerAt, this.callerEnd, buffer, at);
      at = putAll(textStart, buffer, at);
    } else at = putAll(noCaller, buffer, at);
    at += packet.copy(buffer, at, this.textAt, this.textEnd);
    at = putAll(received, buffer, at);
    if (this.releaseEnd > 0) {
      at = putAll(releaseStart, buffer, at);
      at = put(packet, 0, this.releaseEnd, buffer, at);
      buffer[at++] = quote;
    }
    if (this.fields > 0) at = this.writeFields(packet, buffer, putAll(fieldsStart, buffer, at));
    to.length = putAll(lineEnd, buffer, at);
  }

  private writeFields(packet: Uint8Array, buffer: Uint8Array, to: number): number {
    let at = to;
    // behind a newline and a blank
    let from = this.textEnd + 2;
    for (let n = 0; n < this.fields; n++) {
      if (n > 0) buffer[at++] = comma;
      buffer[at++] = quote;
      for (; packet[from] !== equals; from++) buffer[at++] = packet[from]!;
      buffer[at++] = quote;
      buffer[at++] = 0x3a; // :
      buffer[at++] = quote;
      for (from++; from < packet.length && packet[from] !== newline; from++) buffer[at++] = packet[from]!;
      buffer[at++] = quote;
      from += 2;
    }
    buffer[at++] = 0x7d; // }
    return at;
  }
}

/** As JSON has it: no more digits than are exact, and none too many in front. */
function isNumber(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[end] !== comma || end - at > maxDigits) return false;
  return end - at === 1 || (end > at && bytes[at] !== zero);
}

function endOfDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at]! >= zero && bytes[at]! <= 0x39) at++;
  return at;
}

function numberOf(bytes: Uint8Array, from: number, end: number): number {
  let value = 0;
  for (let at = from; at < end; at++) value = value * 10 + (bytes[at]! - zero);
  return value;
}

/** Copies `bytes[from, end)`, a few: calling the runtime for them takes longer. @returns where they end in `buffer` */
function put(bytes: Uint8Array, from: number, end: number, buffer: Uint8Array, to: number): number {
  let at = to;
  for (let n = from; n < end; n++) buffer[at++] = bytes[n]!;
  return at;
}

function putAll(bytes: Uint8Array, buffer: Uint8Array, to: number): number {
  return put(bytes, 0, bytes.length, buffer, to);
}
