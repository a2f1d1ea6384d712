// Reading DWARF's encodings out of bytes at hand, fast: one position that moves, no objects. Reads past the end give
// zeroes and leave the position behind the end, where `check` finds it: loops over entries check once an entry.
import { FormatError } from '../../base/errors.ts';
import { form } from './constants.ts';

/** How a unit writes numbers that are not of one width everywhere. */
export interface Widths {
  readonly version: number;
  /** Bytes in an address: 8, or 4. */
  readonly addressSize: number;
  /** Bytes in an offset into another section: 4, or 8 in the 64-bit format. */
  readonly offsetSize: number;
}

export class Cursor {
  readonly bytes: Uint8Array;
  /** Of the next byte, from the start of `bytes`. */
  at: number;
  private readonly what: string;
  private readonly view: DataView;

  /** @param what names what is read, for messages */
  constructor(bytes: Uint8Array, what: string, at = 0) {
    this.bytes = bytes;
    this.what = what;
    this.at = at;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws FormatError if the position is behind the end: what was read last is not there */
  check(): void {
    if (this.at > this.bytes.length || this.at < 0)
      throw new FormatError(this.what, `is cut at 0x${this.bytes.length.toString(16)}`);
  }

  get atEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  u8(): number {
    return this.bytes[this.at++] ?? 0;
  }

  i8(): number {
    return (this.u8() << 24) >> 24;
  }

  u16(): number {
    const at = this.at;
    this.at = at + 2;
    return this.at <= this.bytes.length ? this.view.getUint16(at, true) : 0;
  }

  u24(): number {
    const low = this.u16();
    return low | (this.u8() << 16);
  }

  u32(): number {
    const at = this.at;
    this.at = at + 4;
    return this.at <= this.bytes.length ? this.view.getUint32(at, true) : 0;
  }

  u64(): bigint {
    const at = this.at;
    this.at = at + 8;
    return this.at <= this.bytes.length ? this.view.getBigUint64(at, true) : 0n;
  }

  /** A section offset or length: exact, or larger than any file. */
  offset(width: number): number {
    if (width === 4) return this.u32();
    const low = this.u32();
    return low + this.u32() * 2 ** 32;
  }

  /** An address as a signed number (see address.ts). */
  address(width: number): number {
    if (width === 4) return this.u32();
    const low = this.u32();
    return low + (this.u32() | 0) * 2 ** 32;
  }

  /** An unsigned LEB128. Above 2^53 it is not exact; see `uleb64`. */
  uleb(): number {
    let byte = this.u8();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    for (let i = 0; i < 9 && byte >= 0x80; i++) {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    }
    return value;
  }

  /** A signed LEB128. Beyond 53 bits it is not exact; see `sleb64`. */
  sleb(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) return (byte & 0x40) !== 0 ? value - scale : value;
    }
    return value;
  }

  uleb64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return BigInt.asUintN(64, value);
  }

  sleb64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (byte & 0x40) !== 0 ? value - (1n << (shift + 7n)) : value);
    }
    return BigInt.asIntN(64, value);
  }

  skipLeb(): void {
    while (this.u8() >= 0x80);
  }

  /** Bytes as a view, cut where they end. */
  take(length: number): Uint8Array {
    const start = this.at;
    this.at = start + length;
    return this.bytes.subarray(start, this.at);
  }

  /** Text up to a NUL, as Latin-1. */
  text(): string {
    const start = Math.min(this.at, this.bytes.length);
    let end = this.bytes.indexOf(0, start);
    if (end < 0) end = this.bytes.length;
    this.at = end + 1;
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, end - start).toString('latin1');
  }

  skipText(): void {
    const end = this.bytes.indexOf(0, this.at);
    this.at = end < 0 ? this.bytes.length + 1 : end + 1;
  }

  /** The length that an unit begins with, and the width of offsets in it: 4, or 8 after the mark 0xffffffff. */
  initialLength(): { length: number; width: number } {
    const length = this.u32();
    if (length !== 0xffff_ffff) return { length, width: 4 };
    return { length: this.offset(8), width: 8 };
  }

  /** Moves past a value. @throws FormatError for a form that no version has */
  skip(of: number, widths: Widths): void {
    const size = fixedSize(of, widths);
    if (size >= 0) {
      this.at += size;
      return;
    }
    switch (of) {
      case form.udata:
      case form.sdata:
      case form.refUdata:
      case form.strx:
      case form.addrx:
      case form.loclistx:
      case form.rnglistx:
      case form.gnuAddrIndex:
      case form.gnuStrIndex:
        this.skipLeb();
        return;
      case form.string:
        this.skipText();
        return;
      case form.exprloc:
      case form.block: {
        const length = this.uleb();
        this.at += length;
        return;
      }
      case form.block1: {
        const length = this.u8();
        this.at += length;
        return;
      }
      case form.block2: {
        const length = this.u16();
        this.at += length;
        return;
      }
      case form.block4: {
        const length = this.u32();
        this.at += length;
        return;
      }
      case form.indirect: {
        const inner = this.uleb();
        if (inner === form.indirect) throw new FormatError(this.what, 'an indirect form that is indirect');
        this.skip(inner, widths);
        return;
      }
      default:
        throw new FormatError(this.what, `unknown form 0x${of.toString(16)}`);
    }
  }
}

/** Bytes of a value of this form; -1 where that is not the same for all values. */
export function fixedSize(of: number, widths: Widths): number {
  switch (of) {
    case form.flagPresent:
    case form.implicitConst:
      return 0;
    case form.data1:
    case form.ref1:
    case form.flag:
    case form.strx1:
    case form.addrx1:
      return 1;
    case form.data2:
    case form.ref2:
    case form.strx2:
    case form.addrx2:
      return 2;
    case form.strx3:
    case form.addrx3:
      return 3;
    case form.data4:
    case form.ref4:
    case form.strx4:
    case form.addrx4:
    case form.refSup4:
      return 4;
    case form.data8:
    case form.ref8:
    case form.refSig8:
    case form.refSup8:
      return 8;
    case form.data16:
      return 16;
    case form.addr:
      return widths.addressSize;
    case form.strp:
    case form.lineStrp:
    case form.secOffset:
    case form.strpSup:
    case form.gnuStrpAlt:
    case form.gnuRefAlt:
      return widths.offsetSize;
    case form.refAddr:
      return widths.version <= 2 ? widths.addressSize : widths.offsetSize;
    default:
      return -1;
  }
}
