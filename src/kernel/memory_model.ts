// include/asm-generic/memory_model.h, include/linux/mmzone.h: from a page frame to its `struct page`, by what
// VMCOREINFO says alone, so that it works while symbols and types are not read yet.
//
//   pfn / pages per section -> section number -> mem_section[root][...].section_mem_map
//   section_mem_map (without its flag bits) + pfn * sizeof(struct page) -> struct page
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type Pfn, pfn as toPfn, type VirtAddr, virtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import { Layout } from '../debuginfo/layout.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { perKernel } from './per_kernel.ts';

/** Flag bits at the low end of section_mem_map: seven at most so far (SECTION_MAP_LAST_BIT). */
const sectionFlags = 0xffn;
/** SECTION_HAS_MEM_MAP: the section has `struct page`s. */
const hasMemMap = 2n;
/** SECTION_IS_ONLINE, since 2d070eab2e82 (4.13): not taken away from the kernel. */
const isOnline = 4n;
/** SECTION_SIZE_BITS where VMCOREINFO does not tell it (added by 4f5aecdff25f, 5.14): x86_64's, arm64's since 5.12. */
const defaultSectionBits = 27;

/**
 * A section of physical memory: what comes and goes as one. The flags are those of section_mem_map
 * (include/linux/mmzone.h: SECTION_MARKED_PRESENT_BIT and those after it).
 */
export interface MemorySection {
  readonly number: number;
  /** Virtual address of the `struct mem_section`. */
  readonly address: VirtAddr;
  /** section_mem_map without its flags: where page frame 0 would have its `struct page`. */
  readonly codedMap: VirtAddr;
  /** Virtual address of the `struct page` of its first page frame. */
  readonly map: VirtAddr;
  readonly isPresent: boolean;
  readonly hasMap: boolean;
  readonly isOnline: boolean;
  /** There since boot. */
  readonly isEarly: boolean;
  /** ZONE_DEVICE memory (1f90a3477df3, 5.12). */
  readonly isDevice: boolean;
  readonly firstPfn: Pfn;
  /** Page frames. */
  readonly pages: number;
}

/** So many sections with one base, and all have it. */
const enoughAlike = 16;

/** Page frames [first, first + count) whose `struct page`s follow one another in virtual memory. */
export interface MemoryMapRun {
  readonly first: Pfn;
  readonly count: number;
  /** Virtual address that the `struct page` of frame 0 would have: frame n's lies n times its size behind. */
  readonly base: VirtAddr;
  /** False for memory that was taken offline: its `struct page`s mean nothing, and its frames must not be read. */
  readonly online: boolean;
}

/** The sections of one root of mem_section. */
interface Root {
  /** Virtual address of the first `struct mem_section`. */
  readonly address: VirtAddr;
  /** section_mem_map of each section. */
  readonly maps: readonly bigint[];
}

/** Where `struct page`s lie, on kernels with SPARSEMEM: every x86_64 and arm64 kernel. */
export class MemoryModel {
  /** Bytes in a `struct page`. */
  readonly pageStructSize: number;
  private readonly space: AddressSpace;
  private readonly roots: VirtAddr;
  private readonly rootCount: number;
  private readonly layout: Layout<'map'>;
  private readonly sectionsPerRoot: number;
  /** Page frames in a section. */
  readonly pagesPerSection: number;
  private readonly known = new Map<number, Root>();
  private bases: readonly bigint[] | null = null;
  private marksOnline: boolean | null = null;

  private constructor(
    space: AddressSpace,
    roots: VirtAddr,
    told: { rootCount: number; layout: Layout<'map'>; sectionBits: number; pageStructSize: number },
  ) {
    const { pageSize } = space.memory;
    this.space = space;
    this.roots = roots;
    this.rootCount = told.rootCount;
    this.layout = told.layout;
    this.pageStructSize = told.pageStructSize;
    this.sectionsPerRoot = Math.floor(pageSize / told.layout.size);
    this.pagesPerSection = 2 ** told.sectionBits / pageSize;
  }

  /** Null where VMCOREINFO does not describe it. */
  static open(space: AddressSpace, vmcoreinfo: Vmcoreinfo): MemoryModel | null {
    const roots = vmcoreinfo.symbol('mem_section');
    const rootCount = vmcoreinfo.length('mem_section');
    const sectionSize = vmcoreinfo.size('mem_section');
    const mapOffset = vmcoreinfo.offset('mem_section.section_mem_map');
    const pageStructSize = vmcoreinfo.size('page');
    const sectionBits = Number(vmcoreinfo.number('SECTION_SIZE_BITS') ?? defaultSectionBits);
    if (roots === null || rootCount === null || sectionSize === null || mapOffset === null) return null;
    if (pageStructSize === null || pageStructSize < 32 || pageStructSize > 512 || pageStructSize % 8 !== 0) return null;
    if (sectionSize < 8 || sectionSize % 8 !== 0 || sectionSize > space.memory.pageSize) return null;
    if (mapOffset > sectionSize - 8 || mapOffset % 4 !== 0) return null;
    if (!(sectionBits >= 20 && sectionBits <= 40) || rootCount > 1 << 26) return null;
    const layout = new Layout('struct mem_section', sectionSize, { map: mapOffset });
    return new MemoryModel(space, roots, { rootCount, layout, sectionBits, pageStructSize });
  }

  /** Virtual address of the `struct page` of a page frame; null where it has none or that cannot be read. */
  pageStruct(pfn: Pfn): VirtAddr | null {
    const section = Math.floor(pfn / this.pagesPerSection);
    const map = this.rootOf(section)?.maps[section % this.sectionsPerRoot] ?? 0n;
    return map & hasMemMap ? virtAddr((map & ~sectionFlags) + BigInt(pfn) * BigInt(this.pageStructSize)) : null;
  }

  /** The page frame whose `struct page` lies at an address; null where none does. */
  pfnOf(page: VirtAddr): Pfn | null {
    this.bases ??= this.mapBases();
    for (const base of this.bases) {
      const frame = Number(page - base) / this.pageStructSize;
      if (frame >= 0 && Number.isInteger(frame) && this.pageStruct(toPfn(frame)) === page) return toPfn(frame);
    }
    return null;
  }

  /** section_mem_map without its flags, each once: the same for all with SPARSEMEM_VMEMMAP, one a section without. */
  private mapBases(): bigint[] {
    const bases = new Set<bigint>();
    const roots = Math.min(this.rootCount, this.rootsOf(this.space.memory.maxPfn));
    let alike = 0;
    for (let n = 0; n < roots && alike < enoughAlike; n++) {
      for (const map of this.root(n)?.maps ?? []) {
        if ((map & hasMemMap) === 0n) continue;
        bases.add(map & ~sectionFlags);
        alike = bases.size === 1 ? alike + 1 : 0;
      }
    }
    return [...bases];
  }

  /** The page frames of [from, to) that have `struct page`s, as long runs as can be: ascending and apart. */
  *runs(from: Pfn, to: Pfn): Generator<MemoryMapRun> {
    let open: { first: Pfn; end: number; map: bigint } | null = null;
    const run = ({ first, end, map }: { first: Pfn; end: number; map: bigint }): MemoryMapRun => ({
      first,
      count: end - first,
      base: virtAddr(map & ~sectionFlags),
      online: (map & isOnline) !== 0n || !this.tellsOnline(),
    });
    const perRoot = this.pagesPerSection * this.sectionsPerRoot;
    const lastRoot = Math.min(this.rootCount, this.rootsOf(to));
    for (let n = Math.floor(Math.max(0, from) / perRoot); n < lastRoot; n++) {
      const sections = this.root(n)?.maps ?? [];
      for (let i = 0; i < sections.length; i++) {
        const map = sections[i]!;
        const start = Math.max(from, n * perRoot + i * this.pagesPerSection);
        const end = Math.min(to, n * perRoot + (i + 1) * this.pagesPerSection);
        if ((map & hasMemMap) === 0n || start >= end) continue;
        if (open !== null && open.end === start && sameMap(open.map, map)) {
          open.end = end;
          continue;
        }
        if (open !== null) yield run(open);
        open = { first: toPfn(start), end, map };
      }
    }
    if (open !== null) yield run(open);
  }

  /** Whether this kernel marks sections that are online: not one is marked before 4.13. */
  private tellsOnline(): boolean {
    if (this.marksOnline === null) {
      const roots = Math.min(this.rootCount, this.rootsOf(this.space.memory.maxPfn));
      let found = false;
      for (let n = 0; n < roots && !found; n++)
        found = this.root(n)?.maps.some((map) => (map & isOnline) !== 0n) ?? false;
      this.marksOnline = found;
    }
    return this.marksOnline;
  }

  /** Roots that it takes for so many page frames. */
  private rootsOf(frames: number): number {
    return Math.ceil(frames / (this.pagesPerSection * this.sectionsPerRoot));
  }

  /** Every section that is present, ascending. A section that cannot be read is left out. */
  *sections(): Generator<MemorySection> {
    const roots = Math.min(this.rootCount, this.rootsOf(this.space.memory.maxPfn));
    for (let n = 0; n < roots; n++) {
      if (this.root(n) === null) continue;
      for (let i = 0; i < this.sectionsPerRoot; i++) {
        const section = this.section(n * this.sectionsPerRoot + i);
        if (section?.isPresent) yield section;
      }
    }
  }

  /** A section by its number; null where its struct cannot be read. */
  section(number: number): MemorySection | null {
    const root = this.rootOf(number);
    if (root === null) return null;
    const inRoot = number % this.sectionsPerRoot;
    const encoded = root.maps[inRoot]!;
    const firstPfn = toPfn(number * this.pagesPerSection);
    const map = virtAddr(encoded & ~sectionFlags);
    return {
      number,
      address: offsetBy(root.address, inRoot * this.layout.size),
      codedMap: map,
      map: offsetBy(map, BigInt(firstPfn) * BigInt(this.pageStructSize)),
      isPresent: (encoded & 1n) !== 0n,
      hasMap: (encoded & hasMemMap) !== 0n,
      isOnline: (encoded & isOnline) !== 0n,
      isEarly: (encoded & 8n) !== 0n,
      isDevice: (encoded & 16n) !== 0n,
      firstPfn,
      pages: this.pagesPerSection,
    };
  }

  private rootOf(section: number): Root | null {
    return this.root(Math.floor(section / this.sectionsPerRoot));
  }

  /** A root by its number; null where there is none, or it cannot be read. */
  private root(n: number): Root | null {
    if (!(n >= 0 && n < this.rootCount)) return null;
    let root = this.known.get(n) ?? null;
    if (root === null) {
      root = this.readRoot(n);
      // what could not be read now may be readable once more is known of the kernel
      if (root !== null) this.known.set(n, root);
    }
    return root;
  }

  private readRoot(n: number): Root | null {
    try {
      const address = this.space.pointer(offsetBy(this.roots, n * 8));
      if (address === 0n) return null;
      const rows = this.layout.read(this.space, address, this.sectionsPerRoot);
      if (rows.fault !== null) return null;
      return { address, maps: Array.from({ length: rows.count }, (_, i) => rows.u64(i, rows.at.map)) };
    } catch (error) {
      if (error instanceof InquestError) return null;
      throw error;
    }
  }
}

function sameMap(a: bigint, b: bigint): boolean {
  return ((a ^ b) & (~sectionFlags | isOnline)) === 0n;
}

/** The memory model of a kernel; null where VMCOREINFO does not describe it. */
export const memoryModel = perKernel((kernel) => MemoryModel.open(kernel.space, kernel.vmcoreinfo));
