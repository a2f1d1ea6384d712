// The x86_64 page-table walk, 4 and 5 levels (Intel SDM volume 3, chapter 4; arch/x86/include/asm/pgtable_types.h).
//
//   CR3 --> PGD [--> P4D] --> PUD --> PMD --> PTE --> 4 KiB page
//                              |       '-- PSE: 2 MiB page
//                              '-- PSE: 1 GiB page
//
// Addresses and entries are pairs of unsigned 32-bit halves here: a bigint step costs 30 times as much.
import { type PhysAddr, pfn, physAddr, type VirtAddr } from '../../base/address.ts';
import { type FaultReason, MemoryFault } from '../../base/errors.ts';
import type { PhysicalMemory } from '../../dump/dump.ts';
import type { EntryMeaning, PageTableEntry, PageTableLevel, PageWalk, SwapSlot } from '../page_walk.ts';

/** How this kernel's page tables are to be read. */
export interface PagingMode {
  /** 5 with CONFIG_X86_5LEVEL on a CPU with LA57, else 4. */
  readonly levels: 4 | 5;
  /** Bits of an entry that say "encrypted" and are no part of the address (AMD SME/SEV, `sme_me_mask`); 0 without. */
  readonly encryptionMask: bigint;
}

// Bits in the low half of an entry.
const PRESENT = 0x1;
const PSE = 0x80;
const PROT_NONE = 0x100; // _PAGE_BIT_GLOBAL of an entry that is not PRESENT

/** Names of an entry's flag bits, as the kernel calls them less `_PAGE_`, lowest bit first. */
const flagNames: readonly (readonly [bit: bigint, name: string])[] = [
  [0n, 'PRESENT'],
  [1n, 'RW'],
  [2n, 'USER'],
  [3n, 'PWT'],
  [4n, 'PCD'],
  [5n, 'ACCESSED'],
  [6n, 'DIRTY'],
  [7n, 'PSE'],
  [8n, 'GLOBAL'],
  [63n, 'NX'],
];

/**
 * The set flags of an entry, in crash(8)'s words. Bit 7 of a last-level entry is PAT, not PSE; bit 8 of
 * an entry that is not present is PROTNONE, not GLOBAL.
 */
export function entryFlags(value: bigint, level: PageTableLevel): string[] {
  const names: string[] = [];
  for (const [bit, name] of flagNames) {
    if (((value >> bit) & 1n) === 0n) continue;
    if (name === 'PSE' && level === 'PTE') names.push('PAT');
    else if (name === 'GLOBAL' && (value & 1n) === 0n) names.push('PROTNONE');
    else names.push(name);
  }
  return names;
}

/** arch/x86/include/asm/pgtable_64.h: of an entry that is not present, type in bits 59-63, inverted offset in bits 9-58. */
function swapSlot(value: bigint): SwapSlot {
  return { type: Number(value >> 59n), offset: BigInt.asUintN(50, ~value >> 9n) };
}

/** What an entry says by itself. Whether the page number of a PROT_NONE entry is inverted only RAM can tell: it is given as it stands. */
export function describeEntry(value: bigint, level: PageTableLevel, mode: PagingMode): EntryMeaning {
  const flags = entryFlags(value, level);
  const present = (value & BigInt(PRESENT)) !== 0n;
  if (!present && (value & BigInt(PROT_NONE)) === 0n) {
    return { present, physical: null, flags, swap: value === 0n ? null : swapSlot(value) };
  }
  const isLarge = (level === 'PMD' || level === 'PUD') && (value & BigInt(PSE)) !== 0n;
  const size = isLarge ? (level === 'PUD' ? 2n ** 30n : 2n ** 21n) : 4096n;
  const physical = value & 0x000f_ffff_ffff_f000n & ~mode.encryptionMask & ~(size - 1n);
  return { present: true, physical: physAddr(Number(physical)), flags, swap: null };
}

/** Translations of 4 KiB remembered, and of 2 MiB; powers of two. */
const tlbSize = 4096;
const largeTlbSize = 64;

interface Level {
  readonly name: PageTableLevel;
  /** Lowest bit of the address that this level's index takes. */
  readonly shift: number;
}

const fourLevels: readonly Level[] = [
  { name: 'PGD', shift: 39 },
  { name: 'PUD', shift: 30 },
  { name: 'PMD', shift: 21 },
  { name: 'PTE', shift: 12 },
];
const fiveLevels: readonly Level[] = [{ name: 'PGD', shift: 48 }, { name: 'P4D', shift: 39 }, ...fourLevels.slice(1)];

/** One tree of page tables. */
export class X86PageTables {
  readonly mode: PagingMode;
  /** Physical address of the top table. */
  readonly root: PhysAddr;
  private readonly memory: PhysicalMemory;
  private readonly space: 'kernel' | 'user';
  private readonly levels: readonly Level[];
  /** Bits of an entry's halves that make a physical address. */
  private readonly addressLow: number;
  private readonly addressHigh: number;
  // A direct-mapped cache by virtual page number; -1 in `tlbTag` means empty.
  private readonly tlbTag = new Float64Array(tlbSize).fill(-1);
  private readonly tlbPage = new Float64Array(tlbSize);
  // The same for pages of 2 MiB and more, in pieces of 2 MiB.
  private readonly largeTag = new Float64Array(largeTlbSize).fill(-1);
  private readonly largePage = new Float64Array(largeTlbSize);
  // Result of the last `step`: an entry's halves.
  private low = 0;
  private high = 0;

  /** @param space how faults are worded: whose addresses these tables translate */
  constructor(memory: PhysicalMemory, root: PhysAddr, mode: PagingMode, space: 'kernel' | 'user' = 'kernel') {
    this.memory = memory;
    this.root = root;
    this.mode = mode;
    this.space = space;
    this.levels = mode.levels === 5 ? fiveLevels : fourLevels;
    this.addressLow = (0xffff_f000 & ~Number(mode.encryptionMask & 0xffff_ffffn)) >>> 0;
    this.addressHigh = (0x000f_ffff & ~Number((mode.encryptionMask >> 32n) & 0xffff_ffffn)) >>> 0;
  }

  /**
   * Physical address of the virtual address with these unsigned halves.
   * @throws MemoryFault as `AddressSpace.translate`
   */
  translate(low: number, high: number): PhysAddr {
    const page = high * 0x10_0000 + (low >>> 12);
    const slot = (low >>> 12) & (tlbSize - 1);
    if (this.tlbTag[slot] === page) return physAddr(this.tlbPage[slot]! + (low & 0xfff));
    const largeSlot = (low >>> 21) & (largeTlbSize - 1);
    if (this.largeTag[largeSlot] === high * 0x800 + (low >>> 21)) {
      return physAddr(this.largePage[largeSlot]! + (low & 0x1f_ffff));
    }
    const physical = this.lookUp(low, high, null);
    if (typeof physical !== 'number') throw physical.fault;
    this.tlbTag[slot] = page;
    this.tlbPage[slot] = physical - (low & 0xfff);
    return physAddr(physical);
  }

  /** Drops the translations that were kept. */
  forget(): void {
    this.tlbTag.fill(-1);
    this.largeTag.fill(-1);
  }

  /** The whole way through the tables, for people who want to see it. Throws nothing. */
  walk(address: VirtAddr): PageWalk {
    const entries: PageTableEntry[] = [];
    const result = this.lookUp(Number(address & 0xffff_ffffn), Number(address >> 32n), entries);
    if (typeof result !== 'number') {
      return { entries, pageSize: null, physical: null, fault: result.fault, swap: result.swap };
    }
    const level = this.levels[entries.length - 1]!;
    return { entries, pageSize: 2 ** level.shift, physical: physAddr(result), fault: null, swap: null };
  }

  /** The physical address, or the fault. Each entry passed is added to `trace`. */
  private lookUp(
    low: number,
    high: number,
    trace: PageTableEntry[] | null,
  ): number | { fault: MemoryFault; swap: PageWalk['swap'] } {
    const signBits = (high | 0) >> (this.mode.levels === 5 ? 24 : 15);
    if (signBits !== 0 && signBits !== -1) return this.fault(low, high, 'not-mapped', 'not canonical');
    let table: number = this.root;
    for (const { name, shift } of this.levels) {
      // Nine bits of the address, wherever they lie in the two halves.
      const index = shift >= 32 ? (high >>> (shift - 32)) & 0x1ff : ((low >>> shift) | (high << (32 - shift))) & 0x1ff;
      const problem = this.step(table, index);
      if (problem !== null) {
        const detail = `${name} table at physical ${table.toString(16)}`;
        return this.fault(low, high, problem, problem === 'not-mapped' ? '' : detail);
      }
      const lo = this.low;
      const hi = this.high;
      trace?.push({
        level: name,
        entryAddress: physAddr(table + index * 8),
        value: (BigInt(hi) << 32n) | BigInt(lo),
      });
      if ((lo & PRESENT) === 0) return this.notPresent(low, high, name, shift);
      const next = ((hi & this.addressHigh) >>> 0) * 2 ** 32 + ((lo & this.addressLow) >>> 0);
      if (name === 'PTE' || ((lo & PSE) !== 0 && (name === 'PMD' || name === 'PUD'))) {
        const size = 2 ** shift;
        const physical = next - (next % size) + (((low >>> 0) & (size - 1)) >>> 0);
        if (shift > 12) {
          const slot = (low >>> 21) & (largeTlbSize - 1);
          this.largeTag[slot] = high * 0x800 + (low >>> 21);
          this.largePage[slot] = physical - (low & 0x1f_ffff);
        }
        return physical;
      }
      table = next;
    }
    return this.fault(low, high, 'not-mapped', '');
  }

  /**
   * Reads entry `index` of a table into `low`/`high`; returns the reason if it cannot. A page-table page is
   * never cache, user data or free while an entry points at it, so a table that the dump's filter left out
   * was all zeroes: nothing is mapped there.
   */
  private step(table: number, index: number): FaultReason | null {
    let page: Uint8Array;
    try {
      page = this.memory.page(pfn(Math.floor(table / this.memory.pageSize)));
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      return error.reason === 'excluded' ? 'not-mapped' : error.reason;
    }
    const at = (table % this.memory.pageSize) + index * 8;
    this.low = (page[at]! | (page[at + 1]! << 8) | (page[at + 2]! << 16) | (page[at + 3]! << 24)) >>> 0;
    this.high = (page[at + 4]! | (page[at + 5]! << 8) | (page[at + 6]! << 16) | (page[at + 7]! << 24)) >>> 0;
    return null;
  }

  /**
   * What an entry without PRESENT means (`low`/`high` hold it): PROT_NONE pages are there, swap entries
   * name a slot. Only the two lowest levels have either.
   */
  private notPresent(
    low: number,
    high: number,
    name: PageTableLevel,
    shift: number,
  ): number | { fault: MemoryFault; swap: PageWalk['swap'] } {
    const lo = this.low;
    const hi = this.high;
    if ((lo === 0 && hi === 0) || (name !== 'PTE' && name !== 'PMD')) return this.fault(low, high, 'not-mapped', '');
    if ((lo & PROT_NONE) !== 0) {
      // Since the L1TF fixes (4.19, arch/x86/include/asm/pgtable-invert.h) the page number of such an entry is
      // stored inverted; which it is shows by which of the two is RAM.
      const size = 2 ** shift;
      const offset = ((low >>> 0) & (size - 1)) >>> 0;
      for (const flip of [0xffff_ffff, 0]) {
        const address = (((hi ^ flip) & this.addressHigh) >>> 0) * 2 ** 32 + (((lo ^ flip) & this.addressLow) >>> 0);
        if (address / this.memory.pageSize < this.memory.maxPfn) return address - (address % size) + offset;
      }
      return this.fault(low, high, 'not-mapped', 'PROT_NONE entry outside RAM');
    }
    if (this.space === 'kernel' && (high & 0x8000_0000) !== 0) return this.fault(low, high, 'not-mapped', '');
    const swap = swapSlot((BigInt(hi) << 32n) | BigInt(lo));
    const detail = `swap type ${swap.type}, offset 0x${swap.offset.toString(16)}`;
    return { ...this.fault(low, high, 'swapped', detail), swap };
  }

  private fault(low: number, high: number, reason: FaultReason, detail: string): { fault: MemoryFault; swap: null } {
    const address = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    return { fault: new MemoryFault(this.space, address, reason, detail), swap: null };
  }
}
