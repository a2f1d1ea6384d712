// Writes the tables of kallsyms into memory as scripts/kallsyms.c lays them out, for tests.
//
//   const image = writeKallsyms([{ address: 0xffffffff81000000n, type: 'T', name: '_stext' }], { layout: '6.4' })
//   Kallsyms.open(memorySpace(image.base, image.bytes), new Vmcoreinfo(image.vmcoreinfo))
import { AddressSpace } from '../../src/arch/address_space.ts';
import { type Pfn, type PhysAddr, physAddr, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import type { PageState, PhysicalMemory } from '../../src/dump/dump.ts';
import { PagewiseMemory } from './pagewise_memory.ts';

export interface WrittenSymbol {
  readonly address: bigint;
  readonly type: string;
  readonly name: string;
}

/** First kernel with that order of tables. */
export type Layout = '4.6' | '6.2' | '6.4' | '7.0';
export type Encoding = 'relative' | 'relative-percpu' | 'absolute' | 'place';

export interface KallsymsOptions {
  readonly layout: Layout;
  readonly encoding: Encoding;
  /** Bytes in a marker: 8 before 5.0. */
  readonly markerSize?: 4 | 8;
  /** Where the image starts. */
  readonly base?: bigint;
  /** Bytes in front of and behind the tables. */
  readonly padding?: number;
}

export interface WrittenKallsyms {
  readonly base: VirtAddr;
  readonly bytes: Uint8Array;
  /** Byte offset of each table in `bytes`, by the kernel's name for it. */
  readonly at: ReadonlyMap<string, number>;
  /** What the kernel's note says about the tables and `_stext`. */
  readonly vmcoreinfo: string;
}

/** @param symbols in the order of the table, which is that of addresses (per-CPU offsets first) */
export function writeKallsyms(symbols: readonly WrittenSymbol[], options: KallsymsOptions): WrittenKallsyms {
  const { layout, encoding, markerSize = 4, base = 0xffff_ffff_8200_0000n, padding = 4096 } = options;
  const { tokens, compressed } = compress(symbols.map((s) => s.type + s.name));
  const alignment = layout === '7.0' ? 4 : 8;
  const at = new Map<string, number>();
  const chunks: number[] = new Array<number>(padding).fill(0xcc);
  const table = (name: string, bytes: readonly number[]): void => {
    while (chunks.length % alignment !== 0) chunks.push(0);
    at.set(name, chunks.length);
    for (const byte of bytes) chunks.push(byte);
  };

  const lowest = symbols.find((s) => encoding !== 'relative-percpu' || s.type !== 'A')?.address ?? base;
  const addresses = (): void => {
    if (encoding === 'absolute') {
      table(
        'kallsyms_addresses',
        symbols.flatMap((s) => littleEndian(s.address, 8)),
      );
      return;
    }
    while (chunks.length % alignment !== 0) chunks.push(0);
    const start = base + BigInt(chunks.length);
    table(
      'kallsyms_offsets',
      symbols.flatMap((s, i) => {
        if (encoding === 'place') return littleEndian(s.address - (start + BigInt(4 * i)), 4);
        if (encoding === 'relative') return littleEndian(s.address - lowest, 4);
        return littleEndian(s.type === 'A' ? s.address : lowest - 1n - s.address, 4);
      }),
    );
    if (encoding !== 'place') table('kallsyms_relative_base', littleEndian(lowest, 8));
  };
  const sequences = (): void => {
    const order = symbols.map((_, i) => i);
    order.sort((a, b) => (symbols[a]!.name < symbols[b]!.name ? -1 : symbols[a]!.name > symbols[b]!.name ? 1 : a - b));
    table(
      'kallsyms_seqs_of_names',
      order.flatMap((i) => [i >> 16, (i >> 8) & 0xff, i & 0xff]),
    );
  };

  const namesAndMarkers = (): void => {
    const names: number[] = [];
    const markers: number[] = [];
    for (const [i, name] of compressed.entries()) {
      if (i % 256 === 0) markers.push(...littleEndian(BigInt(names.length), markerSize));
      if (name.length < 0x80) names.push(name.length);
      else names.push((name.length & 0x7f) | 0x80, name.length >> 7);
      for (const token of name) names.push(token);
    }
    table('kallsyms_num_syms', littleEndian(BigInt(symbols.length), 4));
    table('kallsyms_names', names);
    table('kallsyms_markers', markers);
  };
  const tokenTables = (): void => {
    const text: number[] = [];
    const index: number[] = [];
    for (const token of tokens) {
      index.push(...littleEndian(BigInt(text.length), 2));
      for (const c of Buffer.from(token, 'latin1')) text.push(c);
      text.push(0);
    }
    table('kallsyms_token_table', text);
    table('kallsyms_token_index', index);
  };

  switch (layout) {
    case '4.6':
    case '6.2':
      addresses();
      namesAndMarkers();
      if (layout === '6.2') sequences();
      tokenTables();
      break;
    case '6.4':
    case '7.0':
      namesAndMarkers();
      tokenTables();
      addresses();
      sequences();
      break;
  }
  for (let i = 0; i < padding || chunks.length % 8 !== 0; i++) chunks.push(0xcc);

  const lines = ['OSRELEASE=test'];
  for (const [name, offset] of at) {
    if (name === 'kallsyms_markers' || name === 'kallsyms_seqs_of_names') continue;
    lines.push(`SYMBOL(${name})=${(base + BigInt(offset)).toString(16)}`);
  }
  const stext = symbols.find((s) => s.name === '_stext');
  if (stext !== undefined) lines.push(`SYMBOL(_stext)=${stext.address.toString(16)}`);
  return { base: virtAddr(base), bytes: Uint8Array.from(chunks), at, vmcoreinfo: `${lines.join('\n')}\n` };
}

function littleEndian(value: bigint, size: number): number[] {
  const bytes: number[] = [];
  for (let i = 0; i < size; i++) bytes.push(Number((value >> BigInt(8 * i)) & 0xffn));
  return bytes;
}

/** Characters in use stand for themselves; the other byte values, from 255 down, for the commonest pair of what is left. */
function compress(names: readonly string[]): { tokens: string[]; compressed: number[][] } {
  const compressed = names.map((name) => [...Buffer.from(name, 'latin1')]);
  const tokens = new Array<string>(256).fill('');
  for (const name of compressed) for (const c of name) tokens[c] = String.fromCharCode(c);
  for (let token = 255; token >= 0; token--) {
    if (tokens[token] !== '') continue;
    const pairs = new Map<number, number>();
    for (const name of compressed) {
      for (let i = 0; i + 1 < name.length; i++) {
        const pair = (name[i]! << 8) | name[i + 1]!;
        pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
      }
    }
    let best = -1;
    let uses = Math.max(1, names.length / 50); // not worth a pass below
    for (const [pair, n] of pairs) if (n > uses) [best, uses] = [pair, n];
    if (best < 0) break;
    tokens[token] = tokens[best >> 8]! + tokens[best & 0xff]!;
    for (const name of compressed) {
      for (let i = 0; i + 1 < name.length; i++) {
        if (((name[i]! << 8) | name[i + 1]!) === best) name.splice(i, 2, token);
      }
    }
  }
  return { tokens, compressed };
}

const pageSize = 4096;

/** A virtual address space that holds `bytes` at `base` and nothing else. */
export class MemorySpace extends AddressSpace {
  private readonly base: bigint;
  /** Page numbers, counted from the page of `base`, that cannot be read. */
  readonly lost: Set<number>;

  constructor(base: bigint, bytes: Uint8Array) {
    const lead = Number(base & BigInt(pageSize - 1));
    const lost = new Set<number>();
    const padded = new Uint8Array(Math.ceil((lead + bytes.length) / pageSize) * pageSize);
    padded.set(bytes, lead);
    super(new PaddedMemory(padded, lost), 'kernel');
    this.base = base - BigInt(lead);
    this.lost = lost;
  }

  override translate(address: VirtAddr): PhysAddr {
    const offset = address - this.base;
    if (offset < 0n || offset >= BigInt(this.memory.maxPfn * pageSize)) {
      throw new MemoryFault('kernel', address, 'not-mapped');
    }
    return physAddr(Number(offset));
  }
}

class PaddedMemory extends PagewiseMemory implements PhysicalMemory {
  readonly pageSize = pageSize;
  readonly maxPfn: number;
  private readonly bytes: Uint8Array;
  private readonly lost: ReadonlySet<number>;

  constructor(bytes: Uint8Array, lost: ReadonlySet<number>) {
    super();
    this.bytes = bytes;
    this.lost = lost;
    this.maxPfn = bytes.length / pageSize;
  }

  pageState(pfn: Pfn): PageState {
    return this.lost.has(pfn) ? 'excluded' : pfn < this.maxPfn ? 'present' : 'not-in-dump';
  }

  page(pfn: Pfn): Uint8Array {
    if (this.lost.has(pfn)) throw new MemoryFault('physical', BigInt(pfn * pageSize), 'excluded');
    return this.bytes.subarray(pfn * pageSize, (pfn + 1) * pageSize);
  }

  read(address: PhysAddr, into: Uint8Array): void {
    into.set(this.bytes.subarray(address, address + into.length));
  }

  setExcludedPageJudge(): void {}

  ramRanges(): { start: PhysAddr; end: PhysAddr }[] {
    return [{ start: physAddr(0), end: physAddr(this.bytes.length) }];
  }
}
