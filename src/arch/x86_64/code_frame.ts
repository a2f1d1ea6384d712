// Where a function's frame lies, by its machine code: for kernels that unwind by frame pointers
// (CONFIG_UNWINDER_FRAME_POINTER, as Ubuntu's do) and have no table that says so. What objtool does when it makes such a
// table, in small: the code is followed along its jumps, with what each instruction does to rsp and rbp.
//
//   caller's  | return address |  <- rsp at the first instruction: depth 0
//             | rbp            |  <- rsp after `push %rbp`: depth 8; and rbp, after `mov %rsp,%rbp`: framed
//             | ...            |  <- rsp
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import type { Instruction, Operand } from '../decoder.ts';
import type { KernelView } from '../kernel_view.ts';
import { x86Decoder } from './decoder.ts';

/** What is known of the frame before an instruction of a function is executed. */
export interface CodeFrame {
  /** Bytes from rsp up to the return address; null where the code does not tell. */
  readonly depth: number | null;
  /** Bytes from where the caller's rbp was pushed up to the return address; null where rbp is still the caller's. */
  readonly saved: number | null;
  /** Whether rbp points to the caller's rbp, with the return address behind it. */
  readonly framed: boolean;
}

/** Bytes of one function that are looked at. */
const maxFunction = 1 << 16;
/** Instructions of one function that are followed; the largest have some 10,000. */
const maxInstructions = 40_000;
/** Frames remembered, of all functions. */
const maxRemembered = 500_000;

const entered: CodeFrame = { depth: 0, saved: null, framed: false };
/** Of code that no jump leads to: what a function with a frame does seldom, moved away, or behind a static key that is off. */
const aside: CodeFrame = { depth: null, saved: 8, framed: true };

/** No instruction's address. */
const framedAt = 0n;

export class CodeFrames {
  private readonly view: KernelView;
  /** By where their function starts. */
  private readonly known = new Map<bigint, ReadonlyMap<bigint, CodeFrame>>();
  private remembered = 0;

  constructor(view: KernelView) {
    this.view = view;
  }

  /**
   * The frame at an instruction; null for code that is in no function, cannot be read, or that no jump that is known leads
   * to in a function without a frame pointer.
   * @param ip of the instruction that is next; with `returned`, of that behind a call
   */
  at(ip: VirtAddr, returned: boolean): CodeFrame | null {
    const within = this.view.functionAt(returned ? offsetBy(ip, -1) : ip);
    if (within === null) return null;
    let frames = this.known.get(within.start);
    if (frames === undefined) {
      frames = this.follow(within.start, within.name.endsWith('.cold') ? aside : entered);
      this.remembered += frames.size;
      if (this.remembered > maxRemembered) {
        this.known.clear();
        this.remembered = frames.size;
      }
      this.known.set(within.start, frames);
    }
    return frames.get(returned ? -ip : ip) ?? frames.get(framedAt) ?? null;
  }

  /**
   * The frame before each instruction, and behind each call (by the negative of the address that it returns to); by 0, where
   * one has a frame pointer, what is likely of all other code.
   */
  private follow(start: VirtAddr, first: CodeFrame): ReadonlyMap<bigint, CodeFrame> {
    const frames = new Map<bigint, CodeFrame>();
    const { bytes } = this.view.space.readUpTo(start, maxFunction);
    const pending: { at: VirtAddr; frame: CodeFrame }[] = [{ at: start, frame: first }];
    const isOwn = (at: VirtAddr): boolean => at >= start && this.view.functionAt(at)?.start === start;
    let left = maxInstructions;
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      let { frame } = next;
      const from = Number(next.at - start);
      if (from >= bytes.length) continue;
      for (const instruction of x86Decoder.decode(bytes.subarray(from), next.at)) {
        const { address, flow, target } = instruction;
        const before = frames.get(address);
        // Behind a call that does not return, another piece of the function begins: what has a frame is right.
        if (before !== undefined && (before.framed || !frame.framed)) break;
        if (left-- === 0) return frames;
        if (flow === 'invalid' || (address !== start && !isOwn(address))) break;
        frames.set(address, frame);
        if (frame.framed) frames.set(framedAt, aside);
        if (flow === 'call') frames.set(-(address + BigInt(instruction.bytes.length)), frame);
        else frame = after(frame, instruction);
        if (target !== null && flow !== 'call' && isOwn(target)) pending.push({ at: target, frame });
        if (flow === 'jump' || flow === 'return' || flow === 'trap') break;
      }
    }
    return frames;
  }
}

function after(frame: CodeFrame, { mnemonic, operands, writes }: Instruction): CodeFrame {
  const [to, from] = operands;
  const moved = (by: number | null): CodeFrame => ({
    ...frame,
    depth: frame.depth === null || by === null ? null : frame.depth + by,
  });
  switch (mnemonic) {
    case 'push': {
      const pushed = moved(8);
      // with a stack that was aligned anew, a copy of the return address is pushed before rbp
      return isRegister(to, 'rbp') && frame.saved === null ? { ...pushed, saved: pushed.depth ?? 8 } : pushed;
    }
    case 'pushfq':
      return moved(8);
    case 'pop':
      return isRegister(to, 'rbp') ? { ...moved(-8), saved: null, framed: false } : moved(-8);
    case 'popfq':
      return moved(-8);
    case 'leave':
      return { depth: frame.framed ? 0 : null, saved: null, framed: false };
    case 'sub':
    case 'add':
      if (!isRegister(to, 'rsp')) break;
      if (from?.kind !== 'immediate') return moved(null);
      return moved(mnemonic === 'sub' ? Number(from.value) : -Number(from.value));
    case 'mov':
      if (isRegister(to, 'rbp') && isRegister(from, 'rsp'))
        return { ...frame, framed: frame.saved !== null && (frame.depth === null || frame.depth === frame.saved) };
      if (isRegister(to, 'rsp')) return { ...frame, depth: isRegister(from, 'rbp') && frame.framed ? 8 : null };
      break;
    case 'lea':
      if (!isRegister(to, 'rsp') || from?.kind !== 'memory' || from.index !== null) break;
      if (from.base === 'rsp') return moved(-Number(from.displacement));
      return { ...frame, depth: from.base === 'rbp' && frame.framed ? 8 - Number(from.displacement) : null };
    default:
  }
  if (writes.includes('rsp')) return moved(null);
  return frame.framed && writes.includes('rbp') ? { ...frame, framed: false } : frame;
}

function isRegister(operand: Operand | undefined, name: string): boolean {
  return operand?.kind === 'register' && operand.name === name && operand.width === 8;
}
