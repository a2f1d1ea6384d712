// LZO1X decompression, after the kernel's description of the stream (Documentation/staging/lzo.rst).
//
// The stream is a row of instructions; each copies bytes back from the output (a match: distance and
// length) and then 0 to 3 literals whose number stands in its lowest two bits. What an instruction byte
// below 16 means depends on how many literals came just before it, which the text calls the state:
// 0 none, 1 to 3 so many, 4 a long run.
//
// A stream that begins with 17 and a version above 0 (lzo-rle, since 5.1) may hold runs of zeroes: the farthest match
// there is stands for one.

const shortRun = 18; // a first byte above 17 begins with a run of literals
const endDistance = 16384;
const versionMark = 17;
/** Shortest stream that may begin with a version. */
const versioned = 5;
/** Shortest run of zeroes. */
const shortestZeroes = 4;

/**
 * Decompresses one LZO1X block (makedumpfile's pages, zram's with lzo and lzo-rle) into the start of `dst`; returns the bytes written.
 * @throws Error for a stream that is cut, points before the output's start, or does not fit in `dst`
 */
export function lzo1xDecompress(src: Uint8Array, dst: Uint8Array): number {
  const srcEnd = src.length;
  const dstEnd = dst.length;
  let ip = 0;
  let op = 0;
  let state = 0;

  if (srcEnd < 3) throw cut();
  const hasZeroRuns = srcEnd >= versioned && src[0] === versionMark && src[1]! > 0;
  if (srcEnd >= versioned && src[0] === versionMark) ip = 2;
  if (src[ip]! >= shortRun) {
    const run = src[ip++]! - 17;
    if (run > srcEnd - ip) throw cut();
    if (run > dstEnd - op) throw tooLong();
    for (let i = 0; i < run; i++) dst[op++] = src[ip++]!;
    state = Math.min(run, 4);
  }

  for (;;) {
    if (ip >= srcEnd) throw cut();
    const instruction = src[ip++]!;
    let length: number;
    let distance: number;
    let literals = instruction & 3;

    if (instruction >= 64) {
      // 1LLDDDSS and 01LDDDSS: 3 to 8 bytes from at most 2 KiB back
      if (ip >= srcEnd) throw cut();
      length = (instruction >= 128 ? 5 + ((instruction >> 5) & 3) : 3 + ((instruction >> 5) & 1)) | 0;
      distance = (src[ip++]! << 3) + ((instruction >> 2) & 7) + 1;
    } else if (instruction >= 16) {
      // 001LLLLL: from at most 16 KiB back; 0001HLLL: from 16 to 48 KiB back
      const near = instruction >= 32;
      if (hasZeroRuns && (instruction & 0xf8) === 0x18 && srcEnd - ip >= 2) {
        const word = src[ip]! | (src[ip + 1]! << 8);
        if (word >= 0xfffc) {
          if (srcEnd - ip < 3) throw cut();
          const zeroes = ((instruction & 7) | (src[ip + 2]! << 3)) + shortestZeroes;
          ip += 3;
          if (zeroes > dstEnd - op) throw tooLong();
          dst.fill(0, op, op + zeroes);
          op += zeroes;
          literals = word & 3;
          if (literals > srcEnd - ip) throw cut();
          if (literals > dstEnd - op) throw tooLong();
          for (let i = 0; i < literals; i++) dst[op++] = src[ip++]!;
          state = literals;
          continue;
        }
      }
      const mask = near ? 31 : 7;
      length = instruction & mask;
      if (length === 0) {
        length = mask;
        while (ip < srcEnd && src[ip] === 0) {
          length += 255;
          ip++;
        }
        if (ip >= srcEnd) throw cut();
        length += src[ip++]!;
      }
      length += 2;
      if (srcEnd - ip < 2) throw cut();
      const word = src[ip]! | (src[ip + 1]! << 8);
      ip += 2;
      literals = word & 3;
      if (near) {
        distance = (word >> 2) + 1;
      } else {
        distance = endDistance + ((instruction & 8) << 11) + (word >> 2);
        if (distance === endDistance) {
          // the end mark
          if (ip !== srcEnd) throw new Error('lzo: bytes after the end of the stream');
          return op;
        }
      }
    } else if (state === 0) {
      // 0000LLLL: a long run of literals
      let run = instruction;
      if (run === 0) {
        run = 15;
        while (ip < srcEnd && src[ip] === 0) {
          run += 255;
          ip++;
        }
        if (ip >= srcEnd) throw cut();
        run += src[ip++]!;
      }
      run += 3;
      if (run > srcEnd - ip) throw cut();
      if (run > dstEnd - op) throw tooLong();
      for (let i = 0; i < run; i++) dst[op++] = src[ip++]!;
      state = 4;
      continue;
    } else {
      // 0000DDSS: 2 bytes from at most 1 KiB back, or after a long run 3 bytes from 2 to 3 KiB back
      if (ip >= srcEnd) throw cut();
      const high = src[ip++]! << 2;
      length = state === 4 ? 3 : 2;
      distance = high + (instruction >> 2) + (state === 4 ? 2049 : 1);
    }

    if (distance > op) throw new Error('lzo: a match points before the start of the output');
    if (length > dstEnd - op) throw tooLong();
    for (let from = op - distance, i = 0; i < length; i++) dst[op++] = dst[from++]!;

    if (literals > srcEnd - ip) throw cut();
    if (literals > dstEnd - op) throw tooLong();
    for (let i = 0; i < literals; i++) dst[op++] = src[ip++]!;
    state = literals;
  }
}

function cut(): Error {
  return new Error('lzo: the stream ends too early');
}

function tooLong(): Error {
  return new Error('lzo: the output does not fit');
}
