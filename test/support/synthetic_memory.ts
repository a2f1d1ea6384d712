// Physical memory and address spaces made by a test: sparse, a page at a time, zero until written.
import { AddressSpace } from '../../src/arch/address_space.ts';
import { type Pfn, type PhysAddr, physAddr, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { type FaultReason, MemoryFault } from '../../src/base/errors.ts';
import type { PageRun, PageState, PhysicalMemory } from '../../src/dump/dump.ts';
import { PagewiseMemory } from './pagewise_memory.ts';

export const pageSize = 4096;

/** Memory that has the pages written to; all others are `not-in-dump`, unless marked otherwise. */
export class SyntheticMemory extends PagewiseMemory implements PhysicalMemory {
  readonly pageSize: number = pageSize;
  readonly maxPfn: number;
  private readonly pages = new Map<number, Uint8Array>();
  private readonly marks = new Map<number, PageState>();

  /** @param size bytes of memory that the dump says it describes */
  constructor(size = 2 ** 32) {
    super();
    this.maxPfn = size / pageSize;
  }

  /** Makes a page read as excluded, truncated, ... whatever was written to it. @param address physical */
  mark(address: number, state: PageState): void {
    this.marks.set(Math.floor(address / pageSize), state);
  }

  write(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const inPage = (address + done) % pageSize;
      const n = Math.min(pageSize - inPage, bytes.length - done);
      this.writable(address + done).set(bytes.subarray(done, done + n), inPage);
      done += n;
    }
  }

  writeU64(address: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.write(address, bytes);
  }

  readU64(address: number): bigint {
    const page = this.writable(address);
    return new DataView(page.buffer).getBigUint64(address % pageSize, true);
  }

  /** The pages written to, by page frame number. */
  written(): ReadonlyMap<number, Uint8Array> {
    return this.pages;
  }

  pageState(pfn: Pfn): PageState {
    return this.marks.get(pfn) ?? (this.pages.has(pfn) ? 'present' : 'not-in-dump');
  }

  /** Of the pages written to alone: there are few of them in much memory. */
  override *presentRuns(from: Pfn, to: Pfn): Generator<PageRun> {
    let first = -1; // of the run that is open, which ends before `end`
    let end = -1;
    for (const pfn of [...this.pages.keys()].sort((a, b) => a - b)) {
      if (pfn < from || pfn >= to || this.pageState(pfn as Pfn) !== 'present') continue;
      if (pfn !== end) {
        if (first >= 0) yield { first: first as Pfn, count: end - first };
        first = pfn;
      }
      end = pfn + 1;
    }
    if (first >= 0) yield { first: first as Pfn, count: end - first };
  }

  page(pfn: Pfn): Uint8Array {
    const state = this.pageState(pfn);
    if (state === 'zero') return new Uint8Array(pageSize);
    if (state !== 'present') throw new MemoryFault('physical', BigInt(pfn) * 4096n, state as FaultReason);
    return this.pages.get(pfn)!;
  }

  read(address: PhysAddr, into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) {
      const at = address + i;
      into[i] = this.page(Math.floor(at / pageSize) as Pfn)[at % pageSize]!;
    }
  }

  setExcludedPageJudge(): void {}

  ramRanges(): readonly { readonly start: PhysAddr; readonly end: PhysAddr }[] {
    return [{ start: physAddr(0), end: physAddr(this.maxPfn * pageSize) }];
  }

  private writable(address: number): Uint8Array {
    const pfn = Math.floor(address / pageSize);
    let page = this.pages.get(pfn);
    if (page === undefined) {
      page = new Uint8Array(pageSize);
      this.pages.set(pfn, page);
    }
    return page;
  }
}

const zeroes = new Uint8Array(pageSize);

/** A kernel address space without page tables: pages come into being when written to. */
export class SyntheticSpace extends AddressSpace {
  private readonly synthetic: SyntheticMemory;
  private readonly physicalOf = new Map<bigint, number>();
  private readonly virtualOf = new Map<number, bigint>();

  constructor() {
    const memory = new SyntheticMemory();
    super(memory, 'kernel');
    this.synthetic = memory;
  }

  override translate(address: VirtAddr): PhysAddr {
    const page = this.physicalOf.get(address >> 12n);
    if (page === undefined) throw new MemoryFault('kernel', address, 'not-mapped');
    return physAddr(page + Number(address & 0xfffn));
  }

  /** Where a page was mapped first: memory that is mapped in order is its own linear map. */
  override linearAddress(physical: PhysAddr): VirtAddr | null {
    const page = this.virtualOf.get(Math.floor(physical / pageSize));
    return page === undefined ? null : virtAddr((page << 12n) + BigInt(physical % pageSize));
  }

  /** Maps zeroes over [start, start + length). */
  map(start: bigint, length: number): this {
    for (let at = start >> 12n; at <= (start + BigInt(length) - 1n) >> 12n; at++) {
      if (this.physicalOf.has(at)) continue;
      const page = (this.physicalOf.size + 1) * pageSize;
      this.physicalOf.set(at, page);
      this.virtualOf.set(page / pageSize, at);
      this.synthetic.write(page, zeroes);
    }
    return this;
  }

  /** Every page that is mapped: its virtual address and its content. */
  *mappedPages(): Generator<{ readonly address: bigint; readonly bytes: Uint8Array }> {
    for (const [page, physical] of this.physicalOf) {
      yield { address: page << 12n, bytes: this.memory.page((physical / pageSize) as Pfn) };
    }
  }

  /** Makes the page that holds `address` read as left out by the dump's filter. */
  exclude(address: bigint): void {
    this.synthetic.mark(this.translate(address as VirtAddr), 'excluded');
  }

  /** Makes a page read as one that the dump does not have at all. */
  lose(address: bigint): void {
    this.synthetic.mark(this.translate(address as VirtAddr), 'not-in-dump');
  }

  write(address: bigint, bytes: Uint8Array): void {
    this.map(address, bytes.length);
    for (let done = 0; done < bytes.length; ) {
      const physical = this.translate((address + BigInt(done)) as VirtAddr);
      const n = Math.min(pageSize - (physical % pageSize), bytes.length - done);
      this.synthetic.write(physical, bytes.subarray(done, done + n));
      done += n;
    }
  }

  /** Writes 64-bit words one after another. */
  words(address: bigint, ...values: bigint[]): void {
    const bytes = new Uint8Array(values.length * 8);
    const view = new DataView(bytes.buffer);
    for (const [i, value] of values.entries()) view.setBigUint64(i * 8, BigInt.asUintN(64, value), true);
    this.write(address, bytes);
  }
}
