// The faulting instruction: what it touched, by which registers, and what the values look like.

import type { Architecture } from '../arch/architecture.ts';
import { type MemoryOperand, type WorkedOut, workOut } from '../arch/decoder.ts';
import type { VirtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type Facts, instructionAt } from './facts.ts';

export interface FaultAccess extends WorkedOut {
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
    'the pattern 5a: slab memory that was used before it was set up, where slabs are poisoned (slub_debug), or the text "ZZ"',
  ],
  [0xffff_ffff_ffff_f000n, 0xdead_0000_0000_0000n, 'a list entry that was deleted already (LIST_POISON)'],
  [0xffff_ffff_ffff_0000n, 0xdead_beef_dead_0000n, 'the pattern deadbeef'],
];

export const notCanonical = 'no address at all (not canonical): a corrupt pointer, or one used after it was freed';

/** What an address looks like, for people. */
export function looksLike(arch: Architecture, address: bigint): string {
  if (address < 4096n) return 'a NULL pointer';
  if (address >= 0xffff_ffff_ffff_f001n)
    return `an error code used as a pointer (-${0x1_0000_0000_0000_0000n - address})`;
  for (const [mask, value, meaning] of poisons) if ((address & mask) === value) return meaning;
  if (arch.isUserAddress(address)) return 'an address of user space';
  if (!arch.isKernelAddress(address)) return notCanonical;
  return 'an address that is not mapped';
}

/**
 * The memory operand of the faulting instruction that faulted: the one that cannot be translated, or, failing
 * that, the first. Null where the instruction touches no memory, or is not in the dump.
 */
export function faultAccess(facts: Facts): FaultAccess | null {
  const exception = facts.exception;
  const { kernel } = facts;
  const { decoder } = kernel.arch;
  if (exception === null || decoder === null || badJump(facts) !== null) return null;
  const at = instructionAt(facts, exception);
  const { bytes } = kernel.space.readUpTo(at, decoder.longest);
  const [instruction] = decoder.decode(bytes, at);
  const operands = (instruction?.operands ?? []).flatMap((operand) => {
    const found = operand.kind === 'memory' && operand.access !== 'none' ? workOut(operand, exception.registers) : null;
    return found === null ? [] : [{ operand: operand as MemoryOperand, ...found }];
  });
  const access = operands.find(({ address }) => !kernel.space.isReadable(address)) ?? operands[0];
  return access === undefined ? null : { ...access, looksLike: looksLike(kernel.arch, access.address) };
}

/** `rdx is 0` or `rax is 0x10, rcx is 3`. */
export function registerText({ registers }: WorkedOut): string {
  return registers.map(({ name, value }) => `${name} is ${value < 10n ? hex(value) : `0x${hex(value)}`}`).join(', ');
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

/** Name of the instruction at an address if it is one that BUG() and WARN() are made of; null otherwise. */
export function trapName({ arch, space }: Kernel, at: VirtAddr): string | null {
  return arch.trapName(space.readUpTo(at, 4).bytes);
}
