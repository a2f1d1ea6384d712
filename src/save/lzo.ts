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

/** Where the module has the page and what it makes of it. */
const pageAt = 8192;
const outputAt = 73_760;
/** Bytes of the largest page. */
const mostBytes = 65_536;

interface Exports {
  readonly memory: ModuleMemory;
  readonly compress: (size: number, most: number) => number;
}

let code: { readonly bytes: Uint8Array; readonly compress: Exports['compress'] } | null = null;

function load(): NonNullable<typeof code> {
  const exports = loadModule<Exports>(lzoWasm);
  if (exports === null)
    throw new UsageError('LZO needs WebAssembly, which this Node does not have: take another way to compress');
  return { bytes: new Uint8Array(exports.memory.buffer), compress: exports.compress };
}

/**
 * Compresses a page of at most 64 KiB.
 * @param into room for as many bytes
 * @returns bytes written; 0 if it did not get smaller than `most` bytes
 * @throws RangeError for a larger page, UsageError without WebAssembly
 */
export function lzo1xCompress(page: Uint8Array, into: Uint8Array, most = page.length - 1): number {
  if (page.length > mostBytes) throw new RangeError(`a page of ${page.length} bytes`);
  code ??= load();
  code.bytes.set(page, pageAt);
  const length = code.compress(page.length, Math.min(most, into.length));
  if (length > 0) into.set(code.bytes.subarray(outputAt, outputAt + length));
  return length;
}
