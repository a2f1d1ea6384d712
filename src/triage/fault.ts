// The faulting instruction: what it touched, by which registers, and what the values look like.

import { type MemoryOperand, type WorkedOut, workOut } from '../arch/decoder.ts';
import type { VirtAddr } from '../base/address.ts';
import { assertNever } from '../base/errors.ts';
import { hex } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { poisonKind, poisonsSlabs } from '../kernel/poison.ts';
import { type Facts, instructionAt } from './facts.ts';

export interface FaultAccess extends WorkedOut {
  readonly operand: MemoryOperand;
  /** What is odd with the address, in words: `a NULL pointer`, `freed slab memory (poison)`, ... */
  readonly looksLike: string;
}

export const notCanonical = 'no address at all (not canonical): a corrupt pointer, or one used after it was freed';

/** What an address looks like, for people. */
export function looksLike(kernel: Kernel, address: bigint): string {
  const { arch } = kernel;
  if (address < 4096n) return 'a NULL pointer';
  if (address >= 0xffff_ffff_ffff_f001n)
    return `an error code used as a pointer (-${0x1_0000_0000_0000_0000n - address})`;
  const poison = poisonWords(kernel, address);
  if (poison !== null) return poison;
  if (arch.isUserAddress(address)) return 'an address of user space';
  if (!arch.isKernelAddress(address)) return notCanonical;
  return 'an address that is not mapped';
}

/** What a pattern of the kernel's says of an address; null for none. */
function poisonWords(kernel: Kernel, address: bigint): string | null {
  const kind = poisonKind(address);
  switch (kind) {
    case null:
      return null;
    case 'freed-object':
      return slabPattern(kernel, '6b', 'freed slab memory', 'used after it was freed');
    case 'new-object':
      return slabPattern(kernel, '5a', 'new slab memory', 'used before it was set up');
    case 'page':
      return 'the pattern aa, which page_poisoning fills free pages with';
    case 'list':
      return 'a list entry that was deleted already (LIST_POISON)';
    case 'deadbeef':
      return 'the pattern deadbeef';
    default:
      return assertNever(kind);
  }
}

/** The same bytes are text, and whoever likes writes them: they are the allocator's where it writes such. */
function slabPattern(kernel: Kernel, byte: string, memory: string, how: string): string {
  const on = poisonsSlabs(kernel);
  if (on === true) return `${memory} (poison ${byte}): ${how}`;
  const text = `or the text "${String.fromCharCode(Number.parseInt(byte, 16)).repeat(2)}"`;
  if (on === null)
    return `the pattern ${byte}: ${memory} that was ${how}, where slabs are poisoned (slab_debug), ${text}`;
  return `the pattern ${byte}, ${text} (no slab cache here is poisoned)`;
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
  return access === undefined ? null : { ...access, looksLike: looksLike(kernel, access.address) };
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
