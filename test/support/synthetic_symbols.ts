// A kernel's symbols, added one by one by a test.
import type { VirtAddr } from '../../src/base/address.ts';
import { ArraySymbols, type OrderedSymbols } from '../../src/debuginfo/ordered_symbols.ts';
import type { KernelSymbol, SymbolPlace } from '../../src/debuginfo/symbol.ts';

export class SyntheticSymbols implements OrderedSymbols {
  private symbols: KernelSymbol[] = [];
  private table: ArraySymbols | null = null;

  add(symbol: KernelSymbol): void {
    this.symbols.push(symbol);
    this.table = null;
  }

  /** Adds a symbol in place of one of the same name. */
  replace(symbol: KernelSymbol): void {
    this.symbols = this.symbols.filter(({ name }) => name !== symbol.name);
    this.add(symbol);
  }

  get count(): number {
    return this.symbols.length;
  }

  symbol(index: number): KernelSymbol | null {
    return this.sorted.symbol(index);
  }

  lastNotAbove(address: VirtAddr): number {
    return this.sorted.lastNotAbove(address);
  }

  find(name: string): KernelSymbol | null {
    return this.sorted.find(name);
  }

  findAll(name: string): KernelSymbol[] {
    return this.sorted.findAll(name);
  }

  /** A symbol ends where its size says: what lies between two is nobody's. */
  at(address: VirtAddr): SymbolPlace | null {
    for (let i = this.lastNotAbove(address); i >= 0; i--) {
      const symbol = this.symbol(i)!;
      const offset = Number(address - symbol.address);
      if (offset < Math.max(1, symbol.size)) return { symbol, offset };
    }
    return null;
  }

  all(): Iterable<KernelSymbol> {
    return this.sorted.all();
  }

  private get sorted(): ArraySymbols {
    this.table ??= new ArraySymbols(this.symbols);
    return this.table;
  }
}
