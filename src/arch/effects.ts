// What an instruction does to registers and memory, in words that are the same on every machine: for those who follow
// values through code. What a decoder has no words for is `unknown`: the place is written, nobody says what with.
import type { Instruction, MemoryOperand, Operand } from './decoder.ts';

/** A value that an instruction makes of what was there before it. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: bigint }
  /** The low `width` bytes of a whole register, extended to 64 bits. */
  | { readonly kind: 'register'; readonly name: string; readonly width: number; readonly signed: boolean }
  /** The address that an operand means, without reading there. */
  | { readonly kind: 'address'; readonly operand: MemoryOperand }
  /** `width` bytes of memory, extended to 64 bits. */
  | { readonly kind: 'memory'; readonly operand: MemoryOperand; readonly width: number; readonly signed: boolean }
  /** Computed in `width` bytes, zero-extended to 64 bits. */
  | {
      readonly kind: 'combine';
      readonly op: Operation;
      readonly left: Expression;
      readonly right: Expression;
      readonly width: number;
    }
  /** One of the two, by flags. */
  | { readonly kind: 'choice'; readonly one: Expression; readonly other: Expression }
  | { readonly kind: 'unknown' };

export type Operation = 'add' | 'sub' | 'and' | 'or' | 'xor' | 'mul' | 'shl' | 'shr';

/** What is written. */
export type Target =
  /** Of 4 bytes and more, the whole register (the rest becomes 0); of less, the rest stays. */
  | { readonly kind: 'register'; readonly name: string; readonly width: number }
  /** Width 0: from the address upwards, nobody knows how far. */
  | { readonly kind: 'memory'; readonly operand: MemoryOperand; readonly width: number };

/** All effects of an instruction happen at once: values and addresses are those from before it. */
export interface Effect {
  readonly to: Target;
  readonly value: Expression;
}

export const unknownValue: Expression = { kind: 'unknown' };

export function constant(value: bigint): Expression {
  return { kind: 'constant', value };
}

/** The low bytes of a register. */
export function registerValue(name: string, width = 8, signed = false): Expression {
  return { kind: 'register', name, width, signed };
}

/** Memory at a register plus a distance. */
export function based(base: string, displacement: bigint, width: number): MemoryOperand {
  return {
    kind: 'memory',
    base,
    index: null,
    scale: 1,
    extend: null,
    displacement,
    segment: null,
    address: null,
    width,
    access: 'read-write',
  };
}

/** What an operand holds when it is read. */
export function operandValue(operand: Operand, signed = false): Expression {
  switch (operand.kind) {
    case 'register':
      return registerValue(operand.name, operand.width, signed);
    case 'memory':
      return operand.width === 0 ? unknownValue : { kind: 'memory', operand, width: operand.width, signed };
    case 'immediate':
      return constant(BigInt.asUintN(64, operand.value));
  }
}

/** The place of an operand that is written; null for one that is not. */
export function operandTarget(operand: Operand): Target | null {
  if (operand.kind === 'immediate' || operand.access === 'read' || operand.access === 'none') return null;
  return operand.kind === 'register'
    ? { kind: 'register', name: operand.name, width: operand.width }
    : { kind: 'memory', operand, width: operand.width };
}

/** Everything that an instruction writes, with what is not known. */
export function unknownEffects({ operands, writes }: Instruction): Effect[] {
  const effects: Effect[] = writes.map((name) => ({
    to: { kind: 'register', name, width: 8 },
    value: unknownValue,
  }));
  for (const operand of operands) {
    const to = operand.kind === 'memory' ? operandTarget(operand) : null;
    if (to !== null) effects.push({ to, value: unknownValue });
  }
  return effects;
}
