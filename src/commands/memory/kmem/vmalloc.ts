// kmem -v: what vmalloc() and its like mapped.
import type { VirtAddr } from '../../../base/address.ts';
import { hex16 } from '../../../base/text.ts';
import { formatPlace } from '../../../debuginfo/symbol_table.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { type VmallocArea, vmallocAreaAt, vmallocAreas, vmallocKinds } from '../../../kernel/vmalloc.ts';
import { type Answer, noItems } from '../../command.ts';
import type { CommandContext } from '../../context.ts';

export interface VmallocHead {
  readonly kind: 'vmalloc';
}

/** One area. */
export interface VmallocItem {
  readonly kind: 'vmalloc';
  /** Virtual address of the `struct vmap_area`. */
  readonly area: VirtAddr;
  /** Virtual address of the `struct vm_struct`; null where it has none. */
  readonly vm: VirtAddr | null;
  /** [start, end), with the guard page. */
  readonly start: VirtAddr;
  readonly end: VirtAddr;
  /** Bytes. */
  readonly size: number;
  /** What made it: `vmalloc`, `vmap`, `ioremap`, `user`, `dma-coherent`. */
  readonly by: readonly string[];
  /** Pages that it maps. */
  readonly pages: number;
  /** The function that asked for it, with the offset of the call; null where that is not known. */
  readonly caller: string | null;
}

/** @param addresses those in areas of theirs; all areas if there are none */
export function collectVmalloc(
  { kernel }: CommandContext,
  addresses: readonly VirtAddr[],
): Answer<VmallocHead, VmallocItem, null> {
  const areas =
    addresses.length === 0
      ? vmallocAreas(kernel)
      : addresses.map((address) => vmallocAreaAt(kernel, address)).filter((area) => area !== null);
  return {
    head: { kind: 'vmalloc' },
    items: noItems(
      null,
      areas.map((area) => vmallocItem(kernel, area)),
    ),
  };
}

export function vmallocItem(kernel: Kernel, { address, start, end, vm }: VmallocArea): VmallocItem {
  const caller = vm === null ? null : kernel.place(vm.caller);
  return {
    kind: 'vmalloc',
    area: address,
    vm: vm?.address ?? null,
    start,
    end,
    size: vm?.size ?? Number(end - start),
    by: vm === null ? [] : vmallocKinds(vm),
    pages: vm?.pages ?? 0,
    caller: caller === null ? null : formatPlace(caller),
  };
}

export const vmallocHeader = '   VMAP_AREA         VM_STRUCT                 ADDRESS RANGE                SIZE\n';

export function vmallocText({ area, vm, start, end, size }: VmallocItem): string {
  const range = `${hex16(start)} - ${hex16(end)}`;
  return `${hex16(area)}  ${(vm === null ? '' : hex16(vm)).padStart(16)}  ${range}  ${String(size).padStart(7)}\n`;
}
