// Call frame information (DWARF 5, section 6.4): for each address of code, where the caller's registers are. In
// .debug_frame, or in .eh_frame, which writes the same a little differently (LSB 5.0, chapter 10.6).
//
//   CIE: what many functions have in common      FDE: one function: its code, and instructions for what changes in it
import { FormatError } from '../../base/errors.ts';
import type { SectionBytes } from '../elf/section_bytes.ts';
import type { LinkAddress } from './address.ts';
import { Cursor } from './cursor.ts';

/** Most functions of one file, and bytes of one table. */
const mostEntries = 4_000_000;
const largestTable = 1 << 28;

/** What functions have in common. */
export interface CommonFrame {
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  readonly returnAddress: number;
  readonly signalFrame: boolean;
  /** Instructions that come before a function's own. */
  readonly instructions: Uint8Array;
  /** How .eh_frame writes addresses; null: as .debug_frame does. */
  readonly pointers: number | null;
  readonly addressSize: number;
  /** True where a function's part has a length of extra data. */
  readonly augmented: boolean;
}

/** One function's. */
export interface FunctionFrame {
  readonly common: CommonFrame;
  readonly start: LinkAddress;
  /** Exclusive. */
  readonly end: LinkAddress;
  readonly instructions: Uint8Array;
}

export class FrameTable {
  /** What was wrong behind the last entry, or null. */
  readonly problem: FormatError | null;
  private readonly bytes: Uint8Array;
  private readonly what: string;
  private readonly isEh: boolean;
  /** Where .eh_frame lies in memory: its addresses are relative to their places. */
  private readonly place: LinkAddress;
  private readonly addressSize: number;
  private readonly starts: Float64Array;
  private readonly ends: Float64Array;
  private readonly positions: Float64Array;
  private readonly commons = new Map<number, CommonFrame>();

  /**
   * @param isEh true for .eh_frame
   * @param place address of the section
   */
  constructor(section: SectionBytes, isEh: boolean, place: LinkAddress, addressSize: number) {
    this.what = section.what;
    this.isEh = isEh;
    this.place = place;
    this.addressSize = addressSize;
    this.bytes = section.readUpTo(0, Math.min(section.size, largestTable));
    const found: { start: number; end: number; at: number }[] = [];
    let problem: FormatError | null = null;
    try {
      this.scan(found);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problem = error;
    }
    this.problem = problem;
    found.sort((a, b) => a.start - b.start);
    this.starts = Float64Array.from(found, ({ start }) => start);
    this.ends = Float64Array.from(found, ({ end }) => end);
    this.positions = Float64Array.from(found, ({ at }) => at);
  }

  /** The function around an address, or null. @throws FormatError for a damaged entry */
  at(address: LinkAddress): FunctionFrame | null {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    if (index < 0 || address >= this.ends[index]!) return null;
    return this.entry(new Cursor(this.bytes, this.what, this.positions[index]!));
  }

  private scan(found: { start: number; end: number; at: number }[]): void {
    const cursor = new Cursor(this.bytes, this.what);
    while (cursor.at + 4 <= this.bytes.length) {
      const at = cursor.at;
      const { length, width } = cursor.initialLength();
      if (length === 0) {
        if (this.isEh) return;
        continue; // padding
      }
      const end = cursor.at + length;
      if (end > this.bytes.length) throw new FormatError(this.what, `the entry at 0x${at.toString(16)} is cut`);
      if (!this.isCommon(cursor, width)) {
        cursor.at = at;
        const entry = this.entry(cursor);
        if (entry !== null && entry.end > entry.start && entry.start !== 0) {
          if (found.length >= mostEntries) throw new FormatError(this.what, `more than ${mostEntries} functions`);
          found.push({ start: entry.start, end: entry.end, at });
        }
      }
      cursor.at = end;
    }
  }

  /** Reads the number by which entries that are common to many are told. */
  private isCommon(cursor: Cursor, width: number): boolean {
    if (this.isEh) return cursor.u32() === 0;
    const id = cursor.offset(width);
    return width === 4 ? id === 0xffff_ffff : id > Number.MAX_SAFE_INTEGER;
  }

  /** The function's entry that begins at the cursor; null for one that is none. */
  private entry(cursor: Cursor): FunctionFrame | null {
    const { length, width } = cursor.initialLength();
    const end = cursor.at + length;
    const idAt = cursor.at;
    const id = this.isEh ? cursor.u32() : cursor.offset(width);
    const common = this.common(this.isEh ? idAt - id : id);
    const { pointers, addressSize } = common;
    const start = this.pointer(cursor, pointers, addressSize);
    const size = pointers === null ? cursor.address(addressSize) : this.pointer(cursor, pointers & 0x0f, addressSize);
    if (common.augmented) {
      const extra = cursor.uleb();
      cursor.at += extra;
    }
    cursor.check();
    return { common, start, end: start + size, instructions: this.bytes.subarray(cursor.at, end) };
  }

  private common(at: number): CommonFrame {
    let common = this.commons.get(at);
    if (common === undefined) {
      common = this.readCommon(at);
      this.commons.set(at, common);
    }
    return common;
  }

  private readCommon(at: number): CommonFrame {
    const place = `the common entry at 0x${at.toString(16)}`;
    if (at < 0 || at + 12 > this.bytes.length) throw new FormatError(this.what, `${place} is not there`);
    const cursor = new Cursor(this.bytes, this.what, at);
    const { length, width } = cursor.initialLength();
    const end = cursor.at + length;
    if (end > this.bytes.length || !this.isCommon(cursor, width)) throw new FormatError(this.what, `${place} is none`);
    const version = cursor.u8();
    const augmentation = cursor.text();
    let { addressSize } = this;
    if (version >= 4) {
      addressSize = cursor.u8();
      cursor.u8(); // segment size
    }
    if (addressSize !== 4 && addressSize !== 8)
      throw new FormatError(this.what, `${place} has addresses of ${addressSize} bytes`);
    const codeAlignment = cursor.uleb();
    const dataAlignment = cursor.sleb();
    const returnAddress = version === 1 ? cursor.u8() : cursor.uleb();
    let pointers: number | null = this.isEh ? 0 : null;
    let signalFrame = false;
    const augmented = augmentation.startsWith('z');
    if (augmented) {
      const dataLength = cursor.uleb();
      const dataEnd = cursor.at + dataLength;
      for (const letter of augmentation.slice(1)) {
        if (letter === 'R') pointers = cursor.u8();
        else if (letter === 'S') signalFrame = true;
        else if (letter === 'L') cursor.u8();
        else if (letter === 'P') this.pointer(cursor, cursor.u8(), addressSize);
        else if (letter !== 'B') break; // B: return addresses signed with key B, on arm64
      }
      cursor.at = dataEnd;
    } else if (augmentation !== '')
      throw new FormatError(this.what, `${place} has augmentation "${augmentation.slice(0, 8)}"`);
    cursor.check();
    const instructions = this.bytes.subarray(cursor.at, end);
    return { codeAlignment, dataAlignment, returnAddress, signalFrame, instructions, pointers, addressSize, augmented };
  }

  /** An address as `encoding` says (DW_EH_PE_*); null: plain. */
  private pointer(cursor: Cursor, encoding: number | null, addressSize: number): LinkAddress {
    if (encoding === null || encoding === 0) return cursor.address(addressSize);
    const { at } = cursor;
    let value: number;
    switch (encoding & 0x0f) {
      case 0x00:
        value = cursor.address(addressSize);
        break;
      case 0x01:
        value = cursor.uleb();
        break;
      case 0x02:
        value = cursor.u16();
        break;
      case 0x03:
        value = cursor.u32();
        break;
      case 0x04:
      case 0x0c:
        value = cursor.address(8);
        break;
      case 0x09:
        value = cursor.sleb();
        break;
      case 0x0a:
        value = (cursor.u16() << 16) >> 16;
        break;
      case 0x0b:
        value = cursor.u32() | 0;
        break;
      default:
        throw new FormatError(this.what, `an address of encoding 0x${encoding.toString(16)}`);
    }
    return (encoding & 0x70) === 0x10 ? this.place + at + value : value;
  }
}
