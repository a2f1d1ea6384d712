// crypto/lzo.c, lzo-rle.c, lz4.c, lz4hc.c, zstd.c, deflate.c: pages as the kernel compresses them for zram and zswap.
import * as zlib from 'node:zlib';
import { decompressor } from '../dump/codecs.ts';
import type { Decompressor } from '../dump/decompressor.ts';
import { lz4Decompress } from '../dump/lz4.ts';
import { lzo1xDecompress } from '../dump/lzo.ts';

/** What undoes one of the kernel's compressors, whatever its level or variant. */
export interface PageCodec {
  /** What the kernel's names for it begin with: `lzo` of `lzo-rle`, `zstd` of `zstd-generic`. */
  readonly name: string;
  readonly decompress: Decompressor;
}

export const pageCodecs: readonly PageCodec[] = [
  { name: 'zstd', decompress: (src, dst) => (hasZstdMark(src) ? decompressor('zstd')(src, dst) : 0) },
  { name: 'lzo', decompress: lzo1xDecompress },
  { name: 'lz4', decompress: lz4Decompress },
  { name: 'deflate', decompress: inflateRaw },
];

/** The codec of an algorithm, or of a driver for one, as the kernel's crypto layer calls it; null for another (842). */
export function pageCodec(algorithm: string): PageCodec | null {
  return pageCodecs.find(({ name }) => algorithm.startsWith(name)) ?? null;
}

function hasZstdMark(src: Uint8Array): boolean {
  return src[0] === 0x28 && src[1] === 0xb5 && src[2] === 0x2f && src[3] === 0xfd;
}

function inflateRaw(src: Uint8Array, dst: Uint8Array): number {
  const page = zlib.inflateRawSync(src, { maxOutputLength: dst.length });
  dst.set(page);
  return page.length;
}
