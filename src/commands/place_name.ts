// Which of several names an address is shown by.

import type { KernelSymbol, SymbolPlace } from '../debuginfo/symbol.ts';
import { formatPlace, type SymbolTable } from '../debuginfo/symbol_table.ts';

/** Symbols of the linker script that stand where a section begins (include/asm-generic/vmlinux.lds.h), and the section. */
const sectionStarts: Readonly<Record<string, string>> = {
  _sdata: '.data',
  __start_rodata: '.rodata',
  _sinittext: '.init.text',
  __bss_start: '.bss',
  __brk_base: '.brk',
};

/**
 * Of the names of one address the one that crash(8) shows: the first in the order of their bytes where the place is the
 * address itself, and the last where it lies behind. So a return address is in `__x64_sys_vfork`, which begins where
 * `__do_sys_vfork` does; the kernel's own traces take the first in its table, whatever the offset.
 */
export function crashSymbol(symbols: SymbolTable, { symbol, offset }: SymbolPlace): KernelSymbol {
  return symbols
    .aliases(symbol)
    .reduce((chosen, alias) => ((offset === 0 ? alias.name < chosen.name : alias.name > chosen.name) ? alias : chosen));
}

/** A place as crash(8) writes it among words of memory: `schedule+4`, and `.data` where that section begins. */
export function crashPlace(symbols: SymbolTable, place: SymbolPlace): string {
  if (place.offset === 0) {
    for (const { name } of symbols.aliases(place.symbol)) {
      const section = Object.hasOwn(sectionStarts, name) ? sectionStarts[name] : undefined;
      if (section !== undefined) return section;
    }
  }
  return formatPlace({ symbol: crashSymbol(symbols, place), offset: place.offset });
}

/** The name of the function that the compiler made a copy of: crash(8) shows it without `.isra.0` and `.part.0`. */
export function withoutClone(symbol: string): string {
  return symbol.replace(/\.(?:isra|part)\.\d{1,6}$/, '');
}
