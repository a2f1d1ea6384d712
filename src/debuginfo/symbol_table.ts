// The kernel's and its modules' symbols as one table, which is what commands ask.
//
// Modules are read when first needed: when a name is not the kernel's own, or an address lies outside of its image.
import type { VirtAddr } from '../base/address.ts';
import { ArraySymbols, type OrderedSymbols } from './ordered_symbols.ts';
import type { KernelSymbol, SymbolPlace, SymbolSource } from './symbol.ts';

/** The symbols of one module. `symbols` may be a getter: it is asked for only when needed. */
export interface ModuleSymbols {
  readonly module: {
    readonly name: string;
    /** Its memory: [start, start + size) in virtual addresses. */
    readonly ranges: readonly { readonly start: VirtAddr; readonly size: number }[];
  };
  readonly symbols: readonly KernelSymbol[];
}

/** Symbols at one address that are looked at: a kernel has some twenty where its image ends. */
const maxAliases = 100;

/** A symbol and a decimal offset, as crash(8) writes a place: `schedule+4`; `schedule` at its start. */
export function formatPlace({ symbol, offset }: SymbolPlace): string {
  return offset === 0 ? symbol.name : `${symbol.name}+${offset}`;
}

export class SymbolTable implements SymbolSource {
  /** The kernel's own symbols; null if they could not be read. Asking these never reads modules. */
  readonly kernel: OrderedSymbols | null;
  private readonly readModules: () => readonly ModuleSymbols[];
  private readonly readGenerated: () => readonly KernelSymbol[];
  private modules: readonly LoadedModule[] | null = null;
  private everyModule: ArraySymbols | null = null;
  private generated: ArraySymbols | null = null;
  private loading = false;
  /** What names were found to mean, `null` for nothing. */
  private readonly ownNames = new Map<string, KernelSymbol | null>();
  private readonly names = new Map<string, KernelSymbol | null>();

  /** Sentences on what of the kernel's symbols was found by search so far; none where its table has them all. */
  get notes(): readonly string[] {
    return this.kernel?.notes ?? [];
  }

  /**
   * @param readModules called once, when first needed
   * @param readGenerated as `readModules`: symbols of code that was made at run time, whose sizes are their own
   */
  constructor(
    kernel: OrderedSymbols | null,
    readModules: () => readonly ModuleSymbols[],
    readGenerated: () => readonly KernelSymbol[] = () => [],
  ) {
    this.kernel = kernel;
    this.readModules = readModules;
    this.readGenerated = readGenerated;
  }

  /** The kernel's symbol of that name, else the first module's that has one, else that of generated code. */
  find(name: string): KernelSymbol | null {
    const own = this.own(name);
    if (own !== null) return own;
    let found = this.names.get(name);
    if (found === undefined) {
      found = this.findInModules(name);
      if (!this.loading) remember(this.names, name, found);
    }
    return found;
  }

  /** The kernel's own symbol of that name; never reads modules. */
  own(name: string): KernelSymbol | null {
    let found = this.ownNames.get(name);
    if (found === undefined) {
      found = this.kernel?.find(name) ?? null;
      remember(this.ownNames, name, found);
    }
    return found;
  }

  /** The kernel's symbols of that name, then the modules', then those of generated code. */
  findAll(name: string): KernelSymbol[] {
    const found = this.kernel?.findAll(name) ?? [];
    for (const module of this.loadedModules()) found.push(...module.symbols().findAll(name));
    found.push(...this.generatedSymbols().findAll(name));
    return found;
  }

  /** The symbol that an address of the kernel's image, of a module's memory or of generated code belongs to; null for any other address. */
  at(address: VirtAddr): SymbolPlace | null {
    const own = this.kernel?.at(address) ?? null;
    if (own !== null) return own;
    for (const { ranges, symbols } of this.loadedModules()) {
      for (const { start, size } of ranges) {
        if (address < start || address - start >= BigInt(size)) continue;
        const place = symbols().at(address);
        // A symbol of another range of the module does not reach into this one.
        if (place !== null && place.symbol.address >= start) return place;
      }
    }
    const made = this.generatedSymbols().at(address);
    return made !== null && made.offset < made.symbol.size ? made : null;
  }

  /** The symbols at exactly the address of `symbol`, itself among them, in the table's order. */
  aliases(symbol: KernelSymbol): readonly KernelSymbol[] {
    const table = symbol.module === null ? this.kernel : this.tableOf(symbol.module);
    if (table === null) return [symbol];
    const found: KernelSymbol[] = [];
    for (let index = table.lastNotAbove(symbol.address); index >= 0 && found.length < maxAliases; index--) {
      const alias = table.symbol(index);
      if (alias?.address !== symbol.address) break;
      found.unshift(alias);
    }
    return found.length === 0 ? [symbol] : found;
  }

  /** Every symbol, kernel and modules, by ascending address. */
  *all(): Iterable<KernelSymbol> {
    const modules = this.moduleSymbols();
    let next = 0;
    for (const symbol of this.kernel?.all() ?? []) {
      for (let m = modules.symbol(next); m !== null && m.address < symbol.address; m = modules.symbol(++next)) yield m;
      yield symbol;
    }
    for (let m = modules.symbol(next); m !== null; m = modules.symbol(++next)) yield m;
  }

  /** The symbols of one module by ascending address; null if there is no such module. */
  ofModule(name: string): Iterable<KernelSymbol> | null {
    return this.tableOf(name)?.all() ?? null;
  }

  /** Every symbol whose name contains `text`, by ascending address. */
  search(text: string): KernelSymbol[] {
    const found: KernelSymbol[] = [];
    for (const symbol of this.all()) if (symbol.name.includes(text)) found.push(symbol);
    return found;
  }

  /** The symbol with the lowest address above `address`. */
  next(address: VirtAddr): KernelSymbol | null {
    let nearest: KernelSymbol | null = null;
    for (const source of this.sources()) {
      let index = source.lastNotAbove(address) + 1;
      let symbol = source.symbol(index);
      while (symbol === null && ++index < source.count) symbol = source.symbol(index);
      if (symbol !== null && (nearest === null || symbol.address < nearest.address)) nearest = symbol;
    }
    return nearest;
  }

  /** The symbol with the highest address below `address`; of several there, the first. */
  previous(address: VirtAddr): KernelSymbol | null {
    if (address === 0n) return null;
    let nearest: KernelSymbol | null = null;
    for (const source of this.sources()) {
      let index = source.lastNotAbove((address - 1n) as VirtAddr);
      let symbol = source.symbol(index);
      while (symbol === null && --index >= 0) symbol = source.symbol(index);
      if (symbol === null) continue;
      for (let alias = source.symbol(--index); alias?.address === symbol.address; alias = source.symbol(--index)) {
        symbol = alias;
      }
      if (nearest === null || symbol.address > nearest.address) nearest = symbol;
    }
    return nearest;
  }

  private tableOf(module: string): ArraySymbols | null {
    return (
      this.loadedModules()
        .find(({ name }) => name === module)
        ?.symbols() ?? null
    );
  }

  private findInModules(name: string): KernelSymbol | null {
    for (const module of this.loadedModules()) {
      const found = module.symbols().find(name);
      if (found !== null) return found;
    }
    return this.generatedSymbols().find(name);
  }

  private sources(): OrderedSymbols[] {
    const modules = this.moduleSymbols();
    return this.kernel === null ? [modules] : [this.kernel, modules];
  }

  /** Those of modules and of generated code. */
  private moduleSymbols(): ArraySymbols {
    this.everyModule ??= new ArraySymbols([
      ...this.loadedModules().flatMap((module) => [...module.symbols().all()]),
      ...this.generatedSymbols().all(),
    ]);
    return this.everyModule;
  }

  private generatedSymbols(): ArraySymbols {
    if (this.generated === null) {
      // as with modules: while it is read, there is none
      this.generated = new ArraySymbols([]);
      this.loading = true;
      try {
        this.generated = new ArraySymbols(this.readGenerated());
      } catch (error) {
        this.generated = null;
        throw error;
      } finally {
        this.loading = false;
      }
    }
    return this.generated;
  }

  private loadedModules(): readonly LoadedModule[] {
    if (this.modules === null) {
      // Reading modules asks for symbols itself: until it is done, there are the kernel's own.
      this.modules = [];
      this.loading = true;
      try {
        this.modules = this.readModules().map((module) => {
          let symbols: ArraySymbols | null = null;
          const { name, ranges } = module.module;
          return { name, ranges, symbols: () => (symbols ??= new ArraySymbols(module.symbols)) };
        });
      } catch (error) {
        this.modules = null; // stopped in the middle: whoever asks next starts anew
        throw error;
      } finally {
        this.loading = false;
      }
    }
    return this.modules;
  }
}

/** Most names remembered: more than any walker asks for; a user's script may ask for every symbol. */
const maxNames = 1 << 16;

function remember(names: Map<string, KernelSymbol | null>, name: string, symbol: KernelSymbol | null): void {
  if (names.size >= maxNames) names.clear();
  names.set(name, symbol);
}

interface LoadedModule {
  readonly name: string;
  readonly ranges: ModuleSymbols['module']['ranges'];
  readonly symbols: () => ArraySymbols;
}
