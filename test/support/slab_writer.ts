// Slab caches in a synthetic kernel, as SLUB makes them: slabs on pages of their own, free lists written into the
// free objects, lists of slabs with room, what CPUs and sheaves have.
//
//   const slabs = new SlabWriter(types, { hardened: true });
//   const cache = slabs.cache({ name: 'dentry', size: 64 });
//   const slab = slabs.slab(cache, { objects: 4, free: [2, 0] });
//   slabs.partial(cache, slab);
import type { VirtAddr } from '../../src/base/address.ts';
import { virtAddr } from '../../src/base/address.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { MappedKernel } from './mapped_kernel.ts';

const common = `
  struct list_head { struct list_head *next, *prev; };
  struct atomic_long { long counter; };
  struct kmem_cache_order_objects { unsigned int x; };
  struct cpumask { u64 bits[1]; };
`;

/** Types of 6.12, before sheaves; `hardened` free lists have a random word in their cache. */
export const slubTypes = (hardened: boolean): string => `${common}
  struct slab {
    u64 __page_flags; struct kmem_cache *slab_cache;
    union { struct list_head slab_list; struct { struct slab *next; int slabs; }; };
    void *freelist;
    union { u64 counters; struct { unsigned inuse : 16; unsigned objects : 15; unsigned frozen : 1; }; };
    unsigned int __page_type; int refcount; u64 obj_exts;
  };
  struct kmem_cache_cpu { void *freelist; u64 tid; struct slab *slab; struct slab *partial; };
  struct kmem_cache_node {
    u64 nr_partial; struct list_head partial; struct atomic_long nr_slabs; struct atomic_long total_objects;
  };
  struct kmem_cache {
    struct kmem_cache_cpu *cpu_slab; unsigned int flags; unsigned int size, object_size, offset;
    struct kmem_cache_order_objects oo; unsigned int red_left_pad; char *name; struct list_head list;
    ${hardened ? 'u64 random;' : ''} struct kmem_cache_node *node[4];
  };
`;

/** Types of 7.2: sheaves and barns, no slabs of CPUs. */
export const sheafTypes = `${common}
  struct slab {
    u64 flags; struct kmem_cache *slab_cache; struct list_head slab_list; void *freelist;
    union { u64 counters; struct { unsigned inuse : 16; unsigned objects : 15; unsigned frozen : 1; unsigned stride; }; };
    unsigned int __page_type; int refcount; u64 obj_exts;
  };
  struct slab_sheaf { union { struct list_head barn_list; u64 rcu[2]; }; struct kmem_cache *cache; unsigned int size; int node; void *objects[]; };
  struct slub_percpu_sheaves { struct slab_sheaf *main; struct slab_sheaf *spare; struct slab_sheaf *rcu_free; };
  struct node_barn { struct list_head sheaves_full; struct list_head sheaves_empty; };
  struct kmem_cache_node {
    u64 nr_partial; struct list_head partial; struct atomic_long nr_slabs; struct atomic_long total_objects;
  };
  struct kmem_cache_per_node_ptrs { struct node_barn *barn; struct kmem_cache_node *node; };
  struct kmem_cache {
    struct slub_percpu_sheaves *cpu_sheaves; unsigned int flags; unsigned int size, object_size, offset;
    struct kmem_cache_order_objects oo; unsigned int red_left_pad; char *name; struct list_head list;
    u64 random; struct kmem_cache_per_node_ptrs per_node[4];
  };
`;

export interface CacheShape {
  readonly name: string;
  readonly size: number;
  readonly redLeft?: number;
  /** Where a free object keeps the pointer to the next. */
  readonly freePointer?: number;
}

/** A slab that was written. */
export interface WrittenSlab {
  /** Virtual address of its `struct slab`. */
  readonly address: VirtAddr;
  readonly memory: VirtAddr;
  readonly objects: number;
  readonly object: KernelObject;
}

export class SlabWriter {
  readonly kernel: MappedKernel;
  private readonly head: KernelObject;
  private readonly caches: KernelObject[] = [];
  private readonly lists = new Map<bigint, bigint[]>();
  private readonly swapped: boolean;
  private readonly cpuCount: number;

  /** @param swapped false for free lists as kernels before 5.7 mix them; @param cpus CPUs of the machine */
  constructor(types: string, { swapped = true, cpus = 2 }: { swapped?: boolean; cpus?: number } = {}) {
    this.swapped = swapped;
    this.cpuCount = cpus;
    this.kernel = new MappedKernel(types);
    const { kernel } = this;
    this.head = kernel.allocate('struct list_head', 'slab_caches');
    kernel.link(this.head.address);
    for (const name of ['possible', 'present', 'online']) {
      kernel.set(kernel.allocate('struct cpumask', `__cpu_${name}_mask`), 'bits[0]', 2 ** cpus - 1);
    }
    const offsets = kernel.reserve(64);
    kernel.define('__per_cpu_offset', offsets, 64);
    for (let cpu = 0; cpu < cpus; cpu++) kernel.space.words(offsets + BigInt(cpu * 8), BigInt(cpu * 0x1000));
  }

  cache({ name, size, redLeft = 0, freePointer = 0 }: CacheShape): KernelObject {
    const { kernel } = this;
    const cache = kernel.allocate('struct kmem_cache');
    const text = kernel.reserve(name.length + 1);
    kernel.space.write(text, Buffer.from(`${name}\0`, 'latin1'));
    kernel.set(cache, 'name', text);
    kernel.set(cache, 'size', size);
    kernel.set(cache, 'object_size', size - redLeft);
    kernel.set(cache, 'offset', freePointer);
    kernel.set(cache, 'red_left_pad', redLeft);
    kernel.set(cache, 'oo.x', Math.floor(4096 / size));
    if (cache.has('random')) kernel.set(cache, 'random', 0x1234_5678_9abc_def0n);
    const node = kernel.allocate('struct kmem_cache_node');
    kernel.link(node.member('partial').address);
    kernel.set(cache, cache.has('node') ? 'node[0]' : 'per_node[0].node', node);
    // each CPU's copy on a page of its own, as the offsets have it
    const copies = kernel.reserve(this.cpuCount * 0x1000);
    kernel.set(cache, cache.has('cpu_slab') ? 'cpu_slab' : 'cpu_sheaves', copies);
    this.caches.push(cache);
    kernel.link(this.head.address, ...this.caches.map((c) => c.member('list').address));
    return cache;
  }

  node(cache: KernelObject): KernelObject {
    return (cache.optional('node')?.index(0) ?? cache.member('per_node').index(0).member('node')).deref();
  }

  /** A slab whose own list has the objects `free`; `given` of the others are some CPU's or sheaf's. */
  slab(cache: KernelObject, { objects, free }: { objects: number; free: readonly number[] }): WrittenSlab {
    const { kernel } = this;
    const memory = kernel.reserve(objects * cache.member('size').number() - 1);
    const address = kernel.structPage(memory);
    const slab = kernel.object('struct slab', address);
    kernel.set(slab, 'slab_cache', cache);
    kernel.set(slab, 'objects', objects);
    kernel.set(slab, 'inuse', objects - free.length);
    kernel.set(slab, '__page_type', 0xf500_0000);
    const written = { address, memory, objects, object: slab };
    kernel.set(slab, 'freelist', this.freeList(cache, written, free));
    const node = this.node(cache);
    kernel.set(node, 'nr_slabs.counter', node.member('nr_slabs.counter').number() + 1);
    kernel.set(node, 'total_objects.counter', node.member('total_objects.counter').number() + objects);
    return written;
  }

  /** Chains objects of a slab as free ones. @returns address of the first; 0 for none */
  freeList(cache: KernelObject, slab: WrittenSlab, free: readonly number[]): bigint {
    for (const [i, index] of free.entries()) {
      const next = free[i + 1];
      this.writeNext(cache, slab, index, next === undefined ? 0n : this.objectAddress(cache, slab, next));
    }
    return free.length === 0 ? 0n : this.objectAddress(cache, slab, free[0]!);
  }

  /** Writes what a free object says comes next, mixed as the kernel does. */
  writeNext(cache: KernelObject, slab: WrittenSlab, index: number, next: bigint): void {
    const at = this.objectAddress(cache, slab, index) + cache.member('offset').bigint();
    const random = cache.optional('random')?.bigint() ?? null;
    const place = this.swapped ? Buffer.from(at.toString(16), 'hex').readBigUInt64LE() : at;
    this.kernel.space.words(at, random === null ? next : next ^ random ^ place);
  }

  objectAddress(cache: KernelObject, slab: WrittenSlab, index: number): bigint {
    return slab.memory + BigInt(index) * cache.member('size').bigint() + cache.member('red_left_pad').bigint();
  }

  /** Puts slabs on the node's list. */
  partial(cache: KernelObject, ...slabs: WrittenSlab[]): void {
    const node = this.node(cache);
    const links = [...(this.lists.get(node.address) ?? []), ...slabs.map((s) => s.object.member('slab_list').address)];
    this.lists.set(node.address, links);
    this.kernel.set(node, 'nr_partial', links.length);
    this.kernel.link(node.member('partial').address, ...links);
  }

  /** Makes a slab a CPU's own: `free` are its objects that the CPU has on its list. */
  active(cache: KernelObject, cpu: number, slab: WrittenSlab, free: readonly number[]): void {
    const own = this.kernel.object('struct kmem_cache_cpu', this.copy(cache, 'cpu_slab', cpu));
    this.kernel.set(slab.object, 'frozen', 1);
    this.kernel.set(own, 'slab', slab.address);
    this.kernel.set(own, 'freelist', this.freeList(cache, slab, free));
  }

  /** Chains slabs as a CPU's partial ones. */
  cpuPartial(cache: KernelObject, cpu: number, ...slabs: WrittenSlab[]): void {
    const own = this.kernel.object('struct kmem_cache_cpu', this.copy(cache, 'cpu_slab', cpu));
    this.kernel.set(own, 'partial', slabs[0]?.address ?? 0n);
    for (const [i, slab] of slabs.entries()) this.kernel.set(slab.object, 'next', slabs[i + 1]?.address ?? 0n);
  }

  /** A sheaf of objects that is free for a CPU. */
  sheaf(
    cache: KernelObject,
    cpu: number,
    kind: 'main' | 'spare' | 'rcu_free',
    objects: readonly bigint[],
  ): KernelObject {
    const sheaf = this.makeSheaf(cache, objects);
    this.kernel.set(
      this.kernel.object('struct slub_percpu_sheaves', this.copy(cache, 'cpu_sheaves', cpu)),
      kind,
      sheaf,
    );
    return sheaf;
  }

  /** Full sheaves in the node's barn. */
  barn(cache: KernelObject, ...sheaves: (readonly bigint[])[]): void {
    const barn = this.kernel.allocate('struct node_barn');
    this.kernel.set(cache, 'per_node[0].barn', barn);
    const links = sheaves.map((objects) => this.makeSheaf(cache, objects).member('barn_list').address);
    this.kernel.link(barn.member('sheaves_full').address, ...links);
    this.kernel.link(barn.member('sheaves_empty').address);
  }

  private makeSheaf(cache: KernelObject, objects: readonly bigint[]): KernelObject {
    const sheaf = this.kernel.object('struct slab_sheaf', this.kernel.reserve(32 + objects.length * 8));
    this.kernel.set(sheaf, 'cache', cache);
    this.kernel.set(sheaf, 'size', objects.length);
    this.kernel.space.words(sheaf.member('objects').address, ...objects);
    return sheaf;
  }

  private copy(cache: KernelObject, member: string, cpu: number): VirtAddr {
    return virtAddr(cache.member(member).pointer() + this.kernel.perCpuOffset(cpu));
  }
}
