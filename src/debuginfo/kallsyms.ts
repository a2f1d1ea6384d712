// The kernel's own symbol table, read out of the dead kernel's memory: kallsyms (kernel/kallsyms.c), in every form
// since 4.6. Found by VMCOREINFO's keys, else by searching the kernel's image.
//
//   address -> position: binary search in kallsyms_addresses.ts
//   position -> name: kallsyms_names.ts, reading only the pages that hold it
//   name -> position: binary search in kallsyms_seqs_of_names (since 6.2), else a hash of all names, made once

import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, type InquestError, MemoryFault } from '../base/errors.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { SymbolAddresses } from './kallsyms_addresses.ts';
import { groupSize, NameTable, TokenTable } from './kallsyms_names.ts';
import { searchTables } from './kallsyms_search.ts';
import { type KallsymsTables, tablesFromKeys } from './kallsyms_tables.ts';
import type { OrderedSymbols } from './ordered_symbols.ts';
import type { KernelSymbol, SymbolPlace } from './symbol.ts';

/** Virtual addresses [start, end) between which to search for the tables. */
export interface SearchRange {
  readonly start: VirtAddr;
  readonly end: VirtAddr;
}

/** How far behind `_stext` the tables are searched: read-only data follows the text. */
const defaultSearch = 128 * 1024 * 1024;
/** Most symbols kept: more than any walk asks for again. */
const maxCached = 1 << 16;
/** Neighbours looked at when a binary search by name fails, see `findBySequence`. */
const neighbours = 32;

export class Kallsyms implements OrderedSymbols {
  readonly count: number;
  private readonly space: AddressSpace;
  private readonly names: NameTable;
  private readonly addresses: SymbolAddresses;
  /** kallsyms_seqs_of_names: positions (3 bytes each, most significant first) in the order of names; null if absent. */
  private readonly sequences: VirtAddr | null;
  private readonly sequence = new Uint8Array(3);
  private readonly cache = new Map<number, KernelSymbol>();
  private ranges: readonly { start: VirtAddr; end: VirtAddr }[] | null = null;

  private constructor(
    space: AddressSpace,
    names: NameTable,
    addresses: SymbolAddresses,
    sequences: VirtAddr | null,
    count: number,
  ) {
    this.space = space;
    this.names = names;
    this.addresses = addresses;
    this.sequences = sequences;
    this.count = count;
  }

  /**
   * Opens the tables that VMCOREINFO names or, where it does not or they are not what they should be, those found by
   * searching.
   * @param search where to search; without it, from `_stext` on
   * @throws FormatError if there are none that pass the checks; MemoryFault if the named ones cannot be read
   */
  static open(space: AddressSpace, info: Vmcoreinfo | null, search: SearchRange | null = null): Kallsyms {
    const stext = info?.symbol('_stext') ?? null;
    let problem: InquestError | null = null;
    if (info !== null) {
      try {
        const tables = tablesFromKeys(space, info);
        if (tables !== null) return Kallsyms.fromTables(space, tables, stext);
      } catch (error) {
        if (!(error instanceof FormatError || error instanceof MemoryFault)) throw error;
        problem = error;
      }
    }
    const range = search ?? (stext === null ? null : { start: stext, end: offsetBy(stext, defaultSearch) });
    if (range !== null) {
      for (const tables of searchTables(space, range.start, range.end)) {
        try {
          return Kallsyms.fromTables(space, tables, stext, range);
        } catch (error) {
          if (!(error instanceof FormatError || error instanceof MemoryFault)) throw error;
          problem ??= error;
        }
      }
    }
    throw problem ?? new FormatError('kallsyms', "no symbol table found in the kernel's memory");
  }

  /** Takes the first encoding that puts a known symbol where it is. */
  private static fromTables(
    space: AddressSpace,
    tables: KallsymsTables,
    stext: VirtAddr | null,
    range: SearchRange | null = null,
  ): Kallsyms {
    const tokens = TokenTable.read(space, tables.tokenTable, tables.tokenIndex);
    const names = new NameTable(space, tables.names, tokens, tables.groups);
    for (const encoding of tables.encodings) {
      const addresses = new SymbolAddresses(space, encoding, tables.count);
      const open = (sequences: VirtAddr | null) => new Kallsyms(space, names, addresses, sequences, tables.count);
      const plain = open(null);
      if (addresses.sample() === 'disordered' || !plain.agrees(stext, range)) continue;
      for (const sequences of tables.sequences) {
        const sorted = open(sequences);
        if (sorted.isSortedByName()) return sorted;
      }
      return plain;
    }
    throw new FormatError('kallsyms', 'no encoding of the addresses puts a known symbol where it is');
  }

  /** What of the tables could not be read so far. */
  get faults(): readonly InquestError[] {
    return [...this.addresses.faults, ...this.names.faults];
  }

  symbol(index: number): KernelSymbol | null {
    const cached = this.cache.get(index);
    if (cached !== undefined) return cached;
    const address = this.addresses.address(index);
    const text = address === null ? null : this.names.name(index);
    if (address === null || text === null) return null;
    const symbol = this.make(index, address, text[0]!, text.slice(1));
    if (this.cache.size >= maxCached) this.cache.clear();
    this.cache.set(index, symbol);
    return symbol;
  }

  lastNotAbove(address: VirtAddr): number {
    return this.addresses.lastNotAbove(address);
  }

  find(name: string): KernelSymbol | null {
    return this.findAll(name)[0] ?? null;
  }

  /** By ascending address. */
  findAll(name: string): KernelSymbol[] {
    const positions = this.findBySequence(name) ?? [...this.names.positions(name)];
    const symbols: KernelSymbol[] = [];
    for (const index of positions) {
      const symbol = this.symbol(index);
      if (symbol !== null) symbols.push(symbol);
    }
    return symbols;
  }

  /**
   * For addresses of the kernel's image only: from `_stext` (or `_text`) up to `_end`, or where the table has functions
   * alone, in the two ranges of text; so not for per-CPU offsets. Of several symbols at one address, the first of the
   * table, as the kernel prints them (get_symbol_pos in kernel/kallsyms.c): global before weak, and names of the
   * linker script last, since 5.6 or so also fewer leading underscores first.
   */
  at(address: VirtAddr): SymbolPlace | null {
    if (!this.covers(address)) return null;
    const last = this.addresses.lastNotAbove(address);
    if (last < 0) return null;
    const symbol = this.symbol(this.addresses.firstAlias(last));
    if (symbol === null) return null;
    // If the next symbol's address is not known, neither is whether this one reaches so far.
    if (symbol.address !== address && last + 1 < this.count && !this.addresses.isKnown(last + 1)) return null;
    return { symbol, offset: Number(address - symbol.address) };
  }

  *all(): Iterable<KernelSymbol> {
    for (let group = 0; group * groupSize < this.count; group++) {
      const { types, names } = this.names.group(group);
      for (let i = 0; i < names.length; i++) {
        const index = group * groupSize + i;
        const name = names[i]!;
        const address = name === null ? null : this.addresses.address(index);
        if (address !== null) yield this.make(index, address, types[i]!, name);
      }
    }
  }

  private make(index: number, address: VirtAddr, type: string, name: string): KernelSymbol {
    return { name, address, type, size: this.addresses.size(index), module: null };
  }

  /** is_ksym_addr() of include/linux/kallsyms.h. */
  private covers(address: VirtAddr): boolean {
    this.ranges ??= this.imageRanges();
    return this.ranges.some((range) => address >= range.start && address < range.end);
  }

  private imageRanges(): { start: VirtAddr; end: VirtAddr }[] {
    const find = (name: string) => this.find(name)?.address ?? null;
    const text = find('_text');
    const stext = find('_stext');
    const start = text !== null && (stext === null || text < stext) ? text : stext;
    if (start === null) return [];
    const end = find('_end');
    if (end !== null) return [{ start, end }];
    const ranges: { start: VirtAddr; end: VirtAddr }[] = [];
    const etext = find('_etext');
    if (etext !== null) ranges.push({ start, end: offsetBy(etext, 1) });
    const initStart = find('_sinittext');
    const initEnd = find('_einittext');
    if (initStart !== null && initEnd !== null) ranges.push({ start: initStart, end: offsetBy(initEnd, 1) });
    if (ranges.length > 0) return ranges;
    const last = this.addresses.address(this.count - 1);
    return last === null ? [] : [{ start, end: offsetBy(last, 1) }];
  }

  /** Checks the decoded addresses with `_stext` or, where VMCOREINFO does not tell that, the text at linux_banner. */
  private agrees(stext: VirtAddr | null, range: SearchRange | null): boolean {
    if (stext !== null) {
      let index = this.addresses.lastNotAbove(stext);
      for (; index >= 0 && this.addresses.address(index) === stext; index--) {
        if (this.names.name(index)?.slice(1) === '_stext') return true;
      }
      return false;
    }
    const banner = this.find('linux_banner');
    if (banner !== null) {
      const { bytes } = this.space.readUpTo(banner.address, 14);
      return Buffer.from(bytes).toString('latin1') === 'Linux version ';
    }
    // The wrong encoding of a right table may well be in order: what the base is taken from tells only where it leads.
    const found = this.find('_stext')?.address;
    if (found === undefined || this.addresses.sample() !== 'ordered') return false;
    return range === null || (found >= range.start && found < range.end);
  }

  /** Position in the table of the n-th symbol by name. @throws MemoryFault; FormatError for one outside the table */
  private positionOf(order: number): number {
    const bytes = this.sequence;
    this.space.readInto(offsetBy(this.sequences!, 3 * order), bytes);
    const index = (bytes[0]! << 16) | (bytes[1]! << 8) | bytes[2]!;
    if (index >= this.count) throw new FormatError('kallsyms_seqs_of_names', `position ${index} of ${this.count}`);
    return index;
  }

  private nameOf(order: number): string {
    const text = this.names.name(this.positionOf(order));
    if (text === null) throw new FormatError('kallsyms_seqs_of_names', `name ${order} cannot be read`);
    return text.slice(1);
  }

  /** Order of the n-th name and another. @throws as `nameOf` */
  private compare(order: number, wanted: Uint8Array): number {
    const result = this.names.compare(this.positionOf(order), wanted);
    if (result === null) throw new FormatError('kallsyms_seqs_of_names', `name ${order} cannot be read`);
    return result;
  }

  /** Whether `sequences` is the order of names, judged by some of its entries. */
  private isSortedByName(): boolean {
    const samples = Math.min(this.count, 5);
    const positions = new Set<number>();
    let previous = '';
    try {
      for (let i = 0; i < samples; i++) {
        const order = samples === 1 ? 0 : Math.floor((i * (this.count - 1)) / (samples - 1));
        const name = this.nameOf(order);
        if (name < previous) return false;
        previous = name;
        positions.add(this.positionOf(order));
      }
    } catch (error) {
      if (error instanceof MemoryFault || error instanceof FormatError) return false;
      throw error;
    }
    return positions.size === samples;
  }

  /** Positions of all symbols of that name; null if there is no such table or it cannot be relied upon. */
  private findBySequence(name: string): number[] | null {
    if (this.sequences === null) return null;
    try {
      const wanted = Buffer.from(name, 'latin1');
      let low = 0;
      let end = this.count;
      while (low < end) {
        const middle = (low + end) >>> 1;
        if (this.compare(middle, wanted) < 0) low = middle + 1;
        else end = middle;
      }
      const positions: number[] = [];
      for (let i = low; i < this.count && this.compare(i, wanted) === 0; i++) positions.push(this.positionOf(i));
      if (positions.length > 0 || name === '') return positions;
      // From 6.2 to 6.10, kernels built with LTO sort `foo.llvm.123` as `foo` (until 33f0467fe069): near one with such
      // a suffix the order is not that of the whole names.
      const stem = `${name.split('.', 1)[0]!}.`;
      const strange = (order: number) => this.nameOf(order).startsWith(`${stem}llvm.`);
      const near = (order: number) => order >= 0 && order < this.count && this.nameOf(order).startsWith(stem);
      for (let i = low; near(i) && i < low + neighbours; i++) if (strange(i)) return null;
      for (let i = low - 1; near(i) && i > low - neighbours; i--) if (strange(i)) return null;
      return positions;
    } catch (error) {
      if (error instanceof MemoryFault || error instanceof FormatError) return null;
      throw error;
    }
  }
}
