// The address spaces of x86_64 (Documentation/arch/x86/x86_64/mm.rst): the kernel's, and one per process.
//
//   ffffffff80000000  kernel image: physical = va - __START_KERNEL_map + phys_base
//   page_offset_base  direct map:   physical = va - page_offset_base
//   everything else   page tables
import { highHalf, lowHalf, type PhysAddr, physAddr, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { PhysicalMemory } from '../../dump/dump.ts';
import type { Vmcoreinfo } from '../../dump/vmcoreinfo.ts';
import { KernelSpace, MappedSpace, type SymbolAddress } from '../kernel_space.ts';
import type { PageWalk } from '../page_walk.ts';
import { type PagingMode, X86PageTables } from './paging.ts';

/** Where the kernel's image is linked, without KASLR (arch/x86/include/asm/page_64_types.h). */
export const START_KERNEL_MAP = 0xffff_ffff_8000_0000n;
/** High half of every address of the image mapping, and the low half of its start. */
const imageHigh = 0xffff_ffff;
const imageLow = 0x8000_0000;
/** KERNEL_IMAGE_SIZE with KASLR; half of it without. */
const defaultImageSize = 1024 * 1024 * 1024;
/**
 * Where the direct map lies on kernels without CONFIG_RANDOMIZE_MEMORY: __PAGE_OFFSET_BASE_L4 and _L5
 * (arch/x86/include/asm/page_64_types.h), and where they were before d52888aa2753 (4.20).
 */
export const fixedDirectMaps: Readonly<Record<4 | 5, readonly bigint[]>> = {
  4: [0xffff_8880_0000_0000n, 0xffff_8800_0000_0000n],
  5: [0xff11_0000_0000_0000n, 0xff10_0000_0000_0000n],
};

/** What must be known to translate the first kernel address. */
export interface X86Layout extends PagingMode {
  /** Physical address of `init_top_pgt` (`swapper_pg_dir`). */
  readonly pageTableRoot: PhysAddr;
  /** The kernel's `phys_base`: physical address of the image less its linked offset; often negative under KASLR. */
  readonly physBase: number;
  /** Bytes from __START_KERNEL_map that may hold the kernel's image. */
  readonly imageSize: number;
  /** Distance that KASLR moved the image, in bytes; null where unknown. */
  readonly kaslrOffset: bigint | null;
  /** `_stext`, virtual; null where unknown. */
  readonly stext: VirtAddr | null;
  /** How this was found, when not told by VMCOREINFO; else null. */
  readonly note: string | null;
}

/** Layout from VMCOREINFO; null where keys are missing (NUMBER(phys_base) since 4.10): see `locateX86Kernel`. */
export function layoutFromVmcoreinfo(info: Vmcoreinfo): X86Layout | null {
  // init_top_pgt was init_level4_pgt until 4.13; swapper_pg_dir is the generic alias of both.
  const root = info.symbol('swapper_pg_dir') ?? info.symbol('init_top_pgt') ?? info.symbol('init_level4_pgt');
  const physBase = info.number('phys_base');
  if (root === null || physBase === null || root < START_KERNEL_MAP) return null;
  // phys_base is an unsigned long printed with %ld.
  const base = Number(BigInt.asIntN(64, physBase));
  const pageTableRoot = Number(root - START_KERNEL_MAP) + base;
  if (!Number.isSafeInteger(base) || pageTableRoot < 0 || pageTableRoot % 4096 !== 0) return null;
  const size = info.number('KERNEL_IMAGE_SIZE');
  return {
    pageTableRoot: physAddr(pageTableRoot),
    physBase: base,
    levels: (info.number('pgtable_l5_enabled') ?? 0n) !== 0n ? 5 : 4,
    encryptionMask: BigInt.asUintN(64, info.number('sme_mask') ?? 0n),
    imageSize: size !== null && size > 0n && size <= 0x8000_0000n ? Number(size) : defaultImageSize,
    kaslrOffset: info.kernelOffset,
    stext: info.symbol('_stext'),
    note: null,
  };
}

/** The kernel's own address space. */
export class X86KernelSpace extends KernelSpace {
  readonly layout: X86Layout;
  private readonly tables: X86PageTables;
  // Direct map as unsigned halves of its base, and its length in bytes; 0 before it is known.
  private directLow = 0;
  private directHigh = 0;
  private directSize = 0;
  // Kernel image, as low halves relative to START_KERNEL_MAP; empty before it is known.
  private imageStart = 0;
  private imageEnd = 0;

  constructor(memory: PhysicalMemory, layout: X86Layout) {
    super(memory, 'kernel');
    this.layout = layout;
    this.tables = new X86PageTables(memory, layout.pageTableRoot, layout, 'kernel');
  }

  /**
   * Makes the direct map known, so that it needs no page tables: [base, base + size).
   * @param base content of `page_offset_base`
   * @param size bytes; by default as far as the dump describes physical memory
   */
  useDirectMap(base: VirtAddr, size = this.memory.maxPfn * this.memory.pageSize): void {
    this.directLow = Number(base & 0xffff_ffffn);
    this.directHigh = Number(base >> 32n);
    this.directSize = size;
  }

  /** Makes the extent of the kernel's image known, [start, end): `_text` to `_end`. Ranges outside the image mapping are ignored. */
  useKernelImage(start: VirtAddr, end: VirtAddr): void {
    if (start < START_KERNEL_MAP || end <= start || end - START_KERNEL_MAP > BigInt(this.layout.imageSize)) return;
    if (Number(start - START_KERNEL_MAP) + this.layout.physBase < 0) return;
    this.imageStart = Number(start - START_KERNEL_MAP);
    this.imageEnd = Number(end - START_KERNEL_MAP);
  }

  override forget(): void {
    super.forget();
    this.tables.forget();
  }

  override useSymbols(address: SymbolAddress): void {
    const start = address('_text') ?? address('_stext');
    const end = address('_end');
    if (start !== null && end !== null) this.useKernelImage(start, end);
    const variable = address('page_offset_base');
    try {
      const bases = variable === null ? fixedDirectMaps[this.layout.levels] : [this.pointer(variable)];
      // trusted only if the page tables agree about one address in it: their own
      const root = this.layout.pageTableRoot;
      const base = bases.find((at) => this.walk(virtAddr(at + BigInt(root))).physical === root);
      if (base !== undefined) this.useDirectMap(virtAddr(base));
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
    }
  }

  override linearAddress(physical: PhysAddr): VirtAddr | null {
    if (this.directSize === 0) return null;
    return virtAddr((BigInt(this.directHigh) << 32n) + BigInt(this.directLow) + BigInt(physical));
  }

  override translate(address: VirtAddr): PhysAddr {
    const low = lowHalf(address);
    const high = highHalf(address);
    if (this.directSize > 0) {
      const offset = (high - this.directHigh) * 2 ** 32 + (low - this.directLow);
      if (offset >= 0 && offset < this.directSize) return physAddr(offset);
    }
    if (high === imageHigh && low >= imageLow) {
      const offset = low - imageLow;
      if (offset >= this.imageStart && offset < this.imageEnd) return physAddr(offset + this.layout.physBase);
    }
    try {
      return this.tables.translate(low, high);
    } catch (error) {
      // Tables that cannot be read hide nothing of the image mapping, which is linear.
      if (!(error instanceof MemoryFault) || error.reason === 'not-mapped') throw error;
      const physical = low - imageLow + this.layout.physBase;
      if (high !== imageHigh || low < imageLow || low - imageLow >= this.layout.imageSize || physical < 0) throw error;
      return physAddr(physical);
    }
  }

  override walk(address: VirtAddr): PageWalk {
    return this.tables.walk(address);
  }

  /** NX, the highest bit, at any level. */
  protected override mayExecute({ entries, physical }: PageWalk): boolean {
    return physical !== null && entries.every(({ value }) => value >> 63n === 0n);
  }
}

/** The address space of one process, from its `mm->pgd`. */
export class X86UserSpace extends MappedSpace {
  private readonly tables: X86PageTables;

  /** @param pgd physical address of the process's top table */
  constructor(memory: PhysicalMemory, pgd: PhysAddr, mode: PagingMode) {
    super(memory, 'user');
    this.tables = new X86PageTables(memory, pgd, mode, 'user');
  }

  override translate(address: VirtAddr): PhysAddr {
    return this.tables.translate(lowHalf(address), highHalf(address));
  }

  override walk(address: VirtAddr): PageWalk {
    return this.tables.walk(address);
  }
}
