// LZO1X compression, after the kernel's description of the stream (Documentation/staging/lzo.rst): what makedumpfile -l
// writes. Made for pages: a hash of the next four bytes finds where they stood last.
//
//   instruction   first byte            then               copies
//   near, short   01LDDDSS 1LLDDDSS     1 byte             3 to 8 bytes from at most 2 KiB back
//   far           001LLLLL              length, 2 bytes    from at most 16 KiB back
//   literals      0000LLLL              length, bytes      4 and more; 1 to 3 stand in SS of the instruction before

const hashBits = 12;
const table = new Uint16Array(1 << hashBits);
const farthest = 16384;

/**
 * Compresses a page of at most 64 KiB.
 * @param into room for as many bytes
 * @returns bytes written; 0 if it did not get smaller than `most` bytes
 */
export function lzo1xCompress(page: Uint8Array, into: Uint8Array, most = page.length - 1): number {
  table.fill(0);
  const end = page.length;
  // what a match at the very end could need beyond the literals
  const room = Math.min(most, into.length) - 8;
  let op = 0;
  let literals = 0; // where those not yet written begin
  let stateAt = -1; // where SS of the last instruction stands; -1 before the first
  let ip = 0;

  while (ip + 4 <= end) {
    const word = page[ip]! | (page[ip + 1]! << 8) | (page[ip + 2]! << 16) | (page[ip + 3]! << 24);
    const slot = Math.imul(word, 0x9e37_79b1) >>> (32 - hashBits);
    const at = table[slot]!;
    table[slot] = ip;
    const distance = ip - at;
    if (
      distance === 0 ||
      distance > farthest ||
      page[at] !== page[ip] ||
      page[at + 1] !== page[ip + 1] ||
      page[at + 2] !== page[ip + 2] ||
      page[at + 3] !== page[ip + 3]
    ) {
      // the longer nothing is found, the larger the steps
      ip += 1 + ((ip - literals) >> 5);
      continue;
    }
    let length = 4;
    while (ip + length < end && page[at + length] === page[ip + length]) length++;

    const run = ip - literals;
    if (op + run + (run >> 7) + (length >> 7) + 8 > room) return 0;
    if (run > 0) {
      op = writeRun(page, literals, run, into, op, stateAt);
    }
    const back = distance - 1;
    if (length <= 8 && distance <= 2048) {
      into[op] = (length <= 4 ? 0x40 | ((length - 3) << 5) : 0x80 | ((length - 5) << 5)) | ((back & 7) << 2);
      stateAt = op;
      into[op + 1] = back >> 3;
      op += 2;
    } else {
      if (length - 2 <= 31) into[op++] = 0x20 | (length - 2);
      else {
        into[op++] = 0x20;
        op = writeLength(into, op, length - 2 - 31);
      }
      into[op] = (back << 2) & 0xff;
      stateAt = op;
      into[op + 1] = back >> 6;
      op += 2;
    }
    ip += length;
    literals = ip;
  }

  const run = end - literals;
  if (op + run + (run >> 7) + 8 > room) return 0;
  if (run > 0) op = writeRun(page, literals, run, into, op, stateAt);
  into[op++] = 0x11;
  into[op++] = 0;
  into[op++] = 0;
  return op;
}

/** Literals, and how many: in two bits of the instruction before, if there is one and they are few. */
function writeRun(page: Uint8Array, from: number, run: number, into: Uint8Array, at: number, stateAt: number): number {
  let op = at;
  if (stateAt < 0 && run <= 238) into[op++] = 17 + run;
  else if (stateAt >= 0 && run <= 3) into[stateAt] = into[stateAt]! | run;
  else if (run <= 18) into[op++] = run - 3;
  else {
    into[op++] = 0;
    op = writeLength(into, op, run - 18);
  }
  if (run < 32) for (let i = 0; i < run; i++) into[op + i] = page[from + i]!;
  else into.set(page.subarray(from, from + run), op);
  return op + run;
}

/** A length beyond what fits in its instruction: zeroes for 255 each, then the rest, which is not 0. */
function writeLength(into: Uint8Array, at: number, length: number): number {
  let op = at;
  let rest = length;
  for (; rest > 255; rest -= 255) into[op++] = 0;
  into[op++] = rest;
  return op;
}
