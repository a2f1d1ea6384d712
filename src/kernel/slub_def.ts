// include/linux/slub_def.h (mm/slab.h since 6.8): how large each slab cache is.
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';

/** One slab cache and the memory that it holds. */
export interface SlabCache {
  readonly name: string;
  /** Virtual address of the `struct kmem_cache`. */
  readonly address: bigint;
  /** Bytes of one object as the user asked for them. */
  readonly objectSize: number;
  /** Bytes from one object to the next. */
  readonly size: number;
  readonly slabs: number;
  /** Objects that its slabs have room for, used or not. */
  readonly objects: number;
  /** Pages that its slabs take. */
  readonly pages: number;
}

/** Most NUMA nodes looked at: MAX_NUMNODES is at most 1024. */
const maxNodes = 1024;

/** Every slab cache, in the kernel's order. Counts need CONFIG_SLUB_DEBUG (distributions have it); else they are 0. */
export function readSlabCaches(kernel: Kernel): SlabCache[] {
  const caches: SlabCache[] = [];
  // caches are allocated with room for the nodes that there are, not for as many as the type has
  const nodes = Math.min(maxNodes, kernel.optionalVariable('nr_node_ids')?.number() ?? 1);
  kernel.faults.attempt(
    'slab caches',
    () => {
      for (const cache of listEntries(kernel.variable('slab_caches'), 'struct kmem_cache', 'list')) {
        kernel.faults.attempt('slab cache', () => caches.push(readCache(cache, nodes)), 0);
      }
    },
    undefined,
  );
  return caches;
}

function readCache(cache: KernelObject, nodes: number): SlabCache {
  // kmem_cache_order_objects: order in the high half, objects in the low 16 bits
  const order = Number((cache.member('oo.x').bigint() >> 16n) & 0xffn);
  let slabs = 0;
  let objects = 0;
  for (let id = 0; id < nodes; id++) {
    // `per_node` holds the pointers since 7.1
    const node = cache.optional('node')?.index(id) ?? cache.member('per_node').index(id).member('node');
    if (node.isNull) continue;
    slabs += node.optional('nr_slabs.counter')?.number() ?? 0;
    objects += node.optional('total_objects.counter')?.number() ?? 0;
  }
  return {
    name: cache.member('name').string(256),
    address: cache.address,
    objectSize: cache.member('object_size').number(),
    size: cache.member('size').number(),
    slabs,
    objects,
    pages: slabs * 2 ** Math.min(order, 20),
  };
}
