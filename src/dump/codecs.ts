// The decompressors of dump pages, all of one shape and behind one table. Each is made ready when the
// first page that needs it is read, and synchronously.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as zlib from 'node:zlib';
import { snappyUncompressor } from 'hysnappy';
import { messageOf, UnsupportedError } from '../base/errors.ts';
import type { Decompressor } from './decompressor.ts';
import type { PageCompression } from './dump.ts';
import { pageInflater } from './inflate.ts';
import { lzo1xDecompress } from './lzo.ts';

export type Codec = Exclude<PageCompression, 'none'>;

const loaders: Readonly<Record<Codec, () => Decompressor>> = {
  zlib: pageInflater,
  lzo: () => lzo1xDecompress,
  snappy: loadSnappy,
  zstd: loadZstd,
};
const loaded: { [codec in Codec]?: Decompressor } = {};

/** @throws UnsupportedError if the codec cannot be had in this installation */
export function decompressor(codec: Codec): Decompressor {
  loaded[codec] ??= loaders[codec]();
  return loaded[codec];
}

function loadSnappy(): Decompressor {
  const uncompress = snappyUncompressor();
  return (src, dst) => {
    // hysnappy writes as much as the block's own length says, so that is checked first.
    const length = snappyLength(src);
    if (length > dst.length) throw new Error(`snappy block of ${length} bytes does not fit in ${dst.length}`);
    dst.set(uncompress(src, length));
    return length;
  };
}

/** The uncompressed length that a snappy block begins with: a base-128 number (snappy's format_description.txt). */
function snappyLength(src: Uint8Array): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = src[i];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length;
  }
  throw new Error('snappy block without a length');
}

/** The part of the WebAssembly interface used here: TypeScript has it among a browser's types only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
};

interface ZstdExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly malloc: (size: number) => number;
  readonly ZSTD_decompress: (dst: number, dstSize: number, src: number, srcSize: number) => number;
  readonly ZSTD_isError: (result: number) => number;
}

/**
 * zstddec makes its WebAssembly module ready asynchronously, which this layer cannot wait for; so its
 * module is taken out of the package as it lies there (base64 in a string) and started here. Node's own
 * zstd (since 22.15), half as fast on pages, is the way out when the package is laid out differently.
 */
function loadZstd(): Decompressor {
  try {
    return startZstd(embeddedModule(readFileSync(fileURLToPath(import.meta.resolve('zstddec')), 'latin1')));
  } catch (error) {
    const builtIn: typeof zlib.zstdDecompressSync | undefined = zlib.zstdDecompressSync;
    if (builtIn === undefined) throw new UnsupportedError('zstd pages', `zstddec cannot be used: ${messageOf(error)}`);
    return (src, dst) => {
      const page = builtIn(src, { maxOutputLength: dst.length });
      dst.set(page);
      return page.length;
    };
  }
}

function embeddedModule(code: string): Uint8Array {
  const base64 = /"(AGFzbQ[A-Za-z0-9+/]{1000,}={0,2})"/.exec(code)?.[1]; // `AGFzbQ` is "\0asm"
  if (base64 === undefined) throw new Error('no WebAssembly module found in it');
  return Buffer.from(base64, 'base64');
}

function startZstd(module: Uint8Array): Decompressor {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module), {
    env: { emscripten_notify_memory_growth: () => undefined },
  });
  const zstd = instance.exports as ZstdExports;
  for (const name of ['malloc', 'ZSTD_decompress', 'ZSTD_isError'] as const) {
    if (typeof zstd[name] !== 'function') throw new Error(`its module has no ${name}`);
  }
  let srcAt = 0;
  let dstAt = 0;
  let room = 0;
  return (src, dst) => {
    const wanted = Math.max(src.length, dst.length);
    if (wanted > room) {
      srcAt = zstd.malloc(wanted);
      dstAt = zstd.malloc(wanted);
      room = srcAt !== 0 && dstAt !== 0 ? wanted : 0;
      if (room === 0) throw new Error('zstd: out of memory');
    }
    new Uint8Array(zstd.memory.buffer, srcAt, src.length).set(src);
    const length = zstd.ZSTD_decompress(dstAt, dst.length, srcAt, src.length);
    if (zstd.ZSTD_isError(length) !== 0) throw new Error(`zstd: error ${-length}`);
    dst.set(new Uint8Array(zstd.memory.buffer, dstAt, length)); // the memory may have grown, and moved
    return length;
  };
}
