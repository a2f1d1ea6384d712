// include/linux/mm.h: names of a VMA's flags. They are macros, which no type information has; bits that meant other
// things in other kernels are told apart by what else those kernels have.
import type { Kernel } from './kernel.ts';

/** VM_* by bit; what is null has had no meaning that is still in use. */
const names: readonly (string | null)[] = [
  'READ',
  'WRITE',
  'EXEC',
  'SHARED',
  'MAYREAD',
  'MAYWRITE',
  'MAYEXEC',
  'MAYSHARE',
  'GROWSDOWN',
  'UFFD_MISSING',
  'PFNMAP',
  'DENYWRITE', // until 8d0920bde5eb (5.15); MAYBE_GUARD since 5dba5cc2e0ff (6.19)
  'UFFD_WP', // since 292924b26024 (5.7)
  'LOCKED',
  'IO',
  'SEQ_READ',
  'RAND_READ',
  'DONTCOPY',
  'DONTEXPAND',
  'LOCKONFAULT',
  'ACCOUNT',
  'NORESERVE',
  'HUGETLB',
  'SYNC',
  'ARCH_1',
  'WIPEONFORK',
  'DONTDUMP',
  'SOFTDIRTY',
  'MIXEDMAP',
  'HUGEPAGE',
  'NOHUGEPAGE',
  'MERGEABLE',
];

/** Names of the flags that are set, without `VM_`, by ascending bit; a bit without a name as `0x100000000`. */
export function vmFlagNames(kernel: Kernel, flags: bigint): string[] {
  const found: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((flags >> BigInt(bit)) & 1n) === 0n) continue;
    found.push(nameOf(kernel, bit) ?? `0x${(1n << BigInt(bit)).toString(16)}`);
  }
  return found;
}

function nameOf(kernel: Kernel, bit: number): string | null {
  // vma_flags_t, and with it the guard regions that are noted in the VMA
  const isNew = kernel.types.find('vma_flags_t') !== null;
  return bit === 11 && isNew ? 'MAYBE_GUARD' : (names[bit] ?? null);
}
