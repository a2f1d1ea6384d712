// What a machine sent and is not in its files yet: bytes, since strings that live for a while cost the garbage collector more
// than these do.

const smallest = 2048;
/** A buffer that grew larger is given back when it is emptied. */
const kept = 64 * 1024;

/** Whole lines, one after the other. */
export class PendingLines {
  length = 0;
  private buffer: Buffer = Buffer.allocUnsafeSlow(smallest);

  add(text: string): void {
    // UTF-8 takes three bytes a UTF-16 unit at most
    this.makeRoom(text.length * 3);
    this.length += this.buffer.write(text, this.length);
  }

  /** The buffer, with room for so many bytes from `length` on. Who writes there moves `length`. */
  room(bytes: number): Buffer {
    if (this.length + bytes > this.buffer.length) this.makeRoom(bytes);
    return this.buffer;
  }

  private makeRoom(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }

  /** Valid until more is added. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
    if (this.buffer.length > kept) this.buffer = Buffer.allocUnsafeSlow(smallest);
  }
}
