// What machine code says about whether a function has made its frame record (AAPCS64, "The Frame Pointer").
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import type { KernelView } from '../kernel_view.ts';

/** Bytes of a function that are looked through for its prologue. */
const maxPrologue = 16384;

const instructionSize = 4;
/** `ldp x29, x30` comes so few instructions before the `ret`: between them are changes of sp and the signature's check. */
const maxEpilogue = 4;

/** `stp x29, x30, [sp, #n]` and `[sp, #n]!`, n signed. */
function savesRecord(word: number): boolean {
  return (word & 0xffc0_7fff) >>> 0 === 0xa900_7bfd || (word & 0xffc0_7fff) >>> 0 === 0xa980_7bfd;
}

/** `ldp x29, x30, [sp, #n]` and `[sp], #n`. */
function restoresRecord(word: number): boolean {
  return (word & 0xffc0_7fff) >>> 0 === 0xa940_7bfd || (word & 0xffc0_7fff) >>> 0 === 0xa8c0_7bfd;
}

/** `b`, `br`, `ret` and the like: what follows in memory was come upon from elsewhere. */
function leaves(word: number): boolean {
  return (word & 0xfc00_0000) >>> 0 === 0x1400_0000 || (word & 0xfebf_f000) >>> 0 === 0xd61f_0000;
}

/**
 * Whether the function that was interrupted at `pc` has a frame record of its own there: it saved x29 and x30 on
 * the way, and has not taken them back. True where its code cannot be read; false for an address that is no code.
 */
export function hasFrameRecord(view: KernelView, pc: VirtAddr): boolean {
  const start = view.functionAt(pc)?.start;
  if (start === undefined) return view.isText(pc);
  const length = Number(pc - start);
  const from = length > maxPrologue ? offsetBy(pc, -maxPrologue) : start;
  const { bytes, fault } = view.space.readUpTo(from, Number(pc - from));
  if (fault !== null) return true;
  const code = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let epilogue = true;
  for (let at = bytes.length - instructionSize; at >= 0; at -= instructionSize) {
    const word = code.getUint32(at, true);
    if (savesRecord(word)) return true;
    epilogue &&= !leaves(word) && at >= bytes.length - maxEpilogue * instructionSize;
    if (epilogue && restoresRecord(word)) return false;
  }
  return length > maxPrologue;
}
