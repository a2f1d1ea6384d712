// LZO1X compression, after the kernel's description of the stream (Documentation/staging/lzo.rst): what makedumpfile -l
// writes. Made for pages: a hash of the next four bytes finds where they stood last. In WebAssembly (lzo.wat), which loads
// words wherever they lie: twice as fast as the same in JavaScript.
//
//   instruction   first byte            then               copies
//   near, short   01LDDDSS 1LLDDDSS     1 byte             3 to 8 bytes from at most 2 KiB back
//   far           001LLLLL              length, 2 bytes    from at most 16 KiB back
//   literals      0000LLLL              length, bytes      4 and more; 1 to 3 stand in SS of the instruction before
import { lzoWasm } from './lzo_wasm.ts';

/** Where the module has the page and what it makes of it. */
const pageAt = 8192;
const outputAt = 73_760;
/** Bytes of the largest page. */
const mostBytes = 65_536;

// what is used of it: TypeScript declares it only for browsers
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

let code: { readonly bytes: Uint8Array; compress(size: number, most: number): number } | null = null;

function load(): NonNullable<typeof code> {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(lzoWasm, 'base64')));
  const { memory, compress } = exports as {
    readonly memory: { readonly buffer: ArrayBuffer };
    compress(size: number, most: number): number;
  };
  return { bytes: new Uint8Array(memory.buffer), compress };
}

/**
 * Compresses a page of at most 64 KiB.
 * @param into room for as many bytes
 * @returns bytes written; 0 if it did not get smaller than `most` bytes
 * @throws RangeError for a larger page
 */
export function lzo1xCompress(page: Uint8Array, into: Uint8Array, most = page.length - 1): number {
  if (page.length > mostBytes) throw new RangeError(`a page of ${page.length} bytes`);
  code ??= load();
  code.bytes.set(page, pageAt);
  const length = code.compress(page.length, Math.min(most, into.length));
  if (length > 0) into.set(code.bytes.subarray(outputAt, outputAt + length));
  return length;
}
