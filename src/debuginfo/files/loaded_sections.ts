// Where the kernel put the sections of a module: found by the symbols that both the module's file and the dump have,
// which also tells whether the file is of the module that was loaded.

import type { ElfFile } from '../elf/elf_file.ts';
import type { SectionAddress } from '../elf/relocations.ts';
import { ElfSymbols } from '../elf/symbols.ts';
import type { SymbolPlace } from '../symbol.ts';

/** A module's symbol in the dump. */
type LoadedSymbol = Pick<SymbolPlace['symbol'], 'name' | 'address'>;

export interface LoadedSections {
  readonly addressOf: SectionAddress;
  /** Symbols that lie where the file says, and those that do not. */
  readonly agree: number;
  readonly differ: number;
}

/** @throws FormatError for a symbol table that is damaged */
export function loadedSections(elf: ElfFile, symbols: Iterable<LoadedSymbol>): LoadedSections {
  const own = ElfSymbols.of(elf);
  const loaded = new Map<string, bigint | null>();
  for (const { name, address } of symbols) loaded.set(name, loaded.has(name) ? null : address); // null: not unique
  const values = new Map<string, { section: number; value: bigint } | null>();
  for (const { name, section, value } of own?.all() ?? [])
    values.set(name, values.has(name) ? null : { section, value });

  const votes = new Map<number, Map<bigint, number>>();
  for (const [name, place] of values) {
    const address = loaded.get(name) ?? null;
    if (place === null || address === null || elf.sections[place.section] === undefined) continue;
    const base = address - place.value;
    const bases = votes.get(place.section) ?? new Map<bigint, number>();
    votes.set(place.section, bases.set(base, (bases.get(base) ?? 0) + 1));
  }
  const addresses = new Map<number, bigint>();
  let agree = 0;
  let differ = 0;
  for (const [section, bases] of votes) {
    const [[base, count] = [0n, 0]] = [...bases].sort((a, b) => b[1] - a[1]);
    addresses.set(section, base);
    agree += count;
    differ += [...bases.values()].reduce((sum, n) => sum + n, 0) - count;
  }
  return { addressOf: (section) => addresses.get(section) ?? null, agree, differ };
}
