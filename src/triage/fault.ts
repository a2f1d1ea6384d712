// The faulting instruction: what it touched, by which registers, and what the values look like.
import { type MemoryOperand, memoryOperands } from '../arch/x86_64/operand.ts';
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type Facts, instructionAt } from './facts.ts';

export interface FaultAccess {
  readonly operand: MemoryOperand;
  /** What is odd with the address, in words: `a NULL pointer`, `freed slab memory (poison)`, ... */
  readonly looksLike: string;
}

/** Bytes that mean something where a pointer should be (include/linux/poison.h). */
const poisons: readonly (readonly [mask: bigint, value: bigint, meaning: string])[] = [
  [0xffff_ffff_ffff_0000n, 0x6b6b_6b6b_6b6b_0000n, 'freed slab memory (poison 6b): used after it was freed'],
  [
    0xffff_ffff_ffff_0000n,
    0x5a5a_5a5a_5a5a_0000n,
    'slab memory that was never written (poison 5a): used before it was set up',
  ],
  [0xffff_ffff_ffff_f000n, 0xdead_0000_0000_0000n, 'a list entry that was deleted already (LIST_POISON)'],
  [0xffff_ffff_ffff_0000n, 0xdead_beef_dead_0000n, 'the pattern deadbeef'],
];

/** What an address looks like, for people. */
export function looksLike(address: bigint): string {
  if (address < 4096n) return 'a NULL pointer';
  if (address >= 0xffff_ffff_ffff_f001n)
    return `an error code used as a pointer (-${0x1_0000_0000_0000_0000n - address})`;
  for (const [mask, value, meaning] of poisons) if ((address & mask) === value) return meaning;
  if (address < 0x0000_8000_0000_0000n) return 'an address of user space';
  // not sign-extended from bit 47 or, with five levels of page tables, from bit 56
  if (address >> 56n !== 0xffn && address >> 56n !== 0n)
    return 'no address at all (not canonical): a corrupt pointer, or one used after it was freed';
  return 'an address that is not mapped';
}

/**
 * The memory operand of the faulting instruction that faulted: the one that cannot be translated, or, failing
 * that, the first. Null where the instruction touches no memory, or is not in the dump.
 */
export function faultAccess(facts: Facts): FaultAccess | null {
  const exception = facts.exception;
  const { kernel } = facts;
  if (exception === null || kernel.arch.name !== 'x86_64' || badJump(facts) !== null) return null;
  const rip = exception.registers.rip ?? 0n;
  const { bytes } = kernel.space.readUpTo(virtAddr(rip), 15);
  if (bytes.length === 0) return null;
  const operands = memoryOperands(bytes, rip, exception.registers);
  const operand = operands.find(({ address }) => !kernel.space.isReadable(virtAddr(address))) ?? operands[0];
  return operand === undefined ? null : { operand, looksLike: looksLike(operand.address) };
}

/** `rdx is 0` or `rax is 0x10, rcx is 3`. */
export function registerText(operand: MemoryOperand): string {
  return operand.registers
    .map(({ name, value }) => `${name} is ${value < 10n ? hex(value) : `0x${hex(value)}`}`)
    .join(', ');
}

/**
 * Where the CPU was sent, if it was sent to an address that holds no code (a call through a bad function pointer):
 * the instruction pointer itself is the address that faulted. Null otherwise.
 */
export function badJump(facts: Facts): bigint | null {
  if (facts.exception === null) return null;
  const { arch, faults } = facts.kernel;
  const at = instructionAt(facts, facts.exception);
  // code that no symbol covers (BPF programs, a module that cannot be read) is code all the same
  return faults.attempt('page tables', () => arch.space.isExecutable(at), true) ? null : at;
}

/** Whether the instruction at an address is the one that BUG() and WARN() are made of: ud2, or arm64's brk. */
export function isTrap({ arch, space }: Kernel, at: VirtAddr): boolean {
  const { bytes } = space.readUpTo(at, 4);
  if (arch.name === 'x86_64') return bytes[0] === 0x0f && bytes[1] === 0x0b;
  // brk #imm16 (Arm ARM C6.2); BUG_BRK_IMM is 0x800 (arch/arm64/include/asm/brk-imm.h)
  const word = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return word === 0xd420_0000 + 0x800 * 32;
}
