// LZO1X compression, after the kernel's description of the stream (Documentation/staging/lzo.rst): what makedumpfile -l
// writes. Made for pages: a hash of the next five bytes finds where they stood last. In WebAssembly (lzo.wat), which loads
// words wherever they lie: twice as fast as the same in JavaScript.
//
//   instruction   first byte            then               copies
//   near, short   01LDDDSS 1LLDDDSS     1 byte             3 to 8 bytes from at most 2 KiB back
//   far           001LLLLL              length, 2 bytes    from at most 16 KiB back
//   literals      0000LLLL              length, bytes      4 and more; 1 to 3 stand in SS of the instruction before
import { UsageError } from '../base/errors.ts';
import { loadModule, type ModuleMemory } from '../base/web_assembly.ts';
import { lzoWasm } from './lzo_wasm.ts';

// The module's memory:
//
//   0 +-------+ 8192 +-------------+ outputAt +--------+ sizesAt +-------+
//     | table |      | pages       |          | output |         | sizes |
//     +-------+      +-------------+          +--------+         +-------+
const pagesAt = 8192;
/** Bytes of pages that are packed at a time, and of the largest page. */
const mostBytes = 262_144;
const largestPage = 65_536;
const outputAt = pagesAt + mostBytes + 64;
const sizesAt = outputAt + mostBytes + 65_600;
const mostPages = 64;

interface Exports {
  readonly memory: ModuleMemory;
  readonly compress: (page: number, size: number, out: number, most: number) => number;
  readonly pack: (page: number, count: number, size: number, out: number, sizes: number, dropsZeroes: number) => number;
}

interface Code extends Exports {
  readonly bytes: Uint8Array;
  readonly sizes: Uint32Array;
}

let code: Code | null = null;

function load(): Code {
  const exports = loadModule<Exports>(lzoWasm);
  if (exports === null)
    throw new UsageError('LZO needs WebAssembly, which this Node does not have: take another way to compress');
  const { buffer } = exports.memory;
  const { compress, pack, memory } = exports;
  return { memory, compress, pack, bytes: new Uint8Array(buffer), sizes: new Uint32Array(buffer, sizesAt, mostPages) };
}

/**
 * Compresses a page of at most 64 KiB.
 * @param into room for as many bytes
 * @returns bytes written; 0 if it did not get smaller than `most` bytes
 * @throws RangeError for a larger page, UsageError without WebAssembly
 */
export function lzo1xCompress(page: Uint8Array, into: Uint8Array, most = page.length - 1): number {
  if (page.length > largestPage) throw new RangeError(`a page of ${page.length} bytes`);
  code ??= load();
  code.bytes.set(page, pagesAt);
  const length = code.compress(pagesAt, page.length, outputAt, Math.min(most, into.length));
  if (length > 0) into.set(code.bytes.subarray(outputAt, outputAt + length));
  return length;
}

/**
 * Compresses pages that follow one another, each by itself, with one call for many: as a `PagesPacker`.
 * @param size bytes of a page: a multiple of 32, at most 64 KiB
 * @throws RangeError for other pages, UsageError without WebAssembly
 */
export function lzoPack(
  pages: Uint8Array,
  size: number,
  dropsZeroes: boolean,
  into: Uint8Array,
  sizes: Uint32Array,
): number {
  if (size > largestPage || size % 32 !== 0) throw new RangeError(`a page of ${size} bytes`);
  code ??= load();
  const atOnce = size * Math.min(mostPages, Math.floor(mostBytes / size));
  let used = 0;
  for (let from = 0; from < pages.length; from += atOnce) {
    const part = pages.length <= atOnce ? pages : pages.subarray(from, from + atOnce);
    code.bytes.set(part, pagesAt);
    const count = part.length / size;
    const length = code.pack(pagesAt, count, size, outputAt, sizesAt, dropsZeroes ? 1 : 0);
    into.set(code.bytes.subarray(outputAt, outputAt + length), used);
    sizes.set(code.sizes.subarray(0, count), from / size);
    used += length;
  }
  return used;
}
