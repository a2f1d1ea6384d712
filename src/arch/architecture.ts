// What the rest of the program asks of a machine's architecture. Each has a folder of its own beside this file, and a
// line in `architectures.ts`; nothing outside src/arch asks which one it has.
import type { PhysAddr, VirtAddr } from '../base/address.ts';
import type { Dump } from '../dump/dump.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import type { AddressSpace } from './address_space.ts';
import type { CoreFileFormat } from './core_file.ts';
import type { Decoder, Instruction } from './decoder.ts';
import type { Effect } from './effects.ts';
import type { FaultSyndrome, MemoryGuards } from './fault_syndrome.ts';
import type { KernelSpace, MappedSpace, SymbolAddress } from './kernel_space.ts';
import type { KernelView } from './kernel_view.ts';
import type { OrcLookup } from './orc_entry.ts';
import type { EntryMeaning, PageTableLevel, SwapSlot } from './page_walk.ts';
import type { RegisterSet } from './registers.ts';
import type { Frame, Unwinder } from './unwinder.ts';

/** A machine whose dumps can be opened. */
export interface Machine {
  /** As uname has it, and `DumpInfo.machine`. */
  readonly name: string;
  readonly registers: RegisterSet;
  /** @throws FormatError where the kernel's page tables cannot be found */
  open(dump: Dump, vmcoreinfo: Vmcoreinfo): Architecture;
  /** The machine over memory that is known by virtual address alone, without page tables. */
  over(space: KernelSpace): Architecture;
}

/** The architecture of one dead kernel. */
export interface Architecture {
  /** As uname has it: `x86_64`, `aarch64`. To be shown, never compared. */
  readonly name: string;
  readonly registers: RegisterSet;
  /** The kernel's own virtual memory. */
  readonly space: KernelSpace;
  /** Sentences on what was found by search, for want of VMCOREINFO. */
  readonly notes: readonly string[];
  /** Where the kernel's image is when no VMCOREINFO tells, for the search of its symbol tables; null otherwise. */
  readonly symbolSearch: { readonly start: VirtAddr; readonly end: VirtAddr } | null;
  /** Reads machine code; null where nobody has written one for this machine. */
  readonly decoder: Decoder | null;
  /** What an instruction that was decoded does to registers and memory; of a call, nothing that the called code does. */
  effects(instruction: Instruction): readonly Effect[];
  readonly backtraces: BacktraceManner;
  readonly coreFile: CoreFileFormat;

  /** To be called once symbols are known: enables faster ways of translation, and the regions. Throws nothing. */
  useSymbols(address: SymbolAddress): void;
  /** The address space of a process. @param pgd physical address of its top page table (`mm->pgd`, translated) */
  userSpace(pgd: PhysAddr): MappedSpace;

  /** True for an address of the kernel's part of virtual memory, mapped or not. */
  isKernelAddress(address: bigint): boolean;
  /** True for an address of the processes' part. Some addresses are neither: they are no addresses (not canonical). */
  isUserAddress(address: bigint): boolean;
  /** The parts of the kernel's virtual memory that are known, by address. They may lie within each other. */
  regions(): readonly MemoryRegion[];
  /**
   * Where an entry of a process's last-level table says that its page was swapped to: every way that this machine's kernels
   * have had of writing it, newest first. None for an entry that says no such thing.
   */
  swapSlots(entry: bigint): readonly SwapSlot[];
  /** What an entry of a page table says. */
  describeEntry(value: bigint, level: PageTableLevel): EntryMeaning;

  unwinder(view: KernelView, tables: UnwindTables): Unwinder;
  /** The address by which people know a frame: of a call, on some machines, not where it returns to but the call itself. */
  shownAddress(frame: Pick<Frame, 'kind' | 'address'>): VirtAddr;
  /** The register that code jumps to which does nothing else (a retpoline), by its place; null for any other code. */
  thunkRegister(symbol: string, offset: number): string | null;
  /** Whether code by that name does nothing but return, where compilers put a jump to it in place of a return. */
  isReturnThunk(symbol: string): boolean;
  /** Whether an instruction stands at a function's start without a part in what it does: a mark of a target of jumps, room for tracing. */
  isEntryMark(instruction: Instruction): boolean;
  /** Whether the code before an address is a call; null where that cannot be read. */
  followsCall(space: AddressSpace, address: VirtAddr): boolean | null;
  /** What the CPU said of an exception, out of lines of the log in which this machine's kernels print that; null where they do not. */
  faultSyndrome(lines: string): FaultSyndrome | null;
  readonly guards: MemoryGuards;
  /**
   * What an address was before the CPU found that its signature does not fit, and spoiled it; null for one that was not
   * spoiled so, and on machines that sign no addresses.
   */
  failedAuthentication(address: bigint): VirtAddr | null;
  /** Name of the instruction (`ud2`, `brk`) if the code is one that BUG() and WARN() are made of; null otherwise. */
  trapName(code: Uint8Array): string | null;
}

/** How crash(8) shows backtraces of a machine. */
export interface BacktraceManner {
  /** True where a function that was interrupted is a frame of its own; false where it is told with the registers alone. */
  readonly interruptedFrames: boolean;
  /** True where a CPU that was in user mode has a frame that says so. */
  readonly userFrames: boolean;
}

/** Unwind tables of a kernel, read when first asked for. */
export interface UnwindTables {
  orc(): OrcLookup;
}

/**
 * - `direct-map`: all of physical memory
 * - `image`: the kernel's text and data
 * - `modules`: text and data of modules, and of other code made at run time
 * - `vmalloc`: what is allocated by page, stacks of tasks among it
 * - `vmemmap`: every `struct page`
 */
export type RegionName = 'direct-map' | 'image' | 'modules' | 'vmalloc' | 'vmemmap';

export interface MemoryRegion {
  readonly name: RegionName;
  /** Virtual addresses [start, end). */
  readonly start: VirtAddr;
  readonly end: VirtAddr;
}

/** The region that an address lies in: of several, the smallest; null for none that is known. */
export function regionOf(architecture: Architecture, address: bigint): MemoryRegion | null {
  let best: MemoryRegion | null = null;
  for (const region of architecture.regions()) {
    if (address < region.start || address >= region.end) continue;
    if (best === null || region.end - region.start < best.end - best.start) best = region;
  }
  return best;
}
