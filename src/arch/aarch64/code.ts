// The few instructions of arm64 that are told apart without a decoder (Arm ARM C6.2): all have 4 bytes.

/** The instruction word at the start of bytes; 0, which is none, if there are fewer than 4. */
export function word(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
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
