// What code refers to: the addresses of variables that its instructions load from, store to, or compute.
//
//   x86_64    mov 0x123(%rip),%rax      mov $0xffffffff82345678,%rdi      mov -0x7dcba988(,%rax,8),%rax
//   arm64     adrp x19, page; add x19, x19, #0x678; ldr x0, [x19, #8]
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Decoder, Instruction, MemoryOperand } from './decoder.ts';

export interface Reference {
  /** The instruction. */
  readonly at: VirtAddr;
  /** What it refers to: not checked to be anything. */
  readonly to: VirtAddr;
}

/**
 * References of code, in its order. Registers are followed along the code as it lies in memory, not as it runs: now and
 * then an address is told that the code never uses, and one that comes over a branch is missed.
 * @param preserved registers that a call gives back as they were: see `RegisterSet.preserved`
 */
export function references(
  decoder: Decoder,
  preserved: readonly string[],
  code: Uint8Array,
  address: VirtAddr,
): Reference[] {
  const found: Reference[] = [];
  const values = new Map<string, bigint>();
  for (const instruction of decoder.decode(code, address)) {
    const { at, told } = { at: instruction.address, told: new Set<bigint>() };
    const tell = (to: bigint): void => {
      const place = BigInt.asUintN(64, to);
      if (!told.has(place)) found.push({ at, to: virtAddr(place) });
      told.add(place);
    };
    const result = follow(instruction, values, tell);
    if (instruction.flow === 'call') {
      for (const name of [...values.keys()]) if (!preserved.includes(name)) values.delete(name);
    }
    for (const name of instruction.writes) values.delete(name);
    if (result !== null) values.set(result.name, result.value);
  }
  return found;
}

/** Tells what one instruction refers to; the register that it gives a value which is known, with that. */
function follow(
  { mnemonic, operands }: Instruction,
  values: ReadonlyMap<string, bigint>,
  tell: (to: bigint) => void,
): { readonly name: string; readonly value: bigint } | null {
  const [first, second, third] = operands;
  const isWhole = first?.kind === 'register' && first.width === 8 && first.access !== 'read';
  for (const operand of operands) {
    if (operand.kind !== 'memory' || mnemonic === 'adrp') continue;
    const place = placeOf(operand, values);
    if (place !== null) tell(place);
    // a table: what is indexed is where it starts
    else if (operand.segment === null && operand.displacement < 0n) tell(operand.displacement);
  }
  for (const operand of operands) if (operand.kind === 'immediate' && operand.value < 0n) tell(operand.value);
  if (!isWhole) return null;
  if (second?.kind === 'memory' && second.access === 'none') {
    const value = placeOf(second, values);
    return value === null ? null : { name: first.name, value };
  }
  if (mnemonic === 'mov' && second?.kind === 'immediate') return { name: first.name, value: second.value };
  if (mnemonic === 'mov' && second?.kind === 'register' && second.width === 8) {
    const value = values.get(second.name);
    return value === undefined ? null : { name: first.name, value };
  }
  if (mnemonic === 'add' && second?.kind === 'register' && third?.kind === 'immediate') {
    const base = values.get(second.name);
    if (base === undefined) return null;
    const value = base + third.value;
    tell(value);
    return { name: first.name, value };
  }
  return null;
}

/** The address of an operand, if it is known. */
function placeOf(
  { segment, address, base, index, displacement }: MemoryOperand,
  values: ReadonlyMap<string, bigint>,
): bigint | null {
  if (segment !== null) return null;
  if (address !== null) return address;
  if (base === null || index !== null) return null;
  const value = values.get(base);
  return value === undefined ? null : value + displacement;
}
