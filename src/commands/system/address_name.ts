// Addresses of functions and variables by name.
import type { VirtAddr } from '../../base/address.ts';
import type { Kernel } from '../../kernel/kernel.ts';

/** The symbol that an address lies in, with the offset in it (decimal, as crash(8) has it) where there is one; null for none. */
export function addressName(kernel: Kernel, address: VirtAddr): string | null {
  const place = kernel.place(address);
  if (place === null) return null;
  return place.offset === 0 ? place.symbol.name : `${place.symbol.name}+${place.offset}`;
}
