// x86_64, of Intel and AMD, with 4 or 5 levels of page tables.

import { offsetBy, type PhysAddr, physAddr, type VirtAddr } from '../../base/address.ts';
import { FormatError } from '../../base/errors.ts';
import type { Dump } from '../../dump/dump.ts';
import { Vmcoreinfo } from '../../dump/vmcoreinfo.ts';
import type { AddressSpace } from '../address_space.ts';
import type { Architecture, BacktraceManner, Machine, MemoryRegion, UnwindTables } from '../architecture.ts';
import type { Instruction } from '../decoder.ts';
import type { FaultSyndrome } from '../fault_syndrome.ts';
import type { KernelSpace, MappedSpace, SymbolAddress } from '../kernel_space.ts';
import type { KernelView } from '../kernel_view.ts';
import type { EntryMeaning, PageTableLevel, SwapSlot } from '../page_walk.ts';
import type { Frame } from '../unwinder.ts';
import { endsWithCall, isReturnThunk, thunkRegister } from './call_sites.ts';
import { x86Decoder } from './decoder.ts';
import { x86Effects } from './effects.ts';
import { layoutFromVmcoreinfo, X86KernelSpace, type X86Layout, X86UserSpace } from './kernel_space.ts';
import { locateX86Kernel } from './locate_kernel.ts';
import { pageFaultOf, x86Guards } from './page_fault.ts';
import { describeEntry } from './paging.ts';
import { findRegions } from './regions.ts';
import { x86CoreFile, x86RegisterSet } from './registers.ts';
import { X86Unwinder } from './unwinder.ts';

/** Bytes from the start of the image in which symbol tables lie. */
const symbolSearchSize = 128 * 1024 * 1024;

export const x86_64: Machine = {
  name: 'x86_64',
  registers: x86RegisterSet,
  open(dump: Dump, vmcoreinfo: Vmcoreinfo): X86Architecture {
    const layout = layoutFromVmcoreinfo(vmcoreinfo) ?? locateX86Kernel(dump);
    if (layout === null) {
      throw new FormatError(
        'dump',
        'has no VMCOREINFO that tells where the kernel is, and no kernel was found in memory',
      );
    }
    return new X86Architecture(new X86KernelSpace(dump.memory, layout), layout, vmcoreinfo);
  },
  over: (space: KernelSpace) =>
    new X86Architecture(space, {
      levels: 5,
      encryptionMask: 0n,
      pageTableRoot: physAddr(0),
      physBase: 0,
      imageSize: 0,
      kaslrOffset: null,
      stext: null,
      note: null,
    }),
};

export class X86Architecture implements Architecture {
  readonly name = 'x86_64';
  readonly registers = x86RegisterSet;
  readonly decoder = x86Decoder;
  readonly effects = x86Effects;
  readonly backtraces: BacktraceManner = { interruptedFrames: false, userFrames: false };
  readonly coreFile = x86CoreFile;
  readonly space: KernelSpace;
  readonly guards = x86Guards;
  readonly notes: readonly string[];
  readonly symbolSearch: Architecture['symbolSearch'];
  private readonly layout: X86Layout;
  private readonly vmcoreinfo: Vmcoreinfo;
  private symbol: SymbolAddress = () => null;
  private known: readonly MemoryRegion[] | null = null;

  constructor(space: KernelSpace, layout: X86Layout, vmcoreinfo: Vmcoreinfo = new Vmcoreinfo('')) {
    this.space = space;
    this.layout = layout;
    this.vmcoreinfo = vmcoreinfo;
    this.notes = layout.note === null ? [] : [layout.note];
    this.symbolSearch =
      vmcoreinfo.symbol('_stext') === null && layout.stext !== null
        ? { start: layout.stext, end: offsetBy(layout.stext, symbolSearchSize) }
        : null;
  }

  useSymbols(address: SymbolAddress): void {
    this.symbol = address;
    this.known = null;
    this.space.useSymbols(address);
  }

  userSpace(pgd: PhysAddr): MappedSpace {
    return new X86UserSpace(this.space.memory, pgd, this.layout);
  }

  isKernelAddress(address: bigint): boolean {
    return address >= (this.layout.levels === 5 ? 0xff00_0000_0000_0000n : 0xffff_8000_0000_0000n);
  }

  isUserAddress(address: bigint): boolean {
    return address >> (this.layout.levels === 5 ? 56n : 47n) === 0n;
  }

  regions(): readonly MemoryRegion[] {
    this.known ??= findRegions(this.space, this.layout, this.vmcoreinfo, this.symbol);
    return this.known;
  }

  swapSlots(entry: bigint): readonly SwapSlot[] {
    const { swap } = describeEntry(entry, 'PTE', this.layout);
    return swap === null ? [] : [swap];
  }

  describeEntry(value: bigint, level: PageTableLevel): EntryMeaning {
    return describeEntry(value, level, this.layout);
  }

  unwinder(view: KernelView, tables: UnwindTables): X86Unwinder {
    return new X86Unwinder(view, tables.orc());
  }

  shownAddress({ address }: Pick<Frame, 'kind' | 'address'>): VirtAddr {
    return address;
  }

  thunkRegister(symbol: string, offset: number): string | null {
    return thunkRegister(symbol, offset);
  }

  isReturnThunk(symbol: string): boolean {
    return isReturnThunk(symbol);
  }

  isEntryMark({ mnemonic }: Instruction): boolean {
    return /^(?:endbr\d*|nop)$/.test(mnemonic);
  }

  followsCall(space: AddressSpace, address: VirtAddr): boolean | null {
    return endsWithCall(space, address);
  }

  /**
   * decode_bug() of arch/x86/kernel/traps.c: ud2; since 6.18 also udb, and ud1 for warnings that print (a prefix 67
   * before it). Where ud1 is used for UBSAN it is the same kind of check.
   */
  failedAuthentication(): null {
    return null;
  }

  faultSyndrome(lines: string): FaultSyndrome | null {
    return pageFaultOf(lines);
  }

  trapName(code: Uint8Array): string | null {
    const at = code[0] === 0x67 ? 1 : 0;
    if (code[at] === 0xd6 && at === 0) return 'udb';
    if (code[at] !== 0x0f) return null;
    if (code[at + 1] === 0x0b && at === 0) return 'ud2';
    return code[at + 1] === 0xb9 ? 'ud1' : null;
  }
}
