// What the rest of the program asks of a machine architecture. x86_64 is complete; arm64 lacks the disassembler.
import { offsetBy, type PhysAddr, type VirtAddr } from '../base/address.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import type { Dump } from '../dump/dump.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { Arm64KernelSpace, arm64LayoutFromVmcoreinfo } from './aarch64/kernel_space.ts';
import type { AddressSpace } from './address_space.ts';
import { layoutFromVmcoreinfo, X86KernelSpace } from './x86_64/kernel_space.ts';
import { locateX86Kernel } from './x86_64/locate_kernel.ts';

/** Bytes from the start of the image in which symbol tables lie. */
const symbolSearchSize = 128 * 1024 * 1024;

/** Address of a symbol by name, or null. What an architecture learns from kallsyms, which it may not import. */
export type SymbolAddress = (name: string) => VirtAddr | null;

interface ArchitectureBase {
  /** The kernel's own virtual memory. */
  readonly space: AddressSpace;
  /** Sentences on what was found by search, for want of VMCOREINFO. */
  readonly notes: readonly string[];
  /** Where the kernel's image is when no VMCOREINFO tells, for the search of its symbol tables; null otherwise. */
  readonly symbolSearch: { readonly start: VirtAddr; readonly end: VirtAddr } | null;
  /** The address space of a process. @param pgd physical address of its top page table (`mm->pgd`, translated) */
  userSpace(pgd: PhysAddr): AddressSpace;
  /** To be called once symbols are known: enables faster ways of translation. Throws nothing. */
  useSymbols(address: SymbolAddress): void;
}

export interface X86Architecture extends ArchitectureBase {
  readonly name: 'x86_64';
  readonly space: X86KernelSpace;
}

export interface Arm64Architecture extends ArchitectureBase {
  readonly name: 'aarch64';
  readonly space: Arm64KernelSpace;
}

export type Architecture = X86Architecture | Arm64Architecture;

/**
 * The architecture of a dump, with the kernel's memory translated.
 * @throws FormatError where the kernel's page tables cannot be found
 * @throws UnsupportedError for another machine
 */
export function openArchitecture(dump: Dump, vmcoreinfo: Vmcoreinfo): Architecture {
  switch (dump.info.machine) {
    case 'x86_64':
      return openX86(dump, vmcoreinfo);
    case 'aarch64': {
      const layout = arm64LayoutFromVmcoreinfo(vmcoreinfo, dump.memory.pageSize);
      const space = new Arm64KernelSpace(dump.memory, layout);
      return {
        name: 'aarch64',
        space,
        notes: [],
        symbolSearch: null,
        userSpace: (pgd) => space.userSpace(pgd),
        useSymbols: () => {},
      };
    }
    default:
      throw new UnsupportedError('machine', `${dump.info.machine} is not supported, only x86_64 and aarch64`);
  }
}

function openX86(dump: Dump, vmcoreinfo: Vmcoreinfo): X86Architecture {
  const layout = layoutFromVmcoreinfo(vmcoreinfo) ?? locateX86Kernel(dump);
  if (layout === null) {
    throw new FormatError(
      'dump',
      'has no VMCOREINFO that tells where the kernel is, and no kernel was found in memory',
    );
  }
  const space = new X86KernelSpace(dump.memory, layout);
  return {
    name: 'x86_64',
    space,
    notes: layout.note === null ? [] : [layout.note],
    symbolSearch:
      vmcoreinfo.symbol('_stext') === null && layout.stext !== null
        ? { start: layout.stext, end: offsetBy(layout.stext, symbolSearchSize) }
        : null,
    userSpace: (pgd) => space.userSpace(pgd),
    useSymbols: (address) => space.useSymbols(address),
  };
}
