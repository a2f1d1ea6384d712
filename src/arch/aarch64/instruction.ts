// What the decoders of arm64's groups of instructions have in common: registers, memory, numbers.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import type { Access, Flow, ImmediateOperand, MemoryOperand, Operand, RegisterOperand } from '../decoder.ts';
import { bits } from './code.ts';

/** An instruction without its place and bytes. */
export interface Decoded {
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
  /** Whole registers that are used besides the operands'. */
  readonly alsoReads?: readonly string[];
  readonly alsoWrites?: readonly string[];
  readonly flow?: Flow;
  readonly target?: VirtAddr;
}

/** The register whose number stands at a bit of the word. @param zero what 31 means: the zero register, or the stack pointer */
export function register(
  word: number,
  low: number,
  access: Access,
  width = 8,
  zero: 'xzr' | 'sp' = 'xzr',
): RegisterOperand {
  return { kind: 'register', name: registerName(bits(word, low, 5), zero), width, access };
}

/** Name of the whole register; `xzr` is no register but the number 0. */
export function registerName(number: number, zero: 'xzr' | 'sp' = 'xzr'): string {
  return number === 31 ? zero : `x${number}`;
}

export function immediate(value: number | bigint): ImmediateOperand {
  return { kind: 'immediate', value: BigInt(value) };
}

/** Memory at a base register, or anywhere if `base` is null. */
export function memory(
  base: number | null,
  width: number,
  access: Access,
  more: Partial<MemoryOperand> = {},
): MemoryOperand {
  return {
    kind: 'memory',
    base: base === null ? null : registerName(base, 'sp'),
    index: null,
    scale: 1,
    extend: null,
    displacement: 0n,
    segment: null,
    address: null,
    width,
    access,
    ...more,
  };
}

/** Memory, or what lies, at a distance from the instruction. */
export function relative(address: VirtAddr, distance: number | bigint, width: number, access: Access): MemoryOperand {
  return memory(null, width, access, { address: virtAddr(BigInt.asUintN(64, address + BigInt(distance))) });
}

/** Bytes of the registers of an instruction with `sf`, its highest bit. */
export function widthOf(word: number): 4 | 8 {
  return word >>> 31 === 1 ? 8 : 4;
}
