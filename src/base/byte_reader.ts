// A checked reader over bytes that came from outside. Reading past the end throws a FormatError that
// names the thing being read, never returns `undefined`, and never reads a neighbour's bytes.
import { FormatError } from './errors.ts';

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly what: string;
  readonly littleEndian: boolean;
  /** Offset of the next byte to be read, in bytes from the start of `bytes`. */
  offset: number;
  private readonly view: DataView;

  /**
   * @param what names the thing being read in errors, for example `kdump sub header`
   * @param littleEndian byte order of everything read
   */
  constructor(bytes: Uint8Array, what: string, littleEndian = true, offset = 0) {
    this.what = what;
    this.littleEndian = littleEndian;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    return this.view.getUint8(this.advance(1));
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), this.littleEndian);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), this.littleEndian);
  }

  i32(): number {
    return this.view.getInt32(this.advance(4), this.littleEndian);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.advance(8), this.littleEndian);
  }

  i64(): bigint {
    return this.view.getBigInt64(this.advance(8), this.littleEndian);
  }

  /** A u64 that must be exact as a number: sizes, file offsets, physical addresses. Throws above 2^53-1. */
  size64(): number {
    const at = this.offset;
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new FormatError(this.what, `value 0x${value.toString(16)} at offset ${at} is out of range`);
    }
    return Number(value);
  }

  /** A view, not a copy, of the next `length` bytes. */
  take(length: number): Uint8Array {
    const at = this.advance(length);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.advance(length);
  }

  /** Moves past `length` bytes and returns where they start. */
  private advance(length: number): number {
    const at = this.offset;
    if (!(length >= 0) || at < 0 || at + length > this.bytes.length) {
      throw new FormatError(this.what, `needs ${length} bytes at offset ${at}, has ${this.bytes.length} in all`);
    }
    this.offset = at + length;
    return at;
  }
}

/** Text up to the first NUL (or the end), as Latin-1 so that every byte survives. */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const part = bytes.subarray(start, end);
  const nul = part.indexOf(0);
  return Buffer.from(part.buffer, part.byteOffset, nul < 0 ? part.length : nul).toString('latin1');
}
