// include/linux/page-flags.h, include/linux/mm_types.h: what a page frame was used for, from its
// `struct page`, by what VMCOREINFO says alone. The kinds are those that makedumpfile -d tells apart (its
// manual page; makedumpfile.c, __exclude_unnecessary_pages), read carefully: a page is called the
// kernel's only if no version of makedumpfile can have taken it for anything else.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type Pfn, pfn as toPfn, type VirtAddr, virtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import type { MemoryModel } from './memory_model.ts';

/**
 * - `free`: in the buddy allocator
 * - `cache`: page cache without private data; `private-cache`: with
 * - `user`: anonymous memory or a huge page of a process
 * - `unusable`: poisoned, offline, or not accepted from the hypervisor
 * - `kernel`: anything else that has a `struct page`: slab, stacks, page tables, vmalloc, reserved memory
 */
export type PageUse = 'free' | 'cache' | 'private-cache' | 'user' | 'unusable' | 'kernel';

/** Largest order of a block of free pages plus one, where VMCOREINFO does not tell: MAX_ORDER. */
const defaultOrders = 11;

/** Reads `struct page`s. All offsets are bytes. */
export class PageDescriptors {
  readonly model: MemoryModel;
  private readonly space: AddressSpace;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly flags: number;
  private readonly mapping: number;
  private readonly mapcount: number;
  private readonly private: number;
  private readonly head: number;
  /** Bits of page.flags; null where this kernel has no such flag (or does not tell). */
  private readonly bits: Record<'lru' | 'private' | 'swapcache' | 'swapbacked' | 'hwpoison' | 'slab', bigint | null>;
  /** page_type (or _mapcount) of a kind of page, as it stands in memory. */
  private readonly types: Record<'buddy' | 'slab' | 'hugetlb' | 'offline' | 'unaccepted', number | null>;
  /** HUGETLB_PAGE_DTOR and where the first tail page keeps its kind; null from 6.6 on. */
  private readonly hugetlbDestructor: { readonly offset: number; readonly value: number } | null;
  /** Flag of the first tail page of a huge page, from 6.6 (9c5ccf2db04b) to 6.8; null on other kernels. */
  private readonly hugetlbFlag: bigint | null;
  private readonly orders: number;
  /** The page that `bytes` holds. */
  private loadedAt = virtAddr(0n);

  private constructor(space: AddressSpace, model: MemoryModel, info: Vmcoreinfo) {
    this.space = space;
    this.model = model;
    this.bytes = new Uint8Array(model.pageStructSize);
    this.view = new DataView(this.bytes.buffer);
    this.flags = info.offset('page.flags') ?? 0;
    this.mapping = info.offset('page.mapping')!;
    this.mapcount = info.offset('page._mapcount')!;
    this.private = info.offset('page.private')!;
    // compound_head became compound_info in 7.0
    this.head = info.offset('page.compound_head') ?? info.offset('page.compound_info') ?? -1;
    const bit = (name: string): bigint | null => {
      const n = info.number(name);
      return n !== null && n >= 0n && n < 64n ? 1n << n : null;
    };
    this.bits = {
      lru: bit('PG_lru'),
      private: bit('PG_private'),
      swapcache: bit('PG_swapcache'),
      swapbacked: bit('PG_swapbacked'),
      hwpoison: bit('PG_hwpoison'),
      slab: bit('PG_slab'), // a page type since 46df8e73a4a3 (6.10)
    };
    const type = (name: string): number | null => {
      const n = info.number(`PAGE_${name}_MAPCOUNT_VALUE`);
      return n === null ? null : Number(BigInt.asUintN(32, n));
    };
    this.types = {
      buddy: type('BUDDY'),
      slab: type('SLAB'),
      hugetlb: type('HUGETLB'),
      offline: type('OFFLINE'),
      unaccepted: type('UNACCEPTED'),
    };
    const value = info.number('HUGETLB_PAGE_DTOR');
    const offset = info.offset('page.compound_dtor');
    this.hugetlbDestructor =
      value !== null && offset !== null && offset < model.pageStructSize ? { offset, value: Number(value) } : null;
    this.hugetlbFlag = bit('PG_hugetlb');
    const orders = info.length('zone.free_area') ?? defaultOrders;
    this.orders = orders >= 1 && orders <= 32 ? orders : defaultOrders;
  }

  /** Null where VMCOREINFO does not tell enough. */
  static open(space: AddressSpace, model: MemoryModel, info: Vmcoreinfo): PageDescriptors | null {
    const needed = ['page.mapping', 'page._mapcount', 'page.private'].map((name) => info.offset(name));
    if (needed.some((offset) => offset === null || offset > model.pageStructSize - 8)) return null;
    if (info.number('PAGE_BUDDY_MAPCOUNT_VALUE') === null || info.number('PG_lru') === null) return null;
    return new PageDescriptors(space, model, info);
  }

  /** What a page frame was used for; null where its `struct page` cannot be read. */
  use(pfn: Pfn): PageUse | null {
    if (!this.load(this.model.pageStruct(pfn))) return null;
    // poison is a flag of the single page, all else is said by the head of a compound page
    const poisoned = this.hasFlag('hwpoison');
    // A tail page's words mean other things; but makedumpfile that does not know the kernel's compound pages
    // (1.7.8 and 7.0's compound_info) takes them as they are.
    if ((this.word(this.mapping) & 1n) !== 0n) return 'user'; // PAGE_MAPPING_ANON
    const headPage = this.loadedHead();
    if (headPage !== null && !this.load(headPage)) return null;
    if (poisoned || this.hasFlag('hwpoison') || this.hasType('offline') || this.hasType('unaccepted')) {
      return 'unusable';
    }
    if (this.hasType('hugetlb')) return 'user';
    // slab uses the same word for something else: such pages have been taken for a process's, too
    if ((this.word(this.mapping) & 1n) !== 0n) return 'user';
    const swapcache = this.hasFlag('swapcache') && (this.bits.swapbacked === null || this.hasFlag('swapbacked'));
    if (this.hasFlag('lru') || swapcache) return this.hasFlag('private') ? 'private-cache' : 'cache';
    if (this.isSlabLoaded()) return 'kernel';
    if (this.isFree(pfn)) return 'free';
    return this.isHugetlbBySecondPage(pfn, headPage) ? 'user' : 'kernel';
  }

  /** Virtual address of the (head) `struct page` of the slab that a page frame belongs to; null if it is no slab's. */
  slabPage(pfn: Pfn): VirtAddr | null {
    const page = this.model.pageStruct(pfn);
    if (page === null || !this.load(page)) return null;
    const headPage = this.loadedHead();
    if (headPage !== null && !this.load(headPage)) return null;
    return this.isSlabLoaded() ? (headPage ?? page) : null;
  }

  /** Reads one `struct page` into `bytes`; false where it cannot be read. */
  private load(page: VirtAddr | null): boolean {
    if (page === null) return false;
    try {
      this.space.readInto(page, this.bytes);
      this.loadedAt = page;
      return true;
    } catch (error) {
      if (error instanceof InquestError) return false;
      throw error;
    }
  }

  private word(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }

  private hasFlag(name: keyof PageDescriptors['bits']): boolean {
    const bit = this.bits[name];
    return bit !== null && (this.word(this.flags) & bit) !== 0n;
  }

  private hasType(name: keyof PageDescriptors['types']): boolean {
    const wanted = this.types[name];
    return wanted !== null && pageTypeIs(this.view.getUint32(this.mapcount, true), wanted);
  }

  private isSlabLoaded(): boolean {
    return this.hasFlag('slab') || this.hasType('slab');
  }

  /** Of the loaded page: the head of the compound page that it is a tail of; null if it is none. */
  private loadedHead(): VirtAddr | null {
    if (this.head < 0 || this.head > this.bytes.length - 8) return null;
    const link = this.word(this.head);
    if ((link & 1n) === 0n) return null;
    return this.headOf(link, this.loadedAt);
  }

  private headOf(link: bigint, page: VirtAddr): VirtAddr {
    const value = link & ~1n;
    // since 7.0 a tail may hold a mask for its own address in place of its head's address
    const size = BigInt.asUintN(64, -value);
    const isMask = size !== 0n && (size & (size - 1n)) === 0n;
    return virtAddr(isMask ? page & value : value);
  }

  /** True for a page inside a block of the buddy allocator: the block's first page says so. */
  private isFree(pfn: Pfn): boolean {
    for (let order = 0; order < this.orders; order++) {
      const first = toPfn(pfn - (pfn % 2 ** order));
      if (order > 0 && pfn % 2 ** order < 2 ** (order - 1)) continue; // the same first page as before
      if (!this.load(this.model.pageStruct(first))) continue;
      if (this.hasType('buddy') && this.word(this.private) >= BigInt(order)) return true;
    }
    return false;
  }

  /** Before 6.9 the first tail page of a compound page said what it was for. */
  private isHugetlbBySecondPage(pfn: Pfn, headPage: VirtAddr | null): boolean {
    const { hugetlbDestructor: kind, hugetlbFlag: flag } = this;
    if (kind === null && flag === null) return false;
    const page = headPage ?? this.model.pageStruct(pfn);
    if (page === null || this.head < 0 || !this.load(offsetBy(page, this.model.pageStructSize))) return false;
    if (this.word(this.head) !== (page | 1n)) return false;
    if (kind !== null && this.bytes[kind.offset] === kind.value) return true;
    return flag !== null && (this.word(this.flags) & flag) !== 0n;
  }
}

/**
 * Whether a page_type (or _mapcount) is of a kind, given the kind's value from VMCOREINFO. Three encodings:
 * equal (before 4.18: 6e292b9be7f4), one cleared bit under set high bits (to 6.11), the kind in the top byte
 * (since 4ffca5a96678, 6.12).
 */
export function pageTypeIs(pageType: number, wanted: number): boolean {
  if (pageType === wanted) return true;
  if ((wanted & 0x00ff_ffff) === 0) return pageType >>> 24 === wanted >>> 24;
  return pageType >>> 31 === 1 && (pageType & ~wanted) === 0;
}
