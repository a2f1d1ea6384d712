// include/linux/poison.h: what the kernel fills memory with so that it is known when it is met where a pointer should be.
import type { EnumType } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';
import { slabCaches } from './slab_cache.ts';

/**
 * - `freed-object`, `new-object`: POISON_FREE and POISON_INUSE, where slabs are poisoned (slab_debug=P)
 * - `page`: PAGE_POISON
 * - `list`: LIST_POISON1 and LIST_POISON2, in entries that were taken off a list
 */
export type PoisonKind = 'freed-object' | 'new-object' | 'page' | 'list' | 'deadbeef';

const patterns: readonly (readonly [mask: bigint, value: bigint, kind: PoisonKind])[] = [
  [0xffff_ffff_ffff_0000n, 0x6b6b_6b6b_6b6b_0000n, 'freed-object'],
  [0xffff_ffff_ffff_0000n, 0x5a5a_5a5a_5a5a_0000n, 'new-object'],
  [0xffff_ffff_ffff_0000n, 0xaaaa_aaaa_aaaa_0000n, 'page'],
  [0xffff_ffff_ffff_f000n, 0xdead_0000_0000_0000n, 'list'],
  [0xffff_ffff_ffff_0000n, 0xdead_beef_dead_0000n, 'deadbeef'],
];

/** The pattern that a word begins with, from its highest byte down: the lowest two may be a member's distance. Null for none. */
export function poisonKind(value: bigint): PoisonKind | null {
  return patterns.find(([mask, pattern]) => (value & mask) === pattern)?.[2] ?? null;
}

/** Whether any slab cache is poisoned; null where the caches cannot be read. */
export const poisonsSlabs = perKernel((kernel): boolean | null => {
  const caches = kernel.faults.attempt('slab caches', () => slabCaches(kernel), []);
  if (caches.length === 0) return null;
  const bit = poisonFlag(kernel);
  return caches.some(({ flags }) => (flags & bit) !== 0n);
});

/** SLAB_POISON: numbered in an enumeration since 6.9 (include/linux/slab.h). */
function poisonFlag(kernel: Kernel): bigint {
  const bits = kernel.types.find('enum _slab_flag_bits') as EnumType | null;
  const bit = bits?.values.find(({ name }) => name === '_SLAB_POISON')?.value;
  return bit === undefined ? 0x800n : 1n << bit;
}
