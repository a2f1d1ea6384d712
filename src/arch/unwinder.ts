// What unwinding a kernel stack gives, and what it asks: the same on every machine.
import type { VirtAddr } from '../base/address.ts';
import type { Registers } from './registers.ts';
import type { Stack } from './stacks.ts';

/**
 * What a frame is.
 * - `call`: a function that called the one before
 * - `entry`: entry code of an interrupt, exception or system call; has the registers that it saved
 * - `interrupted`: a function that was interrupted; `address` is its next instruction, not a return address
 */
export type FrameKind = 'call' | 'entry' | 'interrupted';

export interface Frame {
  readonly kind: FrameKind;
  /** Where the function goes on: a return address or, of an interrupted frame, an instruction. */
  readonly address: VirtAddr;
  /** The stack address that crash(8) shows in brackets: see `Unwinder.frameAddressOf`. */
  readonly frameAddress: VirtAddr;
  /** The function's stack pointer at `address`; on machines that do not tell it, the lowest it may be. */
  readonly stackPointer: VirtAddr;
  /** The stack that `frameAddress` lies on; null if on none that is known. */
  readonly stack: Stack | null;
  /** Registers that entry code saved; of the first frame, those it was started from; else null. */
  readonly registers: Registers | null;
  /** Where `registers` lie (`struct pt_regs`); null if they are not from a stack. */
  readonly registersAddress: VirtAddr | null;
  /** False where the frame was guessed. */
  readonly reliable: boolean;
}

/** Why an unwinding ended. */
export type UnwindEnd =
  /** at the kernel's edge: user mode, or the first function of a thread */
  | 'complete'
  /** at the most frames that are looked at */
  | 'limit'
  /** where nothing says how to go on */
  | 'lost';

export interface StackTrace {
  /** Innermost first. */
  readonly frames: readonly Frame[];
  readonly end: UnwindEnd;
  /** What stopped a trace that is lost; empty otherwise. */
  readonly problem: string;
}

/** More frames than fit on the largest stack: no trace is longer. */
export const maxFrames = 4096;

/** A trace without a frame. */
export function lostTrace(problem: string): StackTrace {
  return { frames: [], end: 'lost', problem };
}

/** Unwinds the stacks of one kernel. Damaged stacks end a trace with its problem; nothing they hold is thrown. */
export interface Unwinder {
  /**
   * What lies at a frame's `frameAddress`.
   * - `return-address`: the slot that held `address`; of an interrupted frame, its stack pointer; of entry code on a
   *   stack that was switched away from, its registers
   * - `frame-record`: the function's own frame record, which its frame pointer points to: the caller's frame pointer
   *   and return address
   */
  readonly frameAddressOf: 'return-address' | 'frame-record';

  /** Bytes in the registers that entry code saves (`struct pt_regs`). */
  readonly savedSize: number;

  /** Every stack that a task on a CPU may use: its own first. @param base content of `task->stack` */
  stacks(base: VirtAddr, cpu: number): readonly Stack[];

  /**
   * A task that is not running, from where it was switched away.
   * @param base content of `task->stack`
   * @param thread content of a member of `task->thread`, as an address; what it throws is thrown on
   * @param task address of the task_struct, to undo what tracing did to its return addresses; null where unknown
   */
  sleeping(base: VirtAddr, thread: (member: string) => VirtAddr, task?: VirtAddr | null): StackTrace;

  /**
   * A task that ran on a CPU when the kernel died.
   * @param registers saved by the kernel (NT_PRSTATUS), or read from the CPU itself by a hypervisor; null without
   * @param live true if `registers` are known to be a hypervisor's: where the CPU really was
   */
  active(base: VirtAddr, cpu: number, registers: Registers | null, live: boolean, task?: VirtAddr | null): StackTrace;

  /** As `active`, for a CPU whose task cannot be read: its stack is where the CPU's own data or registers say. */
  activeCpu(cpu: number, registers: Registers | null, live: boolean): StackTrace;

  /** What lies at an address if it looks like registers that entry code saved; null otherwise. Throws nothing. */
  savedRegisters(at: VirtAddr): Registers | null;

  /** A word of a stack as the text address that it may be: without the bits by which a machine signs it. */
  textAddress(word: bigint): VirtAddr;
}
