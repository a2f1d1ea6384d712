// Signed addresses (FEAT_PAuth): what is left of one whose signature does not fit.
import { type VirtAddr, virtAddr } from '../../base/address.ts';

/** The bits that the extension of an address fills, whatever the size of addresses: 55 is the sign, 61 and 62 hold the error. */
const extension = 0x1f80_0000_0000_0000n;
const signBit = 1n << 55n;
const errorBits = 3n << 61n;

/**
 * The address before AUT* found its signature wrong, without that: the CPU puts it back as it would be without a signature,
 * but for 01 (key A) or 10 (key B) in bits 62 and 61 (Arm ARM, shared/functions/pac/auth). CPUs with FEAT_FPAC raise an
 * exception instead. Null for what does not look so.
 */
export function failedAuthentication(address: bigint): VirtAddr | null {
  const error = (address & errorBits) >> 61n;
  if (error !== 1n && error !== 2n) return null;
  const isKernel = (address & signBit) !== 0n;
  if ((address & extension) !== (isKernel ? extension : 0n) || address >> 63n !== (isKernel ? 1n : 0n)) return null;
  return virtAddr(isKernel ? address | errorBits : address & ~errorBits);
}
