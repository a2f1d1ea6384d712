// A page of ftrace's ring buffer, written event by event as kernel/trace/ring_buffer.c does.

const header = 16;
const padding = 29;
const timeExtend = 30;
const timeStamp = 31;

export class TracePageWriter {
  private readonly start: bigint;
  private time: bigint;
  private readonly parts: Buffer[] = [];
  used = 0;

  /** @param start time of the page */
  constructor(start: bigint) {
    this.start = start;
    this.time = start;
  }

  /** An event; no further from the one before than 27 bits hold, or `extend` stands before it. */
  event(time: bigint, data: Uint8Array): void {
    const words = Math.ceil(data.length / 4);
    const content = Buffer.alloc(words * 4);
    content.set(data);
    const small = words <= 28;
    const head = this.head(small ? words : 0, time - this.time);
    if (small) this.put(head, content);
    else this.put(head, u32(words * 4 + 4), content);
    this.time = time;
  }

  /** Adds to the time. */
  extend(by: bigint): void {
    this.put(this.head(timeExtend, by & ((1n << 27n) - 1n)), u32(Number(by >> 27n)));
    this.time += by;
  }

  /** Sets the time. */
  absolute(time: bigint): void {
    this.put(this.head(timeStamp, time & ((1n << 27n) - 1n)), u32(Number((time >> 27n) & 0xffff_ffffn)));
    this.time = time;
  }

  /** An event that was taken back, of so many bytes. */
  discarded(time: bigint, size: number): void {
    this.put(this.head(padding, time - this.time), u32(size - 4), Buffer.alloc(size - 8));
    this.time = time;
  }

  /** What ends a page before it is full. */
  end(): void {
    this.put(this.head(padding, 0n));
  }

  /** The page, with its header. @param size at least */
  bytes(size = 0): Buffer {
    const head = Buffer.alloc(header);
    head.writeBigUInt64LE(this.start, 0);
    head.writeBigUInt64LE(BigInt(this.used), 8);
    const all = Buffer.concat([head, ...this.parts]);
    return Buffer.concat([all, Buffer.alloc(Math.max(0, size - all.length))]);
  }

  private head(kind: number, delta: bigint): Buffer {
    return u32(Number((delta & ((1n << 27n) - 1n)) * 32n + BigInt(kind)));
  }

  private put(...parts: readonly Buffer[]): void {
    for (const part of parts) {
      this.parts.push(part);
      this.used += part.length;
    }
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
