// The bytes of one section, never held as a whole unless they are few: a vmlinux has hundreds of megabytes of them.
// Short reads go through a small cache of windows, since what is looked up lies close together.
import { FormatError } from '../../base/errors.ts';

const windowSize = 1 << 16;
/** Windows kept, by the low bits of their numbers: 2 MB at most. */
const windowSlots = 32;
/** Longest read that is served from a window. */
const shortRead = 4096;
/** Longest text: names of Rust's symbols and paths are shorter. */
const maxText = 1 << 16;

/** Fills `into` with the bytes from `offset` on; asked for no byte outside of the section. */
export type Fetch = (offset: number, into: Uint8Array) => void;

export class SectionBytes {
  /** For messages: `.debug_info of vmlinux`. */
  readonly what: string;
  /** Bytes; offsets run from 0 to this. */
  readonly size: number;
  private readonly fetch: Fetch;
  private readonly release: () => void;
  private readonly windows: (Uint8Array | undefined)[] = new Array(windowSlots);
  private readonly windowNumbers = new Float64Array(windowSlots).fill(-1);

  /** @param release called when the file is closed */
  constructor(what: string, size: number, fetch: Fetch, release: () => void = () => {}) {
    this.what = what;
    this.size = size;
    this.fetch = fetch;
    this.release = release;
  }

  /** A section whose bytes are at hand. */
  static of(what: string, bytes: Uint8Array): SectionBytes {
    return new SectionBytes(what, bytes.length, (offset, into) =>
      into.set(bytes.subarray(offset, offset + into.length)),
    );
  }

  /** Two sections as one: offsets of the second follow those of the first. */
  static joined(first: SectionBytes, second: SectionBytes): SectionBytes {
    const fetch: Fetch = (offset, into) => {
      const before = Math.min(into.length, Math.max(0, first.size - offset));
      if (before > 0) first.fetch(offset, into.subarray(0, before));
      if (before < into.length) second.fetch(offset + before - first.size, into.subarray(before));
    };
    return new SectionBytes(first.what, first.size + second.size, fetch);
  }

  /** A section whose offsets are counted from `base`, a multiple of 2^16: nothing lies before it. */
  static shifted(section: SectionBytes, base: number): SectionBytes {
    return new SectionBytes(section.what, base + section.size, (offset, into) => {
      const gap = Math.min(into.length, Math.max(0, base - offset));
      into.fill(0, 0, gap);
      if (gap < into.length) section.fetch(offset + gap - base, into.subarray(gap));
    });
  }

  /** `length` bytes at `offset`; to be looked at, not changed. @throws FormatError outside of the section */
  read(offset: number, length: number): Uint8Array {
    if (!(offset >= 0) || !(length >= 0) || offset + length > this.size) {
      throw new FormatError(
        this.what,
        `needs ${length} bytes at offset 0x${offset.toString(16)}, has 0x${this.size.toString(16)} in all`,
      );
    }
    if (length <= shortRead) {
      const start = offset % windowSize;
      if (start + length <= windowSize) return this.window(offset - start).subarray(start, start + length);
    }
    const bytes = new Uint8Array(length);
    this.fetch(offset, bytes);
    return bytes;
  }

  /** The bytes from `offset` on, at most `length`: less where the section ends; none outside of it. */
  readUpTo(offset: number, length: number): Uint8Array {
    if (!(offset >= 0) || offset >= this.size) return new Uint8Array(0);
    return this.read(offset, Math.min(length, this.size - offset));
  }

  /** As `readUpTo`, past the windows: for reads that nothing near follows. */
  readOnce(offset: number, length: number): Uint8Array {
    if (!(offset >= 0) || offset >= this.size) return new Uint8Array(0);
    const bytes = new Uint8Array(Math.min(length, this.size - offset));
    this.fetch(offset, bytes);
    return bytes;
  }

  /** Text up to a NUL, as Latin-1. @throws FormatError outside of the section */
  text(offset: number): string {
    for (let length = 64; ; length *= 16) {
      const bytes = this.read(offset, Math.min(length, this.size - offset));
      const nul = bytes.indexOf(0);
      if (nul >= 0) return Buffer.from(bytes.buffer, bytes.byteOffset, nul).toString('latin1');
      if (bytes.length < length || length >= maxText) return Buffer.from(bytes).toString('latin1');
    }
  }

  close(): void {
    this.release();
  }

  private window(start: number): Uint8Array {
    const number = start / windowSize;
    const slot = number % windowSlots;
    let bytes = this.windows[slot];
    if (bytes === undefined || this.windowNumbers[slot] !== number) {
      bytes = new Uint8Array(Math.min(windowSize, this.size - start));
      this.windowNumbers[slot] = -1; // a fetch that throws leaves nothing behind
      this.fetch(start, bytes);
      this.windows[slot] = bytes;
      this.windowNumbers[slot] = number;
    }
    return bytes;
  }
}
