// The kinds of number that this project must not mix up, and the only places where they are made.
//
//   virtual address --(src/arch)--> physical address --(/ page size)--> pfn --(src/dump)--> file offset
//
// Physical addresses, pfns, file offsets and sizes are exact as `number` (below 2^53). Virtual
// addresses need all 64 bits and are `bigint`; hot loops use lo/hi 32-bit halves instead.
import type { Brand } from './brand.ts';

/** A physical address of the dead machine, in bytes. */
export type PhysAddr = Brand<number, 'PhysAddr'>;
/** A page frame number: physical address / page size. */
export type Pfn = Brand<number, 'Pfn'>;
/** A virtual address of the dead kernel (or of one of its processes), 0 to 2^64-1. */
export type VirtAddr = Brand<bigint, 'VirtAddr'>;

export function physAddr(n: number): PhysAddr {
  return n as PhysAddr;
}

export function pfn(n: number): Pfn {
  return n as Pfn;
}

/** Wraps to 64 bits, so that sums and differences may be passed as they are. */
export function virtAddr(n: bigint): VirtAddr {
  return (n >= 0n && n <= 0xffff_ffff_ffff_ffffn ? n : BigInt.asUintN(64, n)) as VirtAddr;
}

/** `address + delta` bytes, wrapped to 64 bits. */
export function offsetBy(address: VirtAddr, delta: number | bigint): VirtAddr {
  // V8 adds in one machine word where the sum is wrapped at once: a third of the time
  return BigInt.asUintN(64, address + BigInt(delta)) as VirtAddr;
}

const word = new BigUint64Array(1);
const halves = new Uint32Array(word.buffer);
const lowAt = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;

/** Bits 0 to 31 of an address. Through memory, as shifts and masks of bigints cost four times as much. */
export function lowHalf(address: bigint): number {
  word[0] = address;
  return halves[lowAt]!;
}

/** Bits 32 to 63 of an address. */
export function highHalf(address: bigint): number {
  word[0] = address;
  return halves[1 - lowAt]!;
}
