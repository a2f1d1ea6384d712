// Stack unwinding by ORC, after what the kernel itself does (arch/x86/kernel/unwind_orc.c), on the stacks of a
// dead kernel. Where no table knows the code, the code itself says where its frame is (code_frame.ts); failing that, a
// frame pointer is guessed as the kernel does, or the stack is searched for a return address. Frames found so are marked
// as not reliable.
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { KernelView } from '../kernel_view.ts';
import type { OrcEntry, OrcLookup, OrcRegister } from '../orc_entry.ts';
import type { RealReturnAddress } from '../return_hooks.ts';
import { onStack, type Stack } from '../stacks.ts';
import { type Frame, maxFrames, type StackTrace, type UnwindEnd } from '../unwinder.ts';
import { followsCall, isCallOf } from './call_sites.ts';
import type { CodeFrame, CodeFrames } from './code_frame.ts';
import {
  iretFrameOffset,
  isUserMode,
  ptRegsSize,
  type RegisterName,
  type Registers,
  readIretFrame,
  readPtRegs,
} from './registers.ts';

/** Where an unwinding starts. */
export interface UnwindStart {
  readonly address: VirtAddr;
  readonly stackPointer: VirtAddr;
  readonly framePointer: VirtAddr;
  /** Registers, if all are known; for a CPU stopped in the middle of a function. */
  readonly registers: Registers | null;
}

/** Words of a stack looked at for a return address, before giving up. */
const maxScan = 4096;
/** Frames of one trace that may be guessed. */
const maxGuesses = 16;

/** The kernel's hard-coded rule for a call through a null pointer. */
const nullEntry: OrcEntry = {
  type: 'call',
  spRegister: 'sp',
  spOffset: 8,
  bpRegister: 'undefined',
  bpOffset: 0,
  signal: false,
};

/** The rule of entry code that has saved all registers. */
const entryRule: OrcEntry = { ...nullEntry, type: 'regs', spOffset: 0, signal: true };

/** Code segments that a kernel saves: its own, and user mode's of 64 and 32 bits (arch/x86/include/asm/segment.h). */
const segments: ReadonlySet<bigint> = new Set([0x10n, 0x33n, 0x23n]);

const registerOf: Partial<Record<OrcRegister, RegisterName>> = {
  ax: 'rax',
  dx: 'rdx',
  di: 'rdi',
  r10: 'r10',
  r13: 'r13',
};

/** A trace stops here; `message` says why. */
class Lost extends Error {}

/**
 * Unwinds from a start over the given stacks. Never throws for what the dump holds, and ends: each step goes up
 * its stack, or on to a stack that was not on the way before.
 * @param codeFrames of the same kernel: what it found out is kept for other traces
 * @param stacks every stack that the way may lead over
 */
export function unwind(
  view: KernelView,
  orc: OrcLookup,
  codeFrames: CodeFrames,
  stacks: readonly Stack[],
  start: UnwindStart,
  realReturnAddress: RealReturnAddress = (address) => address,
): StackTrace {
  return new Walker(view, orc, codeFrames, stacks, realReturnAddress).run(start);
}

class Walker {
  private readonly view: KernelView;
  private readonly orc: OrcLookup;
  private readonly codeFrames: CodeFrames;
  private readonly stacks: readonly Stack[];
  private readonly realReturnAddress: RealReturnAddress;
  private readonly visited = new Set<Stack>();
  private stack: Stack | null = null;
  private readonly frames: Frame[] = [];
  private guesses = 0;
  /** Whether the frame at hand was called by code that has a frame pointer, by what its own code says. */
  private chained = false;

  // The machine state of the frame last added.
  private ip = virtAddr(0n);
  private sp = virtAddr(0n);
  private bp = virtAddr(0n);
  private signal = false;
  /** The registers last saved in whole, while they still hold for the frame at hand. */
  private known: Registers | null = null;

  constructor(
    view: KernelView,
    orc: OrcLookup,
    codeFrames: CodeFrames,
    stacks: readonly Stack[],
    realReturnAddress: RealReturnAddress,
  ) {
    this.view = view;
    this.orc = orc;
    this.codeFrames = codeFrames;
    this.stacks = stacks;
    this.realReturnAddress = realReturnAddress;
  }

  run(start: UnwindStart): StackTrace {
    this.ip = start.address;
    this.sp = start.stackPointer;
    this.bp = start.framePointer;
    this.known = start.registers;
    this.signal = start.registers !== null;
    // A stack pointer in the guard page of an overflown stack: go on where the stack begins.
    this.enter(this.sp) || this.enter(virtAddr((this.sp + 4095n) & ~4095n));
    this.add({
      kind: this.signal ? 'interrupted' : 'call',
      frameAddress: this.signal ? this.sp : offsetBy(this.sp, -8),
      registers: start.registers,
    });
    if (start.registers !== null && isUserMode(start.registers)) return this.result('complete');
    while (this.frames.length < maxFrames) {
      const problem = this.attempt(() => this.step());
      if (problem === true) return this.result('complete');
      if (problem === null) continue;
      const guess = this.attempt(() => this.guess());
      if (guess === true) return this.result('complete');
      if (guess !== null) return this.result('lost', problem);
    }
    return this.result('limit');
  }

  /** Null if there is another frame, true at the end of all, else why it cannot go on. */
  private attempt(move: () => boolean): true | string | null {
    try {
      return move() ? true : null;
    } catch (error) {
      if (error instanceof Lost || error instanceof MemoryFault) return error.message;
      throw error;
    }
  }

  private result(end: UnwindEnd, problem = ''): StackTrace {
    return { frames: this.frames, end, problem };
  }

  private add(frame: Pick<Frame, 'kind' | 'frameAddress'> & Partial<Frame>): void {
    this.frames.push({
      address: this.ip,
      stackPointer: this.sp,
      stack:
        this.stack !== null && onStack(this.stack, frame.frameAddress, 0)
          ? this.stack
          : this.stackAt(frame.frameAddress),
      registers: null,
      registersAddress: null,
      reliable: true,
      ...frame,
    });
  }

  /** Goes on to the caller of the frame at hand; true if there is none. */
  private step(): boolean {
    const entry = this.ruleFor(this.ip);
    if (entry === null || entry.type === 'undefined') throw new Lost(`no rule for ${this.ip.toString(16)}`);
    if (entry.type === 'end') return true;
    const from = { sp: this.sp, stack: this.stack };
    const base = this.previousStackPointer(entry);
    if (entry.type === 'call') {
      const slot = offsetBy(base, -8);
      const ip = this.realReturnAddress(this.word(slot), slot);
      const bp = this.previousFramePointer(entry, base);
      this.checkDirection(base, from);
      if (!this.view.isText(ip)) throw new Lost(`return address at ${slot.toString(16)} is not in text`);
      this.ip = ip;
      this.sp = base;
      this.bp = bp;
      this.signal = false;
      this.chained = false;
      this.known = null;
      this.add({ kind: 'call', frameAddress: slot });
      return false;
    }
    return this.stepOverRegisters(entry, base, from.stack);
  }

  /** The frame at hand is entry code whose saved registers lie at `base`. */
  private stepOverRegisters(entry: OrcEntry, base: VirtAddr, before: Stack | null): boolean {
    const whole = entry.type === 'regs';
    this.reach(base, whole ? ptRegsSize : ptRegsSize - iretFrameOffset);
    const registers = whole ? readPtRegs(this.view.space, base) : readIretFrame(this.view.space, base);
    const registersAddress = whole ? base : offsetBy(base, -iretFrameOffset);
    const last = this.frames.pop()!;
    const previous = this.frames[this.frames.length - 1];
    const switched = previous !== undefined && previous.stack !== last.stack && previous.stack?.kind === 'irq';
    this.frames.push({
      ...last,
      kind: last.kind === 'interrupted' ? 'interrupted' : 'entry',
      frameAddress: switched && last.kind !== 'interrupted' ? registersAddress : last.frameAddress,
      registers: last.kind === 'interrupted' && last.registers !== null ? last.registers : registers,
      registersAddress,
    });
    if (isUserMode(registers)) return true;
    const from = { sp: this.sp, stack: before };
    this.checkDirection(virtAddr(registers.rsp ?? 0n), from);
    const bp = whole ? virtAddr(registers.rbp ?? 0n) : this.previousFramePointer(entry, base);
    this.ip = virtAddr(registers.rip ?? 0n);
    this.sp = virtAddr(registers.rsp ?? 0n);
    this.bp = bp;
    this.signal = true;
    this.chained = false; // who knows what was interrupted
    if (whole) this.known = registers;
    this.enter(this.sp);
    this.add({ kind: 'interrupted', frameAddress: this.sp });
    return false;
  }

  /** The rule for the frame at hand; null if there is none. */
  private ruleFor(ip: VirtAddr): OrcEntry | null {
    if (ip === 0n) return nullEntry;
    // A return address may be the first byte of the next function, after a call that never returns.
    return this.orc.find(this.signal ? ip : ip - 1n);
  }

  private previousStackPointer(entry: OrcEntry): VirtAddr {
    switch (entry.spRegister) {
      case 'sp':
        return offsetBy(this.sp, entry.spOffset);
      case 'bp':
        return offsetBy(this.bp, entry.spOffset);
      case 'sp-indirect':
        // since 87ccc826bf1c (5.12) the offset is added after the load; until then it was always 0
        return offsetBy(this.word(this.sp), entry.spOffset);
      case 'bp-indirect':
        return this.word(offsetBy(this.bp, entry.spOffset));
      case 'ax':
      case 'dx':
      case 'di':
      case 'r10':
      case 'r13': {
        const value = this.known?.[registerOf[entry.spRegister]!];
        if (value === undefined) {
          throw new Lost(`needs ${entry.spRegister} at ${this.ip.toString(16)}, which is not saved`);
        }
        return virtAddr(value);
      }
      default:
        throw new Lost(`no way to find the stack pointer at ${this.ip.toString(16)}`);
    }
  }

  private previousFramePointer(entry: OrcEntry, base: VirtAddr): VirtAddr {
    switch (entry.bpRegister) {
      case 'prev-sp':
        return this.word(offsetBy(base, entry.bpOffset));
      case 'bp':
        return this.word(offsetBy(this.bp, entry.bpOffset));
      default:
        return this.bp; // unchanged
    }
  }

  /** A word of a stack. @throws Lost outside all stacks; MemoryFault */
  private word(address: VirtAddr): VirtAddr {
    this.reach(address, 8);
    return this.view.space.pointer(address);
  }

  /** Makes sure that bytes lie on the stack at hand, or on one that may be switched to. */
  private reach(address: VirtAddr, length: number): void {
    if (this.stack !== null && onStack(this.stack, address, length)) return;
    if (!this.enter(address, length)) throw new Lost(`${address.toString(16)} is on no stack`);
  }

  /** Switches to the stack that bytes lie on, unless it was left before; false if there is none. */
  private enter(address: VirtAddr, length = 0): boolean {
    if (this.stack !== null && onStack(this.stack, address, length)) return true;
    const found = this.stackAt(address, length);
    if (found === null || this.visited.has(found)) return false;
    this.visited.add(found);
    this.stack = found;
    return true;
  }

  private stackAt(address: VirtAddr, length = 0): Stack | null {
    return this.stacks.find((stack) => onStack(stack, address, length)) ?? null;
  }

  /** A stack is left upwards only; wrong tables would make a loop. */
  private checkDirection(sp: VirtAddr, from: { sp: VirtAddr; stack: Stack | null }): void {
    if (this.stack === from.stack && (this.stack === null || onStack(this.stack, sp, 0)) && sp <= from.sp) {
      throw new Lost(`stack pointer goes down from ${from.sp.toString(16)} to ${sp.toString(16)}`);
    }
  }

  /**
   * For code without a rule. In a kernel that unwinds by frame pointers the code itself says where its frame is; a
   * direct call of this very function left its return address: both are as good as known. Else the frame pointer is
   * tried all the same and, failing that, the nearest return address from which one can go on.
   */
  private guess(): boolean {
    const stack = this.stack;
    if (stack === null) throw new Lost('the stack is not known');
    const entered = this.entryRegisters(stack);
    if (entered !== null) return this.stepOverRegisters(entryRule, entered, stack);
    if (this.isAtEnd(stack)) return true;
    const { space } = this.view;
    const frame = this.ruleFor(this.ip) === null ? this.codeFrames.at(this.ip, !this.signal) : null;
    const known = frame === null ? null : this.returnSlot(stack, frame);
    if (frame !== null && known !== null) {
      if (frame.saved !== null) this.bp = space.pointer(offsetBy(known, -frame.saved));
      this.returnTo(known, true);
      this.chained = frame.framed;
      return false;
    }
    const start = this.view.functionAt(this.signal ? this.ip : virtAddr(this.ip - 1n))?.start ?? null;
    const above = offsetBy(this.bp, 8);
    const inFrame = this.bp >= this.sp && onStack(stack, this.bp, 16) && this.isCaller(above);
    // init code has been given back: whoever was called with a frame pointer has one, too
    if (inFrame && this.chained && frame === null) {
      this.bp = space.pointer(this.bp);
      this.returnTo(above, true);
      return false;
    }
    this.chained = false;
    if (this.guesses++ >= maxGuesses) throw new Lost('too many frames without a rule');
    const called = this.scan(stack, (address) => start !== null && isCallOf(this.view, address, start));
    const leading = (): VirtAddr | null => this.scan(stack, (address, at) => this.leadsOn(stack, address, at));
    // who jumped to what is no code left rbp as it was: it leads past the caller
    const isAstray = this.signal && !this.view.isText(this.ip);
    const slot = called ?? (isAstray ? leading() : null) ?? (inFrame ? above : null) ?? leading();
    if (slot === null) throw new Lost('no return address up the stack');
    if (slot === above) this.bp = space.pointer(this.bp);
    this.returnTo(slot, called !== null);
    return false;
  }

  private returnTo(slot: VirtAddr, reliable: boolean): void {
    this.ip = this.returnAddressIn(slot);
    this.sp = offsetBy(slot, 8);
    this.signal = false;
    this.known = null;
    this.enter(slot, 8);
    this.add({ kind: 'call', frameAddress: slot, reliable });
  }

  /**
   * Where the return address of a function lies whose code is known: where rbp says, which leads from the stack of an
   * interrupt to what it interrupted; where rsp says, as long as rbp is not known, or the function's frame is not made yet.
   */
  private returnSlot(stack: Stack, frame: CodeFrame): VirtAddr | null {
    const candidates: VirtAddr[] = [];
    if (frame.framed && (this.bp >= this.sp || !onStack(stack, this.bp))) candidates.push(offsetBy(this.bp, 8));
    if (frame.depth !== null && frame.depth >= 0) candidates.push(offsetBy(this.sp, frame.depth));
    for (const slot of candidates) {
      const on = onStack(stack, slot, 8) ? stack : this.stackAt(slot, 8);
      if (on === null || (on !== stack && this.visited.has(on)) || !onStack(on, slot, 8)) continue;
      if (frame.framed ? this.isCaller(slot) : this.isReturnAddress(this.returnAddressIn(slot))) return slot;
    }
    return null;
  }

  /** Whether what lies behind a saved rbp is an address to return to. */
  private isCaller(slot: VirtAddr): boolean {
    const address = this.returnAddressIn(slot);
    if (this.isReturnAddress(address)) return true;
    // The first code of a CPU jumps to where it goes on, with that address pushed and rbp 0 (arch/x86/kernel/head_64.S).
    return this.view.isText(address) && this.view.space.pointer(offsetBy(slot, -8)) === 0n;
  }

  /** Without what tracing put in its place. */
  private returnAddressIn(slot: VirtAddr): VirtAddr {
    return this.realReturnAddress(this.view.space.pointer(slot), slot);
  }

  /**
   * Where entry code without a rule saved registers, in kernels that unwind by frame pointer: where rbp says,
   * less its lowest bit that marks it (ENCODE_FRAME_POINTER, arch/x86/include/asm/frame.h), or at the very
   * end of a task's stack. Null if neither looks like registers.
   */
  private entryRegisters(stack: Stack): VirtAddr | null {
    const candidates: VirtAddr[] = (this.bp & 1n) === 1n ? [virtAddr(this.bp - 1n)] : [];
    if (this.isBelowRegisters(stack)) candidates.push(this.sp);
    for (const at of candidates) {
      if (at < this.sp || !onStack(stack, at, ptRegsSize)) continue;
      const registers = readPtRegs(this.view.space, at);
      if (segments.has(registers.cs ?? 0n)) return at;
    }
    return null;
  }

  /** True where nothing lies above but the registers at the very end of a task's stack. */
  private isBelowRegisters(stack: Stack): boolean {
    const left = stack.end - this.sp - BigInt(ptRegsSize);
    // TOP_OF_KERNEL_STACK_PADDING is 0, or 16 with CONFIG_X86_FRED
    return stack.kind === 'task' && (left === 0n || left === 16n);
  }

  /**
   * True at the end of a stack that nobody entered: of a CPU's first task, whose first code has rbp 0 (what registers would
   * lie in may be what a linker filled up with), or of a kernel thread, whose registers are all 0.
   */
  private isAtEnd(stack: Stack): boolean {
    if (!this.isBelowRegisters(stack)) return false;
    if (this.chained && this.bp === 0n) return true;
    return this.view.space.read(this.sp, ptRegsSize).every((byte) => byte === 0);
  }

  /** The nearest word up the stack that is a return address and passes a test; null if there is none. */
  private scan(stack: Stack, test: (address: VirtAddr, slot: VirtAddr) => boolean): VirtAddr | null {
    let at = virtAddr((this.sp + 7n) & ~7n);
    for (let i = 0; i < maxScan && onStack(stack, at); i++, at = offsetBy(at, 8)) {
      const address = this.view.space.pointer(at);
      if (this.isReturnAddress(address) && test(address, at)) return at;
    }
    return null;
  }

  /** True for an address in text that a call instruction ends at. */
  private isReturnAddress(address: VirtAddr): boolean {
    return this.view.isText(address) && followsCall(this.view, address);
  }

  /** True if the rule for a return address in `slot`, or its code, leads to another return address, or to an end. */
  private leadsOn(stack: Stack, address: VirtAddr, slot: VirtAddr): boolean {
    const entry = this.orc.find(address - 1n);
    if (entry === null) {
      const depth = this.codeFrames.at(address, true)?.depth ?? null;
      if (depth === null || depth < 0) return false;
      const next = offsetBy(slot, 8 + depth);
      return onStack(stack, next) && this.isReturnAddress(this.view.space.pointer(next));
    }
    if (entry.type === 'undefined') return false;
    if (entry.type !== 'call' || entry.spRegister !== 'sp') return true;
    const next = offsetBy(slot, entry.spOffset);
    return onStack(stack, next) && this.view.isText(this.view.space.pointer(next));
  }
}
