// LZ4's block format (lz4_Block_format.md), as far as a block goes: one that was cut gives what comes out of it.
//
//   token   high 4 bits: literals, low 4 bits: length of the match less 4; 15: more length bytes follow
//   literals
//   offset  2 bytes, little endian: how far back the match begins
//   ...     the last sequence has literals only

/** @param limit most bytes that may come out */
export function lz4Decompress(
  block: Uint8Array,
  limit: number,
): { readonly content: Uint8Array; readonly cut: boolean } {
  let out = new Uint8Array(Math.min(limit, Math.max(1024, block.length * 4)));
  let length = 0;
  let at = 0;
  const room = (more: number): boolean => {
    if (length + more > limit) return false;
    if (length + more > out.length) {
      const larger = new Uint8Array(Math.min(limit, Math.max(out.length * 2, length + more)));
      larger.set(out);
      out = larger;
    }
    return true;
  };
  const more = (first: number): number => {
    let total = first;
    if (first !== 15) return total;
    for (;;) {
      const byte = block[at++];
      if (byte === undefined) return -1;
      total += byte;
      if (byte !== 255) return total;
    }
  };
  const result = (cut: boolean): { readonly content: Uint8Array; readonly cut: boolean } => ({
    content: out.subarray(0, length),
    cut,
  });
  while (at < block.length) {
    const token = block[at++]!;
    const literals = more(token >> 4);
    if (literals < 0) return result(true);
    const have = Math.min(literals, block.length - at);
    if (!room(have)) return result(true);
    out.set(block.subarray(at, at + have), length);
    length += have;
    at += have;
    if (have < literals) return result(true);
    if (at === block.length) return result(false); // the last sequence
    if (at + 2 > block.length) return result(true);
    const offset = block[at]! | (block[at + 1]! << 8);
    at += 2;
    const extra = more(token & 15);
    if (extra < 0 || offset === 0 || offset > length) return result(true);
    const match = extra + 4;
    if (!room(match)) return result(true);
    for (let i = 0; i < match; i++, length++) out[length] = out[length - offset]!;
  }
  return result(true);
}
