// Lines as nearly all are: a stamp, perhaps a caller, and a message of plain ASCII in which nothing else may be meant.
//
//     [   12.345678] RIP: 0010:update_stats+0xc/0x20 [demo]        [   12.345678][  T123] RIP: ...
//
// They are read from the bytes, each looked at once. A log that says much says most of it again and again, whatever its
// stamps: a message that came twice is kept with what is known of it, and found again by its bytes. One that is found costs no
// string, and no search for the words that announce something.
import { type Frame, fullFrame } from './frames.ts';
import { words } from './keywords.ts';
import type { LogLine } from './log_line.ts';

/** Longest line that is looked at, in bytes. */
export const maxLine = 16 * 1024;

/** The messages that are kept: so many, each with this many words of four bytes at most. */
const slots = 1 << 14;
const slotWords = 32;

/** The kept messages, for all readers: there may be thousands of these with little text each. */
interface Kept {
  /** Of the message that came last to a slot. */
  readonly hashes: Int32Array;
  /** Bytes of the message that is kept; 0: its hash came once only. */
  readonly sizes: Uint16Array;
  readonly bytes: Int32Array;
  readonly texts: string[];
  /** Whether a word stands in the text that announces something. */
  readonly announces: Uint8Array;
  readonly frames: (Frame | null)[];
}

let shared: Kept | null = null;

function makeKept(): Kept {
  return {
    hashes: new Int32Array(slots),
    sizes: new Uint16Array(slots),
    bytes: new Int32Array(slots * slotWords),
    texts: new Array<string>(slots).fill(''),
    announces: new Uint8Array(slots),
    frames: new Array<Frame | null>(slots).fill(null),
  };
}

/** Reads plain lines of one text after the other; of each text the lines have to be asked for in turn. */
export class PlainLines {
  private readonly kept: Kept;
  private readonly scratch = new Int32Array(slotWords);
  private bytes: Buffer = Buffer.alloc(0);
  private view: DataView = new DataView<ArrayBufferLike>(new ArrayBuffer(0));
  private readonly callers = new Map<number, string>();
  /** Of the prefix that was read last. */
  private microseconds = 0;
  private caller: string | undefined;

  constructor() {
    shared ??= makeKept();
    this.kept = shared;
  }

  /** Takes the text from which `read` reads. */
  take(bytes: Buffer): void {
    if (bytes === this.bytes) return;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * The line that begins at `from`; null: it is another one than a plain one, or longer than `maxLine`.
   * @param to where the text ends, behind a newline
   * @param base offset in the input of the text's first byte
   */
  read(from: number, to: number, base: number, number: number): LogLine | null {
    const { bytes, view, kept, scratch } = this;
    const at = this.readPrefix(from);
    if (at < 0) return null;
    let hash = 0;
    let count = 0;
    let newline = -1;
    for (let i = at; count < slotWords && i + 4 <= to; i += 4) {
      const word = view.getInt32(i, true);
      const x = word ^ 0x0a0a0a0a;
      const zeroes = (x - 0x01010101) & ~x & 0x80808080; // the lowest bit stands for the first newline
      if (zeroes !== 0) {
        const n = (31 - Math.clz32(zeroes & -zeroes)) >> 3;
        const rest = n === 0 ? 0 : word & ((1 << (8 * n)) - 1);
        hash = Math.imul(hash ^ rest, 0x9e3779b1) ^ n;
        scratch[count++] = rest;
        newline = i + n;
        break;
      }
      hash = Math.imul(hash ^ word, 0x9e3779b1);
      hash ^= hash >>> 15;
      scratch[count++] = word;
    }
    if (newline < 0) return this.readUnkept(from, at, base, number);
    const size = newline - at;
    const slot = (hash ^ (hash >>> 14)) & (slots - 1);
    const again = kept.hashes[slot] === hash;
    if (again && kept.sizes[slot] === size) {
      const first = slot * slotWords;
      let same = 0;
      while (same < count && kept.bytes[first + same] === scratch[same]) same++;
      if (same === count) {
        const line = this.line(kept.texts[slot]!, kept.announces[slot] === 1, base + from, base + newline, number);
        line.frame = kept.frames[slot]!;
        return line;
      }
    }
    const text = message(bytes, at, newline);
    if (text === null) return null;
    const announces = words.occursIn(text);
    kept.hashes[slot] = hash;
    kept.sizes[slot] = again ? size : 0;
    if (again) {
      kept.bytes.set(scratch, slot * slotWords);
      kept.texts[slot] = text;
      kept.announces[slot] = announces ? 1 : 0;
      kept.frames[slot] = fullFrame(text);
    }
    return this.line(text, announces, base + from, base + newline, number);
  }

  /** A line that is too long to be kept. */
  private readUnkept(from: number, at: number, base: number, number: number): LogLine | null {
    const { bytes } = this;
    const newline = bytes.indexOf(10, at);
    if (newline < 0 || newline - from > maxLine) return null;
    const text = message(bytes, at, newline);
    return text === null ? null : this.line(text, words.occursIn(text), base + from, base + newline, number);
  }

  private line(text: string, announces: boolean, start: number, end: number, number: number): LogLine {
    return {
      text,
      start,
      end,
      number,
      timestamp: this.microseconds / 1e6,
      caller: this.caller,
      kernel: true,
      foreign: false,
      dropped: false,
      announces,
      frame: undefined,
    };
  }

  /** Reads stamp and caller. @returns where the message begins; -1: there is another prefix */
  private readPrefix(from: number): number {
    const { bytes } = this;
    if (bytes[from] !== 0x5b) return -1;
    let i = from + 1;
    while (bytes[i] === 0x20 && i < from + 9) i++;
    const digits = i;
    let microseconds = 0;
    for (; isDigit(bytes[i]!); i++) microseconds = microseconds * 10 + bytes[i]! - 0x30;
    if (i === digits || i - digits > 10 || bytes[i] !== 0x2e) return -1;
    for (let n = 1; n <= 6; n++) {
      const c = bytes[i + n]!;
      if (!isDigit(c)) return -1;
      microseconds = microseconds * 10 + c - 0x30;
    }
    i += 7;
    if (bytes[i] !== 0x5d) return -1;
    i++;
    this.microseconds = microseconds;
    this.caller = undefined;
    // from the console `[   12.345678][  T123] `, of dmesg `[   12.345678] [  T123] `
    const open = bytes[i] === 0x5b ? i + 1 : bytes[i] === 0x20 && bytes[i + 1] === 0x5b ? i + 2 : 0;
    if (open > 0 && !(open === i + 2 && isAddress(bytes, open))) {
      i = open;
      while (bytes[i] === 0x20 && i < open + 8) i++;
      const name = i;
      if (bytes[i] !== 0x54 && bytes[i] !== 0x43) return -1; // T, C
      i++;
      let id = 0;
      for (; isDigit(bytes[i]!); i++) id = id * 10 + bytes[i]! - 0x30;
      if (i - name < 2 || i - name > 11 || bytes[i] !== 0x5d) return -1;
      // the same number may be written with zeroes before it
      this.caller = i - name > 8 ? bytes.toString('latin1', name, i) : this.callerOf(id * 32 + (i - name) * 2, name, i);
      i++;
    }
    return bytes[i] === 0x20 ? i + 1 : -1;
  }

  /** @param id of the digits and how many they are, even */
  private callerOf(id: number, from: number, to: number): string {
    const key = this.bytes[from] === 0x54 ? id : id + 1;
    let caller = this.callers.get(key);
    if (caller === undefined) {
      caller = this.bytes.toString('latin1', from, to);
      if (this.callers.size >= 4096) this.callers.clear();
      this.callers.set(key, caller);
    }
    return caller;
  }
}

/** The text of a message; null: a further prefix may begin it, or something else may be meant in it. */
function message(bytes: Buffer, at: number, newline: number): string | null {
  const last = bytes[newline - 1] === 0x0d ? newline - 1 : newline;
  if (at >= last || !beginsMessage(bytes, at) || !isMessage(bytes, at, last)) return null;
  return bytes.toString('latin1', at, last);
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

/** Whether what follows a bracket begins an address, `[<ffff...` or `[c000...`: of a frame, not of a prefix. */
function isAddress(bytes: Buffer, at: number): boolean {
  const c = bytes[at]!;
  return c === 0x3c || (c >= 0x61 && c <= 0x66);
}

/** How prefixes begin that may follow: the days and months of a date, syslog's facilities, the tag `kernel`. */
const prefixes: ReadonlySet<number> = new Set(
  [
    ...['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
    ...['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
    ...['ker', 'use', 'mai', 'dae', 'aut', 'sys', 'lpr', 'new', 'uuc', 'cro', 'ftp', 'loc'],
  ].map((word) => (word.charCodeAt(0) << 16) | (word.charCodeAt(1) << 8) | word.charCodeAt(2)),
);

/** Whether no further prefix can begin at `bytes[at]`: a stamp, a date, a level, a tag. */
function beginsMessage(bytes: Buffer, at: number): boolean {
  const c = bytes[at]!;
  if (c === 0x20) {
    let i = at + 1;
    while (bytes[i] === 0x20) i++;
    if (bytes[i] === 0x5b) return isAddress(bytes, i + 1);
    return bytes[i] !== 0x6b && !(i === at + 1 && bytes[i] === 0x28);
  }
  if (c === 0x63 && isDigit(bytes[at + 1]!)) return false; // c1 123
  if ((c >= 0x41 && c <= 0x57) || (c >= 0x61 && c <= 0x7a))
    return !prefixes.has((c << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!);
  if (isDigit(c)) {
    let i = at + 1;
    while (isDigit(bytes[i]!)) i++;
    return bytes[i] !== 0x2d && bytes[i] !== 0x2e && bytes[i] !== 0x3a; // - . :
  }
  if (c === 0x3c) return !isDigit(bytes[at + 1]!);
  if (c === 0x5b) return isAddress(bytes, at + 1);
  return c === 0x58 || (c >= 0x2b && c <= 0x2f) || c === 0x5f || c === 0x23 || c === 0x3d;
}

/** Whether nothing in `bytes[from, to)` may be another stamp, a tag, a fragment, a part of pstore's, or no ASCII. */
function isMessage(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const c = bytes[i]!;
    if (c > 0x5d) {
      if (c >= 0x80) return false;
      continue;
    }
    switch (c) {
      case 0x5d: // ] of a stamp
        if (bytes[i - 7] === 0x2e && isDigit(bytes[i - 1]!)) return false;
        break;
      case 0x3a: // kernel:
        if (bytes[i - 1] === 0x6c && bytes[i - 2] === 0x65) return false;
        break;
      case 0x3d: // ncfrag=
        if (bytes[i - 1] === 0x67 && bytes[i - 2] === 0x61) return false;
        break;
      case 0x23: // Panic#
        if (i > from && bytes[i - 1]! >= 0x61) return false;
        break;
      case 0x0d:
      case 0x1b:
        return false;
      default:
        break;
    }
  }
  return true;
}
