// One frame of a backtrace with what is known of its values: what the function computed (data_flow.ts) put beside the
// registers and stack memory that the dump has.
//
// A value is known where a register or stack slot that is known still holds it, where it is computed of known ones, where
// the memory that it was loaded from is there (as it is now), or where the caller knows what it passed.
import type { Instruction } from '../arch/decoder.ts';
import type { Registers } from '../arch/registers.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { Frame } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type DataFlow, type State, slotName, slotOffset } from './data_flow.ts';
import { dataFlow } from './function_flow.ts';
import { calculate, linear, type Value } from './value.ts';

/**
 * - `proved`: a place that is known holds it, or it follows from such
 * - `likely`: memory that it was loaded from has it now, or a call is believed to be the one that it seems
 */
export type Sureness = 'proved' | 'likely';

/** How a value is known. */
export type Holder =
  /** A register of the frame holds it. */
  | { readonly kind: 'register'; readonly name: string }
  /** A word of the stack does. */
  | { readonly kind: 'stack'; readonly address: VirtAddr }
  /** It does not depend on anything. */
  | { readonly kind: 'constant' }
  /** It was computed of values that are known. */
  | { readonly kind: 'computed' }
  /** Memory has it now. */
  | { readonly kind: 'memory'; readonly address: VirtAddr; readonly width: number }
  /** The caller knows what it passed. */
  | { readonly kind: 'caller'; readonly how: Holder };

export interface Known {
  /** 64 bits, unsigned. */
  readonly value: bigint;
  readonly sure: Sureness;
  readonly holder: Holder;
}

/** Deepest chain of values and callers that is followed. */
const maxDepth = 48;
/** Functions that are gone through which ended by a jump. */
const maxTailCalls = 3;

/** The stack pointer at the function's entry, by a register that is known and is that plus a distance. */
export function stackAtEntry(kernel: Kernel, flow: DataFlow, state: State, registers: Registers): bigint | null {
  const { stack } = kernel.arch.registers;
  for (const name of [stack.pointer, stack.frame]) {
    const value = registers[name];
    const offset = flow.stackOffset(flow.register(state, name));
    if (value !== undefined && offset !== null) return BigInt.asUintN(64, value - BigInt(offset));
  }
  return null;
}

export interface Where {
  readonly frame: Frame;
  readonly flow: DataFlow;
  /** Position of the instruction: of one that was interrupted, or of the call. */
  readonly position: number;
  /** Before it ran. */
  readonly state: State;
  readonly isCall: boolean;
  /** The CPU that ran it; null where that is not known. */
  readonly cpu: number | null;
  /** The stack pointer at the function's entry; null where that is not known. */
  readonly entryStack: bigint | null;
}

interface Caller {
  readonly frame: FrameValues;
  readonly sure: Sureness;
}

export class FrameValues {
  readonly kernel: Kernel;
  readonly where: Where;
  /** Registers whose content is known. */
  readonly registers: Registers;
  /** Gives the next frame, once somebody asks for the caller. */
  beforeCaller: (() => FrameValues | null) | null = null;
  private calling: Caller | null | undefined = undefined;
  private readonly held = new Map<Value, Known>();
  private readonly answers = new Map<Value, Known | null>();

  constructor(kernel: Kernel, where: Where, registers: Registers) {
    this.kernel = kernel;
    this.where = where;
    this.registers = registers;
    this.hold();
  }

  /** What called this function, and whether that is sure; null where that is not known. */
  get caller(): Caller | null {
    if (this.calling === undefined) {
      this.calling = null;
      const next = this.beforeCaller?.() ?? null;
      if (next !== null) this.calledBy(next);
    }
    return this.calling;
  }

  set caller(caller: Caller | null) {
    this.calling = caller;
  }

  /** Address of the instruction that the frame is at: of one that was interrupted, or of the call. */
  get at(): VirtAddr {
    return this.where.flow.code.instructions[this.where.position]!.address;
  }

  /** Name of the function. */
  get name(): string {
    return this.where.flow.code.symbol.name;
  }

  /** What a register held, as computed. */
  value(register: string): Value {
    return this.where.flow.register(this.where.state, register);
  }

  /** What a value of the function was in this frame; null where that is not known. */
  evaluate(value: Value): Known | null {
    return this.known(value, 0);
  }

  /** The low bytes of a value, zero-extended: more is not asked of an `int`. */
  evaluatePart(value: Value, width: number): Known | null {
    const whole = this.evaluate(value);
    const part = (known: Known): Known => ({ ...known, value: BigInt.asUintN(width * 8, known.value) });
    if (whole !== null) return part(whole);
    for (const wide of [4, 2, 1]) {
      if (wide < width) break;
      for (const signed of [false, true]) {
        const other = this.where.flow.values.findExtended(value, wide, signed);
        const known = other === null ? null : (this.held.get(other) ?? null);
        if (known !== null) return part(known);
      }
    }
    return null;
  }

  /** The registers that the caller had when it called, as far as this frame knows: those that it must give back. */
  callersRegisters(): Registers {
    const { preserved, stack } = this.kernel.arch.registers;
    const found: Record<string, bigint> = {};
    for (const name of preserved) {
      if (name === stack.pointer) continue;
      const known = this.held.get(this.where.flow.values.entry(name));
      if (known?.sure === 'proved') found[name] = known.value;
    }
    return found;
  }

  /** The next frame calls this one, if its call goes where this function starts. */
  private calledBy(caller: FrameValues): void {
    const pointer = caller.calledPointer();
    if (pointer !== null) this.calledAt(caller, pointer);
    else this.caller = { frame: caller, sure: 'likely' };
  }

  /** The caller called a place: this function, or one that ended by a jump here. */
  private calledAt(caller: FrameValues, target: bigint): void {
    if (leadsTo(this.kernel, target, this.where.flow.code.symbol.address))
      this.caller = { frame: caller, sure: 'proved' };
    else this.throughTailCall(caller, target, 0);
  }

  private throughTailCall(caller: FrameValues, target: bigint, depth: number): void {
    const { kernel } = this;
    const start = this.where.flow.code.symbol.address;
    const between = kernel.place(virtAddr(target));
    const flow = between === null ? null : dataFlow(kernel, virtAddr(target));
    if (flow === null || between?.symbol.address !== flow.code.symbol.address || between.offset > 4) return;
    const { instructions, positions } = flow.code;
    const jumpsTo = (isThere: (to: VirtAddr) => boolean): number[] =>
      instructions.flatMap(({ flow: kind, target: to }, i) =>
        kind === 'jump' && to !== null && isThere(to) ? [i] : [],
      );
    const here = jumpsTo((to) => leadsTo(kernel, to, start));
    // or one that jumps to another that jumps here
    const away = here.length > 0 ? here : jumpsTo((to) => !positions.has(to));
    const [position] = away;
    const state = position === undefined ? null : flow.stateBefore(position);
    if (position === undefined || state === null) return;
    const { frame, cpu, entryStack } = this.where;
    const middle = new FrameValues(kernel, { frame, flow, position, state, isCall: true, cpu, entryStack }, {});
    middle.caller = { frame: caller, sure: 'proved' };
    if (here.length === 1) this.caller = { frame: middle, sure: 'proved' };
    if (here.length > 0 || depth >= maxTailCalls) return;
    const [next, another] = new Set(away.map((i) => instructions[i]!.target!));
    if (next !== undefined && another === undefined) this.throughTailCall(middle, next, depth + 1);
  }

  /** The register by whose content this frame's call or jump goes; null where it goes another way. */
  pointerRegister(): string | null {
    const { flow, position } = this.where;
    const { target, operands } = flow.code.instructions[position]!;
    if (target !== null) return thunkRegister(this.kernel, target);
    const [operand] = operands;
    return operand?.kind === 'register' ? operand.name : null;
  }

  /** Where this frame's call goes; null where it goes by a pointer that is not known. */
  calledPointer(): bigint | null {
    const { flow, position, state } = this.where;
    const name = this.pointerRegister();
    if (name !== null) return this.evaluate(flow.register(state, name))?.value ?? null;
    const { target, operands } = flow.code.instructions[position]!;
    if (target !== null) return target;
    const [operand] = operands;
    if (operand?.kind !== 'memory' || operand.segment !== null) return null;
    const address = flow.address(state, operand);
    const place = address === null ? null : this.evaluate(address);
    return place === null ? null : this.word(virtAddr(place.value), 8);
  }

  /** What the memory has now that the pointer was loaded from by which this frame calls; null where that is not known. */
  pointerInMemory(): bigint | null {
    const at = this.pointerPlace();
    return at === null ? null : this.word(at, 8);
  }

  /** The memory that the pointer was loaded from by which this frame calls; null where that is not known. */
  pointerPlace(): VirtAddr | null {
    const name = this.pointerRegister();
    const value = name === null ? null : this.value(name);
    const at = value?.kind === 'load' && value.segment === null ? this.evaluate(value.address) : null;
    return at === null ? null : virtAddr(at.value);
  }

  /** The same frame without the registers that its instruction has begun to change. */
  asInterrupted({ writes }: Instruction): FrameValues {
    const kept = Object.fromEntries(Object.entries(this.registers).filter(([name]) => !writes.includes(name)));
    const frame = new FrameValues(this.kernel, this.where, kept);
    frame.beforeCaller = this.beforeCaller;
    return frame;
  }

  /** The same frame as a call leaves it: with the registers alone that a called function gives back. */
  asCall(): FrameValues {
    const { preserved } = this.kernel.arch.registers;
    const kept = Object.fromEntries(Object.entries(this.registers).filter(([name]) => preserved.includes(name)));
    const frame = new FrameValues(this.kernel, { ...this.where, isCall: true }, kept);
    frame.caller = this.caller;
    return frame;
  }

  /** Notes what known registers and stack slots hold. */
  private hold(): void {
    const { flow, state, isCall } = this.where;
    const { preserved, programCounter, stack } = this.kernel.arch.registers;
    const names = new Set([...Object.keys(this.registers), ...preserved]);
    for (const name of names) {
      const value = this.registers[name];
      if (value === undefined || (isCall && !preserved.includes(name))) continue;
      if (slotOffset(name) !== null || name === programCounter.name) continue;
      const holder: Holder = { kind: 'register', name };
      this.note(flow.register(state, name), { value, sure: 'proved', holder });
    }
    const { entryStack } = this.where;
    if (entryStack === null) return;
    const start: Known = { value: entryStack, sure: 'proved', holder: { kind: 'register', name: stack.pointer } };
    this.held.set(flow.values.entry(stack.pointer), start);
    for (const [place, cell] of state) {
      const offset = slotOffset(place);
      if (offset === null) continue;
      const address = virtAddr(BigInt.asUintN(64, entryStack + BigInt(offset)));
      const word = cell.width <= 8 ? this.word(address, cell.width) : null;
      if (word === null) continue;
      const holder: Holder = { kind: 'stack', address };
      const value = cell.width === 8 ? cell.value : flow.values.extended(cell.value, cell.width, false);
      this.note(value, { value: word, sure: 'proved', holder });
    }
  }

  private note(value: Value, known: Known): void {
    // of a value and a distance, the value; of what was merely extended, what that says
    const { terms, offset } = linear(value);
    const [only] = terms;
    if (value.kind === 'sum' && terms.length === 1 && (only!.factor === 1n || only!.factor === -1n)) {
      const of = BigInt.asUintN(64, (known.value - offset) * only!.factor);
      this.note(only!.value, { ...known, value: of });
    }
    if (value.kind === 'constant' || this.held.has(value)) return;
    this.held.set(value, known);
    // `16 * index + table`: another address may be made of the same part
    const part = value.kind === 'sum' && offset !== 0n ? this.withoutOffset(value) : null;
    if (part !== null) this.note(part, { ...known, value: BigInt.asUintN(64, known.value - offset) });
  }

  private withoutOffset(value: Extract<Value, { kind: 'sum' }>): Value | null {
    const { values } = this.where.flow;
    return values.add(value, values.constant(-value.offset));
  }

  private known(value: Value, depth: number): Known | null {
    if (value.kind === 'constant') return { value: value.value, sure: 'proved', holder: { kind: 'constant' } };
    const held = this.held.get(value);
    if (held !== undefined) return held;
    const answer = this.answers.get(value);
    if (answer !== undefined || depth > maxDepth) return answer ?? null;
    this.answers.set(value, null);
    const found = this.compute(value, depth + 1);
    this.answers.set(value, found);
    return found;
  }

  private compute(value: Value, depth: number): Known | null {
    switch (value.kind) {
      case 'entry': {
        if (this.caller === null) return null;
        const { frame, sure } = this.caller;
        return passedOn(frame.known(frame.value(value.register), depth), sure);
      }
      case 'slot': {
        const { entryStack } = this.where;
        if (entryStack === null || value.offset < 0) return null;
        const address = virtAddr(BigInt.asUintN(64, entryStack + BigInt(value.offset)));
        const word = this.word(address, value.width);
        return word === null ? null : { value: word, sure: 'proved', holder: { kind: 'stack', address } };
      }
      case 'sum': {
        const part = value.offset === 0n ? undefined : this.held.get(this.withoutOffset(value) ?? value);
        if (part !== undefined)
          return { ...part, value: BigInt.asUintN(64, part.value + value.offset), holder: { kind: 'computed' } };
        let sum = value.offset;
        let sure: Sureness = 'proved';
        for (const { value: term, factor } of value.terms) {
          const known = this.known(term, depth);
          if (known === null) return null;
          if (known.sure === 'likely') sure = 'likely';
          sum += known.value * factor;
        }
        return { value: BigInt.asUintN(64, sum), sure, holder: { kind: 'computed' } };
      }
      case 'load': {
        const at = this.known(value.address, depth);
        const address = at === null ? null : this.absolute(at.value, value.segment);
        const word = address === null ? null : this.word(address, value.width);
        if (address === null || word === null) return null;
        const bits = value.width * 8;
        const extended = value.signed ? BigInt.asUintN(64, BigInt.asIntN(bits, word)) : word;
        return { value: extended, sure: 'likely', holder: { kind: 'memory', address, width: value.width } };
      }
      case 'extended': {
        const known = this.known(value.of, depth);
        if (known === null) return null;
        const bits = value.width * 8;
        const part = value.signed ? BigInt.asIntN(bits, known.value) : BigInt.asUintN(bits, known.value);
        return { ...known, value: BigInt.asUintN(64, part) };
      }
      case 'combined': {
        const left = this.known(value.left, depth);
        const right = left === null ? null : this.known(value.right, depth);
        if (left === null || right === null) return null;
        const sure = left.sure === 'proved' && right.sure === 'proved' ? 'proved' : 'likely';
        const result = calculate(value.op, left.value, right.value, value.width);
        return { value: result, sure, holder: { kind: 'computed' } };
      }
      case 'constant':
      case 'left':
      case 'merge':
      case 'choice':
      case 'unknown':
        return null;
    }
  }

  /** An address with its segment's base; null where that is not known. */
  absolute(address: bigint, segment: string | null): VirtAddr | null {
    if (segment === null) return virtAddr(address);
    if (this.where.cpu === null) return null;
    return offsetBy(virtAddr(address), this.kernel.perCpuOffset(this.where.cpu));
  }

  /** Memory as it is; null where it cannot be read. */
  word(address: VirtAddr, width: number): bigint | null {
    try {
      const bytes = this.kernel.space.read(address, width);
      let word = 0n;
      for (let i = bytes.length - 1; i >= 0; i--) word = (word << 8n) | BigInt(bytes[i]!);
      return word;
    } catch (error) {
      if (error instanceof MemoryFault) return null;
      throw error;
    }
  }

  /** The slot at a distance from the stack pointer at entry, as computed. */
  slot(offset: number): Value {
    return this.where.flow.read(this.where.state, slotName(offset)).value;
  }
}

function passedOn(known: Known | null, sure: Sureness): Known | null {
  if (known === null) return null;
  return {
    value: known.value,
    sure: sure === 'proved' ? known.sure : 'likely',
    holder: known.holder.kind === 'constant' ? known.holder : { kind: 'caller', how: known.holder },
  };
}

/** The register that code at an address jumps to, where it does nothing else (retpolines); null for any other code. */
export function thunkRegister(kernel: Kernel, target: VirtAddr): string | null {
  const place = kernel.place(target);
  return place === null ? null : kernel.arch.thunkRegister(place.symbol.name, place.offset);
}

/** Whether code at an address is a function's start, or jumps there at once (static calls, aliases). */
export function leadsTo(kernel: Kernel, target: bigint, start: bigint): boolean {
  const { decoder } = kernel.arch;
  let at = virtAddr(target);
  for (let hops = 0; hops < 3; hops++) {
    if (at === start) return true;
    // a function may be entered behind its first mark
    if (at > start && at - start <= 4n) return true;
    if (decoder === null) return false;
    const { bytes } = kernel.space.readUpTo(at, 2 * decoder.longest);
    const [first, second] = decoder.decode(bytes, at);
    const jump =
      first?.flow === 'jump' ? first : first?.flow === 'next' && kernel.arch.isEntryMark(first) ? second : undefined;
    if (jump?.flow !== 'jump' || jump.target === null) return false;
    at = jump.target;
  }
  return false;
}
