// How the CPU came to an address that holds no code. A call leaves the address that it returns to on top of the stack;
// where none is there, it was a return, or a jump:
//
//   RSP -> | frob+0x50 |  after a call        RSP -> | 4141414141414141 |  after a return: what lay on top
//          | ...       |                             | 4141414141414141 |  was taken for the return address
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import type { Frame } from '../kernel/backtrace.ts';
import { type Facts, instructionAt } from './facts.ts';

export interface Arrival {
  /** - `called`: the stack has where it was called from. - `returned`: it has not. */
  readonly how: 'called' | 'returned';
  /** Where it was called from; of a return, the first frame above that is whole. Null where there is none. */
  readonly frame: Frame | null;
  /** Whether the call there is to another, fixed function: then that one, or what it called, went wrong. */
  readonly called: VirtAddr | null;
  /** The words on top of the stack that are the same as where the CPU went. */
  readonly copies: number;
  /** Virtual address of the top of the stack. */
  readonly top: VirtAddr;
  /** Bytes from there to the slot of `frame`: what was the frame of the function that returned; null where unknown. */
  readonly lostFrame: number | null;
}

/** Most words on top of a stack that are compared. */
const maxWords = 64;

/** How the CPU came to where it is; null without an exception, and on machines where a register holds the return address. */
export function arrivalOf(facts: Facts): Arrival | null {
  const { exception, kernel } = facts;
  if (exception === null) return null;
  const { arch, space } = kernel;
  if (arch.registers.link(exception.registers) !== null) return null;
  const top = virtAddr(arch.registers.stackPointer(exception.registers) ?? 0n);
  const { bytes } = space.readUpTo(top, maxWords * 8);
  const words = new BigUint64Array(bytes.slice(0, bytes.length & ~7).buffer);
  if (words.length === 0) return null;
  const target = instructionAt(facts, exception);
  let copies = 0;
  while (copies < words.length && words[copies] === target) copies++;
  const first = virtAddr(words[0]!);
  const frames = facts.crashTrace.frames.slice(exception.index + 1);
  const isCall = arch.isKernelAddress(first) && kernel.place(first) !== null && arch.followsCall(space, first) === true;
  if (isCall) {
    const frame = frames.find(({ kind, frameAddress }) => kind === 'call' && frameAddress === top) ?? null;
    return { how: 'called', frame, called: fixedTarget(facts, first, target), copies, top, lostFrame: null };
  }
  const frame =
    frames.find(
      ({ kind, place, frameAddress, address }) =>
        kind === 'call' && place !== null && frameAddress > top && arch.followsCall(space, address) === true,
    ) ?? null;
  const lostFrame = frame === null ? null : Number(frame.frameAddress - top);
  return { how: 'returned', frame, called: null, copies, top, lostFrame };
}

/** Where the call before a return address goes, if that is fixed, and neither the target nor code that jumps on by a register. */
function fixedTarget({ kernel }: Facts, returnAddress: VirtAddr, target: VirtAddr): VirtAddr | null {
  const { decoder } = kernel.arch;
  const place = kernel.place(returnAddress);
  if (decoder === null || place === null) return null;
  const start = offsetBy(returnAddress, -Math.min(place.offset, 4096));
  const { bytes } = kernel.space.readUpTo(start, Number(returnAddress - start));
  let called: VirtAddr | null = null;
  for (const instruction of decoder.decode(bytes, start)) {
    if (instruction.flow === 'call' && instruction.address + BigInt(instruction.bytes.length) === returnAddress)
      called = instruction.target;
  }
  if (called === null || called === target) return null;
  return /indirect_thunk|retpoline/.test(kernel.place(called)?.symbol.name ?? '') ? null : called;
}

/** The text that a word is, where all its bytes are printable or zero; null otherwise. */
export function textOf(word: bigint): string | null {
  const bytes = Array.from({ length: 8 }, (_, i) => Number((word >> BigInt(i * 8)) & 0xffn));
  const text = bytes.filter((byte) => byte !== 0 && byte !== 0xff);
  if (text.length < 4 || text.some((byte) => byte < 0x20 || byte > 0x7e)) return null;
  return String.fromCharCode(...text);
}
