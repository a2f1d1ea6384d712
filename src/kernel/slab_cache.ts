// mm/slab.h (include/linux/slub_def.h before 6.8): struct kmem_cache. What every slab cache is made of.
//
//   slab_caches --> kmem_cache --> node[]    : slabs with room, in lists
//                              --> cpu_slab  : the slab that a CPU allocates from (to 6.19)
//                              --> cpu_sheaves, barn : arrays of free objects (since 6.18)
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { perKernel } from './per_kernel.ts';

/** A cache's share of one memory node. */
export interface SlabNode {
  readonly id: number;
  /** Virtual address of the `struct kmem_cache_node`. */
  readonly address: VirtAddr;
  readonly object: KernelObject;
  /** Slabs of the node; null without CONFIG_SLUB_DEBUG, which distributions have. */
  readonly slabs: number | null;
  /** Objects that those slabs have room for; null as `slabs`. */
  readonly objects: number | null;
  /** Slabs on the node's partial list. */
  readonly partial: number;
}

/** One slab cache. */
export interface SlabCache {
  /** null where it cannot be read. */
  readonly name: string | null;
  /** Virtual address of the `struct kmem_cache`. */
  readonly address: VirtAddr;
  readonly object: KernelObject;
  /** Bytes of one object as the user asked for them. */
  readonly objectSize: number;
  /** Bytes from one object to the next. */
  readonly size: number;
  /** Bytes between the start of an object's room and the object: a red zone, of caches that are debugged. */
  readonly redLeft: number;
  /** Bytes from an object to where its slab's next free object is written, while it is free. */
  readonly freePointer: number;
  /** What hardened free lists are mixed with; null where they are plain. */
  readonly random: bigint | null;
  readonly flags: bigint;
  /** Objects in a slab of the usual order; slabs made while memory was short have fewer. */
  readonly perSlab: number;
  /** log2 of the pages in a slab of the usual order. */
  readonly order: number;
  readonly nodes: readonly SlabNode[];
  /** Slabs on all nodes; null where they are not counted. */
  readonly slabs: number | null;
  /** Objects that the slabs have room for, used or not; null where they are not counted. */
  readonly objects: number | null;
  /** Pages that the slabs take; null where they are not counted. */
  readonly pages: number | null;
}

/** Most NUMA nodes looked at: MAX_NUMNODES is at most 1024. */
const maxNodes = 1024;
/** Largest order of a slab believed: a few pages. */
const maxOrder = 20;

/** Every slab cache, in the kernel's order: newest first. */
export const slabCaches = perKernel(readSlabCaches);

const byAddress = perKernel((kernel) => new Map(slabCaches(kernel).map((cache) => [cache.address, cache])));

/** The cache whose `struct kmem_cache` lies at an address, on the kernel's list or not. @throws MemoryFault */
export function slabCacheAt(kernel: Kernel, address: VirtAddr): SlabCache {
  return byAddress(kernel).get(address) ?? readCache(kernel, kernel.object('struct kmem_cache', address));
}

function readSlabCaches(kernel: Kernel): readonly SlabCache[] {
  const caches: SlabCache[] = [];
  kernel.faults.attempt(
    'slab caches',
    () => {
      for (const cache of listEntries(kernel.variable('slab_caches'), 'struct kmem_cache', 'list')) {
        kernel.faults.attempt('slab cache', () => caches.push(readCache(kernel, cache)), 0);
      }
    },
    undefined,
  );
  return caches;
}

function readCache(kernel: Kernel, cache: KernelObject): SlabCache {
  // caches are allocated with room for the nodes that there are, not for as many as the type has
  const nodeCount = Math.min(maxNodes, kernel.optionalVariable('nr_node_ids')?.number() ?? 1);
  // kmem_cache_order_objects: order in the high half, objects in the low 16 bits
  const shape = cache.member('oo.x').number();
  const order = Math.min(maxOrder, (shape >>> 16) & 0xff);
  const nodes: SlabNode[] = [];
  for (let id = 0; id < nodeCount; id++) {
    const node = kernel.faults.attempt('node of a slab cache', () => readNode(cache, id), null);
    if (node !== null) nodes.push(node);
  }
  const total = (count: (node: SlabNode) => number | null): number | null =>
    nodes.reduce<number | null>((sum, node) => {
      const n = count(node);
      return sum === null || n === null ? null : sum + n;
    }, 0);
  const slabs = total((node) => node.slabs);
  return {
    name: kernel.faults.attempt('name of a slab cache', () => cache.member('name').string(256), null),
    address: cache.address,
    object: cache,
    objectSize: cache.member('object_size').number(),
    size: cache.member('size').number(),
    redLeft: cache.optional('red_left_pad')?.number() ?? 0,
    freePointer: cache.member('offset').number(),
    // CONFIG_SLAB_FREELIST_HARDENED, 2482ddec670f (4.14)
    random: cache.optional('random')?.bigint() ?? null,
    flags: cache.member('flags').bigint(),
    perSlab: shape & 0xffff,
    order,
    nodes,
    slabs,
    objects: total((node) => node.objects),
    pages: slabs === null ? null : slabs * 2 ** order,
  };
}

function readNode(cache: KernelObject, id: number): SlabNode | null {
  // `per_node` holds the pointers since 7.1
  const object = cache.optional('node')?.index(id) ?? cache.member('per_node').index(id).member('node');
  if (object.isNull) return null;
  const node = object.deref();
  return {
    id,
    address: node.address,
    object: node,
    slabs: node.optional('nr_slabs.counter')?.number() ?? null,
    objects: node.optional('total_objects.counter')?.number() ?? null,
    partial: node.member('nr_partial').number(),
  };
}
