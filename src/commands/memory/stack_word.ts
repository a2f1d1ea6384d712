// A word of memory with what it may point to, for `bt -F` and `bt -r`.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import { escapeTerminal, hex16 } from '../../base/text.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { slabCacheOf } from '../../kernel/slab.ts';
import { crashPlace } from '../place_name.ts';

export interface SymbolicWord {
  /** Virtual address of the word. */
  readonly at: VirtAddr;
  /** null where it cannot be read. */
  readonly value: bigint | null;
  /** `symbol+offset` if the value is an address of kernel or module text or data; `.data` where that section begins. */
  readonly symbol: string | null;
  /** Name of the slab cache if the value points into a slab object. */
  readonly cache: string | null;
}

/** Reads one word. @param lookUp what is said of it: nothing, symbols, or symbols and slab objects */
export function symbolicWord(kernel: Kernel, at: VirtAddr, lookUp: LookUp): SymbolicWord {
  try {
    return describeWord(kernel, at, kernel.space.u64(at), lookUp);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    kernel.faults.record('stack', error);
    return { at, value: null, symbol: null, cache: null };
  }
}

export type LookUp = 'nothing' | 'symbols' | 'symbols and slabs';

/** What a word that was read may point to. */
export function describeWord(kernel: Kernel, at: VirtAddr, value: bigint | null, lookUp: LookUp): SymbolicWord {
  // only addresses of the kernel's half can be either
  if (value === null || lookUp === 'nothing' || !kernel.arch.isKernelAddress(value))
    return { at, value, symbol: null, cache: null };
  const place = kernel.place(virtAddr(value));
  if (place !== null) return { at, value, symbol: crashPlace(kernel.symbols, place), cache: null };
  return { at, value, symbol: null, cache: lookUp === 'symbols' ? null : slabCacheOf(kernel, virtAddr(value)) };
}

/** The word as `bt -F` prints it. @param detail 2 for the address beside the slab cache */
export function wordText({ value, symbol, cache }: SymbolicWord, detail: number): string {
  if (value === null) return '(not readable)';
  if (symbol !== null) return escapeTerminal(symbol);
  if (cache !== null) return detail > 1 ? `[${hex16(value)}:${escapeTerminal(cache)}]` : `[${escapeTerminal(cache)}]`;
  return hex16(value);
}
