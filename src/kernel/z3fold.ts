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
 * @throws MemoryFault; FormatError for a handle of nothing
 */
export function z3foldObject(kernel: Kernel, handle: VirtAddr, size: number): Uint8Array {
  const { pageSize } = kernel.dump.memory;
  const inPage = BigInt(pageSize - 1);
  if ((handle & headless) !== 0n) return kernel.space.read(virtAddr(handle & ~inPage), size);
  const slot = kernel.space.u64(handle);
  const page = virtAddr(slot & ~inPage);
  const { bytes, firstNumber, startMiddle } = headerOf(kernel, page);
  const chunk = pageSize / chunksOfPage;
  const start = ((): number => {
    switch (Number((slot - BigInt(firstNumber)) & buddyMask)) {
      case 1:
        return Math.ceil(bytes / chunk) * chunk;
      case 2:
        return startMiddle * chunk;
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

/** A `struct z3fold_header`: its size in bytes, the number of its first object, and the chunk where its middle one begins. */
interface Header {
  readonly bytes: number;
  readonly firstNumber: number;
  readonly startMiddle: number;
}

function headerOf(kernel: Kernel, page: VirtAddr): Header {
  const type = kernel.types.find('struct z3fold_header');
  if (type !== null) {
    const header = kernel.object(type, page);
    const [firstNumber, startMiddle] = [header.member('first_num').number(), header.member('start_middle').number()];
    return { bytes: sizeOf(type), firstNumber, startMiddle };
  }
  // Modules have types of their own since 36e68442d1af (5.11). Before, what the header is made of says how it lies:
  //   list_head, spinlock, kref, work_struct, two pointers, u16 cpu, first_chunks, middle_chunks, last_chunks, start_middle, bits
  let at = 0;
  for (const part of ['struct list_head', 'struct spinlock', 'struct kref', 'struct work_struct']) {
    const size = sizeOf(kernel.type(part));
    const alignment = size % 8 === 0 ? 8 : 4;
    at = Math.ceil(at / alignment) * alignment + size;
  }
  const numbers = Math.ceil(at / 8) * 8 + 2 * 8;
  const startMiddle = kernel.space.u16(offsetBy(page, numbers + 4 * 2));
  const firstNumber = kernel.space.u16(offsetBy(page, numbers + 5 * 2)) & 3;
  return { bytes: Math.ceil((numbers + 6 * 2) / 8) * 8, firstNumber, startMiddle };
}
