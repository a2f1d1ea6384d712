// The frames of a backtrace with what is known of their values (frame_values.ts):
//
//   frame 0   interrupted: all its registers were saved
//   frame 1   registers that a called function must give back: where frame 0 still has what they were at its entry
//   frame 2   ...
import type { Registers } from '../arch/registers.ts';
import { type Backtrace, backtracer, type Frame } from '../kernel/backtrace.ts';
import { switchedRegisters } from '../kernel/frame_state.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { frameCode } from '../kernel/source_line.ts';
import type { Task } from '../kernel/task.ts';
import { FrameValues, stackAtEntry } from './frame_values.ts';
import { callBefore } from './function_code.ts';
import { dataFlow } from './function_flow.ts';

/** Most frames of a stack that are followed. */
const maxFrames = 64;

export interface StackOptions {
  /** The task, if it was switched away: it saved registers of its innermost frame; else null. */
  readonly asleep: Task | null;
  /** The CPU that it ran on; null where that is not known: then per-CPU memory is not. */
  readonly cpu: number | null;
}

/** The values of the frames of a backtrace, in its order; null for frames of which nothing is known. */
export function stackValues(
  kernel: Kernel,
  trace: Backtrace,
  options: StackOptions,
  limit = maxFrames,
): readonly (FrameValues | null)[] {
  const stack = new StackValues(kernel, trace, options);
  return trace.frames.slice(0, limit).map((_, i) => stack.at(i));
}

/** The same, each frame's when it is first asked for. */
export class StackValues {
  private readonly kernel: Kernel;
  private readonly frames: readonly Frame[];
  private readonly options: StackOptions;
  private readonly made = new Map<number, FrameValues | null>();

  constructor(kernel: Kernel, { frames }: Backtrace, options: StackOptions) {
    this.kernel = kernel;
    this.frames = frames;
    this.options = options;
  }

  /** What is known of a frame; null for nothing. */
  at(i: number): FrameValues | null {
    if (i > maxFrames) return null;
    let values = this.made.get(i);
    if (values === undefined) {
      values = this.make(i);
      this.made.set(i, values);
    }
    return values;
  }

  private make(i: number): FrameValues | null {
    const { kernel, frames, options } = this;
    const frame = frames[i];
    const before = frames[i - 1];
    const next = frames[i + 1];
    if (frame === undefined || frame.kind === 'entry') return null;
    // sent to an address that holds no code: the caller's registers are still there
    const jumped = before?.kind === 'interrupted' && frame.kind === 'call' && isJustCalled(kernel, before, frame);
    const registers: Registers = jumped
      ? (before.registers ?? {})
      : frame.kind === 'interrupted'
        ? (frame.registers ?? before?.registers ?? {})
        : before === undefined
          ? startRegisters(kernel, frame, options.asleep)
          : before.kind === 'entry'
            ? {}
            : (this.at(i - 1)?.callersRegisters() ?? {});
    const values = frameValues(kernel, frame, next, registers, jumped, options.cpu);
    if (values !== null && next?.kind === 'call') values.beforeCaller = () => this.at(i + 1);
    return values;
  }
}

/** Whether a function was called that is none: there is no code, and what it would return to is where a call puts it. */
function isJustCalled(kernel: Kernel, { address, stackPointer }: Frame, caller: Frame): boolean {
  if (caller.stackPointer - BigInt(kernel.arch.registers.stack.pushedByCall) !== stackPointer) return false;
  return !kernel.faults.attempt('page tables', () => kernel.arch.space.isExecutable(address), true);
}

function startRegisters(kernel: Kernel, frame: Frame, asleep: Task | null): Registers {
  if (asleep !== null) return switchedRegisters(kernel, asleep);
  const { registers } = frame;
  return registers !== null && kernel.arch.registers.instructionPointer(registers) === frame.address ? registers : {};
}

function frameValues(
  kernel: Kernel,
  frame: Frame,
  next: Frame | undefined,
  registers: Registers,
  jumped: boolean,
  cpu: number | null,
): FrameValues | null {
  const flow = dataFlow(kernel, frameCode(frame));
  if (flow === null) return null;
  const isCall = frame.kind === 'call' && kernel.arch.registers.instructionPointer(registers) !== frame.address;
  const position = isCall ? callBefore(flow.code, frame.address) : (flow.code.positions.get(frame.address) ?? null);
  const state = position === null ? null : flow.stateBefore(position);
  if (position === null || state === null) return null;
  const { stack, preserved } = kernel.arch.registers;
  const kept =
    isCall && !jumped
      ? Object.fromEntries(Object.entries(registers).filter(([name]) => preserved.includes(name)))
      : registers;
  const isPushed = backtracer(kernel).unwinder.frameAddressOf === 'return-address';
  const pointers = isPushed
    ? { [stack.pointer]: frame.kind === 'interrupted' ? registers[stack.pointer] : frame.stackPointer }
    : frame.kind === 'interrupted'
      ? {}
      : { [stack.pointer]: undefined, [stack.frame]: frame.frameAddress };
  const start = stackAtEntry(kernel, flow, state, { ...kept, ...pointers });
  // the caller's stack pointer is where the frame ends: what does not fit was not understood
  const expected = isPushed && next?.kind === 'call' ? next.stackPointer - BigInt(stack.pushedByCall) : null;
  if (start !== null && expected !== null && start !== expected) return null;
  return new FrameValues(
    kernel,
    { frame, flow, position, state, isCall: isCall && !jumped, cpu, entryStack: start ?? expected },
    {
      ...kept,
      ...pointers,
    },
  );
}
