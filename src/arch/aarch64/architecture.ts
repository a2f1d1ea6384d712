// arm64, with pages of 4, 16 and 64 KiB.
import { offsetBy, type PhysAddr, physAddr, type VirtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { Dump } from '../../dump/dump.ts';
import { Vmcoreinfo } from '../../dump/vmcoreinfo.ts';
import type { AddressSpace } from '../address_space.ts';
import type { Architecture, BacktraceManner, Machine, MemoryRegion } from '../architecture.ts';
import type { Instruction } from '../decoder.ts';
import type { FaultSyndrome } from '../fault_syndrome.ts';
import type { KernelSpace, MappedSpace, SymbolAddress } from '../kernel_space.ts';
import type { KernelView } from '../kernel_view.ts';
import type { EntryMeaning, PageTableLevel, SwapSlot } from '../page_walk.ts';
import type { Frame } from '../unwinder.ts';
import { isBugTrap, isCall, word } from './code.ts';
import { arm64Decoder } from './decoder.ts';
import { arm64Effects } from './effects.ts';
import { Arm64KernelSpace, type Arm64Layout, Arm64UserSpace, arm64LayoutFromVmcoreinfo } from './kernel_space.ts';
import { describeEntry, swapSlots } from './paging.ts';
import { failedAuthentication } from './pointer_authentication.ts';
import { findRegions } from './regions.ts';
import { arm64CoreFile, arm64RegisterSet } from './registers.ts';
import { arm64Guards, syndromeOf } from './syndrome.ts';
import { Arm64Unwinder } from './unwinder.ts';

/** Bytes of every instruction. */
const instructionSize = 4;

export const aarch64: Machine = {
  name: 'aarch64',
  registers: arm64RegisterSet,
  open(dump: Dump, vmcoreinfo: Vmcoreinfo): Arm64Architecture {
    const layout = arm64LayoutFromVmcoreinfo(vmcoreinfo, dump.memory.pageSize);
    return new Arm64Architecture(new Arm64KernelSpace(dump.memory, layout), layout, vmcoreinfo);
  },
  over: (space: KernelSpace) =>
    new Arm64Architecture(space, {
      paging: { pageShift: 12, vaBits: 48, lpa2: false },
      kernelStart: 0xffff_0000_0000_0000n,
      pageTableRoot: physAddr(0),
      imageOffset: 0n,
      stext: null,
      linearMap: null,
    }),
};

export class Arm64Architecture implements Architecture {
  readonly name = 'aarch64';
  readonly registers = arm64RegisterSet;
  readonly decoder = arm64Decoder;
  readonly effects = arm64Effects;
  readonly backtraces: BacktraceManner = { interruptedFrames: true, userFrames: true };
  readonly coreFile = arm64CoreFile;
  readonly guards = arm64Guards;
  readonly notes: readonly string[] = [];
  readonly symbolSearch = null;
  readonly space: KernelSpace;
  private readonly layout: Arm64Layout;
  private readonly vmcoreinfo: Vmcoreinfo;
  private known: readonly MemoryRegion[] | null = null;
  private symbol: SymbolAddress = () => null;

  constructor(space: KernelSpace, layout: Arm64Layout, vmcoreinfo: Vmcoreinfo = new Vmcoreinfo('')) {
    this.space = space;
    this.layout = layout;
    this.vmcoreinfo = vmcoreinfo;
  }

  useSymbols(address: SymbolAddress): void {
    this.symbol = address;
    this.known = null;
    this.space.useSymbols(address);
  }

  userSpace(pgd: PhysAddr): MappedSpace {
    return new Arm64UserSpace(this.space.memory, pgd, this.layout.paging);
  }

  isKernelAddress(address: bigint): boolean {
    return this.space.untagged(address) >= this.layout.kernelStart;
  }

  isUserAddress(address: bigint): boolean {
    return address >> BigInt(this.layout.paging.vaBits) === 0n;
  }

  regions(): readonly MemoryRegion[] {
    this.known ??= findRegions(this.layout, this.vmcoreinfo, this.symbol, (at) => this.word(at));
    return this.known;
  }

  private word(at: VirtAddr): bigint | null {
    const { bytes } = this.space.readUpTo(at, 8);
    return bytes.length < 8 ? null : new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  }

  swapSlots(entry: bigint): readonly SwapSlot[] {
    return swapSlots(entry);
  }

  describeEntry(value: bigint, level: PageTableLevel): EntryMeaning {
    return describeEntry(value, level, this.layout.paging);
  }

  /** Frame records need no tables. NUMBER(KERNELPACMASK) since 203b1152d18c (5.8). */
  unwinder(view: KernelView): Arm64Unwinder {
    return new Arm64Unwinder(view, this.vmcoreinfo.number('KERNELPACMASK') ?? 0n);
  }

  shownAddress({ kind, address }: Pick<Frame, 'kind' | 'address'>): VirtAddr {
    return kind === 'interrupted' ? address : offsetBy(address, -instructionSize);
  }

  thunkRegister(): null {
    return null;
  }

  isReturnThunk(): boolean {
    return false;
  }

  /** `mov x9, x30` keeps the link register from what traces (-fpatchable-function-entry). */
  isEntryMark({ mnemonic, writes }: Instruction): boolean {
    return /^(?:nop|bti|paciasp)$/.test(mnemonic) || (mnemonic === 'mov' && writes[0] === 'x9');
  }

  followsCall(space: AddressSpace, address: VirtAddr): boolean | null {
    try {
      return isCall(space.u32(offsetBy(address, -instructionSize)));
    } catch (error) {
      if (error instanceof MemoryFault) return null;
      throw error;
    }
  }

  faultSyndrome(lines: string): FaultSyndrome | null {
    return syndromeOf(lines);
  }

  failedAuthentication(address: bigint): VirtAddr | null {
    // what the dump's CPUs do is in VMCOREINFO; of a log there is none
    if (this.vmcoreinfo.release !== null && this.vmcoreinfo.number('KERNELPACMASK') === null) return null;
    return failedAuthentication(address);
  }

  trapName(code: Uint8Array): string | null {
    return isBugTrap(word(code)) ? 'brk' : null;
  }
}
