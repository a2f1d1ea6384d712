// An object as mm/zsmalloc.c stores it: behind its handle in a page or across two, or with a page for itself.
import type { MappedKernel } from './mapped_kernel.ts';

export interface ObjectPlace {
  /** Where in its page the object begins, its handle included. */
  readonly offset?: number;
  /** Bits of physical addresses that the kernel leaves room for. */
  readonly bits?: number;
  /** It has a page for itself. */
  readonly huge?: boolean;
}

/** Stores data. Returns its handle; data of a whole page has a page for itself. */
export function storeZsmalloc(kernel: MappedKernel, data: Uint8Array, place: ObjectPlace = {}): bigint {
  const { offset = 64, bits = 52, huge = data.length === 4096 } = place;
  const first = kernel.reserve(4095);
  const handle = kernel.reserve(8);
  const frame = kernel.frameOf(first);
  const page = kernel.object('struct page', kernel.structPage(first));
  kernel.space.words(handle, (BigInt(frame) << BigInt(64 - (bits - 12))) | 6n);
  if (huge) {
    kernel.space.write(first, data);
    kernel.set(page, 'index', handle | 1n);
    return handle;
  }
  const room = 4096 - offset - 8;
  kernel.space.words(first + BigInt(offset), handle | 1n);
  kernel.space.write(first + BigInt(offset + 8), data.subarray(0, room));
  if (data.length > room) {
    const second = kernel.reserve(4095);
    kernel.space.write(second, data.subarray(room));
    kernel.set(page, 'index', kernel.structPage(second));
  }
  return handle;
}
