// The one shape of decompressors of dump pages.

/**
 * Decompresses all of `src` into the start of `dst` and returns the number of bytes written.
 * Throws an Error (of any class) for data that is not valid or does not fit; never writes past `dst`.
 */
export type Decompressor = (src: Uint8Array, dst: Uint8Array) => number;
