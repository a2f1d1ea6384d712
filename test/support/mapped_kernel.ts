// The `struct page`s of a synthetic kernel, found by VMCOREINFO as a real one's are.
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { SyntheticKernel } from './synthetic_kernel.ts';

const vmemmap = 0xffff_ea00_0000_0000n;
const roots = 0xffff_c900_0000_0000n;
const pageStructSize = 64;

const info = `SYMBOL(mem_section)=${roots.toString(16)}
LENGTH(mem_section)=4
SIZE(mem_section)=16
OFFSET(mem_section.section_mem_map)=0
NUMBER(SECTION_SIZE_BITS)=27
SIZE(page)=${pageStructSize}
OFFSET(page.flags)=0
OFFSET(page.compound_head)=8
OFFSET(page.mapping)=24
OFFSET(page.private)=40
OFFSET(page._mapcount)=48
NUMBER(PG_lru)=5
NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456
NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376
`;

/** A kernel whose pages have `struct page`s: those that `structPage` is asked for, and no others. */
export class MappedKernel extends SyntheticKernel {
  constructor(declarations: string) {
    super(declarations, info);
    this.space.words(roots, this.reserve(16));
    this.space.words(this.space.pointer(virtAddr(roots)), vmemmap | 3n);
  }

  /** Page frame that memory of the kernel lies in. */
  frameOf(address: bigint): number {
    return Math.floor(this.space.translate(virtAddr(address)) / 4096);
  }

  /** Virtual address of the `struct page` of the page that holds an address: zeroes, until written to. */
  structPage(address: bigint): VirtAddr {
    const at = virtAddr(vmemmap + BigInt(this.frameOf(address) * pageStructSize));
    this.space.map(at, pageStructSize);
    return at;
  }
}
