// A table in the dead kernel's memory that is too large to be read whole for a few of its entries: a window
// over it that reads a chunk at a time and tolerates holes. For readers that mostly go forward.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, type MemoryFault } from '../base/errors.ts';

/** Bytes read at a time: a few pages, so that a hole costs little beside it. */
const chunkSize = 16 * 1024;

export class MemoryWindow {
  /** Virtual address of the first byte. */
  readonly base: VirtAddr;
  /** Bytes. */
  readonly size: number;
  private readonly space: AddressSpace;
  private readonly what: string;
  private chunk: Uint8Array = new Uint8Array(0);
  private chunkStart = 0;
  private chunkFault: MemoryFault | null = null;

  /** @param what names the table in errors. Nothing is read yet. */
  constructor(space: AddressSpace, base: VirtAddr, size: number, what: string) {
    this.space = space;
    this.base = base;
    this.size = size;
    this.what = what;
  }

  /**
   * `length` bytes from `offset`; a view that is valid until the next read.
   * @throws FormatError when they are not all inside the table; MemoryFault when they cannot be read
   */
  bytes(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new FormatError(this.what, `${length} bytes at offset ${offset} are outside its ${this.size} bytes`);
    }
    if (offset >= this.chunkStart && offset + length <= this.chunkStart + this.chunk.length) {
      return this.chunk.subarray(offset - this.chunkStart, offset - this.chunkStart + length);
    }
    // a chunk that ended at a hole is not read again for every entry in the hole
    if (this.chunkFault !== null && offset >= this.chunkStart && inSamePage(this, offset)) throw this.chunkFault;
    const { bytes, fault } = this.space.readUpTo(
      offsetBy(this.base, offset),
      Math.max(length, Math.min(chunkSize, this.size - offset)),
    );
    this.chunk = bytes;
    this.chunkStart = offset;
    this.chunkFault = fault;
    if (bytes.length < length) throw fault ?? new FormatError(this.what, `offset ${offset} cannot be read`);
    return bytes.subarray(0, length);
  }

  /** The 16-bit unsigned number at `offset`. @throws as `bytes` */
  u16(offset: number): number {
    const b = this.bytes(offset, 2);
    return b[0]! | (b[1]! << 8);
  }

  /** The 32-bit unsigned number at `offset`. @throws as `bytes` */
  u32(offset: number): number {
    const b = this.bytes(offset, 4);
    return (b[0]! | (b[1]! << 8) | (b[2]! << 16) | (b[3]! << 24)) >>> 0;
  }

  /** The 64-bit unsigned number at `offset`. @throws as `bytes` */
  u64(offset: number): bigint {
    const low = this.u32(offset);
    return (BigInt(this.u32(offset + 4)) << 32n) | BigInt(low);
  }

  /** The fault that ended the chunk, if its page is the page of `offset`. */
  faultPage(): bigint | null {
    return this.chunkFault === null ? null : this.chunkFault.address / BigInt(this.space.memory.pageSize);
  }

  /** Page number of the byte at `offset`. */
  pageOf(offset: number): bigint {
    return offsetBy(this.base, offset) / BigInt(this.space.memory.pageSize);
  }
}

function inSamePage(window: MemoryWindow, offset: number): boolean {
  return window.faultPage() === window.pageOf(offset);
}
