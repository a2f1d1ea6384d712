// A growing row of bytes with numbers in it, of either byte order.
export class ByteWriter {
  private bytes = new Uint8Array(256);
  private view = new DataView(this.bytes.buffer);
  private readonly littleEndian: boolean;
  length = 0;

  constructor(littleEndian = true) {
    this.littleEndian = littleEndian;
  }

  u8(value: number): this {
    this.view.setUint8(this.grow(1), value);
    return this;
  }

  u16(value: number): this {
    const at = this.grow(2);
    this.view.setUint16(at, value, this.littleEndian);
    return this;
  }

  u32(value: number): this {
    const at = this.grow(4);
    this.view.setUint32(at, value, this.littleEndian);
    return this;
  }

  /** Also i64: negative numbers wrap. */
  u64(value: number | bigint): this {
    const at = this.grow(8);
    this.view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), this.littleEndian);
    return this;
  }

  put(bytes: Uint8Array): this {
    const at = this.grow(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }

  /** Text in a field of `size` bytes, the rest zeroes. */
  text(text: string, size: number): this {
    const bytes = Buffer.from(text, 'latin1').subarray(0, size);
    return this.put(bytes).zeroes(size - bytes.length);
  }

  zeroes(count: number): this {
    this.grow(count);
    return this;
  }

  /** Zeroes up to an offset. */
  padTo(offset: number): this {
    if (offset < this.length) throw new Error(`${this.length} bytes already, cannot pad to ${offset}`);
    return this.zeroes(offset - this.length);
  }

  align(size: number): this {
    return this.padTo(Math.ceil(this.length / size) * size);
  }

  done(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  private grow(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }
}
