// mm/z3fold.c (until 6.14): up to three compressed pages in a page; the middle one moves.
//
//   handle --> z3fold_buddy_slots.slot: address of the page | chunks of the last object << 2 | number of the object
//
//   | z3fold_header | first ... | free | middle ... | free | ... last |
//
// A page that has one large object and no header ("headless") is its own handle, with bit 0 set.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import { sizeOf } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';

const headless = 1n;
/** BUDDY_MASK, BUDDY_SHIFT: which object of a page, and where its count of chunks begins. */
const buddyMask = 3n;
const buddyShift = 2n;
/** NCHUNKS_ORDER: a page has 64 chunks. */
const chunksOfPage = 64;

/**
 * The data of an object.
 * @param handle as z3fold_alloc() gave it
 * @param size bytes
 * @throws MemoryFault; NotFoundError for a kernel whose module has no types; FormatError for a handle of nothing
 */
export function z3foldObject(kernel: Kernel, handle: VirtAddr, size: number): Uint8Array {
  const { pageSize } = kernel.dump.memory;
  const inPage = BigInt(pageSize - 1);
  if ((handle & headless) !== 0n) return kernel.space.read(virtAddr(handle & ~inPage), size);
  const slot = kernel.space.u64(handle);
  const page = virtAddr(slot & ~inPage);
  const header = kernel.object('struct z3fold_header', page);
  const chunk = pageSize / chunksOfPage;
  const first = header.member('first_num').bigint();
  const start = ((): number => {
    switch (Number((slot - first) & buddyMask)) {
      case 1:
        return Math.ceil(sizeOf(header.type) / chunk) * chunk;
      case 2:
        return header.member('start_middle').number() * chunk;
      case 3:
        return pageSize - Number((slot & inPage) >> buddyShift) * chunk;
      default:
        throw new FormatError('z3fold object', `handle ${handle.toString(16)} is of none`);
    }
  })();
  if (start < 0 || start + size > pageSize) {
    throw new FormatError('z3fold object', `${size} bytes at ${start} of its page`);
  }
  return kernel.space.read(offsetBy(page, start), size);
}
