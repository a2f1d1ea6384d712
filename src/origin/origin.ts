// Which pointer was that? From the register that a fault went through back to where its value came from: instruction by
// instruction, through the callers, to a variable, a member of an object, what a function returned, or a constant.
//
//   add 0x240(%rdx),%rax     rdx is 0
//   mov (%rdi),%rdx          rdx was loaded from what rdi points to: there is 0
//   (entry)                  rdi is argument 1
//   mov var(%rip),%rdi       its caller loaded it from crashme_session
import type { Instruction, MemoryOperand } from '../arch/decoder.ts';
import { type WorkedOut, workOut } from '../arch/decoder.ts';
import type { Registers } from '../arch/registers.ts';
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import type { Type } from '../debuginfo/type.ts';
import type { Backtrace } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Task } from '../kernel/task.ts';
import { jumpedFrom, strayReturn } from './departures.ts';
import { flippedBit } from './flipped_bit.ts';
import type { FrameValues, Known } from './frame_values.ts';
import type { OriginStep, TrailResult } from './origin_step.ts';
import { placeWords, symbolOf } from './place_words.ts';
import { StackValues } from './stack_values.ts';
import { Trail } from './trail.ts';
import { linear } from './value.ts';
import { memberIn, nameOf, objectType, pointedTo, typeLabel } from './value_name.ts';
import { valueWords } from './value_words.ts';

export interface Origin extends TrailResult {
  /** The instruction that faulted, or the call of an address that holds no code. */
  readonly at: VirtAddr;
  /** The register that the bad address was made of; null where the code's own pointer was bad and came from memory. */
  readonly register: string | null;
  /** What it held. */
  readonly value: bigint;
  /** The address that the access went to; null for a call. */
  readonly address: VirtAddr | null;
  /** What the access meant: a member of a type; null where that is not known. */
  readonly touched: { readonly type: string; readonly member: string } | null;
  /** All of it in one sentence, without its full stop: `rdx was loaded from x->y, and that is NULL`. */
  readonly sentence: string;
}

/**
 * Where the bad value of a fault came from.
 * @param entry index of the entry code's frame, with the registers of the fault
 * @param cpu the CPU that it happened on
 * @returns null where the instruction touched no memory by a register, or its function cannot be followed
 */
export function originOf(kernel: Kernel, trace: Backtrace, entry: number, cpu: number | null): Origin | null {
  const { frames } = trace;
  const at = frames.findIndex(({ kind }, i) => i > entry && kind === 'interrupted');
  const interrupted = frames[at];
  if (interrupted === undefined) return null;
  const part = { ...trace, frames: frames.slice(at) };
  const registers = interrupted.registers ?? frames[entry]?.registers ?? null;
  if (registers === null) return null;
  const values = new StackValues(
    kernel,
    { ...part, frames: [{ ...interrupted, registers }, ...part.frames.slice(1)] },
    { asleep: null, cpu },
  );
  if (!kernel.faults.attempt('page tables', () => kernel.arch.space.isExecutable(interrupted.address), true)) {
    const caller = values.at(1);
    if (caller === null) return null;
    return (
      calledNowhere(kernel, caller, interrupted.address) ??
      returnedNowhere(kernel, caller, registers, interrupted.address)
    );
  }
  const own = values.at(0);
  if (own === null) return null;
  const instruction = own.where.flow.code.instructions[own.where.position]!;
  const access = badAccess(kernel, instruction, own);
  if (access !== null) return faulted(own, instruction, access);
  return fixedAddress(kernel, instruction) ?? badStack(own, instruction);
}

/** An instruction that uses the stack, where the stack pointer was set to what is none. */
function badStack(frame: FrameValues, { address, writes }: Instruction): Origin | null {
  const { kernel } = frame;
  const { pointer } = kernel.arch.registers.stack;
  const value = frame.registers[pointer];
  const held = frame.value(pointer);
  if (value === undefined || !writes.includes(pointer) || frame.where.flow.stackOffset(held) !== null) return null;
  const trail = new Trail({
    kind: 'access',
    words: `${placeWords(kernel, address)} uses the stack, and ${pointer} is ${valueWords(kernel, value)}`,
    at: address,
    command: `dis ${hex(address)} 1`,
    sure: 'proved',
  });
  trail.follow(frame, held, value, pointer);
  return {
    at: address,
    register: pointer,
    value,
    address: virtAddr(value),
    touched: null,
    ...trail.result(),
    sentence: trail.sentence(kernel, pointer, value),
  };
}

/** An access whose address stands in the code. */
function fixedAddress(kernel: Kernel, instruction: Instruction): Origin | null {
  const operand = instruction.operands.find((one) => one.kind === 'memory' && one.access !== 'none');
  if (operand?.kind !== 'memory' || operand.address === null || operand.segment !== null) return null;
  const symbol = symbolOf(kernel, operand.address);
  const words = `${placeWords(kernel, instruction.address)} goes for 0x${hex(operand.address)}${symbol === null ? '' : ` (${symbol})`}, which is a constant in its code`;
  return {
    at: instruction.address,
    register: null,
    value: operand.address,
    address: operand.address,
    touched: null,
    steps: [
      {
        kind: 'constant',
        words,
        at: instruction.address,
        command: `dis ${hex(instruction.address)} 1`,
        sure: 'proved',
      },
    ],
    end: 'constant',
    sure: 'proved',
    source: null,
    sentence: words,
  };
}

interface BadAccess extends WorkedOut {
  readonly operand: MemoryOperand;
  /** The register to ask after. */
  readonly register: string;
}

/** The memory operand that faulted, and which of its registers is to blame. */
function badAccess(kernel: Kernel, instruction: Instruction, frame: FrameValues): BadAccess | null {
  const found = instruction.operands.flatMap((operand) => {
    const out = operand.kind === 'memory' && operand.access !== 'none' ? workOut(operand, frame.registers) : null;
    return out === null ? [] : [{ operand: operand as MemoryOperand, ...out }];
  });
  const access = found.find(({ address }) => !kernel.space.isReadable(address)) ?? found[0];
  if (access === undefined) return null;
  const { base, index } = access.operand;
  const isMapped = (name: string): boolean => kernel.space.isReadable(virtAddr(frame.registers[name] ?? 0n));
  const register = base === null ? index : index !== null && isMapped(base) ? index : base;
  return register === null ? null : { ...access, register };
}

function faulted(frame: FrameValues, instruction: Instruction, access: BadAccess): Origin {
  const { kernel } = frame;
  const { register, operand } = access;
  const value = frame.registers[register]!;
  const moved = instruction.writes.includes(register) && /^(?:movs|stos|lods|cmps|scas)/.test(instruction.mnemonic);
  const touched = touchedMember(frame, operand, register);
  const what = operand.access === 'write' ? 'writes' : operand.access === 'read' ? 'reads' : 'reads and writes';
  const first: OriginStep = {
    kind: 'access',
    words: `${placeWords(kernel, instruction.address)} ${what} 0x${hex(access.address)}${touched === null ? '' : ` (${touched.member} of a ${touched.type})`}, and ${register} is ${valueWords(kernel, value)}`,
    at: instruction.address,
    command: `dis ${hex(instruction.address)} 1`,
    sure: 'proved',
  };
  const trail = new Trail(first);
  // what a string instruction began with, where that is still known
  const from = moved ? frame.asInterrupted(instruction) : frame;
  const began = moved ? (from.evaluate(frame.value(register))?.value ?? null) : value;
  trail.follow(from, frame.value(register), began, register);
  const of = operand.index !== null && register === operand.index ? `the index ${register}` : register;
  return withFlippedBit(kernel, {
    at: instruction.address,
    register,
    value,
    address: access.address,
    touched,
    ...trail.result(),
    sentence: trail.sentence(kernel, of, began ?? value),
  });
}

/** Says so where the bad pointer would be a good one but for one bit. */
function withFlippedBit(kernel: Kernel, origin: Origin): Origin {
  const flipped = flippedBit(kernel, origin.value);
  if (flipped === null) return origin;
  const words = `but for bit ${flipped.bit} it would point to ${flipped.what} at ${hex(flipped.address)}, which is allocated`;
  return {
    ...origin,
    sentence: `${origin.sentence}; ${words}, as if memory that fails or a stray write had turned one bit over`,
    steps: [
      ...origin.steps,
      { kind: 'object', words, at: null, command: `kmem ${hex(flipped.address)}`, sure: 'likely' },
    ],
  };
}

/** A call by a pointer that points to no code: the caller's registers are those of the fault. */
function calledNowhere(kernel: Kernel, caller: FrameValues, target: bigint): Origin | null {
  if (caller.where.flow.code.instructions[caller.where.position]!.flow !== 'call') return null;
  // what the caller called, by what is known without the registers that the fault left
  const called = caller.asCall().calledPointer();
  if (called === null) {
    // the pointer was overwritten since, as callbacks are that are called once; another function would have jumped on
    const now = caller.pointerInMemory();
    return now === null || (now !== target && kernel.arch.isKernelAddress(now)) ? null : sentTo(caller, target);
  }
  if (called === target) return sentTo(caller, target);
  // a function that is there, and whose last act was a jump by a pointer; or code that went on until its memory was gone
  const between = jumpedFrom(caller, virtAddr(called));
  return between === null ? null : sentTo(between, target);
}

/**
 * A return to an address that holds no code. Its return address was written over: by the function itself, as its code shows,
 * or by whoever wrote to its stack.
 * @param registers as the fault found them: the return has taken its address off the stack
 */
function returnedNowhere(kernel: Kernel, caller: FrameValues, registers: Registers, target: VirtAddr): Origin | null {
  const { pointer, pushedByCall } = kernel.arch.registers.stack;
  const top = registers[pointer];
  if (top === undefined || pushedByCall === 0) return null;
  const slot = virtAddr(top - BigInt(pushedByCall));
  const called = caller.asCall().calledPointer();
  const stray = called === null ? null : strayReturn(caller, virtAddr(called), { ...registers, [pointer]: slot });
  const own = stray?.frame.evaluate(stray.address)?.value === target ? stray : null;
  const who = called === null ? null : symbolOf(kernel, called);
  const whose = `${who === null ? 'what' : `${who}(), which`} ${placeWords(kernel, caller.at)} called`;
  const first: OriginStep = {
    kind: 'access',
    words: `${own === null ? `${whose}, or what that called in turn,` : placeWords(kernel, own.frame.at)} returns to ${valueWords(kernel, target)}, where no code is`,
    at: own === null ? caller.at : own.frame.at,
    command: `dis ${hex(own === null ? caller.at : own.frame.at)} 1`,
    sure: own === null ? 'likely' : 'proved',
  };
  const trail = new Trail(first);
  if (own !== null) trail.follow(own.frame, own.address, target, 'the return address');
  else {
    // the exception may have been pushed over the word that was taken off
    const held = [slot, virtAddr(top)].find((at) => caller.word(at, 8) === target);
    if (held === undefined) return null;
    trail.endOnStack(kernel, held, target, held === slot ? 'proved' : 'likely');
  }
  return {
    at: first.at!,
    register: null,
    value: target,
    address: null,
    touched: null,
    ...trail.result(),
    sentence: trail.sentence(kernel, 'the return address', target),
  };
}

/**
 * The function that a frame of a backtrace called; null where its call goes by a pointer that cannot be followed.
 * @param asleep the task, where the backtrace is of one that was switched away
 */
export function calledFunction(
  kernel: Kernel,
  trace: Backtrace,
  index: number,
  cpu: number | null,
  asleep: Task | null = null,
): VirtAddr | null {
  const frame =
    asleep === null
      ? callingFrame(kernel, trace, index, cpu)
      : (new StackValues(kernel, trace, { asleep, cpu: null }).at(index)?.asCall() ?? null);
  const called = frame?.calledPointer() ?? null;
  return called === null || !kernel.arch.isKernelAddress(called) ? null : virtAddr(called);
}

/**
 * The memory that the pointer was loaded from by which a frame of a backtrace called; null where it called otherwise, where
 * that is not known, and where another value is there by now.
 */
export function calledPointerPlace(
  kernel: Kernel,
  trace: Backtrace,
  index: number,
  target: bigint,
  cpu: number | null,
): VirtAddr | null {
  const frame = callingFrame(kernel, trace, index, cpu);
  return frame === null || frame.pointerInMemory() !== target ? null : frame.pointerPlace();
}

/** A frame of a backtrace with what it knew when it called. */
function callingFrame(kernel: Kernel, trace: Backtrace, index: number, cpu: number | null): FrameValues | null {
  const { frames } = trace;
  const before = frames[index - 1];
  // where an exception came right after the call, or the return from it, the caller's registers are known
  const interrupted =
    before?.kind === 'interrupted'
      ? [{ ...before, registers: before.registers ?? frames[index - 2]?.registers ?? null }]
      : [];
  const values = new StackValues(
    kernel,
    { ...trace, frames: [...interrupted, ...frames.slice(index)] },
    { asleep: null, cpu },
  );
  return values.at(interrupted.length)?.asCall() ?? null;
}

/**
 * What a frame of a backtrace passed to a function that it called by its name, in a register; null where that is not known.
 * @param callee the function's name: a call of another tells nothing of its arguments
 */
export function passedArgument(
  kernel: Kernel,
  trace: Backtrace,
  index: number,
  callee: string,
  register: string,
  cpu: number | null,
): Known | null {
  const { frames } = trace;
  const at = frames.findLastIndex(({ kind }, i) => i < index && kind === 'interrupted');
  const interrupted = frames[at];
  if (interrupted === undefined) return null;
  const registers = interrupted.registers ?? frames[at - 1]?.registers ?? null;
  const part = { ...trace, frames: [{ ...interrupted, registers }, ...frames.slice(at + 1)] };
  const frame = new StackValues(kernel, part, { asleep: null, cpu }).at(index - at);
  const called = frame?.calledPointer() ?? null;
  if (frame === null || called === null || kernel.place(virtAddr(called))?.symbol.name !== callee) return null;
  return frame.evaluate(frame.value(register));
}

/** The call or jump of a frame goes to an address that holds no code. */
function sentTo(frame: FrameValues, target: bigint): Origin | null {
  const { kernel } = frame;
  const { flow, position, state } = frame.where;
  const instruction = flow.code.instructions[position]!;
  const [operand] = instruction.operands;
  const name = frame.pointerRegister();
  const first: OriginStep = {
    kind: 'access',
    words: `${placeWords(kernel, instruction.address)} ${instruction.flow === 'call' ? 'calls a function at' : 'jumps to'} ${valueWords(kernel, target)}, where there is none`,
    at: instruction.address,
    command: `dis ${hex(instruction.address)} 1`,
    sure: 'proved',
  };
  const trail = new Trail(first);
  if (name !== null) trail.follow(frame, flow.register(state, name), target, name);
  else if (operand?.kind === 'memory') {
    const address = flow.address(state, operand);
    if (address === null) return null;
    const load = flow.values.load(instruction.address, address, operand.segment, 8, false);
    trail.follow(frame, load, target, null);
  } else return null;
  return {
    at: instruction.address,
    register: name,
    value: target,
    address: null,
    touched: null,
    ...trail.result(),
    sentence: trail.sentence(kernel, 'the function pointer', target),
  };
}

/** The member that an access meant, by the type of what the register points to. */
function touchedMember(frame: FrameValues, operand: MemoryOperand, register: string): Origin['touched'] {
  if (register !== operand.base || operand.index !== null) return null;
  const value = frame.value(register);
  const { values } = frame.where.flow;
  const address = values.add(value, values.constant(operand.displacement));
  // the type of what the address is a member of: of the pointer that it was computed from
  const { terms, offset } = linear(address ?? value);
  const [only] = terms;
  if (terms.length !== 1 || only!.factor !== 1n) return null;
  const type: Type | null = pointedTo(nameOf(frame, only!.value)?.type ?? null) ?? objectType(frame, only!.value);
  const member = type === null ? null : memberIn(type, Number(offset), operand.width);
  return type === null || member === null ? null : { type: typeLabel(type), member: member.path };
}
