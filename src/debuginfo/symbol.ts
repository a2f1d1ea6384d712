// The one model of symbols, whatever they were read from (kallsyms, a module's table; ELF later).
import type { VirtAddr } from '../base/address.ts';

export interface KernelSymbol {
  readonly name: string;
  /** Virtual address; for per-CPU symbols of kernels that link them absolutely, the offset into the per-CPU area. */
  readonly address: VirtAddr;
  /** nm(1)'s letter: `T`, `t`, `D`, `d`, `B`, `b`, `R`, `A`, `W`, ... */
  readonly type: string;
  /** Bytes up to the next symbol, or the symbol's own size where the table has it; 0 if unknown. */
  readonly size: number;
  /** Module name; null for the kernel itself. */
  readonly module: string | null;
}

/** A place in code or data as symbol plus offset. */
export interface SymbolPlace {
  readonly symbol: KernelSymbol;
  /** Bytes from the symbol's address. */
  readonly offset: number;
}

/** Where symbols are looked up. */
export interface SymbolSource {
  /** The first symbol of that name, or null. */
  find(name: string): KernelSymbol | null;
  /** Every symbol of that name (static functions share names). */
  findAll(name: string): KernelSymbol[];
  /** The symbol with the greatest address not above `address`, if `address` lies within what the source covers. */
  at(address: VirtAddr): SymbolPlace | null;
  /** All symbols by ascending address. */
  all(): Iterable<KernelSymbol>;
}
