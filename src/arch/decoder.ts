// Machine code, instruction by instruction: as text for people, and as operands for those who follow values.
// Every machine's decoder says the same things in the same words; registers have the names of `Registers`.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Registers } from './registers.ts';

/** What an instruction does to the flow of control. `trap`: it raises an exception, on purpose; `invalid`: it is none. */
export type Flow = 'next' | 'jump' | 'conditional-jump' | 'call' | 'return' | 'trap' | 'invalid';

interface InstructionBase {
  readonly address: VirtAddr;
  /** The instruction's own bytes. */
  readonly bytes: Uint8Array;
  readonly flow: Flow;
  /** Where a direct jump or call goes; null otherwise. */
  readonly target: VirtAddr | null;
  /** The address that an operand relative to the program counter names; null without one. */
  readonly memoryTarget: VirtAddr | null;
}

export interface InstructionText extends InstructionBase {
  /** As objdump prints it: `mov    0x18(%rbx),%eax`, `bl     0xffff800008012340 <schedule+67>`, `(bad)`. */
  readonly text: string;
}

export interface Instruction extends InstructionBase {
  /** Lower case, without prefixes and sizes: `mov`, `ldr`. The machine's own words. */
  readonly mnemonic: string;
  /** Explicit operands, what is written first where there is such a one; of a string instruction, the memory it touches. */
  readonly operands: readonly Operand[];
  /** Whole registers that are read, those of addresses and implied ones among them; flags left out. */
  readonly reads: readonly string[];
  /** Whole registers that are written, or may be, implied ones among them; flags left out. */
  readonly writes: readonly string[];
}

/** What is done with an operand; `none` where only its address counts (`lea`), or nothing does (a long `nop`). */
export type Access = 'read' | 'write' | 'read-write' | 'none';

export type Operand = RegisterOperand | MemoryOperand | ImmediateOperand;

export interface RegisterOperand {
  readonly kind: 'register';
  /** The whole register (`rax` for `%al`, `x0` for `w0`), or the name of one that is not among `Registers`. */
  readonly name: string;
  /** Bytes of it that are meant. */
  readonly width: number;
  readonly access: Access;
}

/** [segment: base + index * scale + displacement] */
export interface MemoryOperand {
  readonly kind: 'memory';
  /** A register; null for none. Operands relative to the program counter have none: see `address`. */
  readonly base: string | null;
  readonly index: string | null;
  readonly scale: number;
  /** The index's low 32 bits alone count, extended: arm64's `uxtw` and `sxtw`. */
  readonly extend: 'unsigned' | 'signed' | null;
  /** Signed. */
  readonly displacement: bigint;
  /** Whose base is added to the address (`gs`: per-cpu); null where that is always 0. */
  readonly segment: string | null;
  /** The address itself, without the segment's base, where it does not depend on registers; null otherwise. */
  readonly address: VirtAddr | null;
  /** Bytes that are read or written; 0 where that is not known. */
  readonly width: number;
  readonly access: Access;
}

export interface ImmediateOperand {
  readonly kind: 'immediate';
  /** Signed, as wide as the instruction uses it. */
  readonly value: bigint;
}

/** Says what lies at an address, as `schedule+67`; null if nobody knows. */
export type Describe = (address: VirtAddr) => string | null;

/** Reads the code of one machine. What packages it needs are loaded when it is first used. */
export interface Decoder {
  /** Bytes of the longest instruction, and of the shortest, which all are multiples of. */
  readonly longest: number;
  readonly shortest: number;
  /**
   * Instructions one after another, until the bytes end; one that is none, or is cut, comes as `(bad)`.
   * @param address virtual address of the first byte
   */
  text(code: Uint8Array, address: VirtAddr, describe?: Describe): Generator<InstructionText>;
  /** The same, with operands in place of text; what is no instruction has none, and the flow `invalid`. */
  decode(code: Uint8Array, address: VirtAddr): Generator<Instruction>;
  /** Whether an instruction is what crash(8) marks as the place of a call that traces functions, while there is none. */
  isTracerNop(bytes: Uint8Array): boolean;
}

/** A memory operand's address, worked out. */
export interface WorkedOut {
  /** Wrapped to 64 bits. */
  readonly address: VirtAddr;
  /** Registers that it was made of: base first. */
  readonly registers: readonly { readonly name: string; readonly value: bigint }[];
}

/** The address of an operand, given the registers; null where one is not known, or a segment's base. */
export function workOut(operand: MemoryOperand, registers: Registers): WorkedOut | null {
  if (operand.segment !== null) return null;
  if (operand.address !== null) return { address: operand.address, registers: [] };
  const parts: { name: string; value: bigint }[] = [];
  let address = operand.displacement;
  for (const [name, isIndex] of [
    [operand.base, false],
    [operand.index, true],
  ] as const) {
    if (name === null) continue;
    const value = registers[name];
    if (value === undefined) return null;
    parts.push({ name, value });
    address += isIndex ? extended(value, operand.extend) * BigInt(operand.scale) : value;
  }
  return { address: virtAddr(BigInt.asUintN(64, address)), registers: parts };
}

function extended(value: bigint, extend: MemoryOperand['extend']): bigint {
  if (extend === null) return value;
  return extend === 'signed' ? BigInt.asIntN(32, value) : BigInt.asUintN(32, value);
}
