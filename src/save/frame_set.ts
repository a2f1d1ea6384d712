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
    return (this.bytes[Math.floor(frame / 8)]! & (1 << (frame & 7))) !== 0;
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
    if (isIn) this.bytes[Math.floor(frame / 8)]! |= bit;
    else this.bytes[Math.floor(frame / 8)]! &= ~bit;
  }

  /** How many of [from, to) are in. */
  count(from = 0, to = this.length): number {
    const { bytes } = this;
    const start = Math.max(0, from);
    const end = Math.min(to, this.length);
    if (start >= end) return 0;
    const firstByte = Math.floor(start / 8);
    const lastByte = Math.floor((end - 1) / 8);
    let sum = 0;
    for (let i = firstByte; i <= lastByte; i++) sum += bitsIn[bytes[i]!]!;
    const before = bytes[firstByte]! & ((1 << (start & 7)) - 1);
    const behind = (bytes[lastByte]! >> (((end - 1) & 7) + 1)) & 0xff;
    return sum - bitsIn[before]! - bitsIn[behind]!;
  }

  /** Runs of frames that are in, of those in [from, to): ascending and apart. */
  *runs(from = 0, to = this.length): Generator<PageRun> {
    const { bytes } = this;
    const end = Math.min(to, this.length);
    const endByte = Math.ceil(end / 8);
    let first = -1; // of the run that is open
    for (let at = Math.max(0, from); at < end; ) {
      const same = first < 0 ? 0 : 0xff;
      let byte = Math.floor(at / 8);
      // bits that differ from those before
      let changes = (bytes[byte]! ^ same) & (0xff << (at & 7));
      while (changes === 0 && ++byte < endByte) changes = bytes[byte]! ^ same;
      if (changes === 0) break;
      at = byte * 8 + 31 - Math.clz32(changes & -changes);
      if (at >= end) break;
      if (first < 0) first = at;
      else {
        yield { first: pfn(first), count: at - first };
        first = -1;
      }
    }
    if (first >= 0) yield { first: pfn(first), count: end - first };
  }
}

/** Bits that are set in a byte. */
const bitsIn = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);
