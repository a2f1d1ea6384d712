// mm/slab.h: which slab cache an address belongs to.
//
//   address -> page frame -> struct page (of the compound page's head) -- a slab? --> slab_cache -> its name

import { pfn, type VirtAddr } from '../base/address.ts';
import { InquestError, NotFoundError } from '../base/errors.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { type PageFrames, pageFrames } from './page_kind.ts';
import { perKernel } from './per_kernel.ts';

/** The slab that an address lies in. */
export interface SlabPlace {
  /** Virtual address of the `struct kmem_cache`. */
  readonly cache: VirtAddr;
  readonly name: string;
  /** Virtual address of the `struct slab` (`struct page` before 5.17). */
  readonly slab: VirtAddr;
}

/** Name of the slab cache that an address points into, or null. Throws nothing for what cannot be read. */
export function slabCacheOf(kernel: Kernel, address: VirtAddr): string | null {
  return slabAt(kernel, address)?.name ?? null;
}

/** The slab that an address lies in; null for anything else, and for what cannot be read. */
export function slabAt(kernel: Kernel, address: VirtAddr): SlabPlace | null {
  // slab memory is mapped in the kernel's half alone
  if (!kernel.arch.isKernelAddress(address)) return null;
  return slabFinder(kernel).at(address);
}

const slabFinder = perKernel((kernel) => new SlabFinder(kernel));

class SlabFinder {
  private readonly kernel: Kernel;
  private readonly frames: PageFrames | null;
  /** Offset of slab_cache in the slab; null where the types do not tell. */
  private readonly cacheOffset: number | null;
  private readonly names = new Map<bigint, string | null>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.frames = pageFrames(kernel);
    // struct slab split off struct page, with the same place in memory, in 5.17 (d122019bf061)
    const type = kernel.types.find('struct slab') ?? kernel.types.find('struct page');
    const place = type === null ? null : findMember(type, 'slab_cache');
    this.cacheOffset = place === null ? null : place.bitOffset / 8;
  }

  at(address: VirtAddr): SlabPlace | null {
    if (this.frames === null || this.cacheOffset === null) return null;
    const { space } = this.kernel;
    try {
      const physical = space.translate(address);
      const slab = this.frames.slabPage(pfn(Math.floor(physical / space.memory.pageSize)));
      if (slab === null) return null;
      const cache = space.pointer((slab + BigInt(this.cacheOffset)) as VirtAddr);
      const name = this.nameOf(cache);
      return name === null ? null : { cache, name, slab };
    } catch (error) {
      if (error instanceof InquestError) return null;
      throw error;
    }
  }

  private nameOf(cache: VirtAddr): string | null {
    let name = this.names.get(cache);
    if (name === undefined) {
      try {
        name = this.kernel.object('struct kmem_cache', cache).member('name').string(256);
      } catch (error) {
        if (!(error instanceof InquestError) || error instanceof NotFoundError) throw error;
        name = null;
      }
      this.names.set(cache, name);
    }
    return name;
  }
}
