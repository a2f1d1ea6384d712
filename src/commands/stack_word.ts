// A word of memory with what it may point to, for `bt -F`.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { Kernel } from '../kernel/session.ts';
import { slabCacheOf } from '../kernel/slab.ts';

export interface SymbolicWord {
  /** Virtual address of the word. */
  readonly at: VirtAddr;
  /** null where it cannot be read. */
  readonly value: bigint | null;
  /** `symbol+offset` if the value is an address of kernel or module text or data. */
  readonly symbol: string | null;
  /** Name of the slab cache if the value points into a slab object. */
  readonly cache: string | null;
}

/** Reads one word. @param lookUp whether to say what it points to */
export function symbolicWord(kernel: Kernel, at: VirtAddr, lookUp: boolean): SymbolicWord {
  let value: bigint;
  try {
    value = kernel.space.u64(at);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    kernel.faults.record('stack', error);
    return { at, value: null, symbol: null, cache: null };
  }
  // only addresses of the kernel's half can be either
  if (!lookUp || value < 0xff00_0000_0000_0000n) return { at, value, symbol: null, cache: null };
  const place = kernel.place(virtAddr(value));
  if (place !== null) {
    const { symbol, offset } = place;
    return { at, value, symbol: offset === 0 ? symbol.name : `${symbol.name}+${offset}`, cache: null };
  }
  return { at, value, symbol: null, cache: slabCacheOf(kernel, virtAddr(value)) };
}
