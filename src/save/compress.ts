// The compressors of dump pages, all of one shape. One stream's native handle does all pages; where there is none, Node's
// synchronous functions do.
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { snappyCompressor } from 'hysnappy';
import { UnsupportedError } from '../base/errors.ts';
import { zlibHandle } from '../base/zlib_handle.ts';
import type { PageCompression } from '../dump/dump.ts';
import { zeroPage } from './kdump_writer.ts';
import { lzo1xCompress, lzoPack } from './lzo.ts';

/**
 * Compresses a page into the start of `into`, which has room for a page. Returns the bytes written; 0 if it does not get
 * smaller.
 */
export type Compressor = (page: Uint8Array, into: Uint8Array) => number;

/**
 * Compresses pages of `size` bytes that follow one another, each by itself, into the start of `into`, one behind another.
 * Writes the bytes of each to `sizes`: `size` for one that does not get smaller, which is copied, `zeroPage` for one of
 * zeroes that is dropped. Returns the bytes written.
 */
export type PagesPacker = (
  pages: Uint8Array,
  size: number,
  dropsZeroes: boolean,
  into: Uint8Array,
  sizes: Uint32Array,
) => number;

/** @throws UnsupportedError if this Node cannot compress so */
export function pagesPacker(compression: PageCompression, isCompact = false): PagesPacker {
  return compression === 'lzo' ? lzoPack : oneByOne(compressor(compression, isCompact));
}

function oneByOne(compress: Compressor): PagesPacker {
  let zeroes = new Uint8Array(0);
  let packed = new Uint8Array(0);
  return (pages, size, dropsZeroes, into, sizes) => {
    if (zeroes.length !== size) [zeroes, packed] = [new Uint8Array(size), new Uint8Array(size)];
    let used = 0;
    for (let at = 0, i = 0; at < pages.length; at += size, i++) {
      const page = pages.subarray(at, at + size);
      if (dropsZeroes && isZero(page, zeroes)) {
        sizes[i] = zeroPage;
        continue;
      }
      const length = compress(page, packed);
      into.set(length === 0 ? page : packed.subarray(0, length), used);
      sizes[i] = length === 0 ? size : length;
      used += sizes[i]!;
    }
    return used;
  };
}

export function isZero(page: Uint8Array, zeroes: Uint8Array): boolean {
  return Buffer.compare(page, zeroes) === 0;
}

/** zlib's fastest level, as makedumpfile takes. */
const zlibLevel = 1;
/** zstd's own default. */
const zstdLevel = 3;
/** A tenth smaller, in four times the time. Said that a page is all there is, zstd looks harder and needs less memory. */
const compactZstd = { level: 12, windowLog: 12 } as const;

/**
 * @param isCompact takes its time to make few pages small, where it is known how
 * @throws UnsupportedError if this Node cannot compress so
 */
export function compressor(compression: PageCompression, isCompact = false): Compressor {
  switch (compression) {
    case 'none':
      return () => 0;
    case 'zlib':
      return zlibCompressor();
    case 'lzo':
      return (page, into) => lzo1xCompress(page, into);
    case 'snappy':
      return loadSnappy();
    case 'zstd':
      return zstdCompressor(isCompact);
  }
}

/** Whether this Node has zstd: since 22.15. */
export function hasZstd(): boolean {
  return (zlib as Partial<typeof zlib>).createZstdCompress !== undefined;
}

function zlibCompressor(): Compressor {
  const stream = zlib.createDeflate({ level: zlibLevel });
  const whole = (page: Uint8Array) => zlib.deflateSync(page, { level: zlibLevel });
  return byHandle(stream, zlib.constants.Z_FINISH, true, whole, (packed) => zlib.inflateSync(packed));
}

function zstdCompressor(isCompact: boolean): Compressor {
  if (!hasZstd()) throw new UnsupportedError('zstd', `Node ${process.version} has no zstd; 22.15 and later have`);
  const { ZSTD_c_compressionLevel: level, ZSTD_c_windowLog: window } = zlib.constants;
  const params: Record<number, number> = isCompact
    ? { [level]: compactZstd.level, [window]: compactZstd.windowLog }
    : { [level]: zstdLevel };
  const stream = zlib.createZstdCompress({ params });
  const whole = (page: Uint8Array) => zlib.zstdCompressSync(page, { params });
  // a frame that was ended needs no reset, which would make a new context
  return byHandle(stream, zlib.constants.ZSTD_e_end, false, whole, (packed) => zlib.zstdDecompressSync(packed));
}

/** A compressor that goes through a stream's handle, if that works; else through `whole`. */
function byHandle(
  stream: Transform,
  flush: number,
  resets: boolean,
  whole: (page: Uint8Array) => Uint8Array,
  unpack: (packed: Uint8Array) => Uint8Array,
): Compressor {
  const atOnce: Compressor = (page, into) => {
    const packed = whole(page);
    if (packed.length >= page.length) return 0;
    into.set(packed);
    return packed.length;
  };
  const handle = zlibHandle(stream);
  if (handle === null) return atOnce;
  let problem: string | null = null;
  handle.onerror = (message) => {
    problem = message;
  };
  // all of a page must fit, even if it grows: else the handle would wait for more room
  let room = new Uint8Array(0);
  const compress: Compressor = (page, into) => {
    if (room.length < page.length + 1024) room = new Uint8Array(page.length + 1024);
    problem = null;
    handle.writeSync(flush, page, 0, page.length, room, 0, room.length);
    const length = room.length - handle.left[0]!;
    if (resets) handle.reset();
    if (problem !== null) throw new Error(problem);
    if (length >= page.length) return 0;
    into.set(room.subarray(0, length));
    return length;
  };
  return works(compress, unpack) ? compress : atOnce;
}

/** Whether pages come back as they were, one after another, whatever was compressed before. */
function works(compress: Compressor, unpack: (packed: Uint8Array) => Uint8Array): boolean {
  const into = new Uint8Array(4096);
  try {
    for (const seed of [1, 7, 40_503]) {
      const page = new Uint8Array(4096).map((_, i) => (Math.imul(i, seed) >>> (seed % 5)) & 0x7f);
      const length = compress(page, into);
      if (length > 0 && !unpack(into.subarray(0, length)).every((byte, i) => byte === page[i])) return false;
    }
    return true;
  } catch {
    return false;
  }
}

function loadSnappy(): Compressor {
  const compress = snappyCompressor();
  return (page, into) => {
    const packed = compress(page);
    if (packed.length >= page.length) return 0;
    into.set(packed);
    return packed.length;
  };
}
