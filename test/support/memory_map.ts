// Memory maps of dead kernels, in every shape that `struct page` has had: pages are said in words, and each kernel
// writes them its own way.
//
//   const map = new MemoryMap(pageShapes['6.12']);
//   map.freeBlock(32, 3).slab(64, 2).page(80, 'anonymous');
//   pageFrames(map.kernel)
import { virtAddr } from '../../src/base/address.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { SyntheticKernel } from './synthetic_kernel.ts';
import type { SyntheticMemory } from './synthetic_memory.ts';

type Fields = Readonly<Record<string, bigint | number>>;

/** How one line of kernels has its `struct page`. */
export interface PageShape {
  /** `struct page` and what goes with it. */
  readonly declarations: string;
  /** What VMCOREINFO says of it, beside the memory model. */
  readonly vmcoreinfo: string;
  readonly flags: Readonly<Record<'lru' | 'private' | 'reserved' | 'head' | 'swapbacked' | 'hwpoison', number>>;
  readonly slab: Fields;
  readonly table: Fields;
  readonly offline: Fields;
  readonly hugetlb: Fields;
  /** Of the second page of a hugetlb page. */
  readonly hugetlbSecond: Fields;
  readonly buddy: Fields;
  /** Of the second page of a compound page. */
  readonly order: (order: number) => Fields;
  readonly link: 'compound_head' | 'compound_info';
}

const common = `
  struct list_head { struct list_head *next, *prev; };
  typedef struct { int counter; } atomic_t;
  struct address_space;
  struct mem_cgroup;
`;
const pageOf = (flags: string, compound: string, end: string): string => `
  struct page {
    ${flags} flags;
    union {
      struct { struct list_head lru; struct address_space *mapping; unsigned long index; unsigned long private; };
      ${compound}
    };
    union { atomic_t _mapcount; unsigned int page_type; };
    atomic_t _refcount;
    ${end};
  };`;
const oldFlags = `enum pageflags { PG_locked, PG_referenced, PG_uptodate, PG_dirty, PG_lru, PG_active, PG_workingset, PG_waiters,
  PG_error, PG_slab, PG_owner_priv_1, PG_arch_1, PG_reserved, PG_private, PG_private_2, PG_writeback, PG_head,
  PG_mappedtodisk, PG_reclaim, PG_swapbacked, PG_unevictable, PG_mlocked, PG_hwpoison, PG_swapcache = 10 };`;
const newFlags = `enum pageflags { PG_locked, PG_writeback, PG_referenced, PG_uptodate, PG_dirty, PG_lru, PG_head, PG_waiters,
  PG_active, PG_workingset, PG_owner_priv_1, PG_owner_2, PG_arch_1, PG_reserved, PG_private, PG_private_2, PG_reclaim,
  PG_swapbacked, PG_unevictable, PG_mlocked, PG_hwpoison, PG_swapcache = 10 };`;
const middleFlags = `enum pageflags { PG_locked, PG_writeback, PG_referenced, PG_uptodate, PG_dirty, PG_lru, PG_head, PG_waiters,
  PG_active, PG_workingset, PG_error, PG_slab, PG_owner_priv_1, PG_arch_1, PG_reserved, PG_private, PG_private_2,
  PG_mappedtodisk, PG_reclaim, PG_swapbacked, PG_hwpoison, PG_swapcache = 12, PG_hugetlb = 8 };`;
const olds = { lru: 4, private: 13, reserved: 12, head: 16, swapbacked: 19, hwpoison: 22 };
const news = { lru: 5, private: 14, reserved: 13, head: 6, swapbacked: 17, hwpoison: 20 };
const destructors = 'enum compound_dtor_id { NULL_COMPOUND_DTOR, COMPOUND_PAGE_DTOR, HUGETLB_PAGE_DTOR };';
const folioFlags = `struct folio { struct page page; unsigned long _flags_1; unsigned long _head_1; unsigned long _usable_1[4]; };`;
const numbered = `enum pagetype { PGTY_buddy = 240, PGTY_offline, PGTY_table, PGTY_guard, PGTY_hugetlb, PGTY_slab,
  PGTY_zsmalloc, PGTY_unaccepted, PGTY_large_kmalloc, PGTY_mapcount_underflow = 255 };`;
const bit = (n: number): Fields => ({ page_type: 0xffff_ffff - n });
const number = (n: number): Fields => ({ page_type: n * 2 ** 24 + 0x1_2345 });
const oldInfo = `NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=${~0x80}\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=${~0x100}`;
const none: Fields = {};

export const pageShapes: Readonly<Record<string, PageShape>> = {
  '5.10': {
    declarations: `${oldFlags}${destructors}${pageOf(
      'unsigned long',
      'struct { unsigned long compound_head; unsigned char compound_dtor; unsigned char compound_order; };',
      'struct mem_cgroup *mem_cgroup',
    ).replaceAll('unsigned char', 'u8')}`,
    vmcoreinfo: oldInfo,
    flags: olds,
    slab: { flags: 1n << 9n },
    table: bit(0x400),
    offline: bit(0x100),
    hugetlb: none,
    hugetlbSecond: { compound_dtor: 2 },
    buddy: bit(0x80),
    order: (order) => ({ compound_order: order }),
    link: 'compound_head',
  },
  '6.1': {
    declarations: `${oldFlags}${destructors}${pageOf(
      'unsigned long',
      'struct { unsigned long compound_head; u8 compound_dtor; u8 compound_order; };',
      'unsigned long memcg_data',
    )}`,
    vmcoreinfo: oldInfo,
    flags: olds,
    slab: { flags: 1n << 9n },
    table: bit(0x200),
    offline: bit(0x100),
    hugetlb: none,
    hugetlbSecond: { compound_dtor: 2 },
    buddy: bit(0x80),
    order: (order) => ({ compound_order: order }),
    link: 'compound_head',
  },
  '6.6': {
    declarations: `${middleFlags}${pageOf(
      'unsigned long',
      'struct { unsigned long compound_head; };',
      'unsigned long memcg_data',
    )}${folioFlags}`,
    vmcoreinfo: oldInfo,
    flags: { lru: 5, private: 15, reserved: 14, head: 6, swapbacked: 19, hwpoison: 20 },
    slab: { flags: 1n << 11n },
    table: bit(0x200),
    offline: bit(0x100),
    hugetlb: none,
    hugetlbSecond: { flags: 1n << 8n },
    buddy: bit(0x80),
    order: (order) => ({ flags: order }),
    link: 'compound_head',
  },
  '6.11': {
    declarations: `${newFlags}${pageOf(
      'unsigned long',
      'struct { unsigned long compound_head; };',
      'unsigned long memcg_data',
    )}${folioFlags}
    enum pagetype { PG_buddy = 0x40000000, PG_offline = 0x20000000, PG_table = 0x10000000, PG_guard = 0x08000000,
      PG_hugetlb = 0x04000000, PG_slab = 0x02000000, PG_zsmalloc = 0x01000000, PAGE_TYPE_BASE = 0x80000000 };`,
    vmcoreinfo: '',
    flags: news,
    slab: bit(0x0200_0000 + 0x123),
    table: bit(0x1000_0000),
    offline: bit(0x2000_0000),
    hugetlb: bit(0x0400_0000),
    hugetlbSecond: none,
    buddy: bit(0x4000_0000),
    order: (order) => ({ flags: order }),
    link: 'compound_head',
  },
  '6.12': {
    declarations: `${newFlags}${numbered}${pageOf(
      'unsigned long',
      'struct { unsigned long compound_head; };',
      'unsigned long memcg_data',
    )}${folioFlags}`,
    vmcoreinfo: '',
    flags: news,
    slab: number(0xf5),
    table: number(0xf2),
    offline: number(0xf1),
    hugetlb: number(0xf4),
    hugetlbSecond: none,
    buddy: number(0xf0),
    order: (order) => ({ flags: order }),
    link: 'compound_head',
  },
  '6.18': {
    declarations: `typedef struct { unsigned long f; } memdesc_flags_t;${newFlags}${numbered}${pageOf(
      'memdesc_flags_t',
      'struct { unsigned long compound_head; };',
      'unsigned long memcg_data',
    )}${folioFlags}`,
    vmcoreinfo: '',
    flags: news,
    slab: number(0xf5),
    table: number(0xf2),
    offline: number(0xf1),
    hugetlb: number(0xf4),
    hugetlbSecond: none,
    buddy: number(0xf0),
    order: (order) => ({ flags: order }),
    link: 'compound_head',
  },
  '7.0': {
    declarations: `typedef struct { unsigned long f; } memdesc_flags_t;${newFlags}${numbered}${pageOf(
      'memdesc_flags_t',
      'struct { unsigned long compound_info; };',
      'unsigned long memcg_data',
    )}${folioFlags}`,
    vmcoreinfo: '',
    flags: news,
    slab: number(0xf5),
    table: number(0xf2),
    offline: number(0xf1),
    hugetlb: number(0xf4),
    hugetlbSecond: none,
    buddy: number(0xf0),
    order: (order) => ({ flags: order }),
    link: 'compound_info',
  },
};

const roots = 0xffff_c900_0000_0000n;
const sections = 0xffff_c900_0010_0000n;
/** Where the `struct page` of frame 0 lies: aligned as the kernel has it, to the largest compound page. */
export const vmemmap = 0xffff_ea00_0000_0000n;
const structSize = 64;
/** A section of 1 MiB: the smallest. */
const perSection = 256;
const sectionOnline = 7n;

/** A kernel with some page frames, each of which is kernel memory until it is told to be something else. */
export class MemoryMap {
  readonly kernel: SyntheticKernel;
  readonly shape: PageShape;
  readonly frames: number;
  private readonly put = new Map<number, Uint8Array>();

  constructor(shape: PageShape, frames = 1024) {
    this.shape = shape;
    this.frames = frames;
    this.kernel = new SyntheticKernel(common + shape.declarations, `${memoryModel}\n${shape.vmcoreinfo}\n`);
    const { space } = this.kernel;
    space.words(roots, sections);
    space.map(sections, 4096);
    for (let i = 0; i < frames / perSection; i++) this.section(i, vmemmap | sectionOnline);
    space.map(vmemmap, frames * structSize);
    for (let frame = 0; frame < frames; frame++) this.page(frame, 'kernel');
  }

  /** Changes a section's word: 0 for one without a memory map. */
  section(number: number, map: bigint): this {
    this.kernel.space.words(sections + BigInt(number * 16), map, 0n);
    return this;
  }

  structOf(frame: number): KernelObject {
    return this.kernel.object('struct page', virtAddr(vmemmap + BigInt(frame * structSize)));
  }

  flag(name: keyof PageShape['flags']): bigint {
    return 1n << BigInt(this.shape.flags[name]);
  }

  /** Makes a frame a page of its own. */
  page(
    frame: number,
    what: 'kernel' | 'slab' | 'table' | 'offline' | 'reserved' | 'cache' | 'buffers' | 'anonymous',
  ): this {
    this.kernel.space.write(vmemmap + BigInt(frame * structSize), new Uint8Array(structSize));
    this.set(frame, { page_type: 0xffff_ffff });
    const mapping = 0xffff_8880_0123_4568n;
    const { flags } = this.shape;
    switch (what) {
      case 'kernel':
        return this;
      case 'slab':
      case 'table':
      case 'offline':
        return this.set(frame, this.shape[what]);
      case 'reserved':
        return this.set(frame, { flags: 1n << BigInt(flags.reserved) });
      case 'cache':
        return this.set(frame, { flags: this.flag('lru'), mapping });
      case 'buffers':
        return this.set(frame, { flags: this.flag('lru') | this.flag('private'), mapping });
      case 'anonymous':
        return this.set(frame, {
          flags: this.flag('lru') | this.flag('swapbacked'),
          mapping: mapping + 1n,
          page_type: 3,
        });
    }
  }

  /** 2^order free frames; what their other `struct page`s hold is left over from before. */
  freeBlock(frame: number, order: number): this {
    for (let i = 1; i < 2 ** order; i++) this.page(frame + i, i % 2 === 0 ? 'cache' : 'kernel');
    return this.page(frame, 'kernel').set(frame, { ...this.shape.buddy, private: order });
  }

  /** A compound page of a slab, a large folio, a huge page of hugetlbfs, or for the kernel. */
  compound(frame: number, order: number, what: 'slab' | 'cache' | 'anonymous' | 'hugetlb' | 'kernel'): this {
    this.page(frame, what === 'hugetlb' ? 'kernel' : what);
    if (what === 'hugetlb') this.set(frame, this.shape.hugetlb);
    this.addFlags(frame, this.flag('head'));
    for (let i = 1; i < 2 ** order; i++) this.page(frame + i, 'kernel').link(frame + i, frame, order);
    this.set(frame + 1, this.shape.order(order));
    if (what === 'hugetlb') {
      const { flags = 0n, ...rest } = this.shape.hugetlbSecond;
      this.set(frame + 1, rest).addFlags(frame + 1, BigInt(flags));
    }
    return this;
  }

  /** Makes a frame a tail of the compound page that starts at `head`. */
  link(frame: number, head: number, order: number): this {
    const word =
      this.shape.link === 'compound_info' ? -BigInt(structSize << order) : vmemmap + BigInt(head * structSize);
    return this.set(frame, { [this.shape.link]: BigInt.asUintN(64, word | 1n) });
  }

  addFlags(frame: number, flags: bigint): this {
    return this.set(frame, { flags: this.flagsOf(frame) | flags });
  }

  /** Copies the `struct page`s of a page of them to others, as a huge page's are mapped in place of each other. */
  alias(from: number, to: number): this {
    const bytes = this.kernel.space.read(virtAddr(vmemmap + BigInt(from * structSize)), 4096);
    this.kernel.space.write(vmemmap + BigInt(to * structSize), bytes);
    return this;
  }

  /** Puts the page itself into the dump, beside its `struct page`. Frames below 20 hold the memory map. */
  present(frame: number): this {
    const page = new Uint8Array(4096).fill(1);
    (this.kernel.space.memory as SyntheticMemory).write(frame * 4096, page);
    this.put.set(frame, page);
    return this;
  }

  /** The pages put in by `present`. */
  pages(): ReadonlyMap<number, Uint8Array> {
    return this.put;
  }

  set(frame: number, fields: Fields): this {
    const page = this.structOf(frame);
    for (const [name, value] of Object.entries(fields)) {
      this.kernel.set(page, name === 'flags' && this.shape.declarations.includes('memdesc') ? 'flags.f' : name, value);
    }
    return this;
  }

  private flagsOf(frame: number): bigint {
    return this.kernel.space.u64(this.structOf(frame).address);
  }
}

/** What VMCOREINFO says of the memory model. */
export const memoryModel = [
  `SYMBOL(mem_section)=${roots.toString(16)}`,
  'LENGTH(mem_section)=1',
  'SIZE(mem_section)=16',
  'OFFSET(mem_section.section_mem_map)=0',
  'NUMBER(SECTION_SIZE_BITS)=20',
  `SIZE(page)=${structSize}`,
  'LENGTH(zone.free_area)=11',
].join('\n');
