// What code refers to: the addresses of variables that its instructions load from, store to, or compute.
//
//   x86_64    mov 0x123(%rip),%rax      mov $0xffffffff82345678,%rdi      mov -0x7dcba988(,%rax,8),%rax
//   arm64     adrp x19, page; add x19, x19, #0x678; ldr x0, [x19, #8]
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Decoder, Instruction, MemoryOperand } from './decoder.ts';
import type { RegisterSet } from './registers.ts';

export interface Reference {
  /** The instruction. */
  readonly at: VirtAddr;
  /** What it refers to: not checked to be anything. */
  readonly to: VirtAddr;
}

/**
 * References of code. Registers are followed along the code as it lies in memory, not as it runs: now and then an address
 * is told that the code never uses, and one that comes over a branch is missed. An address that is computed only to
 * reach others from it (compilers let one serve many neighbours) is not told, those that are reached are.
 * @param registers what a call leaves as it was, and where arguments are
 */
export function references(
  decoder: Decoder,
  registers: Pick<RegisterSet, 'preserved' | 'arguments'>,
  code: Uint8Array,
  address: VirtAddr,
): Reference[] {
  const walk = new Walk();
  for (const instruction of decoder.decode(code, address)) {
    walk.take(instruction);
    if (instruction.flow === 'call') walk.call(registers);
  }
  walk.end();
  return walk.found;
}

/** An address in a register. */
interface Held {
  readonly value: bigint;
  /** The instruction that computed it; null for one that is no reference by itself (a page), or is told already. */
  from: VirtAddr | null;
}

class Walk {
  readonly found: Reference[] = [];
  private readonly held = new Map<string, Held>();

  take(instruction: Instruction): void {
    const { address: at, mnemonic, operands, writes } = instruction;
    for (const operand of operands) {
      if (operand.kind === 'memory' && operand.access !== 'none') this.access(at, operand);
      else if (operand.kind === 'immediate' && operand.value < 0n) this.tell(at, operand.value);
    }
    const result = this.result(instruction);
    // what is stored, compared or moved is of use by itself
    for (const operand of mnemonic === 'add' ? [] : operands) {
      if (operand.kind === 'register' && operand.access === 'read') this.use(operand.name);
    }
    // an address of which only another one is made is no reference
    const made = result !== null && mnemonic === 'add' ? this.held.get(result.name) : undefined;
    if (made !== undefined && readsItself(instruction)) made.from = null;
    for (const name of writes) this.drop(name);
    if (result !== null) this.held.set(result.name, { value: result.value, from: result.isReference ? at : null });
  }

  /** Arguments are of use; what a call does not preserve is gone. */
  call({ preserved, arguments: passed }: Pick<RegisterSet, 'preserved' | 'arguments'>): void {
    for (const name of passed) this.use(name);
    for (const name of [...this.held.keys()]) if (!preserved.includes(name)) this.drop(name);
  }

  end(): void {
    for (const name of [...this.held.keys()]) this.drop(name);
  }

  private access(at: VirtAddr, operand: MemoryOperand): void {
    const { base, index, segment, displacement } = operand;
    const held = base === null ? undefined : this.held.get(base);
    const place = placeOf(operand, held?.value);
    if (place !== null) this.tell(at, place);
    // a table: what is indexed is where it starts
    else if (segment === null && displacement < 0n) this.tell(at, displacement);
    else if (held !== undefined && index !== null && displacement === 0n) this.tell(at, held.value);
    if (held !== undefined && (displacement !== 0n || index === null)) held.from = null;
  }

  /** The register that an instruction gives a value that is known, with that. */
  private result({ mnemonic, operands }: Instruction): { name: string; value: bigint; isReference: boolean } | null {
    const [first, second, third] = operands;
    if (first?.kind !== 'register' || first.width !== 8 || first.access === 'read') return null;
    const { name } = first;
    if (second?.kind === 'memory' && second.access === 'none') {
      const base = second.base === null ? undefined : this.held.get(second.base)?.value;
      const value = placeOf(second, base);
      return value === null ? null : { name, value, isReference: mnemonic !== 'adrp' };
    }
    if (mnemonic === 'mov' && second?.kind === 'immediate') return { name, value: second.value, isReference: false };
    const source = second?.kind === 'register' && second.width === 8 ? this.held.get(second.name) : undefined;
    if (source === undefined) return null;
    if (mnemonic === 'mov') return { name, value: source.value, isReference: false };
    if (mnemonic !== 'add' || third?.kind !== 'immediate') return null;
    return { name, value: source.value + third.value, isReference: true };
  }

  /** The register's address is used as it is. */
  private use(name: string): void {
    const held = this.held.get(name);
    if (held === undefined || held.from === null) return;
    this.tell(held.from, held.value);
    held.from = null;
  }

  /** The register gets another value: an address that nothing was reached from is told. */
  private drop(name: string): void {
    this.use(name);
    this.held.delete(name);
  }

  private tell(at: VirtAddr, to: bigint): void {
    this.found.push({ at, to: virtAddr(BigInt.asUintN(64, to)) });
  }
}

/** Whether what an instruction writes first is made of that register itself. */
function readsItself({ operands: [to, from] }: Instruction): boolean {
  return to?.kind === 'register' && from?.kind === 'register' && to.name === from.name;
}

/** The address of an operand, if it is known. @param base content of its base register, as far as that is known */
function placeOf(
  { segment, address, index, displacement, ...operand }: MemoryOperand,
  base: bigint | undefined,
): bigint | null {
  if (segment !== null) return null;
  if (address !== null) return address;
  if (operand.base === null || index !== null || base === undefined) return null;
  return base + displacement;
}
