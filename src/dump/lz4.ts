// LZ4 blocks (lz4_Block_format.md): runs of literals, each followed by a match further back in the output.
//
//   token: literals | match length - 4     literals     distance, 2 bytes     token ...
//   a half of the token that is 15 goes on in the bytes behind it, until one is not 255
//
// The last run has no match.

/**
 * Decompresses one block into the start of `dst`; returns the bytes written.
 * @throws Error for a block that is cut, points before the output's start, or does not fit in `dst`
 */
export function lz4Decompress(src: Uint8Array, dst: Uint8Array): number {
  let ip = 0;
  let op = 0;
  const length = (half: number): number => {
    let n = half;
    if (half !== 15) return n;
    for (;;) {
      if (ip >= src.length) throw cut();
      const more = src[ip++]!;
      n += more;
      if (more !== 255) return n;
    }
  };
  while (ip < src.length) {
    const token = src[ip++]!;
    const literals = length(token >> 4);
    if (literals > src.length - ip) throw cut();
    if (literals > dst.length - op) throw tooLong();
    dst.set(src.subarray(ip, ip + literals), op);
    ip += literals;
    op += literals;
    if (ip === src.length) return op;
    if (src.length - ip < 2) throw cut();
    const distance = src[ip]! | (src[ip + 1]! << 8);
    ip += 2;
    const matched = length(token & 15) + 4;
    if (distance === 0 || distance > op) throw new Error('lz4: a match points before the start of the output');
    if (matched > dst.length - op) throw tooLong();
    for (let from = op - distance, i = 0; i < matched; i++) dst[op++] = dst[from++]!;
  }
  throw cut();
}

function cut(): Error {
  return new Error('lz4: the block ends too early');
}

function tooLong(): Error {
  return new Error('lz4: the output does not fit');
}
