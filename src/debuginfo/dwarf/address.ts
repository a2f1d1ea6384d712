// Addresses inside DWARF are handled as plain numbers: the 64 bits read as a signed integer. Kernels lie in the top
// or (32-bit) the bottom part of the address space, so they are exact, in order, and thirty times as fast as bigint.
import { type VirtAddr, virtAddr } from '../../base/address.ts';

/** An address as the linker gave it, as a signed number. */
export type LinkAddress = number;

export function linkAddress(address: bigint): LinkAddress {
  return Number(BigInt.asIntN(64, address));
}

export function linkToVirtual(address: LinkAddress): VirtAddr {
  return virtAddr(BigInt.asUintN(64, BigInt(Math.trunc(address))));
}

/** Code in [start, end). */
export interface CodeRange {
  readonly start: LinkAddress;
  readonly end: LinkAddress;
}

/** What linkers put for code that they dropped: not a place where any kernel has code. */
export function isDropped(address: LinkAddress): boolean {
  return address === 0 || address === -1 || address === -2 || address === 1;
}
