// include/asm-generic/memory_model.h, include/linux/mmzone.h: from a page frame to its `struct page`, by what
// VMCOREINFO says alone, so that it works while symbols and types are not read yet.
//
//   pfn / pages per section -> section number -> mem_section[root][...].section_mem_map
//   section_mem_map (without its flag bits) + pfn * sizeof(struct page) -> struct page
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type Pfn, pfn, type VirtAddr, virtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { perKernel } from './per_kernel.ts';

/** Flag bits at the low end of section_mem_map: seven at most so far (SECTION_MAP_LAST_BIT). */
const sectionFlags = 0xffn;
/** SECTION_HAS_MEM_MAP: the section has `struct page`s. */
const hasMemMap = 2n;
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

/** Where `struct page`s lie, on kernels with SPARSEMEM: every x86_64 and arm64 kernel. */
export class MemoryModel {
  /** Bytes in a `struct page`. */
  readonly pageStructSize: number;
  private readonly space: AddressSpace;
  private readonly roots: VirtAddr;
  private readonly rootCount: number;
  private readonly sectionSize: number;
  private readonly mapOffset: number;
  private readonly sectionsPerRoot: number;
  /** Page frames in a section. */
  readonly pagesPerSection: number;
  /** section_mem_map without its flags, by section number; null where the section has no memory map. */
  private readonly maps = new Map<number, bigint | null>();
  private bases: readonly bigint[] | null = null;

  private constructor(
    space: AddressSpace,
    roots: VirtAddr,
    layout: { rootCount: number; sectionSize: number; mapOffset: number; sectionBits: number; pageStructSize: number },
  ) {
    const { pageSize } = space.memory;
    this.space = space;
    this.roots = roots;
    this.rootCount = layout.rootCount;
    this.sectionSize = layout.sectionSize;
    this.mapOffset = layout.mapOffset;
    this.pageStructSize = layout.pageStructSize;
    this.sectionsPerRoot = Math.floor(pageSize / layout.sectionSize);
    this.pagesPerSection = 2 ** layout.sectionBits / pageSize;
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
    if (pageStructSize === null || pageStructSize < 32 || pageStructSize > 512) return null;
    if (sectionSize < 8 || sectionSize > space.memory.pageSize || mapOffset > sectionSize - 8) return null;
    if (!(sectionBits >= 20 && sectionBits <= 40) || rootCount > 1 << 26) return null;
    return new MemoryModel(space, roots, { rootCount, sectionSize, mapOffset, sectionBits, pageStructSize });
  }

  /** Virtual address of the `struct page` of a page frame; null where it has none or that cannot be read. */
  pageStruct(frame: Pfn): VirtAddr | null {
    const section = Math.floor(frame / this.pagesPerSection);
    let map = this.maps.get(section);
    if (map === undefined) {
      map = this.sectionMap(section);
      // what could not be read now may be readable once more is known of the kernel
      if (map !== null) this.maps.set(section, map);
    }
    return map === null ? null : virtAddr(map + BigInt(frame) * BigInt(this.pageStructSize));
  }

  /** The page frame whose `struct page` lies at an address; null where none does. */
  pfnOf(page: VirtAddr): Pfn | null {
    this.bases ??= this.mapBases();
    for (const base of this.bases) {
      const frame = Number(page - base) / this.pageStructSize;
      if (frame >= 0 && Number.isInteger(frame) && this.pageStruct(pfn(frame)) === page) return pfn(frame);
    }
    return null;
  }

  /** section_mem_map without its flags, each once: the same for all with SPARSEMEM_VMEMMAP, one a section without. */
  private mapBases(): bigint[] {
    const bases = new Set<bigint>();
    const described = Math.ceil(this.space.memory.maxPfn / this.pagesPerSection);
    const sections = Math.min(described, this.rootCount * this.sectionsPerRoot);
    let alike = 0;
    for (let section = 0; section < sections && alike < enoughAlike; section++) {
      if (this.pageStruct(pfn(section * this.pagesPerSection)) !== null) {
        bases.add(this.maps.get(section)!);
        alike = bases.size === 1 ? alike + 1 : 0;
      } else if (section % this.sectionsPerRoot === 0 && !this.hasRoot(section)) section += this.sectionsPerRoot - 1;
    }
    return [...bases];
  }

  /** Whether there are sections in the root that a section is of. */
  private hasRoot(section: number): boolean {
    try {
      return this.space.pointer(offsetBy(this.roots, Math.floor(section / this.sectionsPerRoot) * 8)) !== 0n;
    } catch (error) {
      if (error instanceof InquestError) return false;
      throw error;
    }
  }

  private sectionMap(section: number): bigint | null {
    try {
      const encoded = this.encodedMap(section)?.encoded ?? 0n;
      return encoded & hasMemMap ? encoded & ~sectionFlags : null;
    } catch (error) {
      if (error instanceof InquestError) return null;
      throw error;
    }
  }

  /** Where a section's `struct mem_section` lies, and its section_mem_map; null where its root has none. @throws MemoryFault */
  private encodedMap(section: number): { address: VirtAddr; encoded: bigint } | null {
    const root = Math.floor(section / this.sectionsPerRoot);
    if (root >= this.rootCount) return null;
    const sections = this.space.pointer(offsetBy(this.roots, root * 8));
    if (sections === 0n) return null;
    const address = offsetBy(sections, (section % this.sectionsPerRoot) * this.sectionSize);
    return { address, encoded: this.space.u64(offsetBy(address, this.mapOffset)) };
  }

  /** Every section that is present, ascending. A section that cannot be read is left out. */
  *sections(): Generator<MemorySection> {
    const described = Math.ceil(this.space.memory.maxPfn / this.pagesPerSection);
    for (let number = 0; number < Math.min(described, this.rootCount * this.sectionsPerRoot); number++) {
      if (number % this.sectionsPerRoot === 0 && !this.hasRoot(number)) {
        number += this.sectionsPerRoot - 1;
        continue;
      }
      const section = this.section(number);
      if (section?.isPresent) yield section;
    }
  }

  /** A section by its number; null where its struct cannot be read. */
  section(number: number): MemorySection | null {
    try {
      const found = this.encodedMap(number);
      if (found === null) return null;
      const { address, encoded } = found;
      const firstPfn = pfn(number * this.pagesPerSection);
      const map = virtAddr(encoded & ~sectionFlags);
      return {
        number,
        address,
        codedMap: map,
        map: offsetBy(map, BigInt(firstPfn) * BigInt(this.pageStructSize)),
        isPresent: (encoded & 1n) !== 0n,
        hasMap: (encoded & hasMemMap) !== 0n,
        isOnline: (encoded & 4n) !== 0n,
        isEarly: (encoded & 8n) !== 0n,
        isDevice: (encoded & 16n) !== 0n,
        firstPfn,
        pages: this.pagesPerSection,
      };
    } catch (error) {
      if (error instanceof InquestError) return null;
      throw error;
    }
  }
}

/** The memory model of a kernel; null where VMCOREINFO does not describe it. */
export const memoryModel = perKernel((kernel) => MemoryModel.open(kernel.space, kernel.vmcoreinfo));
