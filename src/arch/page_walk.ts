// The way of an address through page tables, in the words that every machine shares.
import type { PhysAddr } from '../base/address.ts';
import type { MemoryFault } from '../base/errors.ts';

/** Linux's names of the levels, top first; machines and kernels with fewer leave some out. */
export type PageTableLevel = 'PGD' | 'P4D' | 'PUD' | 'PMD' | 'PTE';

export interface PageTableEntry {
  readonly level: PageTableLevel;
  /** Physical address of the entry itself. */
  readonly entryAddress: PhysAddr;
  readonly value: bigint;
}

/** Where a swapped-out page is. */
export interface SwapSlot {
  /** Index into `swap_info`. */
  readonly type: number;
  /** Page of the swap area. */
  readonly offset: bigint;
}

/** Where a walk ended, and all it passed. */
export interface PageWalk {
  /** From the top table downwards; the last one maps the page, or says that there is none. */
  readonly entries: readonly PageTableEntry[];
  /** Bytes in the page that maps the address; null if none does. */
  readonly pageSize: number | null;
  /** Physical address that belongs to the virtual one; null with a fault. */
  readonly physical: PhysAddr | null;
  /** Why there is no physical address; null if there is one. */
  readonly fault: MemoryFault | null;
  /** Where a swapped-out page is; null for any other, and where the machine's entries do not tell it for sure. */
  readonly swap: SwapSlot | null;
}

/** What one entry says, apart from the tables that it stands in. */
export interface EntryMeaning {
  /** True when it maps a page or leads to a table. */
  readonly present: boolean;
  /** Physical address of that page or table; null for an entry that has none. */
  readonly physical: PhysAddr | null;
  /** Names of its set flags, as crash(8) has them, lowest bit first. */
  readonly flags: readonly string[];
  readonly swap: SwapSlot | null;
}
