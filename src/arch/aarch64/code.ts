// Fields of arm64's instructions (Arm ARM C4), and the few instructions that are told apart without decoding them.
// All have 4 bytes.

/** The instruction word at the start of bytes; 0, which is none, if there are fewer than 4. */
export function word(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Bits [low, low + count) of a word. */
export function bits(word: number, low: number, count: number): number {
  return (word >>> low) & (2 ** count - 1);
}

/** The same, as a signed number. */
export function signedBits(word: number, low: number, count: number): number {
  return (word << (32 - low - count)) >> (32 - count);
}

/** `bl`; `blr` and, with pointer authentication, `blraa` and its like. */
export function isCall(word: number): boolean {
  if ((word & 0xfc00_0000) >>> 0 === 0x9400_0000) return true;
  return (word & 0xffff_fc1f) >>> 0 === 0xd63f_0000 || (word & 0xfeff_f800) >>> 0 === 0xd63f_0800;
}

/** `brk #0x800`: BUG_BRK_IMM, of BUG() and WARN() (arch/arm64/include/asm/brk-imm.h). */
export function isBugTrap(word: number): boolean {
  return word === 0xd420_0000 + 0x800 * 32;
}

/**
 * The number that a logical instruction's N, immr and imms stand for (DecodeBitMasks): a run of ones, rotated, repeated.
 * Null for those that stand for none.
 */
export function bitmaskImmediate(word: number, width: 32 | 64): bigint | null {
  const [n, immr, imms] = [bits(word, 22, 1), bits(word, 16, 6), bits(word, 10, 6)];
  const length = 31 - Math.clz32((n << 6) | (~imms & 0x3f));
  if (length < 1 || (n === 1 && width === 32)) return null;
  const size = 1 << length;
  const ones = (imms & (size - 1)) + 1;
  if (ones === size) return null;
  const rotation = BigInt(immr & (size - 1));
  const run = (1n << BigInt(ones)) - 1n;
  const element = BigInt.asUintN(size, (run >> rotation) | (run << (BigInt(size) - rotation)));
  let value = 0n;
  for (let at = 0; at < width; at += size) value |= element << BigInt(at);
  return value;
}

/** The number that `movz`, `movn` or `orr` of the zero register moves: what `mov` shows; null for any other instruction. */
export function movedImmediate(word: number): bigint | null {
  const width = word >>> 31 === 1 ? 64 : 32;
  const operation = bits(word, 29, 2);
  switch (bits(word, 23, 6)) {
    case 0b10_0100:
      return operation === 1 && bits(word, 5, 5) === 31 ? bitmaskImmediate(word, width) : null;
    case 0b10_0101: {
      const value = BigInt(bits(word, 5, 16)) << BigInt(bits(word, 21, 2) * 16);
      if (operation === 0) return BigInt.asUintN(width, ~value);
      return operation === 2 ? value : null;
    }
    default:
      return null;
  }
}
