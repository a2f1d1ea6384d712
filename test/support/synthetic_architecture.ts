// The real architectures over memory that a test made, without page tables.
import { Arm64Architecture } from '../../src/arch/aarch64/architecture.ts';
import type { AddressSpace } from '../../src/arch/address_space.ts';
import { KernelSpace } from '../../src/arch/kernel_space.ts';
import type { PageWalk } from '../../src/arch/page_walk.ts';
import { X86Architecture } from '../../src/arch/x86_64/architecture.ts';
import { type PhysAddr, physAddr, type VirtAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';

/** Memory that a test made as the space of a kernel. */
export class SpaceOver extends KernelSpace {
  private readonly inner: AddressSpace;
  private readonly executableAt: (address: bigint) => boolean;

  constructor(inner: AddressSpace, executableAt: (address: bigint) => boolean) {
    super(inner.memory, 'kernel');
    this.inner = inner;
    this.executableAt = executableAt;
  }

  override translate(address: VirtAddr): PhysAddr {
    return this.inner.translate(address);
  }

  override walk(address: VirtAddr): PageWalk {
    try {
      const physical = this.translate(address);
      return { entries: [], pageSize: this.memory.pageSize, physical, fault: null, swap: null };
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      return { entries: [], pageSize: null, physical: null, fault: error, swap: null };
    }
  }

  override isExecutable(address: VirtAddr): boolean {
    return this.executableAt(address);
  }

  protected override mayExecute(): boolean {
    return false;
  }
}

interface Options {
  /** Which addresses hold code; none, unless given. */
  readonly executableAt?: (address: bigint) => boolean;
}

export function x86Over(
  space: AddressSpace,
  { executableAt = () => false, levels = 4 }: Options & { readonly levels?: 4 | 5 } = {},
): X86Architecture {
  return new X86Architecture(new SpaceOver(space, executableAt), {
    levels,
    encryptionMask: 0n,
    pageTableRoot: physAddr(0),
    physBase: 0,
    imageSize: 0x4000_0000,
    kaslrOffset: null,
    stext: null,
    note: null,
  });
}

/** As `x86Over`, of arm64 with pages of 4 KiB and 48 bits of virtual address. */
export function arm64Over(space: AddressSpace, { executableAt = () => false }: Options = {}): Arm64Architecture {
  return new Arm64Architecture(new SpaceOver(space, executableAt), {
    paging: { pageShift: 12, vaBits: 48, lpa2: false },
    kernelStart: 0xffff_0000_0000_0000n,
    pageTableRoot: physAddr(0),
    imageOffset: 0n,
    stext: null,
    linearMap: null,
  });
}
