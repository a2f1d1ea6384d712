// A flattened stream (see `flattened.ts`) as it comes, put in order: each record's bytes go where they belong.
import { readSync } from 'node:fs';
import { FormatError, messageOf } from '../base/errors.ts';
import { probeFlattened } from '../dump/flattened.ts';
import type { Output } from './output.ts';

const streamStart = 4096;
const recordHeader = 16;
/** Bytes read at a time. */
const atOnce = 1 << 20;

/**
 * Writes the file that a stream describes.
 * @param descriptor where the stream is read, up to its end mark
 * @throws FormatError for what is no flattened stream, or is cut; what came until then has been written. OutputError
 */
export function rearrange(descriptor: number, output: Output): void {
  const stream = new Stream(descriptor);
  const head = stream.take(streamStart);
  if (head === null || !probeFlattened(head)) throw new FormatError('standard input', 'is not a flattened dump');
  for (;;) {
    const record = stream.take(recordHeader);
    if (record === null) throw new FormatError('standard input', 'ends before the end mark: the rest is missing');
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
    const [offset, size] = [view.getBigInt64(0), view.getBigInt64(8)];
    if (offset === -1n && size === -1n) return;
    if (offset < 0n || size < 0n || offset + size > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new FormatError('standard input', `has an impossible record of ${size} bytes at ${offset}`);
    }
    let at = Number(offset);
    for (let left = Number(size); left > 0; ) {
      const bytes = stream.some(left);
      if (bytes === null) throw new FormatError('standard input', 'ends within a record: the rest is missing');
      output.write(at, bytes);
      at += bytes.length;
      left -= bytes.length;
    }
  }
}

/** Bytes from a descriptor that cannot seek. Views are valid until the next call. */
class Stream {
  private readonly descriptor: number;
  private readonly room = new Uint8Array(atOnce);
  private start = 0;
  private end = 0;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** Exactly so many bytes; null if the stream ends before. */
  take(length: number): Uint8Array | null {
    if (this.end - this.start < length) {
      this.room.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
      while (this.end < length) if (!this.fill()) return null;
    }
    this.start += length;
    return this.room.subarray(this.start - length, this.start);
  }

  /** At least one byte and at most so many; null at the end. */
  some(most: number): Uint8Array | null {
    if (this.start === this.end) {
      this.start = this.end = 0;
      if (!this.fill()) return null;
    }
    const length = Math.min(most, this.end - this.start);
    this.start += length;
    return this.room.subarray(this.start - length, this.start);
  }

  private fill(): boolean {
    for (;;) {
      try {
        const got = readSync(this.descriptor, this.room, this.end, this.room.length - this.end, null);
        this.end += got;
        return got > 0;
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : null;
        if (code === 'EOF') return false;
        if (code !== 'EAGAIN') throw new FormatError('standard input', messageOf(error));
        Atomics.wait(pause, 0, 0, 5); // its writer is slow
      }
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
