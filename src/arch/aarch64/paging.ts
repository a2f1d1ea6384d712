// The arm64 page-table walk (Arm ARM DDI 0487, D8 "The AArch64 Virtual Memory System Architecture";
// arch/arm64/include/asm/pgtable-hwdef.h), for granules of 4, 16 and 64 KiB.
//
//   TTBR --> PGD [--> P4D] [--> PUD] [--> PMD] --> PTE --> page       each table is a page
//                       blocks: 1 GiB  2 MiB with pages of 4 KiB; 32 MiB with 16; 512 MiB with 64
//
// Addresses and descriptors are pairs of unsigned 32-bit halves here, as on x86_64.
import { type PhysAddr, pfn, physAddr, type VirtAddr } from '../../base/address.ts';
import { type FaultReason, MemoryFault } from '../../base/errors.ts';
import type { PhysicalMemory } from '../../dump/dump.ts';
import type { EntryMeaning, PageTableEntry, PageTableLevel, PageWalk, SwapSlot } from '../page_walk.ts';

/** Shape of one tree of page tables. */
export interface Arm64Paging {
  /** log2 of the page size: 12, 14 or 16. */
  readonly pageShift: number;
  /** Bits of a virtual address that the top table's index and everything below it take. */
  readonly vaBits: number;
  /** Physical addresses of 52 bits in descriptors of 4 or 16 KiB granules (FEAT_LPA2). */
  readonly lpa2: boolean;
}

interface Level {
  readonly name: PageTableLevel;
  /** Lowest bit of the address that this level's index takes. */
  readonly shift: number;
  readonly mask: number;
}

/** Levels by how many there are; the kernel folds P4D first, then PUD, then PMD. */
const levelNames: readonly (readonly PageTableLevel[])[] = [
  [],
  ['PTE'],
  ['PGD', 'PTE'],
  ['PGD', 'PMD', 'PTE'],
  ['PGD', 'PUD', 'PMD', 'PTE'],
  ['PGD', 'P4D', 'PUD', 'PMD', 'PTE'],
];

/** The levels of a tree, top first. */
function levelsOf({ pageShift, vaBits }: Arm64Paging): Level[] {
  const perLevel = pageShift - 3;
  const count = Math.ceil((vaBits - pageShift) / perLevel);
  return levelNames[count]!.map((name, i) => {
    const shift = pageShift + (count - 1 - i) * perLevel;
    return { name, shift, mask: 2 ** Math.min(perLevel, vaBits - shift) - 1 };
  });
}

// Bits of a descriptor: of its low half, and of its high half.
const valid = 1;
const tableOrPage = 2;
/** PXN, bit 53 of a block's or page's descriptor: not for the kernel to execute. */
const pxnBit = 53n;

/** Names of a descriptor's flags as the kernel has them less `PTE_`, in crash(8)'s choice, lowest bit first. */
const flagBits: readonly (readonly [bit: bigint, name: string])[] = [
  [0n, 'VALID'],
  [6n, 'USER'],
  [7n, 'RDONLY'],
  [8n, 'SHARED'],
  [10n, 'AF'],
  [11n, 'NG'],
  [53n, 'PXN'],
  [54n, 'UXN'],
  [55n, 'DIRTY'],
  [56n, 'SPECIAL'],
];
/** Bits 8 and 9 are one field (SH): of it, inner shareable has both. With LPA2 they are of the address. */
const sharedMask = 0x300n;

/** Whether the kernel may execute what a descriptor maps. */
export function isKernelExecutable(value: bigint): boolean {
  return ((value >> pxnBit) & 1n) === 0n;
}

/** What a descriptor says by itself. Where a page was swapped to is not told: the format has changed too often. */
export function describeEntry(value: bigint, level: PageTableLevel, paging: Arm64Paging): EntryMeaning {
  const isSet = (bit: bigint, name: string): boolean =>
    name === 'SHARED' ? !paging.lpa2 && (value & sharedMask) === sharedMask : ((value >> bit) & 1n) === 1n;
  const flags = flagBits.filter(([bit, name]) => isSet(bit, name)).map(([, name]) => name);
  const low = Number(value & 0xffff_ffffn);
  const high = Number((value >> 32n) & 0xffff_ffffn);
  if ((low & valid) === 0) return { present: false, physical: null, flags, swap: null };
  const found = levelsOf(paging).find(({ name }) => name === level);
  const isBlock = found !== undefined && level !== 'PTE' && (low & tableOrPage) === 0;
  const size = 2 ** (isBlock ? found.shift : paging.pageShift);
  const output = outputAddress(low, high, paging);
  return { present: true, physical: physAddr(output - (output % size)), flags, swap: null };
}

/**
 * Ways of writing a swap entry (arch/arm64/include/asm/pgtable.h): type in bits 6 to 10 and offset in 12 to 61 since 6.14;
 * type in 3 to 7 and offset in 8 to 57 since 570ef363509b (5.19); type in 2 to 7 before.
 */
const swapForms = [
  { type: 6n, typeBits: 5, offset: 12n },
  { type: 3n, typeBits: 5, offset: 8n },
  { type: 2n, typeBits: 6, offset: 8n },
] as const;
const swapOffsetBits = 50;

/** Where a descriptor that maps nothing says that its page was swapped to, in every way that there has been. */
export function swapSlots(value: bigint): SwapSlot[] {
  if (value === 0n || (value & BigInt(valid)) !== 0n) return [];
  return swapForms.map(({ type, typeBits, offset }) => ({
    type: Number(BigInt.asUintN(typeBits, value >> type)),
    offset: BigInt.asUintN(swapOffsetBits, value >> offset),
  }));
}

/** Address in a descriptor, page-aligned. */
function outputAddress(low: number, high: number, { pageShift, lpa2 }: Arm64Paging): number {
  const bits = lpa2 ? 0x3_ffff : 0xffff;
  let output = (high & bits) * 2 ** 32 + ((low & (2 ** 32 - 2 ** pageShift)) >>> 0);
  if (lpa2) output += ((low >>> 8) & 3) * 2 ** 50;
  else if (pageShift === 16) output += ((low >>> 12) & 0xf) * 2 ** 48;
  return output;
}

/** Translations remembered; a power of two. */
const tlbSize = 1024;

/** One tree of page tables. */
export class Arm64PageTables {
  private readonly memory: PhysicalMemory;
  private readonly root: PhysAddr;
  private readonly space: 'kernel' | 'user';
  private readonly paging: Arm64Paging;
  private readonly levels: readonly Level[];
  private readonly tlbTag = new Float64Array(tlbSize).fill(-1);
  private readonly tlbPage = new Float64Array(tlbSize);
  /** Bits of an address's high half that are all as bit 55 is: those above what the tables take, below the tag. */
  private readonly extension: number;
  private tags: boolean;
  // the descriptor last read
  private low = 0;
  private high = 0;

  constructor(memory: PhysicalMemory, root: PhysAddr, paging: Arm64Paging, space: 'kernel' | 'user') {
    this.memory = memory;
    this.root = root;
    this.space = space;
    this.paging = paging;
    this.levels = levelsOf(paging);
    this.extension = 0x00ff_ffff & ~(2 ** (paging.vaBits - 32) - 1);
    this.tags = space === 'user'; // d50240a5f6ce (4.0) and before: TCR_TBI0
  }

  /** The top byte of addresses is a tag, and ignored (TBI): in processes always, in the kernel where KASAN puts some. */
  acceptTags(): void {
    this.tags = true;
  }

  /**
   * Physical address of the virtual address with these unsigned halves.
   * @throws MemoryFault as `AddressSpace.translate`
   */
  translate(low: number, high: number): PhysAddr {
    const { pageShift } = this.paging;
    const inPage = low & (2 ** pageShift - 1);
    const page = high * 2 ** (32 - pageShift) + (low >>> pageShift);
    const slot = (low >>> pageShift) & (tlbSize - 1);
    if (this.tlbTag[slot] === page) return physAddr(this.tlbPage[slot]! + inPage);
    const physical = this.lookUp(low, high, null);
    if (typeof physical !== 'number') throw physical;
    this.tlbTag[slot] = page;
    this.tlbPage[slot] = physical - inPage;
    return physAddr(physical);
  }

  /** The whole way through the tables, for people who want to see it. Throws nothing. */
  walk(address: VirtAddr): PageWalk {
    const entries: PageTableEntry[] = [];
    const result = this.lookUp(Number(address & 0xffff_ffffn), Number(address >> 32n), entries);
    if (typeof result !== 'number') return { entries, pageSize: null, physical: null, fault: result, swap: null };
    const { shift } = this.levels[entries.length - 1]!;
    return { entries, pageSize: 2 ** shift, physical: physAddr(result), fault: null, swap: null };
  }

  /** The physical address, or the fault. Each descriptor passed is added to `trace`. */
  private lookUp(low: number, high: number, trace: PageTableEntry[] | null): number | MemoryFault {
    // where the top byte is a tag, it is no part of the address: bit 55 tells the half
    const isKernel = (high & 0x0080_0000) !== 0;
    const isAddress =
      (high & this.extension) === (isKernel ? this.extension : 0) &&
      (this.tags || high >>> 24 === (isKernel ? 0xff : 0));
    if (!isAddress || isKernel !== (this.space === 'kernel')) return this.fault(low, high, 'not-mapped', '');
    let table: number = this.root;
    for (const { name, shift, mask } of this.levels) {
      const index = (shift >= 32 ? high >>> (shift - 32) : (low >>> shift) | (high << (32 - shift))) & mask;
      const problem = this.step(table + index * 8);
      if (problem !== null) return this.fault(low, high, problem, `table at physical ${table.toString(16)}`);
      trace?.push({
        level: name,
        entryAddress: physAddr(table + index * 8),
        value: (BigInt(this.high) << 32n) | BigInt(this.low),
      });
      if ((this.low & valid) === 0) {
        const swapped = this.space === 'user' && name === 'PTE' && (this.low !== 0 || this.high !== 0);
        return this.fault(low, high, swapped ? 'swapped' : 'not-mapped', '');
      }
      const isLeaf = name === 'PTE' || (this.low & tableOrPage) === 0;
      const size = 2 ** (isLeaf ? shift : this.paging.pageShift);
      const output = outputAddress(this.low, this.high, this.paging);
      const base = output - (output % size);
      if (isLeaf) {
        const inPage = shift >= 32 ? (high & (2 ** (shift - 32) - 1)) * 2 ** 32 + low : (low & (size - 1)) >>> 0;
        return base + inPage;
      }
      table = base;
    }
    return this.fault(low, high, 'not-mapped', '');
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
