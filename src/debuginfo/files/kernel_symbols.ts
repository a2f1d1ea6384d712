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
 * What kallsyms leaves out, too (scripts/mksysmap, scripts/kallsyms.c): marks of code and data in arm64's files, labels of
 * the assembler, checksums, other programs inside the image.
 */
const notNames = /^(\$|\.L|__crc_|__kstrtab|__efistub_|__kvm_nvhe_\$|__AArch64ADRPThunk_)/;

/**
 * @param bias how far the kernel was moved from where it was linked, in bytes
 * @returns null for a file without symbols
 * @throws FormatError for a table that is damaged
 */
export function kernelSymbols(elf: ElfFile, bias: bigint): OrderedSymbols | null {
  const table = ElfSymbols.of(elf);
  if (table === null) return null;
  const symbols: KernelSymbol[] = [];
  for (const { name, value, size, section, binding } of table.all()) {
    const letter = letterOf(elf, section);
    if (letter === null || notNames.test(name)) continue;
    const address = virtAddr(value < imageStart ? value : value + bias);
    const kind = binding === 'weak' ? 'w' : value < imageStart ? 'a' : letter;
    symbols.push({ name, address, type: binding === 'local' ? kind : kind.toUpperCase(), size, module: null });
  }
  const { start, end } = imageOf(elf);
  return symbols.length === 0 ? null : new ImageSymbols(symbols, start + bias, end + bias);
}

/** Symbols of an image: none covers what lies before or behind it, modules among it. */
class ImageSymbols extends ArraySymbols {
  private readonly start: bigint;
  private readonly end: bigint;

  constructor(symbols: readonly KernelSymbol[], start: bigint, end: bigint) {
    super(symbols);
    this.start = start;
    this.end = end;
  }

  override at(address: VirtAddr): SymbolPlace | null {
    return address >= this.start && address < this.end ? super.at(address) : null;
  }
}

/** Addresses [start, end) at which the image was linked. */
function imageOf(elf: ElfFile): { start: bigint; end: bigint } {
  const loaded = elf.sections
    .filter(({ flags, address }) => (flags & sectionFlags.alloc) !== 0 && address >= imageStart)
    .map(({ address, size }) => ({ start: address, end: address + BigInt(size) }));
  const starts = loaded.map(({ start }) => start).sort((a, b) => (a < b ? -1 : 1));
  const ends = loaded.map(({ end }) => end).sort((a, b) => (a < b ? -1 : 1));
  return { start: starts[0] ?? 0n, end: ends.at(-1) ?? 0n };
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
