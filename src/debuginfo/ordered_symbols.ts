// Symbols in ascending order of address, reached by position: what the merged table needs from each of its sources.
import type { VirtAddr } from '../base/address.ts';
import type { KernelSymbol, SymbolPlace, SymbolSource } from './symbol.ts';

export interface OrderedSymbols extends SymbolSource {
  /** Positions are 0 to count - 1, by ascending address. */
  readonly count: number;
  /** The symbol at a position; null if it cannot be read. */
  symbol(index: number): KernelSymbol | null;
  /** Position of the last symbol whose address is not above `address`; -1 if all are above. */
  lastNotAbove(address: VirtAddr): number;
  /** Sentences on what was found by search so far, where that is how it was found. */
  readonly notes?: readonly string[];
}

/** A few symbols, for example those of one module, as a source. */
export class ArraySymbols implements OrderedSymbols {
  readonly count: number;
  private readonly symbols: readonly KernelSymbol[];
  private byName: Map<string, KernelSymbol[]> | null = null;

  /** @param symbols in any order; symbols of one address keep theirs */
  constructor(symbols: readonly KernelSymbol[]) {
    this.symbols = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    this.count = this.symbols.length;
  }

  symbol(index: number): KernelSymbol | null {
    return this.symbols[index] ?? null;
  }

  lastNotAbove(address: VirtAddr): number {
    let low = 0;
    let end = this.count;
    while (low < end) {
      const middle = (low + end) >>> 1;
      if (this.symbols[middle]!.address <= address) low = middle + 1;
      else end = middle;
    }
    return low - 1;
  }

  find(name: string): KernelSymbol | null {
    return this.names().get(name)?.[0] ?? null;
  }

  findAll(name: string): KernelSymbol[] {
    return [...(this.names().get(name) ?? [])];
  }

  /**
   * The symbol with the greatest address not above `address`, of several the first as given (as the kernel takes the
   * first of a module's table: find_kallsyms_symbol in kernel/module/kallsyms.c). No upper bound: that is the caller's
   * to know.
   */
  at(address: VirtAddr): SymbolPlace | null {
    const index = this.lastNotAbove(address);
    const last = this.symbols[index];
    if (last === undefined) return null;
    let first = index;
    while (first > 0 && this.symbols[first - 1]!.address === last.address) first--;
    const symbol = this.symbols[first]!;
    return { symbol, offset: Number(address - symbol.address) };
  }

  all(): Iterable<KernelSymbol> {
    return this.symbols;
  }

  private names(): Map<string, KernelSymbol[]> {
    if (this.byName === null) {
      this.byName = new Map();
      for (const symbol of this.symbols) {
        const same = this.byName.get(symbol.name);
        if (same === undefined) this.byName.set(symbol.name, [symbol]);
        else same.push(symbol);
      }
    }
    return this.byName;
  }
}
