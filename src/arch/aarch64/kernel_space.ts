// Address spaces of arm64 (Arm ARM DDI 0487, D8 "The AArch64 Virtual Memory System Architecture";
// arch/arm64/include/asm/pgtable-hwdef.h). Page-table walk for granules of 4, 16 and 64 KiB; where the
// tables cannot be read, the two linear mappings that VMCOREINFO describes:
//
//   kernel image: physical = va - kimage_voffset
//   linear map:   physical = va - PAGE_OFFSET + PHYS_OFFSET      PAGE_OFFSET = -(1 << VA_BITS), since 5.4
import { type PhysAddr, pfn, physAddr, type VirtAddr, virtAddr } from '../../base/address.ts';
import { type FaultReason, FormatError, MemoryFault } from '../../base/errors.ts';
import type { PhysicalMemory } from '../../dump/dump.ts';
import type { Vmcoreinfo } from '../../dump/vmcoreinfo.ts';
import { AddressSpace } from '../address_space.ts';

/** Shape of one tree of page tables. */
export interface Arm64Paging {
  /** log2 of the page size: 12, 14 or 16. */
  readonly pageShift: number;
  /** Bits of a virtual address that the top table's index and everything below it take. */
  readonly vaBits: number;
  /** Physical addresses of 52 bits in descriptors of 4 or 16 KiB granules (FEAT_LPA2). */
  readonly lpa2: boolean;
}

/** Translations remembered; a power of two. */
const tlbSize = 1024;
/** Pages of which `isExecutable` remembers its answer. */
const maxRememberedPages = 65536;
/** The kernel's image is smaller than this; how far from `_stext` its mapping is trusted without tables. */
const maxImageSize = 0x1000_0000n;

/** PXN, bit 53 of a block's or page's descriptor, in its upper half: not for the kernel to execute. */
const pxnBit = 1 << 21;

/** One tree of page tables. */
class Arm64PageTables {
  private readonly memory: PhysicalMemory;
  private readonly root: PhysAddr;
  private readonly space: 'kernel' | 'user';
  private readonly pageShift: number;
  private readonly topShift: number;
  private readonly topMask: number;
  private readonly lpa2: boolean;
  private readonly tlbTag = new Float64Array(tlbSize).fill(-1);
  private readonly tlbPage = new Float64Array(tlbSize);
  private low = 0;
  private high = 0;

  constructor(memory: PhysicalMemory, root: PhysAddr, paging: Arm64Paging, space: 'kernel' | 'user') {
    this.memory = memory;
    this.root = root;
    this.space = space;
    this.pageShift = paging.pageShift;
    this.lpa2 = paging.lpa2;
    const perLevel = paging.pageShift - 3;
    const levels = Math.ceil((paging.vaBits - paging.pageShift) / perLevel);
    this.topShift = paging.pageShift + (levels - 1) * perLevel;
    this.topMask = 2 ** (paging.vaBits - this.topShift) - 1;
  }

  translate(low: number, high: number): PhysAddr {
    const pageSize = 2 ** this.pageShift;
    const inPage = low & (pageSize - 1);
    const page = high * 2 ** (32 - this.pageShift) + (low >>> this.pageShift);
    const slot = (low >>> this.pageShift) & (tlbSize - 1);
    if (this.tlbTag[slot] === page) return physAddr(this.tlbPage[slot]! + inPage);
    const physical = this.walk(low, high);
    this.tlbTag[slot] = page;
    this.tlbPage[slot] = physical - inPage;
    return physAddr(physical);
  }

  /** Whether the kernel may execute what is mapped there (PXN of the last descriptor is clear). Throws nothing. */
  isExecutable(low: number, high: number): boolean {
    try {
      this.walk(low, high);
    } catch (error) {
      if (error instanceof MemoryFault) return false;
      throw error;
    }
    return (this.high & pxnBit) === 0;
  }

  private walk(low: number, high: number): number {
    // top byte ignored (TBI): tags of user pointers are no part of the address, so bit 55 tells the half
    const isKernel = (high & 0x0080_0000) !== 0;
    if (isKernel !== (this.space === 'kernel')) throw this.fault(low, high, 'not-mapped', '');
    let table: number = this.root;
    for (let shift = this.topShift; shift >= this.pageShift; shift -= this.pageShift - 3) {
      const mask = shift === this.topShift ? this.topMask : 2 ** (this.pageShift - 3) - 1;
      const index = (shift >= 32 ? high >>> (shift - 32) : (low >>> shift) | (high << (32 - shift))) & mask;
      const problem = this.step(table + index * 8);
      if (problem !== null) throw this.fault(low, high, problem, `table at physical ${table.toString(16)}`);
      if ((this.low & 1) === 0) {
        const swapped = this.space === 'user' && shift === this.pageShift && (this.low !== 0 || this.high !== 0);
        throw this.fault(low, high, swapped ? 'swapped' : 'not-mapped', '');
      }
      const isLeaf = shift === this.pageShift || (this.low & 2) === 0;
      const size = 2 ** (isLeaf ? shift : this.pageShift);
      const output = this.outputAddress();
      const base = output - (output % size);
      if (isLeaf) {
        const inPage = shift >= 32 ? (high & (2 ** (shift - 32) - 1)) * 2 ** 32 + low : (low & (size - 1)) >>> 0;
        return base + inPage;
      }
      table = base;
    }
    throw this.fault(low, high, 'not-mapped', '');
  }

  /** Address in the descriptor last read, page-aligned. */
  private outputAddress(): number {
    const bits = this.lpa2 ? 0x3_ffff : 0xffff;
    let output = (this.high & bits) * 2 ** 32 + ((this.low & (2 ** 32 - 2 ** this.pageShift)) >>> 0);
    if (this.lpa2) output += ((this.low >>> 8) & 3) * 2 ** 50;
    else if (this.pageShift === 16) output += ((this.low >>> 12) & 0xf) * 2 ** 48;
    return output;
  }

  private step(address: number): FaultReason | null {
    let page: Uint8Array;
    try {
      page = this.memory.page(pfn(Math.floor(address / this.memory.pageSize)));
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      return error.reason === 'excluded' ? 'not-mapped' : error.reason; // an empty table, as on x86_64
    }
    const at = address % this.memory.pageSize;
    this.low = (page[at]! | (page[at + 1]! << 8) | (page[at + 2]! << 16) | (page[at + 3]! << 24)) >>> 0;
    this.high = (page[at + 4]! | (page[at + 5]! << 8) | (page[at + 6]! << 16) | (page[at + 7]! << 24)) >>> 0;
    return null;
  }

  private fault(low: number, high: number, reason: FaultReason, detail: string): MemoryFault {
    return new MemoryFault(this.space, (BigInt(high) << 32n) | BigInt(low), reason, detail);
  }
}

/** What VMCOREINFO says of an arm64 kernel's memory. */
export interface Arm64Layout {
  readonly paging: Arm64Paging;
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
    pageTableRoot: physAddr(Number(physicalRoot)),
    imageOffset: BigInt.asUintN(64, imageOffset),
    stext: info.symbol('_stext'),
    linearMap:
      physOffset !== null && isFlipped ? { start, end, physOffset: counted(BigInt.asUintN(64, physOffset)) } : null,
  };
}

export class Arm64KernelSpace extends AddressSpace {
  readonly layout: Arm64Layout;
  private readonly tables: Arm64PageTables;
  private readonly executable = new Map<bigint, boolean>();

  constructor(memory: PhysicalMemory, layout: Arm64Layout) {
    super(memory, 'kernel');
    this.layout = layout;
    this.tables = new Arm64PageTables(memory, layout.pageTableRoot, layout.paging, 'kernel');
  }

  override translate(address: VirtAddr): PhysAddr {
    try {
      return this.tables.translate(Number(address & 0xffff_ffffn), Number(address >> 32n));
    } catch (error) {
      if (!(error instanceof MemoryFault) || error.reason === 'not-mapped') throw error;
      const physical = this.withoutTables(address);
      if (physical === null || physical > BigInt(Number.MAX_SAFE_INTEGER)) throw error;
      return physAddr(Number(physical));
    }
  }

  override linearAddress(physical: PhysAddr): VirtAddr | null {
    const { linearMap } = this.layout;
    if (linearMap === null) return null;
    const address = BigInt.asUintN(64, BigInt(physical) - linearMap.physOffset + linearMap.start);
    return address >= linearMap.start && address < linearMap.end ? virtAddr(address) : null;
  }

  /** Whether the kernel may execute what is mapped at an address; remembered by page. Throws nothing. */
  isExecutable(address: VirtAddr): boolean {
    const page = address >> BigInt(this.layout.paging.pageShift);
    let known = this.executable.get(page);
    if (known === undefined) {
      known = this.tables.isExecutable(Number(address & 0xffff_ffffn), Number(address >> 32n));
      if (this.executable.size >= maxRememberedPages) this.executable.clear();
      this.executable.set(page, known);
    }
    return known;
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

  /** The address space of a process. @param pgd physical address of its top table */
  userSpace(pgd: PhysAddr): AddressSpace {
    return new Arm64UserSpace(this.memory, pgd, this.layout.paging);
  }
}

class Arm64UserSpace extends AddressSpace {
  private readonly tables: Arm64PageTables;

  constructor(memory: PhysicalMemory, pgd: PhysAddr, paging: Arm64Paging) {
    super(memory, 'user');
    this.tables = new Arm64PageTables(memory, pgd, paging, 'user');
  }

  override translate(address: VirtAddr): PhysAddr {
    return this.tables.translate(Number(address & 0xffff_ffffn), Number(address >> 32n));
  }
}
