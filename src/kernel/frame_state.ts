// The registers of each frame of a backtrace, as far as they are known: from those that entry code saved (or that a
// task saved when it was switched away), frame by frame outwards, by the rules of the code's debug information.
import type { Registers } from '../arch/registers.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { FrameState } from '../debuginfo/debug_info.ts';
import { type Backtrace, backtracer, type Frame, unwindTables } from './backtrace.ts';
import type { Kernel } from './kernel.ts';
import { codeInfoAt, frameCode } from './source_line.ts';
import type { Task } from './task.ts';

/**
 * The state of each frame of a backtrace, in its order.
 * @param task whose it is, if it was switched away: it has saved registers of its innermost frame; else null
 */
export function frameStates(kernel: Kernel, { frames }: Backtrace, task: Task | null): readonly FrameState[] {
  const states: Registers[] = [];
  let registers: Registers = task === null ? {} : switchedRegisters(kernel, task);
  for (const [i, frame] of frames.entries()) {
    const before = frames[i - 1];
    let calleeCfa: bigint | null = null;
    if (frame.kind === 'interrupted') registers = frame.registers ?? before?.registers ?? {};
    else if (i > 0) {
      const callee = state(kernel, before!, states[i - 1]!, frame);
      registers = callerOf(kernel, before!, callee);
      if (before!.kind !== 'entry') calleeCfa = callee.cfa;
    }
    registers = { ...registers, ...ownRegisters(kernel, frame, i === 0 ? frame.stackPointer : calleeCfa) };
    states.push(registers);
  }
  // from the outside in: a frame is given its caller's
  const found: FrameState[] = [];
  for (let i = frames.length - 1; i >= 0; i--) {
    const next = frames[i + 1];
    const outer = found[0];
    const caller =
      next === undefined || outer === undefined || next.kind === 'interrupted'
        ? null
        : { at: next.address, frame: outer };
    found.unshift({ ...state(kernel, frames[i]!, states[i]!, next), caller });
  }
  return found;
}

function state(kernel: Kernel, frame: Frame, registers: Registers, next: Frame | undefined): FrameState {
  const bare: FrameState = { registers, cfa: null, space: kernel.space, caller: null };
  const at = frameCode(frame);
  const cfa = codeInfoAt(kernel, at)?.unwindRule(at)?.cfa(bare) ?? null;
  // where calls push what they return to, the caller's stack pointer just after the call is the frame address
  const isPushed = backtracer(kernel).unwinder.frameAddressOf === 'return-address';
  return { ...bare, cfa: cfa ?? (isPushed && next?.kind === 'call' ? next.stackPointer : null) };
}

/** The registers of what called a frame; of those that its code saved somewhere nobody says, none. */
function callerOf(kernel: Kernel, frame: Frame, known: FrameState): Registers {
  if (frame.kind === 'entry') return {};
  const at = frameCode(frame);
  const rule = codeInfoAt(kernel, at)?.unwindRule(at) ?? null;
  return rule === null ? callerByTables(kernel, at, known) : (rule.caller(known) ?? {});
}

/** What the kernel's own tables say of the caller of code that no debug information covers: its frame pointer. */
function callerByTables(kernel: Kernel, at: VirtAddr, { registers, cfa }: FrameState): Registers {
  if (backtracer(kernel).unwinder.frameAddressOf !== 'return-address') return {};
  const rule = kernel.faults.apart(() =>
    kernel.faults.attempt('unwind tables', () => unwindTables(kernel).find(at), null),
  );
  if (rule.value?.type !== 'call') return {};
  const { bpRegister, bpOffset } = rule.value;
  const base = bpRegister === 'prev-sp' ? cfa : bpRegister === 'sp' ? registers['rsp'] : undefined;
  // still where it was (arch/x86/kernel/unwind_orc.c: unwind_next_frame)
  const kept = bpRegister === 'undefined' ? registers['rbp'] : undefined;
  if (kept !== undefined) return { rbp: kept };
  if (base === undefined || base === null) return {};
  try {
    return { rbp: kernel.space.u64(virtAddr(base + BigInt(bpOffset))) };
  } catch (error) {
    if (error instanceof MemoryFault) return {};
    throw error;
  }
}

/**
 * What the unwinding itself tells of a frame: where it is, and its stack pointer.
 * @param stackPointer where frame records tell no stack pointer: the canonical frame address of what it called, which is
 *   the stack pointer before that call (DWARF 5, 6.4.1); null where nobody knows
 */
function ownRegisters(kernel: Kernel, frame: Frame, stackPointer: bigint | null): Registers {
  const { programCounter } = kernel.arch.registers;
  const where = { [programCounter.name]: frame.address };
  if (frame.kind === 'interrupted') return where; // all its registers were saved
  if (backtracer(kernel).unwinder.frameAddressOf === 'return-address') return { ...where, rsp: frame.stackPointer };
  // a record lies above what a call hands over on the stack, and above arrays of a size that is not constant
  return { ...where, x29: frame.frameAddress, sp: stackPointer ?? frame.frameAddress };
}

/** Members of `struct inactive_task_frame` (arch/x86/include/asm/switch_to.h) and the registers in them. */
const savedOnStack: readonly (readonly [member: string, register: string])[] = [
  ['bx', 'rbx'],
  ['bp', 'rbp'],
  ['r12', 'r12'],
  ['r13', 'r13'],
  ['r14', 'r14'],
  ['r15', 'r15'],
];

/** What a task saved when it was switched away: on its stack (x86), or in its `thread.cpu_context` (arm64). */
export function switchedRegisters(kernel: Kernel, task: Task): Registers {
  const registers: Record<string, bigint> = {};
  const read = (name: string, value: () => bigint): void => {
    try {
      registers[name] = value();
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
    }
  };
  const context = task.object.optional('thread.cpu_context');
  if (context !== null) {
    for (let n = 19; n <= 28; n++) if (context.has(`x${n}`)) read(`x${n}`, () => context.member(`x${n}`).bigint());
    return registers;
  }
  const sp = task.object.optional('thread.sp');
  if (sp === null || kernel.types.find('struct inactive_task_frame') === null) return registers;
  let frame: VirtAddr;
  try {
    frame = sp.pointer();
  } catch (error) {
    if (error instanceof MemoryFault) return registers;
    throw error;
  }
  const saved = kernel.object('struct inactive_task_frame', offsetBy(frame, 0));
  for (const [member, register] of savedOnStack)
    if (saved.has(member)) read(register, () => saved.member(member).bigint());
  return registers;
}
