// Bytes of memory that are written over when a dump is saved, by physical address, and what the dump says of that.

/** What is written instead, as makedumpfile does: X. */
const filler = 0x58;

/** As plain data, for threads: [start, end) pairs, ascending and apart. */
export type EraseRanges = SharedArrayBuffer;

export interface Erasure {
  /** What is written over with X, and what with zeroes. */
  readonly ranges: readonly [filled: EraseRanges, nulled: EraseRanges];
  /** Erase information: a line for each thing that is gone, `erase WHAT size BYTES`. */
  readonly info: string;
}

/** Gathers what is to be erased. */
export class ErasureBuilder {
  private readonly filled: [start: number, end: number][] = [];
  private readonly nulled: [start: number, end: number][] = [];
  private readonly lines: string[] = [];

  /** Bytes [start, end) of physical memory. */
  add(start: number, end: number): void {
    if (end > start) this.filled.push([start, end]);
  }

  /** The same, to become zeroes: pointers. */
  addNull(start: number, end: number): void {
    if (end > start) this.nulled.push([start, end]);
  }

  /** Says what was erased. */
  say(line: string): void {
    this.lines.push(line);
  }

  done(): Erasure {
    const info = this.lines.map((line) => `${line}\n`).join('');
    return { ranges: [merged(this.filled), merged(this.nulled)], info };
  }
}

function merged(pairs: [start: number, end: number][]): EraseRanges {
  const joined: number[] = [];
  for (const [start, end] of pairs.sort(([a], [b]) => a - b)) {
    const last = joined.length - 1;
    if (last >= 0 && start <= joined[last]!) joined[last] = Math.max(joined[last]!, end);
    else joined.push(start, end);
  }
  const ranges = new SharedArrayBuffer(joined.length * 8);
  new Float64Array(ranges).set(joined);
  return ranges;
}

/** Erases ranges from pages as they pass. */
export class Eraser {
  private readonly filled: Float64Array;
  private readonly nulled: Float64Array;

  constructor([filled, nulled]: Erasure['ranges']) {
    this.filled = new Float64Array(filled);
    this.nulled = new Float64Array(nulled);
  }

  /** Overwrites what of the ranges is in `bytes`, which lie at a physical address. */
  apply(address: number, bytes: Uint8Array): void {
    fill(this.filled, address, bytes, filler);
    fill(this.nulled, address, bytes, 0);
  }
}

function fill(ranges: Float64Array, address: number, bytes: Uint8Array, value: number): void {
  const end = address + bytes.length;
  let low = 0; // the first pair that ends behind the address
  for (let high = ranges.length / 2; low < high; ) {
    const middle = (low + high) >>> 1;
    if (ranges[2 * middle + 1]! <= address) low = middle + 1;
    else high = middle;
  }
  for (let i = low; 2 * i < ranges.length && ranges[2 * i]! < end; i++) {
    bytes.fill(value, Math.max(0, ranges[2 * i]! - address), Math.min(bytes.length, ranges[2 * i + 1]! - address));
  }
}
