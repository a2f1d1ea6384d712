// mm/zsmalloc.c: compressed pages, packed into chains of pages with no regard to where one ends.
//
//   handle --> word: page frame | number of the object          (the top bits are the frame; how many depends on how
//                                                                 large the kernel may think physical memory)
//   page:  ... | handle + 1 | data of the object, into the next page of the chain if need be | ...
//
// An object begins with its own handle and a mark, by which it is found in its page: the sizes of objects need not be
// known, and neither do the types of the allocator, which is a module on many kernels. An object that has a page for itself
// ("huge") begins where that does, and the `struct page` has the handle.
import { offsetBy, pfn, physAddr, type VirtAddr } from '../base/address.ts';
import { FormatError, MemoryFault } from '../base/errors.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { perKernel } from './per_kernel.ts';

/** Bits of physical addresses that kernels leave room for: MAX_POSSIBLE_PHYSMEM_BITS. */
const physicalBits = [52, 48, 46];
/** OBJ_ALLOCATED_TAG */
const allocated = 1n;
/** ZS_HANDLE_SIZE: bytes before an object's data. */
const headerSize = 8;

/**
 * The data of an object.
 * @param handle as zs_malloc() gave it: virtual address of the word that says where the object is
 * @param size bytes
 * @throws MemoryFault; FormatError where no object of that handle is found
 */
export function zsmallocObject(kernel: Kernel, handle: VirtAddr, size: number): Uint8Array {
  const { memory } = kernel.dump;
  const { pageSize } = memory;
  if (size < 1 || size > pageSize) throw new FormatError('zsmalloc object', `${size} bytes`);
  const word = kernel.space.u64(handle);
  const shift = Math.log2(pageSize);
  const known = knownBits(kernel);
  let fault: MemoryFault | null = null;
  for (const bits of known.bits === null ? physicalBits : [known.bits]) {
    const frame = Number(word >> BigInt(64 - (bits - shift)));
    if (frame === 0 || frame >= memory.maxPfn) continue;
    try {
      const page = new Uint8Array(pageSize);
      memory.read(physAddr(frame * pageSize), page);
      const start = headerOf(page, handle);
      if (start !== null) {
        known.bits = bits;
        return objectAt(kernel, { page, frame, start: start + headerSize }, size);
      }
      if (hugeHandle(kernel, frame) === handle) {
        known.bits = bits;
        return page.subarray(0, size);
      }
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      fault = error;
    }
  }
  throw fault ?? new FormatError('zsmalloc object', `none of handle ${handle.toString(16)} where it should be`);
}

/** The bits that this kernel leaves room for, once an object has shown it. */
const knownBits = perKernel((): { bits: number | null } => ({ bits: null }));

function objectAt(
  kernel: Kernel,
  { page, frame, start }: { readonly page: Uint8Array; readonly frame: number; readonly start: number },
  size: number,
): Uint8Array {
  const { memory } = kernel.dump;
  const data = new Uint8Array(size);
  const first = page.subarray(start, start + size);
  data.set(first);
  if (first.length === size) return data;
  const next = nextFrame(kernel, frame);
  if (next === null) throw new FormatError('zsmalloc object', 'goes on in a page that is not known');
  memory.read(physAddr(next * memory.pageSize), data.subarray(first.length));
  return data;
}

/** The handle of the object that has a page frame for itself; anything for a page that is none of zsmalloc's; null for one that has no `struct page`. */
function hugeHandle(kernel: Kernel, frame: number): bigint | null {
  const page = memoryModel(kernel)?.pageStruct(pfn(frame)) ?? null;
  if (page === null) return null;
  // page.index until 6.13, zpdesc.handle since 6.14, at the same place; `__folio_index` is what the page calls it since 6.16
  const word = kernel.object('struct page', page).memberAmong('index', '__folio_index').bigint();
  return word & ~allocated;
}

/** Offset of the object of a handle; null for none. */
function headerOf(page: Uint8Array, handle: VirtAddr): number | null {
  const view = new DataView(page.buffer);
  const low = Number((handle | allocated) & 0xffff_ffffn);
  const high = Number(handle >> 32n);
  for (let at = 0; at + headerSize <= page.length; at += headerSize) {
    if (view.getUint32(at, true) === low && view.getUint32(at + 4, true) === high) return at;
  }
  return null;
}

/** The page frame after one in its chain; null where that is not known. */
function nextFrame(kernel: Kernel, frame: number): number | null {
  const model = memoryModel(kernel);
  const page = model?.pageStruct(pfn(frame)) ?? null;
  if (model === null || page === null) return null;
  const type = kernel.type('struct page');
  // page.index since ffedd09fa9b0 (5.17; zpdesc.next, at the same place, since 6.14); page.freelist before
  for (const member of ['index', '__folio_index', 'freelist'] as const) {
    const place = findMember(type, member);
    if (place === null) continue;
    const next = model.pfnOf(kernel.space.pointer(offsetBy(page, place.bitOffset / 8)));
    if (next !== null) return next;
  }
  return null;
}
