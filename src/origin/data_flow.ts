// What every register and stack slot of a function holds, at each of its instructions, by how it was computed: the code
// is run with values in place of numbers, over all of its blocks until nothing changes any more.
//
//   block 0        mov %rdi,%rbx          rbx = entry rdi
//     |    \       test %rax,%rax
//     |     1      mov 0x18(%rbx),%rbx    rbx = load(entry rdi + 0x18)
//     |    /
//   block 2        mov (%rbx),%rax        rbx = merge: which of the two is not told
import type { Architecture } from '../arch/architecture.ts';
import type { Instruction, MemoryOperand } from '../arch/decoder.ts';
import type { Effect, Expression, Target } from '../arch/effects.ts';
import type { WorkSlot } from '../base/work.ts';
import type { Block, FunctionCode } from './function_code.ts';
import { linear, offsetFrom, type Value, Values } from './value.ts';

/** What one place holds. */
export interface Cell {
  readonly value: Value;
  /** Bytes that are known; registers are always known as a whole. */
  readonly width: number;
}

/** Registers by name; stack slots by `[distance]` from the stack pointer at entry. What is missing is as it was there. */
export type State = ReadonlyMap<string, Cell>;

/** Instructions run until it is given up: real functions take a few times their length. */
const maxSteps = 100_000;
/** Stack slots that are followed at a time. */
const maxPlaces = 600;

export class DataFlow {
  readonly code: FunctionCode;
  readonly values = new Values();
  private readonly arch: Architecture;
  private readonly before: (State | null)[];
  private readonly after: (State | null)[];
  /** Merges that there are, by block and place: what merged once stays so. */
  private readonly merges = new Set<string>();
  /** Stack addresses that were handed out: what lies from there upwards may be written by whoever is called. */
  private readonly handedOut = new Set<number>();
  /** Every register that is named in the code, and those that calls use. */
  private readonly written: ReadonlySet<string>;
  private readonly effects: (readonly Effect[] | undefined)[] = [];
  /** False where the code is too long or too tangled: then nothing is known of it. */
  readonly complete: boolean;

  constructor(code: FunctionCode, arch: Architecture, work: WorkSlot) {
    this.code = code;
    this.arch = arch;
    this.before = code.blocks.map(() => null);
    this.after = code.blocks.map(() => null);
    const { result, arguments: passed } = arch.registers;
    this.written = new Set([
      result,
      ...passed,
      ...code.instructions.flatMap(({ reads, writes }) => [...reads, ...writes]),
    ]);
    // once to find the stack addresses that are handed out, then again with them
    this.complete = this.run(work);
    if (this.complete && this.handedOut.size > 0) {
      this.before.fill(null);
      this.after.fill(null);
      this.merges.clear();
      this.complete = this.run(work);
    }
  }

  /** What is known before the instruction at a position runs; null for code that nothing seems to lead to. */
  stateBefore(position: number): State | null {
    const block = this.code.blocks[this.code.blockOf[position] ?? -1];
    const start = block === undefined ? null : this.before[block.index]!;
    if (block === undefined || start === null || !this.complete) return null;
    const state = new Map(start);
    for (let i = block.first; i < position; i++) this.step(state, i);
    return state;
  }

  /** What a place holds in a state. */
  read(state: State, place: string): Cell {
    return state.get(place) ?? this.initial(place);
  }

  /** What a register holds in a state. */
  register(state: State, name: string): Value {
    return this.read(state, name).value;
  }

  /** The address that an operand means in a state, without its segment's base; null where it is too tangled. */
  address(state: State, operand: MemoryOperand): Value | null {
    const { base, index, scale, extend, displacement, address } = operand;
    if (address !== null) return this.values.constant(address);
    let sum: Value | null = this.values.constant(displacement);
    if (base !== null) sum = this.values.add(sum, this.register(state, base));
    if (index === null || sum === null) return sum;
    const whole = this.register(state, index);
    const part = extend === null ? whole : this.values.extended(whole, 4, extend === 'signed');
    const scaled = this.values.times(part, BigInt(scale));
    return scaled === null ? null : this.values.add(sum, scaled);
  }

  /** What may have come where ways meet: the values at the ends of the blocks before. */
  sources(merge: Extract<Value, { kind: 'merge' }>): readonly { readonly from: Block; readonly value: Value }[] {
    const block = this.code.blocks[merge.block]!;
    const found: { from: Block; value: Value }[] = [];
    for (const index of block.previous) {
      const state = this.after[index];
      if (state != null) found.push({ from: this.code.blocks[index]!, value: this.read(state, merge.place).value });
    }
    if (block.index === 0) found.push({ from: block, value: this.initial(merge.place).value });
    return found;
  }

  private initial(place: string): Cell {
    const offset = slotOffset(place);
    if (offset === null) return { value: this.values.entry(place), width: 8 };
    return { value: this.values.slot(offset, 8), width: 8 };
  }

  private run(work: WorkSlot): boolean {
    const { blocks } = this.code;
    const waiting = new Uint8Array(blocks.length);
    waiting[0] = 1;
    let steps = 0;
    // the first of those that wait: blocks mostly lie in the order in which they run
    let index = 0;
    while (index < blocks.length) {
      if (waiting[index] === 0) {
        index++;
        continue;
      }
      waiting[index] = 0;
      const block = blocks[index]!;
      const start = this.entering(block);
      this.before[index] = start;
      const state = new Map(start);
      for (let i = block.first; i < block.end; i++) this.step(state, i);
      steps += block.end - block.first + 1;
      work.charge('nodes', block.end - block.first + 1);
      if (steps > maxSteps || state.size > maxPlaces) return false;
      const old = this.after[index] ?? null;
      if (old !== null && isSame(old, state)) continue;
      this.after[index] = state;
      for (const next of block.next) {
        waiting[next] = 1;
        if (next < index) index = next;
      }
    }
    return true;
  }

  /** What is known where a block starts: what all blocks before it that were run agree in. */
  private entering(block: Block): State {
    const states = block.previous.map((index) => this.after[index] ?? null).filter((state) => state !== null);
    if (block.index === 0) states.push(new Map());
    const [first, ...others] = states;
    if (first === undefined) return new Map();
    if (others.length === 0 && this.merges.size === 0) return first;
    const places = new Set<string>();
    for (const state of states) for (const place of state.keys()) places.add(place);
    const merged = new Map<string, Cell>();
    for (const place of places) {
      const cells = states.map((state) => this.read(state, place));
      const [one] = cells;
      const key = `${block.index} ${place}`;
      const width = Math.min(...cells.map((cell) => cell.width));
      if (!this.merges.has(key) && cells.every(({ value, width }) => value === one!.value && width === one!.width)) {
        merged.set(place, one!);
        continue;
      }
      this.merges.add(key);
      merged.set(place, { value: this.values.merge(block.index, place), width });
    }
    return merged;
  }

  private step(state: Map<string, Cell>, position: number): void {
    const instruction = this.code.instructions[position]!;
    if (instruction.flow === 'call') {
      if (position !== this.code.tracer) this.call(state, instruction);
      return;
    }
    if (instruction.flow === 'return') return;
    this.effects[position] ??= this.arch.effects(instruction);
    const effects = this.effects[position]!;
    const written = effects.map(({ to, value }) => ({
      to,
      address: to.kind === 'memory' ? this.slotOf(state, to.operand) : null,
      value: this.evaluate(state, instruction, value, to),
    }));
    for (const { to, address, value } of written) {
      if (to.kind === 'memory') {
        if (address !== null) this.store(state, instruction, address, to.width, value);
      } else this.set(state, instruction, to.name, to.width, value);
    }
  }

  private set(state: Map<string, Cell>, { address: at }: Instruction, name: string, width: number, value: Value): void {
    const whole = width >= 4 ? this.values.extended(value, width, false) : this.values.unknown(at, name);
    state.set(name, { value: whole, width: 8 });
    const { stack } = this.arch.registers;
    // the stack and frame pointers are no addresses that anyone gets
    const { base, offset } = offsetFrom(whole) ?? { base: null, offset: 0n };
    if (base?.kind !== 'entry' || base.register !== stack.pointer || name === stack.pointer) return;
    if (name !== stack.frame) this.handedOut.add(Number(offset));
  }

  private store(
    state: Map<string, Cell>,
    { address: at }: Instruction,
    offset: number,
    width: number,
    value: Value,
  ): void {
    for (const [place, cell] of state) {
      const other = slotOffset(place);
      if (other === null || (other === offset && width !== 0)) continue;
      const overlaps = other + cell.width > offset && (width === 0 || other < offset + width);
      if (overlaps && (width !== 0 || !this.isSaved(cell)))
        state.set(place, { value: this.values.unknown(at, place), width: cell.width });
    }
    if (width === 0) return;
    const place = slotName(offset);
    // words that were never written lie below, too
    state.set(place, width > 8 ? { value: this.values.unknown(at, place), width } : { value, width });
  }

  /** What a call does to its caller's registers and stack. */
  private call(state: Map<string, Cell>, { address: at }: Instruction): void {
    const { preserved, result } = this.arch.registers;
    for (const name of this.written) {
      if (!preserved.includes(name)) state.set(name, { value: this.values.left(at, name, name === result), width: 8 });
    }
    if (this.handedOut.size === 0) return;
    const lowest = Math.min(...this.handedOut);
    for (const [place, cell] of state) {
      const offset = slotOffset(place);
      if (offset === null || offset < lowest || this.isSaved(cell)) continue;
      state.set(place, { value: this.values.unknown(at, place), width: cell.width });
    }
  }

  /** True for what a prologue saved: nobody gets its address. */
  private isSaved({ value }: Cell): boolean {
    return value.kind === 'entry' && this.arch.registers.preserved.includes(value.register);
  }

  /** Distance of an operand's place from the stack pointer at entry; null for what is not known to be on the stack. */
  private slotOf(state: State, operand: MemoryOperand): number | null {
    if (operand.segment !== null) return null;
    const address = this.address(state, operand);
    return address === null ? null : this.stackOffset(address);
  }

  /** Bytes between a value and the stack pointer at entry; null for what is no such address. */
  stackOffset(value: Value): number | null {
    const { terms, offset } = linear(value);
    const [only] = terms;
    if (terms.length !== 1 || only!.factor !== 1n || only!.value.kind !== 'entry') return null;
    if (only!.value.register !== this.arch.registers.stack.pointer) return null;
    return offset > -maxFrame && offset < maxFrame ? Number(offset) : null;
  }

  private evaluate(state: State, instruction: Instruction, expression: Expression, to: Target): Value {
    const { address: at } = instruction;
    const unknown = (): Value => this.values.unknown(at, to.kind === 'register' ? to.name : 'memory');
    switch (expression.kind) {
      case 'constant':
        return this.values.constant(expression.value);
      case 'register':
        return this.values.extended(this.register(state, expression.name), expression.width, expression.signed);
      case 'address':
        return this.address(state, expression.operand) ?? unknown();
      case 'memory':
        return this.load(state, instruction, expression) ?? unknown();
      case 'combine': {
        const left = this.evaluate(state, instruction, expression.left, to);
        const right = this.evaluate(state, instruction, expression.right, to);
        return this.values.combined(at, expression.op, left, right, expression.width);
      }
      case 'choice': {
        const one = this.evaluate(state, instruction, expression.one, to);
        return this.values.choice(at, one, this.evaluate(state, instruction, expression.other, to));
      }
      case 'unknown':
        return unknown();
    }
  }

  private load(
    state: State,
    { address: at }: Instruction,
    { operand, width, signed }: Extract<Expression, { kind: 'memory' }>,
  ): Value | null {
    const address = this.address(state, operand);
    if (address === null || width > 8) return null;
    const offset = operand.segment === null ? this.stackOffset(address) : null;
    if (offset === null) return this.values.load(at, address, operand.segment, width, signed);
    const cell = this.read(state, slotName(offset));
    const overlaps = [...state].some(([place, { width: its }]) => {
      const other = slotOffset(place);
      return other !== null && other !== offset && other + its > offset && other < offset + width;
    });
    if (overlaps || cell.width < width) return this.values.unknown(at, slotName(offset));
    return this.values.extended(cell.value, width, signed);
  }
}

/** Largest stack frame that is believed, in bytes. */
const maxFrame = 1n << 20n;

export function slotName(offset: number): string {
  return `[${offset}]`;
}

/** Distance of a slot from the stack pointer at entry; null for a register. */
export function slotOffset(place: string): number | null {
  return place.startsWith('[') ? Number(place.slice(1, -1)) : null;
}

function isSame(one: State, other: State): boolean {
  if (one.size !== other.size) return false;
  for (const [place, { value, width }] of other) {
    const cell = one.get(place);
    if (cell === undefined || cell.value !== value || cell.width !== width) return false;
  }
  return true;
}
