// The symbol table of a vmlinux as the dead kernel's symbols: for kernels whose own table lacks names of data
// (no CONFIG_KALLSYMS_ALL), or cannot be read.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import type { ElfFile } from '../elf/elf_file.ts';
import { sectionFlags, sectionTypes } from '../elf/elf_section.ts';
import { ElfSymbols } from '../elf/symbols.ts';
import { ArraySymbols, type OrderedSymbols } from '../ordered_symbols.ts';
import type { KernelSymbol, SymbolPlace } from '../symbol.ts';

/** Addresses below this are places in a per-CPU area that was linked at 0: the image was moved, they were not. */
const imageStart = 1n << 63n;

/**
 * @param bias how far the kernel was moved from where it was linked, in bytes
 * @returns null for a file without symbols
 * @throws FormatError for a table that is damaged
 */
export function kernelSymbols(elf: ElfFile, bias: bigint): OrderedSymbols | null {
  const table = ElfSymbols.of(elf);
  if (table === null) return null;
  const symbols: KernelSymbol[] = [];
  for (const { name, value, size, section, isGlobal } of table.all()) {
    const letter = letterOf(elf, section);
    if (letter === null) continue;
    const address = virtAddr(value < imageStart ? value : value + bias);
    const type = value < imageStart ? 'a' : letter;
    symbols.push({ name, address, type: isGlobal ? type.toUpperCase() : type, size, module: null });
  }
  return symbols.length === 0 ? null : new ImageSymbols(symbols, imageEnd(elf) + bias);
}

/** Symbols of an image: none covers what lies behind it, modules among it. */
class ImageSymbols extends ArraySymbols {
  private readonly end: bigint;

  constructor(symbols: readonly KernelSymbol[], end: bigint) {
    super(symbols);
    this.end = end;
  }

  override at(address: VirtAddr): SymbolPlace | null {
    return address < this.end ? super.at(address) : null;
  }
}

function imageEnd(elf: ElfFile): bigint {
  const ends = elf.sections
    .filter(({ flags }) => (flags & sectionFlags.alloc) !== 0)
    .map(({ address, size }) => address + BigInt(size));
  return ends.reduce((last, end) => (end > last ? end : last), 0n);
}

/** nm(1)'s letter for symbols of a section; null for those that are not loaded. */
function letterOf(elf: ElfFile, index: number): string | null {
  if (index === 0xfff1) return 'a'; // SHN_ABS
  const section = elf.sections[index];
  if (section === undefined || (section.flags & sectionFlags.alloc) === 0) return null;
  if ((section.flags & sectionFlags.code) !== 0) return 't';
  if (section.type === sectionTypes.noBits) return 'b';
  return (section.flags & sectionFlags.write) !== 0 ? 'd' : 'r';
}
