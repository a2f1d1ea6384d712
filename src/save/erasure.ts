// Bytes of memory that are written over when a dump is saved, by physical address, and what the dump says of that.

/** What is written instead, as makedumpfile does: X. */
const filler = 0x58;

/** As plain data, for threads: [start, end) pairs, ascending and apart. */
export type EraseRanges = SharedArrayBuffer;

export interface Erasure {
  readonly ranges: EraseRanges;
  /** Erase information: a line for each thing that is gone, `erase WHAT size BYTES`. */
  readonly info: string;
}

/** Gathers what is to be erased. */
export class ErasureBuilder {
  private readonly pairs: [start: number, end: number][] = [];
  private readonly lines: string[] = [];

  /** Bytes [start, end) of physical memory. */
  add(start: number, end: number): void {
    if (end > start) this.pairs.push([start, end]);
  }

  /** Says what was erased. */
  say(line: string): void {
    this.lines.push(line);
  }

  done(): Erasure {
    const sorted = this.pairs.sort(([a], [b]) => a - b);
    const merged: number[] = [];
    for (const [start, end] of sorted) {
      const last = merged.length - 1;
      if (last >= 0 && start <= merged[last]!) merged[last] = Math.max(merged[last]!, end);
      else merged.push(start, end);
    }
    const ranges = new SharedArrayBuffer(merged.length * 8);
    new Float64Array(ranges).set(merged);
    return { ranges, info: this.lines.map((line) => `${line}\n`).join('') };
  }
}

/** Erases ranges from pages as they pass. */
export class Eraser {
  private readonly ranges: Float64Array;

  constructor(ranges: EraseRanges) {
    this.ranges = new Float64Array(ranges);
  }

  /** Overwrites what of the ranges is in `bytes`, which lie at a physical address. */
  apply(address: number, bytes: Uint8Array): void {
    const { ranges } = this;
    const end = address + bytes.length;
    let low = 0; // the first pair that ends behind the address
    for (let high = ranges.length / 2; low < high; ) {
      const middle = (low + high) >>> 1;
      if (ranges[2 * middle + 1]! <= address) low = middle + 1;
      else high = middle;
    }
    for (let i = low; 2 * i < ranges.length && ranges[2 * i]! < end; i++) {
      bytes.fill(filler, Math.max(0, ranges[2 * i]! - address), Math.min(bytes.length, ranges[2 * i + 1]! - address));
    }
  }
}
