// Places of code and memory in words.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';

/** `crashme_update_stats+12` */
export function placeWords(kernel: Kernel, at: VirtAddr): string {
  const place = kernel.place(at);
  if (place === null) return hex(at);
  return place.offset === 0 ? place.symbol.name : `${place.symbol.name}+${place.offset}`;
}

/** A place in the kernel's or a module's image by its symbol; null for any other number. */
export function symbolOf(kernel: Kernel, address: bigint): string | null {
  const place = kernel.arch.isKernelAddress(address) ? kernel.place(virtAddr(address)) : null;
  if (place === null) return null;
  return place.offset === 0 ? place.symbol.name : `${place.symbol.name}+0x${hex(place.offset)}`;
}

/** Memory that nobody has a name for, by its symbol or address. */
export function memoryWords(kernel: Kernel, address: VirtAddr | null): string {
  if (address === null) return 'memory whose address is no longer known';
  return symbolOf(kernel, address) ?? hex(address);
}
