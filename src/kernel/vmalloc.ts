// include/linux/vmalloc.h: what vmalloc(), vmap(), ioremap() and the stacks of tasks take of the kernel's address space.
//
//   vmap_nodes[] --> vmap_node.busy.head   --> vmap_area --> vm_struct     since 72210662c5a2 (6.9)
//   vmap_area_list                         --> vmap_area --> vm_struct     before
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { perKernel } from './per_kernel.ts';

/** One area of mapped kernel memory. */
export interface VmallocArea {
  /** Virtual address of the `struct vmap_area`. */
  readonly address: VirtAddr;
  /** [start, end), with the guard page. */
  readonly start: VirtAddr;
  readonly end: VirtAddr;
  /** What it was made for; null for vm_map_ram(), which leaves nothing but the area. */
  readonly vm: VmStruct | null;
}

export interface VmStruct {
  /** Virtual address of the `struct vm_struct`. */
  readonly address: VirtAddr;
  /** Bytes, with the guard page. */
  readonly size: number;
  readonly flags: number;
  /** Pages that it maps; 0 where it maps memory of a device. */
  readonly pages: number;
  /** Physical address that ioremap() was asked for; 0 for others. */
  readonly physical: bigint;
  /** Return address in the function that asked for it. */
  readonly caller: VirtAddr;
}

/** Most nodes believed: the kernel makes one for each possible CPU, 128 at most. */
const maxNodes = 8192;

/** Flags of vm_struct (include/linux/vmalloc.h), in the words of /proc/vmallocinfo. */
const flagNames: readonly (readonly [bit: number, name: string])[] = [
  [0x1, 'ioremap'],
  [0x2, 'vmalloc'],
  [0x4, 'vmap'],
  [0x8, 'user'],
  [0x10, 'dma-coherent'],
];

/** What an area was made by: `vmalloc`, `vmap`, `ioremap`, `user`, `dma-coherent`. */
export function vmallocKinds(vm: VmStruct): string[] {
  return flagNames.filter(([bit]) => vm.flags & bit).map(([, name]) => name);
}

/** Every area in use, by ascending address. A list that is broken costs the areas behind the damage. */
export const vmallocAreas = perKernel((kernel): readonly VmallocArea[] => {
  const areas: VmallocArea[] = [];
  for (const list of busyLists(kernel)) {
    kernel.faults.attempt(
      'vmalloc areas',
      () => {
        for (const area of listEntries(list, 'struct vmap_area', 'list')) {
          kernel.faults.attempt('vmalloc area', () => areas.push(readArea(area)), 0);
        }
      },
      undefined,
    );
  }
  return areas.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
});

function busyLists(kernel: Kernel): KernelObject[] {
  const nodes = kernel.optionalVariable('vmap_nodes');
  if (nodes === null) return [kernel.variable('vmap_area_list')];
  const count = Math.min(maxNodes, kernel.optionalVariable('nr_vmap_nodes')?.number() ?? 1);
  return Array.from({ length: count }, (_, i) => nodes.index(i).member('busy.head'));
}

function readArea(area: KernelObject): VmallocArea {
  // the same word says how large the largest free area below is, for areas that are not in use; `flags` before 5.4
  // told the areas of vm_map_ram() (688fcbfc06e4)
  const vm = area.member('vm');
  return {
    address: area.address,
    start: area.member('va_start').pointer(),
    end: area.member('va_end').pointer(),
    vm: vm.isNull ? null : readVm(vm.deref()),
  };
}

function readVm(vm: KernelObject): VmStruct {
  return {
    address: vm.address,
    size: vm.member('size').number(),
    flags: Number(vm.member('flags').bigint() & 0xffff_ffffn),
    pages: vm.member('nr_pages').number(),
    physical: vm.member('phys_addr').bigint(),
    caller: vm.member('caller').pointer(),
  };
}

/** The area that an address lies in, guard page included; null for none. */
export function vmallocAreaAt(kernel: Kernel, address: VirtAddr): VmallocArea | null {
  const areas = vmallocAreas(kernel);
  let low = 0;
  let high = areas.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (areas[middle]!.end <= address) low = middle + 1;
    else high = middle;
  }
  const area = areas[low];
  return area !== undefined && area.start <= address ? area : null;
}
