// Where arm64's kernel has what (Documentation/arch/arm64/memory.rst; arch/arm64/include/asm/memory.h). VMCOREINFO
// tells since 2369f171d5c5 (5.18), and of older kernels where the linear map and the image are.
//
//   -(1 << VA_BITS)       linear map, half of all            since 14c127c957c1 (5.4); in the upper half before
//   MODULES_VADDR         modules, some bytes before the image; elsewhere with KASLR (arch/arm64/kernel/module.c)
//   VMALLOC_START         vmalloc, with the image in it
//   VMEMMAP_START         every struct page
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import type { Vmcoreinfo } from '../../dump/vmcoreinfo.ts';
import type { MemoryRegion, RegionName } from '../architecture.ts';
import type { SymbolAddress } from '../kernel_space.ts';
import type { Arm64Layout } from './kernel_space.ts';

/** Names of VMCOREINFO's numbers; ends are exclusive, but for vmemmap's which may be the last byte of all. */
const told: readonly (readonly [region: RegionName, start: string, end: string])[] = [
  ['modules', 'MODULES_VADDR', 'MODULES_END'],
  ['vmalloc', 'VMALLOC_START', 'VMALLOC_END'],
  ['vmemmap', 'VMEMMAP_START', 'VMEMMAP_END'],
];

/**
 * Variables that hold where modules are, and bytes from there: near the kernel for direct branches, else as far as its data
 * can be reached (since 3e35d303ab7d, 6.5); one alone before. 0 where they are not used.
 */
const moduleBases: readonly (readonly [name: string, size: bigint])[] = [
  ['module_direct_base', 0x800_0000n],
  ['module_plt_base', 0x8000_0000n],
  ['module_alloc_base', 0x800_0000n],
];

/** The regions, by address. @param word what 8 bytes at an address hold; null where they cannot be read */
export function findRegions(
  layout: Arm64Layout,
  vmcoreinfo: Vmcoreinfo,
  address: SymbolAddress,
  word: (at: VirtAddr) => bigint | null,
): MemoryRegion[] {
  const regions: MemoryRegion[] = [];
  const add = (name: RegionName, start: bigint, end: bigint): void => {
    if (start < end) regions.push({ name, start: virtAddr(start), end: virtAddr(end) });
  };
  const { linearMap } = layout;
  if (linearMap !== null) add('direct-map', linearMap.start, linearMap.end);
  for (const [name, first, last] of told) {
    const start = vmcoreinfo.number(first);
    const end = vmcoreinfo.number(last);
    if (start !== null && end !== null) add(name, BigInt.asUintN(64, start), BigInt.asUintN(64, end));
  }
  for (const [name, size] of moduleBases) {
    const at = address(name);
    const base = at === null ? null : word(at);
    if (base !== null && base >= layout.kernelStart) add('modules', base, base + size);
  }
  const start = address('_text') ?? layout.stext;
  const end = address('_end');
  if (start !== null && end !== null) add('image', start, end);
  return regions.sort((a, b) => (a.start < b.start ? -1 : 1));
}
