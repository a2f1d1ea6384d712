// What pstore compressed: text of a record in one of the ways that kernels have used. Until 6.5 the way is a matter of
// configuration (the crypto API's deflate, lzo, lz4, lz4hc, zstd, 842), since then it is deflate alone
// (fs/pstore/platform.c). Nothing in a record says which, so each is tried. A record that was cut gives what comes out of it.
import * as zlib from 'node:zlib';
import { lzo1xDecompress } from '../../dump/lzo.ts';
import { lz4Decompress } from './lz4.ts';

export type Compression = 'deflate' | 'zlib' | 'zstd' | 'lzo' | 'lz4';

export interface Decompressed {
  readonly compression: Compression;
  readonly content: Uint8Array;
  /** The record ends, or is damaged, before its text does. */
  readonly cut: boolean;
}

/** Larger than any record: kmsg_bytes is 10 KiB by default, and what is compressed is at most three times that. */
const maxContent = 4 * 1024 * 1024;

/** Told how many bytes were unpacked, whether they were of use or not. */
type Charge = (bytes: number) => void;

/**
 * Reads a compressed record. Null: it is none of the known ways, or nothing comes out of it.
 * @param charge told of all that the tries unpacked
 */
export function decompressRecord(packed: Uint8Array, charge: Charge = () => {}): Decompressed | null {
  const tries = [deflate, zlibStream, zstd, lz4, lzo]
    .map((attempt) => attempt(packed, charge))
    .filter((result): result is Decompressed => result !== null && isText(result.content));
  return tries.find((result) => !result.cut) ?? tries.sort((a, b) => b.content.length - a.content.length)[0] ?? null;
}

/** Whether bytes are a log's text: a few damaged ones are allowed. */
export function isText(bytes: Uint8Array): boolean {
  if (bytes.length === 0) return false;
  let strange = 0;
  for (const byte of bytes) if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27) || byte === 127) strange++;
  return strange * 20 <= bytes.length;
}

function deflate(packed: Uint8Array, charge: Charge): Decompressed | null {
  return inflated('deflate', packed, zlib.inflateRawSync, charge);
}

function zlibStream(packed: Uint8Array, charge: Charge): Decompressed | null {
  return (packed[0]! & 0x0f) === 8 ? inflated('zlib', packed, zlib.inflateSync, charge) : null;
}

function inflated(
  compression: Compression,
  packed: Uint8Array,
  inflate: (packed: Uint8Array, options: zlib.ZlibOptions) => Uint8Array,
  charge: Charge,
): Decompressed | null {
  const attempt = (bytes: Uint8Array, finishFlush: number): Uint8Array | null => {
    try {
      return inflate(bytes, { finishFlush, maxOutputLength: maxContent });
    } catch {
      return null; // not this way, or damaged from here on: judged by what else comes out
    }
  };
  const whole = attempt(packed, zlib.constants.Z_FINISH);
  if (whole !== null) {
    charge(whole.length);
    return { compression, content: whole, cut: false };
  }
  const content = longestPrefix(
    packed.length,
    (length) => attempt(packed.subarray(0, length), zlib.constants.Z_SYNC_FLUSH),
    charge,
  );
  return content === null ? null : { compression, content, cut: true };
}

/** What the longest beginning gives that can be read at all: a damaged byte spoils only what follows it. */
function longestPrefix(
  length: number,
  attempt: (length: number) => Uint8Array | null,
  charge: Charge,
): Uint8Array | null {
  let best = attempt(length);
  let tries = 2; // with the one of the whole
  let good = best === null ? 0 : length;
  let bad = length;
  while (bad - good > 1) {
    tries++;
    const middle = (good + bad) >> 1;
    const result = attempt(middle);
    if (result === null) bad = middle;
    else {
      good = middle;
      best = result;
    }
  }
  // those that failed came as far as the best one
  charge(tries * (best?.length ?? 0));
  return best;
}

const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

function zstd(packed: Uint8Array, charge: Charge): Decompressed | null {
  if (!zstdMagic.every((byte, i) => packed[i] === byte)) return null;
  // in Node 22.15 and later
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (b: Uint8Array, o: object) => Uint8Array };
  if (zstdDecompressSync === undefined) return null;
  const attempt = (bytes: Uint8Array, finishFlush: number | undefined): Uint8Array | null => {
    try {
      return zstdDecompressSync(bytes, {
        maxOutputLength: maxContent,
        ...(finishFlush === undefined ? {} : { finishFlush }),
      });
    } catch {
      return null; // as above
    }
  };
  const whole = attempt(packed, undefined);
  if (whole !== null) {
    charge(whole.length);
    return { compression: 'zstd', content: whole, cut: false };
  }
  const content = longestPrefix(packed.length, (length) => attempt(packed.subarray(0, length), 0), charge);
  return content === null ? null : { compression: 'zstd', content, cut: true };
}

function lz4(packed: Uint8Array, charge: Charge): Decompressed | null {
  const { content, cut } = lz4Decompress(packed, maxContent);
  charge(content.length);
  return content.length === 0 ? null : { compression: 'lz4', content, cut };
}

function lzo(packed: Uint8Array, charge: Charge): Decompressed | null {
  // the decompressor does not say how far it came: output is text, which has no NULs
  const room = new Uint8Array(Math.min(maxContent, packed.length * 255 + 64));
  let cut = false;
  let length: number;
  try {
    length = lzo1xDecompress(packed, room);
  } catch {
    cut = true;
    length = room.findLastIndex((byte) => byte !== 0) + 1;
  }
  charge(length);
  return length === 0 && cut ? null : { compression: 'lzo', content: room.slice(0, length), cut };
}
