// A pointer with one bit the other way round: what memory that fails makes, and a write of one bit to the wrong place.
//
//   ff23ea0844104438    not mapped
//     ^ bit 52
//   ff33ea0844104438    an allocated object
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { slabObjectAt } from '../kernel/slab_object.ts';

export interface FlippedBit {
  /** Number of the bit, 0 the lowest. */
  readonly bit: number;
  /** The address with the bit the other way. */
  readonly address: VirtAddr;
  /** What is there: `an object of dentry`. */
  readonly what: string;
}

/**
 * Below it a bit leads from anywhere in the linear map to somewhere else in it (64 GiB): an object that is found there
 * proves nothing.
 */
const lowestBit = 36;

/**
 * What a bad pointer would point to if one of its upper bits were the other way: an allocated slab object.
 * @returns null where it points to memory that is there, or where no bit, or more than one, leads to an object
 */
export function flippedBit(kernel: Kernel, pointer: bigint): FlippedBit | null {
  if (kernel.space.isReadable(virtAddr(pointer))) return null;
  const found: FlippedBit[] = [];
  for (let bit = lowestBit; bit < 64; bit++) {
    const address = virtAddr(pointer ^ (1n << BigInt(bit)));
    if (!kernel.arch.isKernelAddress(address) || !kernel.space.isReadable(address)) continue;
    const place = kernel.faults.attempt('slabs', () => slabObjectAt(kernel, address), null);
    if (place?.object.state !== 'allocated') continue;
    found.push({ bit, address, what: `an object of ${place.object.cache.name ?? 'a slab cache'}` });
  }
  const [only] = found;
  return found.length === 1 ? only! : null;
}
