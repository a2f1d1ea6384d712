// Makes kdump-compressed dumps from a few lines:
//
//   writeKdump({ pages: new Map([[0, page(1)], [2, page(2)]]), ram: [[0, 4]], vmcoreinfo: 'OSRELEASE=6.1\n' })
//
// `lies` puts wrong numbers where a broken or hostile file would have them.
import * as zlib from 'node:zlib';
import { snappyCompress } from 'hysnappy';
import { ByteWriter } from './byte_writer.ts';
import { lzo1xCompress } from './lzo.ts';
import { type Note, vmcoreinfoNote, writeNotes } from './notes.ts';

export type Compression = 'none' | 'zlib' | 'lzo' | 'snappy' | 'zstd';

export interface PageDescriptor {
  offset: number | bigint;
  size: number;
  flags: number;
}

export interface KdumpOptions {
  /** The pages in the dump, by page frame number. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
  /** Page frames [start, end) of RAM beside those. */
  readonly ram?: readonly (readonly [start: number, end: number])[];
  /** `none` if not given. Pages that do not get smaller are stored as they are, as makedumpfile does. */
  readonly compression?: Compression;
  readonly level?: number;
  /** Header version, 6 if not given. */
  readonly version?: number;
  readonly signature?: 'KDUMP   ' | 'DISKDUMP';
  readonly blockSize?: number;
  readonly vmcoreinfo?: string;
  readonly notes?: readonly Note[];
  readonly eraseInfo?: string;
  readonly utsname?: Partial<Record<'sysname' | 'nodename' | 'release' | 'version' | 'machine', string>>;
  /** Seconds since 1970. */
  readonly time?: number;
  /** Added to the status bits of the compression: 8 marks an incomplete dump. */
  readonly status?: number;
  readonly maxMapnr?: number;
  /** Writes the bitmap of dumped pages only. */
  readonly oneBitmap?: boolean;
  /** The part of a split set that has page frames [start, end). */
  readonly split?: readonly [start: number, end: number];
  readonly wordSize?: 32 | 64;
  readonly littleEndian?: boolean;
  readonly lies?: {
    readonly blockSize?: number;
    readonly subBlocks?: number;
    readonly bitmapBlocks?: number;
    readonly maxMapnr?: number | bigint;
    /** Changes page descriptors before they are written. */
    readonly descriptor?: (pfn: number, descriptor: PageDescriptor) => void;
    readonly dumped?: (pfn: number) => boolean;
  };
}

const statusOf: Record<Compression, number> = { none: 0, zlib: 1, lzo: 2, snappy: 4, zstd: 0x20 };
const compressors: Record<Exclude<Compression, 'none'>, (page: Uint8Array) => Uint8Array> = {
  zlib: (page) => zlib.deflateSync(page, { level: 1 }),
  lzo: lzo1xCompress,
  snappy: snappyCompress,
  zstd: (page) => zlib.zstdCompressSync(page),
};

export function writeKdump(options: KdumpOptions): Uint8Array {
  const { compression = 'none', version = 6, blockSize = 4096, lies = {}, pages, split } = options;
  const frames = [...pages.keys()].sort((a, b) => a - b);
  const ram = [...(options.ram ?? []), ...frames.map((pfn) => [pfn, pfn + 1] as const)];
  const maxMapnr = options.maxMapnr ?? Math.max(1, ...ram.map(([, end]) => end));
  const halfBlocks = Math.ceil(maxMapnr / 8 / blockSize);
  const bitmapBlocks = options.oneBitmap === true ? halfBlocks : 2 * halfBlocks;
  const notes = version >= 4 ? notesOf(options) : new Uint8Array();
  const noteAt = blockSize + 104;
  const vmcoreinfo = Buffer.from(options.vmcoreinfo ?? '', 'latin1');
  const textAt = version === 3 ? noteAt : noteAt + vmcoreinfoOffset(notes, vmcoreinfo);
  const subBlocks = Math.max(1, Math.ceil((104 + Math.max(notes.length, vmcoreinfo.length)) / blockSize));
  const bitmapAt = (1 + subBlocks) * blockSize;
  const stored = frames.filter((pfn) => split === undefined || (pfn >= split[0] && pfn < split[1]));

  // page data, so that where the erase info goes is known
  const data = new ByteWriter();
  const dataAt = bitmapAt + bitmapBlocks * blockSize + stored.length * 24;
  const descriptors = stored.map((pfn) => {
    const page = pages.get(pfn)!;
    const packed = compression === 'none' ? page : compressors[compression](page);
    const raw = packed.length >= page.length;
    const descriptor: PageDescriptor = {
      offset: dataAt + data.length,
      size: raw ? page.length : packed.length,
      flags: raw ? 0 : statusOf[compression],
    };
    data.put(raw ? page : packed);
    lies.descriptor?.(pfn, descriptor);
    return descriptor;
  });
  const eraseInfo = Buffer.from(options.eraseInfo ?? '', 'latin1');

  const writer = new ByteWriter(options.littleEndian ?? true);
  const { utsname = {} } = options;
  writer
    .text(options.signature ?? 'KDUMP   ', 8)
    .u32(version)
    .text(utsname.sysname ?? 'Linux', 65);
  writer.text(utsname.nodename ?? 'node', 65).text(utsname.release ?? '6.1.0-test', 65);
  writer
    .text(utsname.version ?? '#1 SMP', 65)
    .text(utsname.machine ?? 'x86_64', 65)
    .text('(none)', 65);
  if (options.wordSize === 32)
    writer
      .align(4)
      .u32(options.time ?? 0)
      .u32(0);
  else
    writer
      .align(8)
      .u64(options.time ?? 0)
      .u64(0);
  writer.u32(statusOf[compression] | (options.status ?? 0)).u32(lies.blockSize ?? blockSize);
  writer.u32(lies.subBlocks ?? subBlocks).u32(lies.bitmapBlocks ?? bitmapBlocks);
  writer.u32(Number(BigInt.asUintN(32, BigInt(lies.maxMapnr ?? maxMapnr))));
  writer.u32(0).u32(0).u32(0).u32(0).u32(1);

  writer.padTo(blockSize).u64(0);
  if (version >= 1) writer.u32(options.level ?? 0);
  if (version >= 2)
    writer
      .u32(split === undefined ? 0 : 1)
      .u64(split?.[0] ?? 0)
      .u64(split?.[1] ?? 0);
  if (version >= 3) writer.u64(vmcoreinfo.length > 0 ? textAt : 0).u64(vmcoreinfo.length);
  if (version >= 4) writer.u64(notes.length > 0 ? noteAt : 0).u64(notes.length);
  if (version >= 5) writer.u64(eraseInfo.length > 0 ? dataAt + data.length : 0).u64(eraseInfo.length);
  if (version >= 6)
    writer
      .u64(split?.[0] ?? 0)
      .u64(split?.[1] ?? 0)
      .u64(lies.maxMapnr ?? maxMapnr);
  writer.padTo(noteAt).put(version === 3 ? vmcoreinfo : notes);

  writer.padTo(bitmapAt);
  const isDumped = lies.dumped ?? ((pfn: number) => pages.has(pfn));
  if (options.oneBitmap !== true) {
    const inRam = new Uint8Array(maxMapnr);
    for (const [start, end] of ram) inRam.fill(1, start, end);
    writer.put(bitmap(halfBlocks * blockSize, maxMapnr, (pfn) => inRam[pfn] === 1));
  }
  writer.put(bitmap(halfBlocks * blockSize, maxMapnr, isDumped));
  for (const { offset, size, flags } of descriptors) writer.u64(offset).u32(size).u32(flags).u64(0);
  return writer.put(data.done()).put(eraseInfo).done();
}

/** The parts of a split dump, cut at page frame numbers. */
export function writeSplitKdump(options: KdumpOptions, cuts: readonly number[]): Uint8Array[] {
  const last =
    options.maxMapnr ?? Math.max(...options.pages.keys(), ...(options.ram ?? []).map(([, end]) => end - 1)) + 1;
  const bounds = [0, ...cuts, last];
  return bounds.slice(1).map((end, i) => writeKdump({ ...options, split: [bounds[i]!, end] }));
}

function notesOf({ vmcoreinfo, notes = [] }: KdumpOptions): Uint8Array {
  return writeNotes(vmcoreinfo === undefined ? notes : [...notes, vmcoreinfoNote(vmcoreinfo)]);
}

function vmcoreinfoOffset(notes: Uint8Array, vmcoreinfo: Uint8Array): number {
  return Math.max(0, Buffer.from(notes).lastIndexOf(vmcoreinfo));
}

function bitmap(bytes: number, bits: number, isSet: (bit: number) => boolean): Uint8Array {
  const map = new Uint8Array(bytes);
  for (let bit = 0; bit < bits; bit++) if (isSet(bit)) map[bit >> 3]! |= 1 << (bit & 7);
  return map;
}
