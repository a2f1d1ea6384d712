// Writes kdump-compressed dumps (makedumpfile's IMPLEMENTATION and diskdump_mod.h; read by `kdump_header.ts`):
//
//   header | sub header, notes | RAM bitmap | bitmap of pages | page descriptors | page of zeroes, pages | erase info
//                                              known from the start ------------>  written as they come
//
// Until `finish` the header of a file says that the dump is incomplete, and a page without a descriptor counts as lost:
// whatever happens meanwhile, what is there can be read.
import { FormatError } from '../base/errors.ts';
import type { PageCompression } from '../dump/dump.ts';
import { kdumpFlags } from '../dump/kdump_header.ts';
import type { FrameSet } from './frame_set.ts';
import type { EarlierOutput, Output } from './output.ts';

/** What a dump says of the dead machine beside its pages. */
export interface MachineFacts {
  /** As uname has it. */
  readonly machine: string;
  /** Bytes. */
  readonly pageSize: number;
  /** Page frames are below this. */
  readonly maxPfn: number;
  readonly utsname: Readonly<
    Record<'sysname' | 'nodename' | 'release' | 'version' | 'machine' | 'domainname', string>
  > | null;
  /** When it died, in seconds since 1970; 0 where that is not known. */
  readonly time: number;
  /** What has been left out: makedumpfile's dump level. */
  readonly level: number;
  readonly cpus: number;
  /** The kernel's phys_base; 0 where it has none. */
  readonly physBase: bigint;
  /** ELF notes, one behind another. */
  readonly notes: Uint8Array;
  /** Where VMCOREINFO's text is in the notes; null where it is not. */
  readonly vmcoreinfo: { readonly offset: number; readonly size: number } | null;
  readonly eraseInfo: string | null;
  /** Parts of the memory map were left out. */
  readonly lacksMap: boolean;
}

/** Pages that follow one another in the set of those kept, compressed. */
export interface PackedPages {
  readonly data: Uint8Array;
  /** Bytes of each: a page's size if it is not compressed, `zeroPage`, or `lostPage`. */
  readonly sizes: Uint32Array;
}

/** A page of zeroes: all share one. */
export const zeroPage = 0;
/** A page that could not be read. */
export const lostPage = 0xffff_ffff;

const statusAt = 424;
const eraseInfoAt = 64;
const subHeaderSize = 104;
const descriptorSize = 24;
const version = 6;
/** Pages at the end of an earlier save that are written once more. */
const writtenAgain = 4096;
/** Descriptors gathered before they are written. */
const descriptorsAtOnce = 4096;
/** Bytes of bitmap that are written, or left out because they are zeroes. */
const bitmapBlock = 4096;
/** Bytes of bitmap, and of empty descriptors, written at a time. */
const atOnce = 1 << 20;

const flagsOf: Readonly<Record<PageCompression, number>> = { none: 0, ...kdumpFlags };

/** A part of a split set, and all of a dump that is not split: page frames [from, to). */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly isSplit: boolean;
}

export class KdumpWriter {
  /** Pages that were written as lost. */
  lost = 0;
  /** Pages that were written as zeroes, which share one. */
  zero = 0;
  private readonly output: Output;
  private readonly facts: MachineFacts;
  private readonly part: Part;
  private readonly compression: PageCompression;
  private readonly pages: number;
  private readonly bitmapAt: number;
  private readonly bitmapBlocks: number;
  private readonly descriptorsAt: number;
  private dataAt: number;
  private zeroAt = 0;
  private readonly pending = new DataView(new ArrayBuffer(descriptorsAtOnce * descriptorSize));
  private pendingCount = 0;
  private described = 0;
  /** What the header that was written last says beside the compression. */
  private status = 0;

  /**
   * Writes all that is known before the pages.
   * @param ram frames of RAM, kept or not
   * @param kept frames whose pages will come, in their order, all of those in the part
   * @throws OutputError
   */
  constructor(
    output: Output,
    facts: MachineFacts,
    { ram, kept }: { readonly ram: FrameSet; readonly kept: FrameSet },
    compression: PageCompression,
    part: Part = { from: 0, to: facts.maxPfn, isSplit: false },
  ) {
    this.output = output;
    this.facts = facts;
    this.part = part;
    this.compression = compression;
    this.pages = kept.count(part.from, part.to);
    const { pageSize, notes, maxPfn } = facts;
    const subBlocks = Math.ceil((subHeaderSize + notes.length) / pageSize);
    const oneBitmap = Math.ceil(maxPfn / 8 / pageSize);
    this.bitmapBlocks = 2 * oneBitmap;
    this.bitmapAt = (1 + subBlocks) * pageSize;
    this.descriptorsAt = this.bitmapAt + this.bitmapBlocks * pageSize;
    this.dataAt = this.descriptorsAt + this.pages * descriptorSize;
    this.status = output.canRewrite ? kdumpFlags.incomplete : 0;
    const bitmaps = [
      [this.bitmapAt, ram],
      [this.bitmapAt + oneBitmap * pageSize, kept],
    ] as const;
    const { earlier } = output;
    if (earlier !== null && earlier.size >= this.dataAt) {
      this.checkBegun(earlier, bitmaps, oneBitmap * pageSize);
      this.resume(earlier);
      return;
    }
    earlier?.discard();
    output.write(0, this.header());
    output.write(pageSize, this.subHeader(0, 0));
    output.write(pageSize + subHeaderSize, notes);
    for (const [at, set] of bitmaps) this.writeBits(at, set, oneBitmap * pageSize);
    if (!output.canRewrite) return;
    // room that is taken now is not missing later, when the pages have filled the disk
    const empty = new Uint8Array(Math.min(atOnce, this.pages * descriptorSize));
    for (let at = 0; at < this.pages * descriptorSize; at += empty.length) {
      output.write(this.descriptorsAt + at, empty.subarray(0, this.pages * descriptorSize - at));
    }
  }

  /** Pages that an earlier save had written: those that are added follow them. */
  get done(): number {
    return this.described;
  }

  /** Checks that an earlier save was of the same pages. @throws FormatError */
  private checkBegun(
    earlier: EarlierOutput,
    bitmaps: readonly (readonly [at: number, set: FrameSet])[],
    size: number,
  ): void {
    const { pageSize, notes } = this.facts;
    const isThere = (at: number, bytes: Uint8Array): boolean => {
      const found = new Uint8Array(bytes.length);
      return earlier.read(at, found) && Buffer.compare(found, bytes) === 0;
    };
    const header = this.header();
    const found = Buffer.alloc(header.length);
    // whether it was finished does not matter
    const isRead = earlier.read(0, found);
    const isUnfinished = found.readUInt32LE(statusAt) & kdumpFlags.incomplete;
    header.writeUInt32LE((header.readUInt32LE(statusAt) & ~kdumpFlags.incomplete) | isUnfinished, statusAt);
    const isSame = isRead && found.equals(header);
    const subHeader = this.subHeader(0, 0);
    const foundSub = Buffer.alloc(subHeader.length);
    // and where erase information is, which comes last
    const isSubRead = earlier.read(pageSize, foundSub);
    foundSub.copy(subHeader, eraseInfoAt, eraseInfoAt, eraseInfoAt + 16);
    const isSubSame = isSubRead && foundSub.equals(subHeader);
    const areBitsThere = bitmaps.every(([at, set]) => {
      for (const { from, bytes } of bitmapPieces(set, size)) if (!isThere(at + from, bytes)) return false;
      return true;
    });
    if (!isSame || !isSubSame || !isThere(pageSize + subHeaderSize, notes) || !areBitsThere) {
      throw new FormatError(earlier.path, 'was begun with other pages or options: it cannot be gone on with');
    }
  }

  /** Goes on behind the last page that was written, but for some: what was written last may not have reached the disk. */
  private resume(earlier: EarlierOutput): void {
    const read = (from: number, to: number): { readonly end: number; readonly whole: number } => {
      let end = this.dataAt;
      for (let first = from; first < to; first += descriptorsAtOnce) {
        const count = Math.min(descriptorsAtOnce, to - first);
        const bytes = new Uint8Array(count * descriptorSize);
        if (!earlier.read(this.descriptorsAt + first * descriptorSize, bytes)) return { end, whole: first };
        const view = new DataView(bytes.buffer);
        for (let i = 0; i < count; i++) {
          const offset = Number(view.getBigUint64(i * descriptorSize, true));
          const last = offset + view.getUint32(i * descriptorSize + 8, true);
          if (offset === 0 || last > earlier.size) return { end, whole: first + i };
          end = Math.max(end, last);
        }
      }
      return { end, whole: to };
    };
    const { whole } = read(0, this.pages);
    this.described = whole === this.pages ? whole : Math.max(0, whole - writtenAgain);
    this.dataAt = read(0, this.described).end;
    earlier.endsAt(Math.max(this.dataAt, this.descriptorsAt + this.pages * descriptorSize));
  }

  /** The next pages. @throws OutputError */
  add({ data, sizes }: PackedPages): void {
    const { pageSize } = this.facts;
    if (this.zeroAt === 0 && sizes.includes(zeroPage)) {
      this.zeroAt = this.dataAt;
      this.output.write(this.zeroAt, new Uint8Array(pageSize));
      this.dataAt += pageSize;
    }
    let at = this.dataAt;
    for (let i = 0; i < sizes.length; i++) {
      const size = sizes[i]!;
      if (size === lostPage) {
        this.lost++;
        this.describe(0, 0, 0);
      } else if (size === zeroPage) {
        this.zero++;
        this.describe(this.zeroAt, pageSize, 0);
      } else {
        this.describe(at, size, size === pageSize ? 0 : flagsOf[this.compression]);
        at += size;
      }
    }
    this.output.write(this.dataAt, data);
    this.dataAt += data.length;
    this.flush();
  }

  /** Everything was added: the dump is whole, but for pages that were lost. @throws OutputError */
  finish(): void {
    this.flush();
    const { eraseInfo } = this.facts;
    const text = Buffer.from(eraseInfo ?? '', 'latin1');
    if (text.length > 0) {
      this.output.write(this.dataAt, text);
      this.output.write(this.facts.pageSize, this.subHeader(this.dataAt, text.length));
    }
    const status = this.lost === 0 && this.described === this.pages ? 0 : kdumpFlags.incomplete;
    if (status === this.status) return;
    this.status = status;
    this.output.write(0, this.header());
  }

  /** Writes the descriptors gathered. @throws OutputError */
  flush(): void {
    if (this.pendingCount === 0) return;
    const bytes = new Uint8Array(this.pending.buffer, 0, this.pendingCount * descriptorSize);
    this.output.write(this.descriptorsAt + (this.described - this.pendingCount) * descriptorSize, bytes);
    this.pendingCount = 0;
  }

  private describe(offset: number, size: number, flags: number): void {
    const at = this.pendingCount++ * descriptorSize;
    this.described++;
    // the offset in two halves: a bigint a page costs more than the rest
    this.pending.setUint32(at, offset >>> 0, true);
    this.pending.setUint32(at + 4, Math.floor(offset / 2 ** 32), true);
    this.pending.setUint32(at + 8, size, true);
    this.pending.setUint32(at + 12, flags, true);
    // behind them the page's flags, which are 0
    if (this.pendingCount === descriptorsAtOnce) this.flush();
  }

  private header(): Buffer {
    const { facts } = this;
    const subBlocks = Math.ceil((subHeaderSize + facts.notes.length) / facts.pageSize);
    const bytes = Buffer.alloc(facts.pageSize);
    bytes.write('KDUMP   ', 0, 'latin1');
    bytes.writeInt32LE(version, 8);
    const { utsname } = facts;
    if (utsname !== null) {
      const fields = ['sysname', 'nodename', 'release', 'version', 'machine', 'domainname'] as const;
      for (const [i, field] of fields.entries()) bytes.write(utsname[field].slice(0, 64), 12 + 65 * i, 'latin1');
    }
    bytes.writeBigInt64LE(BigInt(facts.time), 408);
    const map = facts.lacksMap ? kdumpFlags.lacksMap : 0;
    bytes.writeUInt32LE(this.status | map | flagsOf[this.compression], statusAt);
    bytes.writeInt32LE(facts.pageSize, 428);
    bytes.writeInt32LE(subBlocks, 432);
    bytes.writeUInt32LE(this.bitmapBlocks, 436);
    bytes.writeUInt32LE(Math.min(facts.maxPfn, 0xffff_ffff), 440);
    bytes.writeInt32LE(facts.cpus, 460);
    return bytes;
  }

  private subHeader(eraseAt: number, eraseSize: number): Buffer {
    const { facts, part } = this;
    const notesAt = facts.pageSize + subHeaderSize;
    const bytes = Buffer.alloc(subHeaderSize);
    const range = (at: number, offset: number, size: number): void => {
      if (size === 0) return;
      bytes.writeBigUInt64LE(BigInt(offset), at);
      bytes.writeBigUInt64LE(BigInt(size), at + 8);
    };
    bytes.writeBigInt64LE(BigInt.asIntN(64, facts.physBase), 0);
    bytes.writeInt32LE(facts.level, 8);
    bytes.writeInt32LE(part.isSplit ? 1 : 0, 12);
    if (part.isSplit) {
      for (const at of [16, 80]) {
        bytes.writeBigUInt64LE(BigInt(part.from), at);
        bytes.writeBigUInt64LE(BigInt(part.to), at + 8);
      }
    }
    range(32, notesAt + (facts.vmcoreinfo?.offset ?? 0), facts.vmcoreinfo?.size ?? 0);
    range(48, notesAt, facts.notes.length);
    range(eraseInfoAt, eraseAt, eraseSize);
    bytes.writeBigUInt64LE(BigInt(facts.maxPfn), 96);
    return bytes;
  }

  /**
   * A bitmap, filled up with zeroes to `size` bytes. Blocks of zeroes are not written, but for the last: what nobody
   * wrote reads as zeroes in a new file and in a stream.
   */
  private writeBits(at: number, set: FrameSet, size: number): void {
    const zeroes = new Uint8Array(bitmapBlock);
    for (const { from, bytes } of bitmapPieces(set, size)) {
      let start = 0; // of what is to be written
      for (let block = 0; block < bytes.length; block += bitmapBlock) {
        const isLast = from + block + bitmapBlock >= size;
        if (isLast || Buffer.compare(bytes.subarray(block, block + bitmapBlock), zeroes) !== 0) continue;
        if (block > start) this.output.write(at + from + start, bytes.subarray(start, block));
        start = block + bitmapBlock;
      }
      if (start < bytes.length) this.output.write(at + from + start, bytes.subarray(start));
    }
  }
}

/** The bytes of a bitmap, filled up with zeroes to `size`. */
function* bitmapPieces({ bytes }: FrameSet, size: number): Generator<{ from: number; bytes: Uint8Array }> {
  for (let from = 0; from < size; from += atOnce) {
    // not a view: what is shared with threads is copied once
    const piece = new Uint8Array(Math.min(atOnce, size - from));
    piece.set(bytes.subarray(from, from + piece.length));
    yield { from, bytes: piece };
  }
}
