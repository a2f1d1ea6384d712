// include/linux/module.h, kernel/module/kallsyms.c: the symbols of the loaded modules.
import { offsetBy, virtAddr } from '../base/address.ts';
import { ByteReader, latin1 } from '../base/byte_reader.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelSymbol } from '../debuginfo/symbol.ts';
import { findMember, sizeOf } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import type { Module } from './module.ts';

/** Largest symbol table of one module that is believed, in bytes. */
const maxTable = 64 * 1024 * 1024;
/** Most symbols of a module believed; the largest, drivers of graphics cards, have some ten thousand. */
const maxSymbols = 500_000;
/** Most symbols that a module exports; those that export most have some thousand. */
const maxExports = 100_000;
/** About what a symbol takes here with the tables that find it, in bytes. */
const keptPerSymbol = 250;
/** Longest name of a symbol: KSYM_NAME_LEN. */
const maxName = 512;

/** Symbols of every module, as /proc/kallsyms has them, per module. */
export function moduleSymbols(kernel: Kernel): { module: Module; readonly symbols: KernelSymbol[] }[] {
  return kernel.modules.map((module) => {
    const read = kernel.faults.memo(() =>
      kernel.faults.attempt(`symbols of module ${module.name}`, () => symbolsOf(kernel, module), []),
    );
    return {
      module,
      get symbols() {
        return read();
      },
    };
  });
}

/** struct mod_kallsyms (since 8244062ef1e5, 4.5; members of struct module before): an ELF symbol table in memory. */
function symbolsOf(kernel: Kernel, module: Module): KernelSymbol[] {
  const table = module.object.optional('kallsyms') ?? module.object;
  const count = table.member('num_symtab').number();
  const symtab = table.member('symtab').pointer();
  const strtab = table.member('strtab').pointer();
  if (count === 0 || symtab === 0n) return [];
  const entrySize = 24; // Elf64_Sym
  if (count > maxSymbols) throw new FormatError(`module ${module.name}`, `${count} symbols is out of range`);
  kernel.work.charge('kept', count * keptPerSymbol);
  const entries = kernel.space.read(symtab, count * entrySize);
  const names = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  let stringsEnd = 0;
  for (let i = 0; i < count; i++) stringsEnd = Math.max(stringsEnd, names.getUint32(i * entrySize, true));
  if (stringsEnd > maxTable)
    throw new FormatError(`module ${module.name}`, `string offset ${stringsEnd} is out of range`);
  const strings = kernel.space.readUpTo(strtab, stringsEnd + 512).bytes; // past the last name's start: its text
  // the letters moved out of st_info into an array of their own with 1c7651f43777 (5.2)
  const typetab = table.has('typetab') ? kernel.space.read(table.member('typetab').pointer(), count) : null;
  const exported = kernel.faults.attempt(
    `exports of module ${module.name}`,
    () => exportedAddresses(kernel, module),
    new Set<bigint>(),
  );
  const symbols: KernelSymbol[] = [];
  const reader = new ByteReader(entries, `symbols of module ${module.name}`);
  for (let i = 0; i < count; i++) {
    const name = reader.u32();
    const info = reader.u8();
    reader.skip(3);
    const value = reader.u64();
    const size = Number(reader.u64() & 0xffff_ffffn);
    const text = latin1(strings, name, name + maxName);
    if (text === '' || isMappingSymbol(text)) continue;
    const letter = String.fromCharCode(typetab?.[i] ?? info);
    const type = exported.has(value) ? letter.toUpperCase() : letter.toLowerCase();
    symbols.push({ name: text, address: virtAddr(value), type, size, module: module.name });
  }
  return symbols;
}

/**
 * Marks of where code and data begin (`$x`, `$d`), for disassemblers: they name nothing, and where one lies with a symbol's
 * address the kernel tells the other (include/linux/module_symbol.h, since c05780ef3c19, 6.6).
 */
function isMappingSymbol(name: string): boolean {
  return /^\$[a-z](\.|$)/.test(name);
}

/** Addresses that a module exports: its `struct kernel_symbol`s (include/linux/export.h). */
function exportedAddresses(kernel: Kernel, module: Module): Set<bigint> {
  const addresses = new Set<bigint>();
  const type = kernel.types.find('struct kernel_symbol');
  if (type === null) return addresses;
  // place-relative since 7290d5809571 (4.19) where the architecture has PREL32 relocations
  const relative = findMember(type, 'value_offset') !== null;
  const size = sizeOf(type);
  // gpl_syms went into syms with flags in 7.0
  for (const [list, length] of [
    ['syms', 'num_syms'],
    ['gpl_syms', 'num_gpl_syms'],
  ] as const) {
    if (!module.object.has(list) || !module.object.has(length)) continue;
    const start = module.object.member(list).pointer();
    const n = module.object.member(length).number();
    if (n > maxExports) throw new FormatError(`module ${module.name}`, `${n} exported symbols is out of range`);
    kernel.work.charge('nodes', n);
    for (let i = 0; i < n; i++) {
      const entry = offsetBy(start, i * size);
      addresses.add(relative ? offsetBy(entry, kernel.space.i32(entry)) : kernel.space.u64(entry));
    }
  }
  return addresses;
}
