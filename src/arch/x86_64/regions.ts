// Where x86_64's kernel has what (Documentation/arch/x86/x86_64/mm.rst; arch/x86/include/asm/pgtable_64_types.h):
//
//   page_offset_base  direct map        | with CONFIG_RANDOMIZE_MEMORY, all three are variables, and moved by KASLR
//   vmalloc_base      vmalloc           | a whole number of GiB; without, they are where their tables say
//   vmemmap_base      struct page's     |
//   ffffffff80000000  image, KERNEL_IMAGE_SIZE, and modules behind it
import { physAddr, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { Vmcoreinfo } from '../../dump/vmcoreinfo.ts';
import type { MemoryRegion } from '../architecture.ts';
import type { KernelSpace, SymbolAddress } from '../kernel_space.ts';
import { fixedDirectMaps, START_KERNEL_MAP, type X86Layout } from './kernel_space.ts';

/** MODULES_END. */
const modulesEnd = 0xffff_ffff_ff00_0000n;
/** VMALLOC_START and VMEMMAP_START where KASLR does not move them: __VMALLOC_BASE_L4, __VMEMMAP_BASE_L4, and _L5. */
const fixed = {
  4: { vmalloc: 0xffff_c900_0000_0000n, vmemmap: 0xffff_ea00_0000_0000n },
  5: { vmalloc: 0xffa0_0000_0000_0000n, vmemmap: 0xffd4_0000_0000_0000n },
} as const;
/** VMALLOC_SIZE_TB_L4 and _L5, in bytes. */
const vmallocSize = { 4: 32n << 40n, 5: 12800n << 40n } as const;
/** MAX_PHYSMEM_BITS. */
const physicalBits = { 4: 46, 5: 52 } as const;
const defaultPageStructSize = 64;

/** The regions, by address. */
export function findRegions(
  space: KernelSpace,
  layout: X86Layout,
  vmcoreinfo: Vmcoreinfo,
  address: SymbolAddress,
): MemoryRegion[] {
  const { levels } = layout;
  const regions: MemoryRegion[] = [];
  const add = (name: MemoryRegion['name'], start: bigint, size: bigint): void => {
    regions.push({ name, start: virtAddr(start), end: virtAddr(start + size) });
  };
  const { maxPfn, pageSize } = space.memory;
  const directMap = space.linearAddress(physAddr(0));
  if (directMap !== null) add('direct-map', directMap, BigInt(maxPfn * pageSize));
  // what is moved is so together: without the variables, and with the direct map elsewhere, nothing tells
  const isFixed = directMap !== null && fixedDirectMaps[levels].includes(directMap);
  const vmalloc = pointerOf(space, address('vmalloc_base')) ?? (isFixed ? fixed[levels].vmalloc : null);
  if (vmalloc !== null) add('vmalloc', vmalloc, vmallocSize[levels]);
  const vmemmap = pointerOf(space, address('vmemmap_base')) ?? (isFixed ? fixed[levels].vmemmap : null);
  const bits = Number(vmcoreinfo.number('MAX_PHYSMEM_BITS') ?? physicalBits[levels]);
  const pages = 2n ** BigInt(bits >= 36 && bits <= 52 ? bits - 12 : physicalBits[levels] - 12);
  if (vmemmap !== null) add('vmemmap', vmemmap, pages * BigInt(vmcoreinfo.size('page') ?? defaultPageStructSize));
  const modules = START_KERNEL_MAP + BigInt(layout.imageSize);
  add('image', START_KERNEL_MAP, BigInt(layout.imageSize));
  if (modules < modulesEnd) add('modules', modules, modulesEnd - modules);
  return regions.sort((a, b) => (a.start < b.start ? -1 : 1));
}

function pointerOf(space: KernelSpace, variable: VirtAddr | null): VirtAddr | null {
  if (variable === null) return null;
  try {
    const value = space.pointer(variable);
    return value === 0n ? null : value;
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}
