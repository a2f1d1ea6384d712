// Address spaces of arm64. Where the page tables cannot be read, the two linear mappings that VMCOREINFO describes:
//
//   kernel image: physical = va - kimage_voffset
//   linear map:   physical = va - PAGE_OFFSET + PHYS_OFFSET      PAGE_OFFSET = -(1 << VA_BITS), since 5.4
import { highHalf, lowHalf, type PhysAddr, physAddr, type VirtAddr, virtAddr } from '../../base/address.ts';
import { FormatError, MemoryFault } from '../../base/errors.ts';
import type { PhysicalMemory } from '../../dump/dump.ts';
import type { Vmcoreinfo } from '../../dump/vmcoreinfo.ts';
import { KernelSpace, MappedSpace, type SymbolAddress } from '../kernel_space.ts';
import type { PageWalk } from '../page_walk.ts';
import { Arm64PageTables, type Arm64Paging, isKernelExecutable } from './paging.ts';

/** The kernel's image is smaller than this; how far from `_stext` its mapping is trusted without tables. */
const maxImageSize = 0x1000_0000n;

/** What VMCOREINFO says of an arm64 kernel's memory. */
export interface Arm64Layout {
  readonly paging: Arm64Paging;
  /** First address of the kernel's half: -(1 << VA_BITS), of those that the CPU really uses. */
  readonly kernelStart: bigint;
  /** Physical address of `swapper_pg_dir`. */
  readonly pageTableRoot: PhysAddr;
  /** Virtual less physical address of the kernel's image, modulo 2^64. */
  readonly imageOffset: bigint;
  readonly stext: VirtAddr | null;
  /** First address of the linear map, and what is added to `va - start`; null before 5.4, when it lay elsewhere. */
  readonly linearMap: { readonly start: bigint; readonly end: bigint; readonly physOffset: bigint } | null;
}

/** @throws FormatError where keys are missing that nothing can replace */
export function arm64LayoutFromVmcoreinfo(info: Vmcoreinfo, pageSize: number): Arm64Layout {
  const root = info.symbol('swapper_pg_dir');
  const imageOffset = info.number('kimage_voffset'); // since 4.10
  const configuredBits = info.number('VA_BITS');
  if (root === null || imageOffset === null || configuredBits === null) {
    throw new FormatError(
      'VMCOREINFO of arm64',
      'has no SYMBOL(swapper_pg_dir), NUMBER(kimage_voffset) or NUMBER(VA_BITS)',
    );
  }
  const pageShift = Math.log2(info.pageSize ?? pageSize);
  // TCR_EL1_T1SZ since 5.7: what the CPU really uses where VA_BITS is 52
  const t1sz = info.number('TCR_EL1_T1SZ');
  const actualBits = t1sz === null ? Number(configuredBits) : 64 - Number(t1sz);
  // Tables of 64 KiB pages keep their 52-bit shape on CPUs with 48 bits; those of smaller pages lose a level.
  const vaBits = pageShift === 16 ? Number(configuredBits) : actualBits;
  const isSane = (bits: number | bigint): boolean => bits >= 36 && bits <= 52;
  if (!isSane(vaBits) || !isSane(configuredBits) || !isSane(actualBits) || ![12, 14, 16].includes(pageShift)) {
    throw new FormatError(
      'VMCOREINFO of arm64',
      `${vaBits} bits of virtual address with pages of 2^${pageShift} bytes`,
    );
  }
  const physicalRoot = BigInt.asUintN(64, root - imageOffset);
  if (physicalRoot > 0xf_ffff_ffff_ffffn) {
    throw new FormatError('VMCOREINFO of arm64', `swapper_pg_dir at physical 0x${physicalRoot.toString(16)}`);
  }
  const physOffset = info.number('PHYS_OFFSET');
  const vmallocStart = info.number('VMALLOC_START');
  const start = (1n << 64n) - (1n << BigInt(actualBits));
  const end = start + (1n << BigInt(actualBits - 1));
  const isFlipped = vmallocStart !== null && BigInt.asUintN(64, vmallocStart) >= end;
  // Kernels for 52 bits that run with fewer count from where a map of 52 bits would start, which makes PHYS_OFFSET
  // negative (arm64_memblock_init(), 7bc1a0f9e176, 5.11).
  const counted = (offset: bigint): bigint =>
    offset >> 52n === 0n ? offset : BigInt.asUintN(64, offset + (1n << configuredBits) - (1n << BigInt(actualBits)));
  return {
    paging: { pageShift, vaBits, lpa2: vaBits > 48 && pageShift < 16 },
    kernelStart: start,
    pageTableRoot: physAddr(Number(physicalRoot)),
    imageOffset: BigInt.asUintN(64, imageOffset),
    stext: info.symbol('_stext'),
    linearMap:
      physOffset !== null && isFlipped ? { start, end, physOffset: counted(BigInt.asUintN(64, physOffset)) } : null,
  };
}

/** Where one of these functions is, pointers carry tags: KASAN's, checked by software or by the CPU (MTE). */
const taggingFunctions: readonly string[] = ['kasan_random_tag', 'kasan_init_hw_tags_cpu'];

const tagMask = 0xff00_0000_0000_0000n;

export class Arm64KernelSpace extends KernelSpace {
  readonly layout: Arm64Layout;
  private readonly tables: Arm64PageTables;
  private tags = false;

  constructor(memory: PhysicalMemory, layout: Arm64Layout) {
    super(memory, 'kernel');
    this.layout = layout;
    this.tables = new Arm64PageTables(memory, layout.pageTableRoot, layout.paging, 'kernel');
  }

  override translate(address: VirtAddr): PhysAddr {
    try {
      return this.tables.translate(lowHalf(address), highHalf(address));
    } catch (error) {
      if (!(error instanceof MemoryFault) || error.reason === 'not-mapped') throw error;
      const physical = this.withoutTables(this.untagged(address));
      if (physical === null || physical > BigInt(Number.MAX_SAFE_INTEGER)) throw error;
      return physAddr(Number(physical));
    }
  }

  override useSymbols(address: SymbolAddress): void {
    this.tags = taggingFunctions.some((name) => address(name) !== null);
    if (this.tags) this.tables.acceptTags();
  }

  override untagged(value: bigint): VirtAddr {
    return virtAddr(this.tags && (value | tagMask) >= this.layout.kernelStart ? value | tagMask : value);
  }

  override linearAddress(physical: PhysAddr): VirtAddr | null {
    const { linearMap } = this.layout;
    if (linearMap === null) return null;
    const address = BigInt.asUintN(64, BigInt(physical) - linearMap.physOffset + linearMap.start);
    return address >= linearMap.start && address < linearMap.end ? virtAddr(address) : null;
  }

  override walk(address: VirtAddr): PageWalk {
    return this.tables.walk(address);
  }

  protected override mayExecute({ entries, physical }: PageWalk): boolean {
    return physical !== null && isKernelExecutable(entries.at(-1)!.value);
  }

  /** Physical address by the linear mappings alone; null outside them. */
  private withoutTables(address: VirtAddr): bigint | null {
    const { linearMap, stext, imageOffset } = this.layout;
    if (linearMap !== null && address >= linearMap.start && address < linearMap.end) {
      return BigInt.asUintN(64, address - linearMap.start + linearMap.physOffset);
    }
    if (stext !== null && address >= stext && address - stext < maxImageSize) {
      return BigInt.asUintN(64, address - imageOffset);
    }
    return null;
  }
}

/** The address space of one process, from its `mm->pgd`. */
export class Arm64UserSpace extends MappedSpace {
  private readonly tables: Arm64PageTables;

  /** @param pgd physical address of the process's top table */
  constructor(memory: PhysicalMemory, pgd: PhysAddr, paging: Arm64Paging) {
    super(memory, 'user');
    this.tables = new Arm64PageTables(memory, pgd, paging, 'user');
  }

  override translate(address: VirtAddr): PhysAddr {
    return this.tables.translate(lowHalf(address), highHalf(address));
  }

  override walk(address: VirtAddr): PageWalk {
    return this.tables.walk(address);
  }
}
