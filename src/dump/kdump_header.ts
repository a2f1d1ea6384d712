// Headers of the kdump-compressed format (makedumpfile's IMPLEMENTATION and diskdump_mod.h; QEMU's
// include/sysemu/dump.h), as 64-bit little-endian machines write them.
//
//   block 0                   disk_dump_header
//   block 1 .. sub_hdr_size   kdump_sub_header, then the ELF notes
//   then bitmap_blocks        one bit a page frame: RAM (1st half), in the dump (2nd half)
//   then                      page_desc[], one a set bit of the 2nd; then the pages' data; then erase info
import { ByteReader, latin1 } from '../base/byte_reader.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import { type ByteSource, readUpTo } from './byte_source.ts';

export const kdumpSignatures: readonly string[] = ['KDUMP   ', 'DISKDUMP'];

/** Bits of the header's `status` (`lacksMap`: DUMP_DH_EXCLUDED_VMEMMAP); the low ones are those of a page descriptor's flags too. */
export const kdumpFlags = { zlib: 1, lzo: 2, snappy: 4, incomplete: 8, lacksMap: 0x10, zstd: 0x20 } as const;

/** Bytes at a file offset; size 0 where there are none. */
export interface FileRange {
  readonly offset: number;
  readonly size: number;
}

export interface KdumpHeader {
  readonly version: number;
  readonly utsname: { sysname: string; nodename: string; release: string; version: string; machine: string };
  /** Seconds since 1970; 0 where the writer did not know. */
  readonly time: number;
  readonly status: number;
  /** Bytes in a block, which is a page of the dead machine. */
  readonly blockSize: number;
  /** Page frames that the bitmaps describe. */
  readonly maxMapnr: number;
  readonly bitmap: FileRange;
  /** File offset of the first page descriptor. */
  readonly descriptors: number;
  /** makedumpfile's dump level; null before version 1. */
  readonly level: number | null;
  /** The page frames [startPfn, endPfn) that this part of a split set holds; null for a whole dump. */
  readonly split: { readonly startPfn: number; readonly endPfn: number } | null;
  readonly vmcoreinfo: FileRange;
  readonly notes: FileRange;
  readonly eraseInfo: FileRange;
}

const headerSize = 464;
const subHeaderSize = 104;
const newestVersion = 6;
/** 64 TiB of 4 KiB pages: 2 GiB of bitmap. More is a broken header, and would take long to count. */
const mostPages = 2 ** 34;

const none: FileRange = { offset: 0, size: 0 };

/** @throws FormatError for an impossible header, UnsupportedError for another word size or byte order */
export function readKdumpHeader(source: ByteSource): KdumpHeader {
  const bytes = readUpTo(source, 0, headerSize);
  checkLayout(bytes);
  const reader = new ByteReader(bytes, 'kdump header', true, 8);
  const version = reader.i32();
  const name = (): string => latin1(reader.take(65));
  const utsname = { sysname: name(), nodename: name(), release: name(), version: name(), machine: name() };
  reader.offset = 408;
  const time = reader.i64();
  reader.skip(8); // microseconds
  const status = reader.u32();
  const blockSize = reader.i32();
  const subBlocks = reader.i32();
  const bitmapBlocks = reader.u32();
  const shortMaxMapnr = reader.u32();
  if (version < 0 || version > 0xffff) throw new FormatError('kdump header', `version ${version} is impossible`);
  if (subBlocks < 0) throw new FormatError('kdump header', `sub header of ${subBlocks} blocks`);

  const sub = readSubHeader(source, version, blockSize);
  const maxMapnr = sub.maxMapnr ?? shortMaxMapnr;
  const bitmap = { offset: (1 + subBlocks) * blockSize, size: bitmapBlocks * blockSize };
  if (maxMapnr === 0) throw new FormatError('kdump header', 'describes no page frames');
  if (maxMapnr > mostPages || bitmap.size / 2 > mostPages / 8) {
    throw new FormatError('kdump header', `impossible size: ${maxMapnr} page frames, ${bitmapBlocks} blocks of bitmap`);
  }
  if (maxMapnr > bitmap.size * 8) {
    throw new FormatError('kdump header', `${maxMapnr} page frames do not fit in ${bitmapBlocks} blocks of bitmap`);
  }
  return {
    version,
    utsname,
    time: time > 0n && time < 2n ** 40n ? Number(time) : 0,
    status,
    blockSize,
    maxMapnr,
    bitmap,
    descriptors: bitmap.offset + bitmap.size,
    level: sub.level,
    split: sub.split,
    vmcoreinfo: sub.vmcoreinfo,
    notes: sub.notes,
    eraseInfo: sub.eraseInfo,
  };
}

/**
 * Which word size and byte order wrote this? The block size, a power of two, stands elsewhere for each;
 * the fields after it tell a chance hit.
 */
function checkLayout(bytes: Uint8Array): void {
  if (bytes.length < headerSize) {
    throw new FormatError('kdump header', `the file ends inside it: ${bytes.length} of ${headerSize} bytes`);
  }
  const plausible = (littleEndian: boolean, blockSizeAt: number): boolean => {
    const reader = new ByteReader(bytes, 'kdump header', littleEndian, blockSizeAt);
    const blockSize = reader.u32();
    const subBlocks = reader.u32();
    const bitmapBlocks = reader.u32();
    return isPageSize(blockSize) && subBlocks >= 1 && bitmapBlocks >= 1;
  };
  if (plausible(true, 428)) return;
  if (plausible(true, 416)) throw new UnsupportedError('kdump header', 'a dump of a 32-bit machine');
  if (plausible(false, 428)) throw new UnsupportedError('kdump header', 'a dump of a big-endian machine');
  if (plausible(false, 416)) throw new UnsupportedError('kdump header', 'a dump of a 32-bit big-endian machine');
  const reader = new ByteReader(bytes, 'kdump header', true, 428);
  const [blockSize, subBlocks, bitmapBlocks] = [reader.u32(), reader.u32(), reader.u32()];
  throw new FormatError(
    'kdump header',
    `impossible: block size 0x${blockSize.toString(16)}, ${subBlocks} blocks of sub header, ${bitmapBlocks} of bitmap`,
  );
}

/** No machine has larger pages than 256 KiB, and 4096 with its bytes swapped is 1 MiB. */
function isPageSize(size: number): boolean {
  return size >= 4096 && size <= 256 * 1024 && (size & (size - 1)) === 0;
}

interface SubHeader {
  level: number | null;
  split: KdumpHeader['split'];
  vmcoreinfo: FileRange;
  notes: FileRange;
  eraseInfo: FileRange;
  maxMapnr: number | null;
}

/** Fields came with versions; what an older writer left there is not looked at. */
function readSubHeader(source: ByteSource, version: number, blockSize: number): SubHeader {
  const sub: SubHeader = {
    level: null,
    split: null,
    vmcoreinfo: none,
    notes: none,
    eraseInfo: none,
    maxMapnr: null,
  };
  if (version < 1) return sub;
  const bytes = new Uint8Array(subHeaderSize);
  const got = source.read(blockSize, bytes);
  const needed = [0, 12, 32, 48, 64, 80, 104][Math.min(version, newestVersion)]!;
  if (got < needed) throw new FormatError('kdump sub header', `the file ends inside it: ${got} of ${needed} bytes`);
  const reader = new ByteReader(bytes, 'kdump sub header', true, 8);
  sub.level = reader.i32();
  const range = (): FileRange => {
    const offset = reader.u64();
    const size = reader.u64();
    // What does not lie in the file is not there; a table of notes is not worth the whole dump.
    if (offset === 0n || size === 0n || offset + size > BigInt(Number.MAX_SAFE_INTEGER)) return none;
    return { offset: Number(offset), size: Number(size) };
  };
  if (version >= 2) {
    const isSplit = reader.i32() !== 0;
    let startPfn = reader.u64();
    let endPfn = reader.u64();
    if (version >= 3) sub.vmcoreinfo = range();
    if (version >= 4) sub.notes = range();
    if (version >= 5) sub.eraseInfo = range();
    if (version >= 6) {
      startPfn = reader.u64();
      endPfn = reader.u64();
      sub.maxMapnr = reader.size64();
    }
    if (isSplit) {
      if (startPfn > endPfn || endPfn > BigInt(mostPages)) {
        throw new FormatError(
          'kdump sub header',
          `part of page frames 0x${startPfn.toString(16)} to 0x${endPfn.toString(16)}`,
        );
      }
      sub.split = { startPfn: Number(startPfn), endPfn: Number(endPfn) };
    }
  }
  return sub;
}
