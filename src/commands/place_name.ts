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
 * Of the names of one address the one that crash(8) shows: the first where the place is the address itself, and the last
 * where it lies behind, in the order of their bytes for the kernel's, in that of its own table for a module's. So a return
 * address is in `__x64_sys_vfork`, which begins where `__do_sys_vfork` does; the kernel's own traces take the first in its
 * table, whatever the offset. What every module calls its first and last function says nothing, and is not taken.
 */
export function crashSymbol(symbols: SymbolTable, { symbol, offset }: SymbolPlace): KernelSymbol {
  const aliases = symbols.aliases(symbol);
  if (symbol.module !== null) {
    const telling = aliases.filter(({ name }) => name !== 'init_module' && name !== 'cleanup_module');
    return (telling.length === 0 ? aliases : telling).at(offset === 0 ? 0 : -1)!;
  }
  return aliases.reduce((chosen, alias) =>
    (offset === 0 ? alias.name < chosen.name : alias.name > chosen.name) ? alias : chosen,
  );
}

/** A place as crash(8) writes it among words of memory: `schedule+4`, and `.data` where that section begins. */
export function crashPlace(symbols: SymbolTable, place: SymbolPlace): string {
  if (place.offset === 0) {
    for (const { name } of symbols.aliases(place.symbol)) {
      const section = Object.hasOwn(sectionStarts, name) ? sectionStarts[name] : undefined;
      if (section !== undefined) return section;
    }
  }
  const symbol = crashSymbol(symbols, place);
  return formatPlace({ symbol: { ...symbol, name: withoutClone(symbol.name) }, offset: place.offset });
}

/** Constants that have names are smaller than this, in bytes. */
const largestConstant = 0x10000;

/**
 * Whether a place lies among the texts and numbers of the code, which have no names: behind a constant. What lies far
 * behind is none of it for sure, texts near it are none either.
 * @param isText what lies there is known to be a text
 */
export function isNameless(symbols: SymbolTable, { symbol, offset }: SymbolPlace, isText = false): boolean {
  if (offset === 0 || (!isText && offset < largestConstant)) return false;
  if (/^r$/i.test(symbol.type)) return true;
  // kernels whose section of constants is writable while they boot have other letters
  const [start, end] = [symbols.own('__start_rodata'), symbols.own('__end_rodata')];
  return start !== null && end !== null && symbol.address >= start.address && symbol.address < end.address;
}

/** Endings that the compiler gives to the copies and parts that it makes of a function. */
const cloneMarks: readonly string[] = ['.isra.', '.part.', '.llvm.'];

/** The name of the function that the compiler made a copy of: crash(8) shows it without `.isra.0` and `.part.0`. */
export function withoutClone(symbol: string): string {
  for (const mark of cloneMarks) {
    const at = symbol.indexOf(mark);
    if (at > 0) return symbol.slice(0, at);
  }
  return symbol;
}

/**
 * The symbols of a name; where there is none, those of the one copy that the compiler made of a function of that name: it is
 * shown without the ending, and so is asked for without.
 */
export function symbolsNamed(symbols: SymbolTable, name: string): readonly KernelSymbol[] {
  const named = symbols.findAll(name);
  if (named.length > 0 || !/^[A-Za-z_]\w*$/.test(name) || /^[0-9a-f]{1,16}$/i.test(name)) return named;
  for (const mark of ['.isra.0', '.part.0', '.constprop.0']) {
    const copies = symbols.findAll(name + mark);
    if (copies.length > 0) return copies;
  }
  return [];
}
