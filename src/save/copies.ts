// Finds copies of many byte strings at once: a table tells of the three bytes at each place whether any string begins so.
//
//   bytes --hash of 3--> table (1 MiB): none begins so --> next byte
//                                       some do        --> by the first 4 bytes: those strings, compared

const tableBits = 20;
/** Shorter strings cannot be told from what only looks like them. */
export const shortestCopied = 8;

export class CopyFinder {
  private readonly table = new Uint8Array(1 << tableBits);
  private readonly byStart = new Map<number, Uint8Array[]>();
  private longest = 0;
  private tail = new Uint8Array(0);

  /** @param strings of at least `shortestCopied` bytes: shorter ones are left out */
  constructor(strings: Iterable<Uint8Array>) {
    const seen = new Set<string>();
    for (const string of strings) {
      const text = Buffer.from(string).toString('latin1');
      if (string.length < shortestCopied || seen.has(text)) continue;
      seen.add(text);
      this.table[hash(string[0]!, string[1]!, string[2]!)] = 1;
      const start = startOf(string, 0);
      const alike = this.byStart.get(start);
      if (alike === undefined) this.byStart.set(start, [string]);
      else alike.push(string);
      this.longest = Math.max(this.longest, string.length);
    }
  }

  /** How many strings there are. */
  get count(): number {
    let sum = 0;
    for (const alike of this.byStart.values()) sum += alike.length;
    return sum;
  }

  /**
   * Finds them in a window of memory.
   * @param follows whether it follows the window before: strings may begin there and end here
   * @param found told of each: its offset, below 0 if it began before, and its length
   */
  find(bytes: Uint8Array, follows: boolean, found: (offset: number, length: number) => void): void {
    if (this.longest === 0) return;
    const overlap = this.longest - 1;
    if (follows && this.tail.length > 0) {
      const { length } = this.tail;
      const joint = new Uint8Array(length + Math.min(overlap, bytes.length));
      joint.set(this.tail);
      joint.set(bytes.subarray(0, overlap), length);
      this.search(joint, length, (offset, size) => {
        if (offset + size > length) found(offset - length, size);
      });
    }
    this.search(bytes, bytes.length, found);
    this.tail = bytes.slice(Math.max(0, bytes.length - overlap));
  }

  /** @param limit strings begin below it */
  private search(bytes: Uint8Array, limit: number, found: (offset: number, length: number) => void): void {
    const { table, byStart } = this;
    const end = Math.min(limit, bytes.length - shortestCopied + 1);
    for (let i = 0; i < end; i++) {
      if (table[hash(bytes[i]!, bytes[i + 1]!, bytes[i + 2]!)] === 0) continue;
      const alike = byStart.get(startOf(bytes, i));
      if (alike === undefined) continue;
      for (const string of alike) if (isAt(bytes, i, string)) found(i, string.length);
    }
  }
}

function hash(a: number, b: number, c: number): number {
  return Math.imul(a | (b << 8) | (c << 16), 0x9e37_79b1) >>> (32 - tableBits);
}

function startOf(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function isAt(bytes: Uint8Array, at: number, string: Uint8Array): boolean {
  if (at + string.length > bytes.length) return false;
  for (let i = 4; i < string.length; i++) if (bytes[at + i] !== string[i]) return false;
  return true;
}
