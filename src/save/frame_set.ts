// A set of page frames: one bit each, the lowest bit of a byte first, as the bitmaps of kdump-compressed dumps have them.
// In shared memory, so that threads see it without a copy.
import { pfn } from '../base/address.ts';
import type { PageRun } from '../dump/dump.ts';

export class FrameSet {
  /** Page frames are below this. */
  readonly length: number;
  /** The bits, and nothing behind the last. */
  readonly bytes: Uint8Array;

  /** @param memory bits of a set that another thread made */
  constructor(length: number, memory: SharedArrayBuffer = new SharedArrayBuffer(Math.ceil(length / 8))) {
    this.length = length;
    this.bytes = new Uint8Array(memory);
  }

  copy(): FrameSet {
    const copy = new FrameSet(this.length);
    copy.bytes.set(this.bytes);
    return copy;
  }

  has(frame: number): boolean {
    return (this.bytes[frame >>> 3]! & (1 << (frame & 7))) !== 0;
  }

  /** Adds, or takes out, the frames [first, first + count), as far as they are below the length. */
  set(first: number, count: number, isIn: boolean): void {
    const { bytes } = this;
    const end = Math.min(first + count, this.length);
    let at = Math.max(0, first);
    while (at < end && at % 8 !== 0) this.put(at++, isIn);
    const whole = at + Math.floor(Math.max(0, end - at) / 8) * 8;
    if (whole > at) bytes.fill(isIn ? 0xff : 0, at / 8, whole / 8);
    for (at = Math.max(at, whole); at < end; at++) this.put(at, isIn);
  }

  private put(frame: number, isIn: boolean): void {
    const bit = 1 << (frame & 7);
    if (isIn) this.bytes[frame >>> 3]! |= bit;
    else this.bytes[frame >>> 3]! &= ~bit;
  }

  /** How many of [from, to) are in. */
  count(from = 0, to = this.length): number {
    let sum = 0;
    for (const { count } of this.runs(from, to)) sum += count;
    return sum;
  }

  /** Runs of frames that are in, of those in [from, to): ascending and apart. */
  *runs(from = 0, to = this.length): Generator<PageRun> {
    const { bytes } = this;
    const end = Math.min(to, this.length);
    let first = -1; // of the run that is open
    for (let at = Math.max(0, from); at < end; ) {
      const byte = bytes[at >>> 3]!;
      if (at % 8 === 0 && byte === (first < 0 ? 0 : 0xff)) {
        at += 8; // nothing changes in it
        continue;
      }
      const isIn = (byte & (1 << (at & 7))) !== 0;
      if (isIn && first < 0) first = at;
      else if (!isIn && first >= 0) {
        yield { first: pfn(first), count: at - first };
        first = -1;
      }
      at++;
    }
    if (first >= 0) yield { first: pfn(first), count: end - first };
  }
}
