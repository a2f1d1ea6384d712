// How the CPU came to an address that holds no code. A call leaves the address that it returns to on top of the stack;
// where none is there, it was a return, or a jump:
//
//   RSP -> | frob+0x50 |  after a call        RSP -> | 4141414141414141 |  after a return: what lay on top
//          | ...       |                             | 4141414141414141 |  was taken for the return address
//
// Where a register holds the return address, a call leaves it there, and a return goes to what is there. The function that
// returned had loaded it from its frame, which lies below the stack pointer then:
//
//   x30 = frob+0x50  after a call      x30 = pc       | 4141414141414141 |  after a return
//                                             sp ->   | ...              |
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import type { Frame } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { mayJumpByPointer } from '../origin/departures.ts';
import { calledFunction } from '../origin/origin.ts';
import { type ExceptionFrame, type Facts, instructionAt } from './facts.ts';

export interface Arrival {
  /** - `called`: the stack has where it was called from. - `returned`: it has not. */
  readonly how: 'called' | 'returned';
  /** Where it was called from; of a return, the first frame above that is whole. Null where there is none. */
  readonly frame: Frame | null;
  /** Whether nothing else can have been. */
  readonly proven: boolean;
  /** Which tells it: the top of the stack, or the register with the return address. */
  readonly by: 'stack' | 'register';
  /** Where it was to return to, had the signature of that address been right; null where it was, or there was none. */
  readonly meant: VirtAddr | null;
  /** The function that was called there, and that returned, or something that it called; null where it cannot be told. */
  readonly called: VirtAddr | null;
  /** Whether the word is still there that a return would have taken off the stack, and is where the CPU went. */
  readonly popped: boolean;
  /** The words on top of the stack that are the same as where the CPU went. */
  readonly copies: number;
  /** Virtual address of the top of the stack. */
  readonly top: VirtAddr;
  /** Bytes from there to the slot of `frame`: what was the frame of the function that returned; null where unknown. */
  readonly lostFrame: number | null;
}

/** Most words on top of a stack that are compared. */
const maxWords = 64;

/** How the CPU came to where it is; null where that cannot be told. */
export function arrivalOf(facts: Facts): Arrival | null {
  const { exception, kernel } = facts;
  if (exception === null) return null;
  const { arch, space } = kernel;
  const link = arch.registers.link(exception.registers);
  if (link !== null) return arrivalByLink(facts, exception, link);
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
  const popped = poppedWord(kernel, top) === target;
  const called = (frame: Frame | null): VirtAddr | null => (frame === null ? null : calledAt(facts, frame));
  const common = { copies, top, popped, by: 'stack', meant: null } as const;
  if (isCall) {
    const frame = frames.find(({ kind, frameAddress }) => kind === 'call' && frameAddress === top) ?? null;
    const function_ = called(frame);
    // a function is there that was called, and where the CPU is was taken off the stack
    const isReturn =
      popped &&
      function_ !== null &&
      function_ !== target &&
      kernel.place(function_) !== null &&
      !mayJumpByPointer(kernel, function_);
    if (!isReturn) return { ...common, how: 'called', frame, called: null, lostFrame: null, proven: false };
    return { ...common, how: 'returned', frame, called: function_, lostFrame: 0, proven: copies > 1 };
  }
  const frame = firstWhole(facts, frames, top);
  const lostFrame = frame === null ? null : Number(frame.frameAddress - top);
  return { ...common, how: 'returned', frame, called: called(frame), lostFrame, proven: copies > 1 };
}

/** The first frame above a place on the stack that a call made. */
function firstWhole({ kernel: { arch, space }, told }: Facts, frames: readonly Frame[], top: VirtAddr): Frame | null {
  // of a log, what it lists
  if (told !== null) return frames.find(({ kind, place }) => kind === 'call' && place !== null) ?? null;
  const isWhole = ({ kind, place, frameAddress, address }: Frame): boolean =>
    kind === 'call' && place !== null && frameAddress > top && arch.followsCall(space, address) === true;
  return frames.find(isWhole) ?? null;
}

/** The same where a register holds the return address. */
function arrivalByLink(facts: Facts, exception: ExceptionFrame, link: VirtAddr): Arrival | null {
  const { kernel, crashTrace } = facts;
  const { arch, space } = kernel;
  const top = arch.registers.stackPointer(exception.registers);
  const target = instructionAt(facts, exception);
  const branch = arch.registers.lastBranch(exception.registers);
  const frames = crashTrace.frames.slice(exception.index + 1);
  const meant = arch.failedAuthentication(target);
  if (link !== target && link !== meant) {
    if (kernel.place(link) === null || arch.followsCall(space, link) !== true) return null;
    const frame = frames.find(({ kind, address }) => kind === 'call' && address === link) ?? null;
    return {
      how: 'called',
      frame,
      proven: branch === 'call',
      called: null,
      lostFrame: null,
      copies: 0,
      top,
      popped: false,
      by: 'register',
      meant: null,
    };
  }
  // a branch to what happens to be in that register, too
  if (branch !== null) return null;
  const frame = firstWhole(facts, frames, top);
  const copies = copiesAbove(facts, top, meant ?? target);
  const called = frame === null ? null : calledAt(facts, frame);
  const lostFrame = frame === null || facts.told !== null ? null : Number(frame.frameAddress - top);
  return {
    how: 'returned',
    frame,
    called,
    copies,
    top,
    popped: false,
    lostFrame,
    proven: copies > 1,
    by: 'register',
    meant,
  };
}

/** Bits of an address that its signature leaves alone, of the smallest addresses that there are. */
const unsigned = (1n << 48n) - 1n;

/**
 * How many words in a row on top of the stack are the target: what the function that returned wrote past its own frame. (The
 * frame itself, below, has the registers of the exception by now.)
 */
function copiesAbove({ kernel: { space } }: Facts, top: VirtAddr, target: bigint): number {
  const { bytes } = space.readUpTo(top, maxWords * 8);
  const words = [...new BigUint64Array(bytes.slice(0, bytes.length & ~7).buffer)];
  const others = words.findIndex((word) => (word & unsigned) !== (target & unsigned));
  return others < 0 ? words.length : others;
}

/**
 * The word below the top of the stack, which a return has just taken off; null where an exception was pushed over it: the
 * CPU aligns the stack to 16 bytes and pushes from there (Intel SDM 3A 6.14.2), so one word may be left between.
 */
function poppedWord({ space }: Kernel, top: VirtAddr): bigint | null {
  if ((top & 15n) !== 8n) return null;
  const { bytes } = space.readUpTo(offsetBy(top, -8), 8);
  return bytes.length < 8 ? null : new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

/** The function that a frame called; null where it cannot be told, and for what is no function's start. */
function calledAt(facts: Facts, frame: Frame): VirtAddr | null {
  const { kernel, crashTrace, crashedCpu } = facts;
  const index = crashTrace.frames.indexOf(frame);
  const find = (): VirtAddr | null => calledFunction(kernel, crashTrace, index, crashedCpu?.cpu ?? null);
  const called = kernel.faults.attempt('what a frame called', find, null);
  // a function may be entered behind its first mark
  return called !== null && (kernel.place(called)?.offset ?? 16) < 16 ? called : null;
}

/** The text that a word is, where all its bytes are printable or zero; null otherwise. */
export function textOf(word: bigint): string | null {
  const bytes = Array.from({ length: 8 }, (_, i) => Number((word >> BigInt(i * 8)) & 0xffn));
  const text = bytes.filter((byte) => byte !== 0 && byte !== 0xff);
  if (text.length < 4 || text.some((byte) => byte < 0x20 || byte > 0x7e)) return null;
  return String.fromCharCode(...text);
}
