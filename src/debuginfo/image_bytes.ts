// A stretch of the kernel's image read at once, for those who search it.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';

/** The reading ends behind this much memory that cannot be read: the image is over. */
const maxGap = 16 * 1024 * 1024;
const windowSize = 1024 * 1024;

export class ImageBytes {
  readonly start: VirtAddr;
  /** What cannot be read is zeroes. */
  readonly bytes: Uint8Array;

  private constructor(start: VirtAddr, bytes: Uint8Array) {
    this.start = start;
    this.bytes = bytes;
  }

  /** @param start a multiple of 8; @param length bytes at most */
  static read(space: AddressSpace, start: VirtAddr, length: number): ImageBytes {
    const { pageSize } = space.memory;
    const windows: Uint8Array[] = [];
    let end = 0;
    let gap = 0;
    for (let at = 0; at < length && gap < maxGap; at += windowSize) {
      const size = Math.min(windowSize, length - at);
      const window = new Uint8Array(size);
      let known = 0;
      for (let done = 0; done < size; ) {
        // by whole windows while nothing is missing, by pages where something is
        const page = pageSize - Number((start + BigInt(at + done)) & BigInt(pageSize - 1));
        const length = done === 0 ? size : Math.min(page, size - done);
        const { bytes, fault } = space.readUpTo(offsetBy(start, at + done), length);
        window.set(bytes, done);
        known += bytes.length;
        done += bytes.length;
        if (fault !== null) done += pageSize - Number((start + BigInt(at + done)) & BigInt(pageSize - 1));
      }
      gap = known > 0 ? 0 : gap + size;
      windows.push(window);
      if (known > 0) end = at + size;
    }
    const bytes = new Uint8Array(end);
    for (const [i, window] of windows.entries()) {
      if (i * windowSize < end) bytes.set(window, i * windowSize);
    }
    return new ImageBytes(start, bytes);
  }

  /** Offsets at which bytes occur, ascending. */
  *occurrences(wanted: Uint8Array): Iterable<number> {
    const buffer = Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    for (let at = buffer.indexOf(wanted); at >= 0; at = buffer.indexOf(wanted, at + 1)) yield at;
  }

  holds(address: VirtAddr): boolean {
    return address >= this.start && address < this.start + BigInt(this.bytes.length);
  }

  address(offset: number): VirtAddr {
    return offsetBy(this.start, offset);
  }
}
