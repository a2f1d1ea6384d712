// The kernel's symbols where kallsyms tells of code alone (no CONFIG_KALLSYMS_ALL), or is lost: what of data can be
// found by searching the image, each by one way and checked by a second.
//
//   exported symbols   __ksymtab in the image               kallsyms has their functions at the same addresses
//   linux_banner       the text, to its end                  it names VMCOREINFO's release
//   BTF                its header in the image              its types are as large as VMCOREINFO says
//   ORC tables         ascending addresses of code           the lookup table behind them fits
//   BTF's variables    their section's start + offset,      every exported variable of the section agrees about
//                      per-CPU ones on every kernel         the start
//   VMCOREINFO's       SYMBOL(name)
//   others             `seek`: by who stands above, who knows what they are
//
// Nothing is searched for before a name is asked for that kallsyms does not have.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { BtfTypes } from './btf.ts';
import { ImageBytes } from './image_bytes.ts';
import { type ExportedSymbol, findExports } from './ksymtab.ts';
import { orcEntrySize } from './orc.ts';
import { findOrc, type OrcPlace } from './orc_search.ts';
import { ArraySymbols, type OrderedSymbols } from './ordered_symbols.ts';
import type { KernelSymbol, SymbolPlace } from './symbol.ts';
import { findMember, sizeOf } from './type.ts';

/** Most of an image that is looked at, in bytes. */
const maxImage = 128 * 1024 * 1024;
/** Exported functions that kallsyms must have, and of those that it has, how many must be where it says. */
const minAgreeing = 20;
const maxCompared = 500;
const agreeingShare = 0.98;
/** Bytes that a variable of unknown size is given at most, and symbols at one address that are looked past. */
const maxRoom = 65536;
const maxAliases = 16;
/** Exported variables that must agree about where a section starts. */
const minAnchors = 2;
/** Sizes and offsets that VMCOREINFO and BTF must both know, of which none may differ. */
const minSizes = 3;

/** What was found by `seek`, with the sentence's end that tells how. */
export interface Sought {
  readonly address: VirtAddr;
  readonly how: string;
  /** Bytes, where they are known. */
  readonly size?: number;
}

export interface SearchedParts {
  readonly space: AddressSpace;
  readonly vmcoreinfo: Vmcoreinfo;
  /** Kallsyms; null where it cannot be read. */
  readonly kallsyms: OrderedSymbols | null;
  /** Where the kernel's code starts. */
  readonly text: VirtAddr;
  /** Where to search: from the end of its code on, where that is known. */
  readonly start: VirtAddr;
  /** Whether the kernel may execute what is at an address. */
  isCode(address: VirtAddr): boolean;
  /** Finds a variable by what it is; null for one that it does not know. May ask for other symbols. */
  seek(name: string): Sought | null;
}

export class SearchedSymbols implements OrderedSymbols {
  private readonly parts: SearchedParts;
  private searched: ArraySymbols | null = null;
  private everything: ArraySymbols | null = null;
  private readonly sought = new Map<string, KernelSymbol | null>();
  private readonly said: string[] = [];
  /** Bytes in those variables whose size is known. */
  private readonly sizes = new Map<string, number>();

  constructor(parts: SearchedParts) {
    this.parts = parts;
  }

  /** Sentences on what was found by search so far. */
  get notes(): readonly string[] {
    const found = [...this.sought.values()].filter((symbol) => symbol !== null).map(({ name }) => name);
    return found.length === 0
      ? this.said
      : [...this.said, `Found by the code that uses them, and what they are: ${found.join(', ')}.`];
  }

  get count(): number {
    return this.merged.count;
  }

  symbol(index: number): KernelSymbol | null {
    return this.merged.symbol(index);
  }

  lastNotAbove(address: VirtAddr): number {
    return this.merged.lastNotAbove(address);
  }

  find(name: string): KernelSymbol | null {
    return this.parts.kallsyms?.find(name) ?? this.found.find(name) ?? this.seek(name);
  }

  findAll(name: string): KernelSymbol[] {
    const known = this.parts.kallsyms?.findAll(name) ?? [];
    if (known.length > 0) return known;
    const found = this.find(name);
    return found === null ? [] : [found];
  }

  /** Code by kallsyms; of data, whose ends are not known, only a variable's very address. */
  at(address: VirtAddr): SymbolPlace | null {
    const place = this.parts.kallsyms?.at(address) ?? null;
    if (place !== null) return place;
    for (const symbol of [this.found.at(address)?.symbol, ...this.sought.values()]) {
      const offset = symbol == null ? -1 : Number(address - symbol.address);
      if (symbol != null && (offset === 0 || (offset > 0 && offset < (this.sizes.get(symbol.name) ?? 0)))) {
        return { symbol, offset };
      }
    }
    return null;
  }

  all(): Iterable<KernelSymbol> {
    return this.merged.all();
  }

  /** By the search of the image. */
  private get found(): ArraySymbols {
    if (this.searched === null) {
      this.searched = new ArraySymbols([]); // while it is searched, nothing is found
      this.searched = new ArraySymbols(this.search());
    }
    return this.searched;
  }

  private get merged(): ArraySymbols {
    this.everything ??= new ArraySymbols([
      ...(this.parts.kallsyms?.all() ?? []),
      ...this.found.all(),
      ...[...this.sought.values()].filter((symbol) => symbol !== null),
    ]);
    return this.everything;
  }

  private seek(name: string): KernelSymbol | null {
    let symbol = this.sought.get(name);
    if (symbol === undefined) {
      this.sought.set(name, null); // while it is sought
      const found = this.parts.seek(name);
      symbol = found === null ? null : { ...data(name, found.address), size: found.size ?? this.roomAt(found.address) };
      this.sought.set(name, symbol);
      if (symbol !== null) this.everything = null;
    }
    return symbol;
  }

  private search(): KernelSymbol[] {
    const { kallsyms, space, start, text, vmcoreinfo } = this.parts;
    const image = ImageBytes.read(space, virtAddr(start & ~7n), maxImage);
    const symbols = new Map<string, KernelSymbol>();
    const add = (symbol: KernelSymbol): void => {
      // code is told by kallsyms
      if (!symbols.has(symbol.name) && kallsyms?.at(symbol.address) == null) symbols.set(symbol.name, symbol);
    };
    if (kallsyms === null) {
      symbols.set('_stext', data('_stext', text));
      symbols.set('_etext', data('_etext', this.endOfText()));
    }
    // of some it tells what they point to (VMCOREINFO_SYMBOL_ARRAY), which is elsewhere
    for (const [key] of vmcoreinfo.entries()) {
      const name = /^SYMBOL\((\w+)\)$/.exec(key)?.[1];
      const address = name === undefined ? null : vmcoreinfo.symbol(name);
      if (address !== null && image.holds(address)) add(data(name!, address));
    }
    const exports = findExports(image) ?? [];
    const trusted = exports.length > 0 && this.agree(exports, image) ? exports : [];
    for (const { name, address } of trusted) add(data(name, address));
    const banner = findBanner(image, vmcoreinfo);
    if (banner !== null) add(data('linux_banner', banner));
    const btf = findBtf(image, vmcoreinfo);
    if (btf !== null) {
      add(data('__start_BTF', btf.address));
      add(data('__stop_BTF', offsetBy(btf.address, btf.size)));
      for (const symbol of variablesOf(btf.types, trusted)) add(symbol);
    }
    const orc = findOrc(image, text);
    if (orc !== null) for (const symbol of orcSymbols(orc)) add(symbol);
    this.tell(trusted, btf !== null, orc !== null);
    for (const { name, size } of symbols.values()) if (size > 0) this.sizes.set(name, size);
    return withSizes([...symbols.values()]);
  }

  /** The first page behind the kernel's code that holds none. */
  private endOfText(): VirtAddr {
    const { isCode, space, text } = this.parts;
    const { pageSize } = space.memory;
    let end = virtAddr(text & ~BigInt(pageSize - 1));
    for (let pages = 0; pages < maxImage / pageSize && isCode(end); pages++) end = offsetBy(end, pageSize);
    return end;
  }

  /** Bytes from an address to the next variable that was found. */
  private roomAt(address: VirtAddr): number {
    const next = this.found.symbol(this.found.lastNotAbove(address) + 1);
    return next === null ? 0 : Math.min(maxRoom, Number(next.address - address));
  }

  /** Whether exported functions are where kallsyms has them or, without it, whether a variable is where VMCOREINFO has it. */
  private agree(exports: readonly ExportedSymbol[], image: ImageBytes): boolean {
    const { kallsyms, vmcoreinfo } = this.parts;
    let told = 0;
    let same = 0;
    let other = 0;
    const step = Math.ceil(exports.length / maxCompared);
    for (const [i, { name, address }] of exports.entries()) {
      const inNote = vmcoreinfo.symbol(name);
      if (inNote !== null && image.holds(inNote)) {
        if (inNote !== address) return false;
        told++;
      }
      if (i % step !== 0) continue;
      const known = kallsyms?.findAll(name) ?? [];
      if (known.length > 0) known.some((symbol) => symbol.address === address) ? same++ : other++;
    }
    if (kallsyms === null) return told > 0;
    return same >= minAgreeing && same >= (same + other) * agreeingShare;
  }

  private tell(exports: readonly ExportedSymbol[], hasBtf: boolean, hasOrc: boolean): void {
    const what = this.parts.kallsyms === null ? 'kallsyms cannot be read' : 'kallsyms has no data';
    const found = [
      exports.length === 0
        ? []
        : [`the table of exported symbols (${exports.length}, as ${this.secondWay()} has them)`],
      hasBtf ? ['BTF (its types are as large as VMCOREINFO says)'] : [],
      hasOrc ? ['the ORC tables'] : [],
    ].flat();
    this.said.push(
      found.length === 0
        ? `${what}, and nothing in its place was found.`
        : `${what}: found by search ${found.join(', ')}.`,
    );
  }

  private secondWay(): string {
    return this.parts.kallsyms === null ? 'VMCOREINFO' : 'kallsyms';
  }
}

/** Symbols without a size with the bytes to the next one: at most what they have. */
function withSizes(symbols: readonly KernelSymbol[]): KernelSymbol[] {
  const ordered = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  return ordered.map((symbol, i) => {
    if (symbol.size > 0) return symbol;
    const next = ordered.slice(i + 1, i + 1 + maxAliases).find(({ address }) => address > symbol.address);
    return { ...symbol, size: next === undefined ? 0 : Math.min(maxRoom, Number(next.address - symbol.address)) };
  });
}

function data(name: string, address: VirtAddr, size = 0): KernelSymbol {
  return { name, address, type: 'D', size, module: null };
}

function* orcSymbols({ header, ips, entries, count }: OrcPlace): Iterable<KernelSymbol> {
  if (header !== null) {
    yield data('__start_orc_header', header);
    yield data('__stop_orc_header', ips);
  }
  yield data('__start_orc_unwind_ip', ips);
  yield data('__stop_orc_unwind_ip', entries);
  yield data('__start_orc_unwind', entries);
  yield data('__stop_orc_unwind', offsetBy(entries, count * orcEntrySize));
}

/** Longest `linux_banner`, in bytes. */
const maxBanner = 512;

/**
 * The text that the kernel prints first: its copy in the log has no line's end, and what stands for it while the kernel is
 * linked (init/version.c, since 2df8220cc511, 6.1) no number behind the #.
 */
function findBanner(image: ImageBytes, { release }: Vmcoreinfo): VirtAddr | null {
  if (release === null) return null;
  for (const at of image.occurrences(Buffer.from(`Linux version ${release} `))) {
    const text = image.bytes.subarray(at, at + maxBanner);
    const end = text.indexOf(0);
    const line = Buffer.from(text.subarray(0, end)).toString('latin1');
    if (end > 0 && line.indexOf('\n') === end - 1 && /#\d/.test(line)) return image.address(at);
  }
  return null;
}

const btfMagic = Uint8Array.of(0x9f, 0xeb, 1, 0); // magic, version, flags (include/uapi/linux/btf.h)
const btfHeaderSize = 24;

interface FoundBtf {
  readonly address: VirtAddr;
  readonly size: number;
  readonly types: BtfTypes;
}

/** The kernel's BTF in the image: the first whose types are what VMCOREINFO says of them. */
function findBtf(image: ImageBytes, vmcoreinfo: Vmcoreinfo): FoundBtf | null {
  for (const at of image.occurrences(btfMagic)) {
    const header = new DataView(image.bytes.buffer, image.bytes.byteOffset + at);
    if (header.byteLength < btfHeaderSize) continue;
    const length = header.getUint32(4, true);
    const [typesAt, typesSize, stringsAt, stringsSize] = [8, 12, 16, 20].map((offset) =>
      header.getUint32(offset, true),
    );
    const size = length + Math.max(typesAt! + typesSize!, stringsAt! + stringsSize!);
    if (length < btfHeaderSize || size > header.byteLength || typesSize! === 0) continue;
    try {
      const types = new BtfTypes(image.bytes.slice(at, at + size));
      if (types.problem === null && isAsLarge(types, vmcoreinfo)) return { address: image.address(at), size, types };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
  return null;
}

/** Whether every SIZE and OFFSET of VMCOREINFO that the types know is theirs. */
function isAsLarge(types: BtfTypes, vmcoreinfo: Vmcoreinfo): boolean {
  let same = 0;
  for (const [key] of vmcoreinfo.entries()) {
    const [, what, name, member] = /^(SIZE|OFFSET)\((\w+)(?:\.(\w+))?\)$/.exec(key) ?? [];
    const type = name === undefined ? null : (types.find(`struct ${name}`) ?? types.find(name));
    if (type === null) continue;
    if (what === 'SIZE') {
      if (vmcoreinfo.size(name!) !== sizeOf(type)) return false;
      same++;
    } else if (member !== undefined) {
      const place = findMember(type, member);
      if (place === null) continue; // it has another name for it
      if (vmcoreinfo.offset(`${name}.${member}`) !== place.bitOffset / 8) return false;
      same++;
    }
  }
  return same >= minSizes;
}

/** BTF's variables, of sections whose start the exported ones among them agree about. */
function* variablesOf(types: BtfTypes, exports: readonly ExportedSymbol[]): Iterable<KernelSymbol> {
  const addresses = new Map(exports.map(({ name, address }) => [name, address]));
  const bySection = new Map<
    string,
    { starts: Set<bigint>; anchors: number; end: number; symbols: [string, number, number][] }
  >();
  for (const { name, section, offset, size } of types.variables()) {
    let known = bySection.get(section);
    if (known === undefined) {
      known = { starts: new Set(), anchors: 0, end: 0, symbols: [] };
      bySection.set(section, known);
    }
    known.symbols.push([name, offset, size]);
    known.end = Math.max(known.end, offset + size);
    const address = addresses.get(name);
    if (address !== undefined) {
      known.starts.add(BigInt.asUintN(64, address - BigInt(offset)));
      known.anchors++;
    }
  }
  for (const [section, { starts, anchors, end, symbols }] of bySection) {
    if (starts.size !== 1 || anchors < minAnchors) continue;
    const start = virtAddr([...starts][0]!);
    for (const [name, offset, size] of symbols) yield data(name, offsetBy(start, offset), size);
    if (section === '.data..percpu') {
      yield data('__per_cpu_start', start);
      yield data('__per_cpu_end', offsetBy(start, end));
    }
  }
}
