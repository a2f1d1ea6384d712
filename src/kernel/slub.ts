// mm/slub.c: where the free objects of slab caches are.
//
//   kmem_cache --> cpu_slab (each CPU, to 6.19) --> freelist   objects of `slab` that this CPU has for itself
//                                               --> slab       the slab that it allocates from
//                                               --> partial    slabs that it keeps, chained by `next`
//              --> node[]  (each node)          --> partial    slabs with room
//              --> cpu_sheaves (each CPU, since 6.18), barn (each node) --> arrays of free objects
//
// A slab is pages of objects; `struct slab` (struct page before 5.17) counts those in use and heads the list of
// those that are free. Objects that a CPU or a sheaf has count as in use there. Full slabs are on no list.
import { offsetBy, type Pfn, physAddr, type VirtAddr } from '../base/address.ts';
import { FormatError, type InquestError, MemoryFault, NotFoundError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember, offsetOf, type Type } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { listNodes } from './list.ts';
import { type MemoryModel, memoryModel } from './memory_model.ts';
import { perKernel } from './per_kernel.ts';
import type { SlabCache, SlabNode } from './slab_cache.ts';

/** One slab: pages full of objects of one cache. */
export interface Slab {
  /** Virtual address of the `struct slab` (`struct page` before 5.17). */
  readonly address: VirtAddr;
  /** Virtual address of its first byte; null where the kernel's linear map is not known. */
  readonly memory: VirtAddr | null;
  readonly pfn: Pfn;
  /** Objects that it has room for. */
  readonly objects: number;
  /** Objects that are not on its own free list: allocated, or a CPU's or a sheaf's. */
  readonly inUse: number;
  /** True while a CPU allocates from it. */
  readonly frozen: boolean;
  /** Its first free object; 0 for none. */
  readonly freeList: VirtAddr;
}

/** A list of free objects of one slab, as far as it could be followed. */
export interface FreeList {
  /** Numbers of the objects within their slab, in the order of the list. */
  readonly objects: readonly number[];
  /** Why the list could not be followed to its end; null if it was. */
  readonly problem: InquestError | null;
}

/** What one CPU has of a cache, on kernels where CPUs have slabs. */
export interface CpuSlabs {
  readonly cpu: number;
  /** Virtual address of the `struct kmem_cache_cpu`. */
  readonly address: VirtAddr;
  /** The slab that it allocates from, and what is left for it there; null for none. */
  readonly active: { readonly slab: Slab; readonly free: FreeList } | null;
  readonly partial: readonly Slab[];
}

/** An array of free objects. */
export interface Sheaf {
  /** Virtual address of the `struct slab_sheaf`. */
  readonly address: VirtAddr;
  /** Which of a CPU's sheaves it is, or which list of a node's barn it is on. */
  readonly kind: 'main' | 'spare' | 'rcu_free' | 'barn';
  /** The CPU that has it; null in a barn. */
  readonly cpu: number | null;
  /** The memory node whose barn it is in; null for a CPU's. */
  readonly node: number | null;
  readonly objects: readonly VirtAddr[];
}

/** Most slabs on one list. */
const maxSlabs = 4_000_000;
/** Most objects in a sheaf believed: kernels use 32 to some hundreds. */
const maxSheafObjects = 65536;
/** Most sheaves on one list of a barn: the kernel keeps at most 10. */
const maxBarnSheaves = 4096;

/** How the pointer to the next free object is written, of hardened free lists. */
type Mixing = 'swapped' | 'straight';

/** @throws NotFoundError where the kernel's types know no SLUB */
export const slub = perKernel((kernel) => new Slub(kernel));

/** What stands where a free object keeps the next one. */
export interface StoredNext {
  /** Virtual address of the word. */
  readonly at: VirtAddr;
  /** As it lies in memory. */
  readonly stored: bigint;
  /** What the allocator makes of it. */
  readonly values: readonly bigint[];
}

/** Reads the slabs of caches. */
export class Slub {
  private readonly kernel: Kernel;
  private readonly model: MemoryModel;
  private readonly slabType: Type;
  private readonly slabSize: number;
  /** Byte offsets in a slab's struct. */
  private readonly offsets: { readonly freeList: number; readonly counters: number; readonly list: number };
  /** Bits of the word at `offsets.counters`. */
  private readonly bits: {
    readonly inUse: BitField;
    readonly objects: BitField;
    readonly frozen: BitField;
  };
  private readonly next: number | null;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly wordBytes = new Uint8Array(8);
  private readonly word = new DataView(this.wordBytes.buffer);
  /** Mixed with the swapped address since 1ad53d9fa3f6 (5.7, and in stable kernels before): found out by trying. */
  private mixing: Mixing = 'swapped';

  constructor(kernel: Kernel) {
    const model = memoryModel(kernel);
    if (model === null) throw new NotFoundError('memory model', 'mem_section', 'VMCOREINFO does not describe it');
    this.kernel = kernel;
    this.model = model;
    // struct slab split off struct page, with the same place in memory, in 5.17 (d122019bf061)
    this.slabType = kernel.types.find('struct slab') ?? kernel.type('struct page');
    const bit = (name: string): { word: number; field: BitField } => {
      const place = findMember(this.slabType, name);
      if (place === null) throw new NotFoundError('member', `struct slab.${name}`);
      return {
        word: Math.floor(place.bitOffset / 32) * 4,
        field: { shift: place.bitOffset % 32, mask: 2 ** (place.bitSize || 32) - 1 },
      };
    };
    const [inUse, objects, frozen] = [bit('inuse'), bit('objects'), bit('frozen')];
    if (inUse.word !== objects.word || objects.word !== frozen.word) {
      throw new FormatError('struct slab', 'its counters are not in one word');
    }
    const list = findMember(this.slabType, 'slab_list') ?? findMember(this.slabType, 'lru'); // 916ac0527837, 5.2
    if (list === null) throw new NotFoundError('member', 'struct slab.slab_list');
    this.offsets = {
      freeList: offsetOf(this.slabType, 'freelist'),
      counters: inUse.word,
      list: list.bitOffset / 8,
    };
    this.bits = { inUse: inUse.field, objects: objects.field, frozen: frozen.field };
    const next = findMember(this.slabType, 'next');
    this.next = next === null ? null : next.bitOffset / 8;
    this.slabSize = Math.max(this.offsets.freeList + 8, this.offsets.counters + 4);
    this.bytes = new Uint8Array(this.slabSize);
    this.view = new DataView(this.bytes.buffer);
  }

  /**
   * The slab whose `struct slab` lies at an address.
   * @throws MemoryFault; FormatError where no page frame has its struct there
   */
  slab(address: VirtAddr): Slab {
    const { space } = this.kernel;
    space.readInto(address, this.bytes);
    const counters = this.view.getUint32(this.offsets.counters, true);
    const frame = this.model.pfnOf(address);
    if (frame === null) throw new FormatError(`slab at ${address.toString(16)}`, 'is no page of memory');
    return {
      address,
      memory: space.linearAddress(physAddr(frame * space.memory.pageSize)),
      pfn: frame,
      objects: take(counters, this.bits.objects),
      inUse: take(counters, this.bits.inUse),
      frozen: take(counters, this.bits.frozen) !== 0,
      freeList: this.view.getBigUint64(this.offsets.freeList, true) as VirtAddr,
    };
  }

  /** Virtual address of object `index` of a slab; null where the linear map is not known. */
  objectAddress(cache: SlabCache, slab: Slab, index: number): VirtAddr | null {
    return slab.memory === null ? null : offsetBy(slab.memory, index * cache.size + cache.redLeft);
  }

  /** The number of the object that an address is the start of; null for any other address. */
  private objectIndex(cache: SlabCache, slab: Slab, address: bigint): number | null {
    if (slab.memory === null) return null;
    // the top byte is a tag where arm64's memory tagging is on
    const offset = Number(BigInt.asIntN(56, address - slab.memory)) - cache.redLeft;
    const index = offset / cache.size;
    return index >= 0 && index < slab.objects && Number.isInteger(index) ? index : null;
  }

  /**
   * Follows a list of free objects of one slab, whoever has its head. Throws nothing for what the dump holds.
   * @param first its first object; 0 for an empty list
   */
  freeList(cache: SlabCache, slab: Slab, first: VirtAddr = slab.freeList): FreeList {
    const objects: number[] = [];
    if (first === 0n) return { objects, problem: null };
    const name = `free list of slab ${slab.address.toString(16)}`;
    const seen = new Uint8Array(slab.objects);
    let index = this.objectIndex(cache, slab, first);
    if (index === null || slab.memory === null) {
      return { objects, problem: new FormatError(name, `begins with ${first.toString(16)}, which is no object of it`) };
    }
    const base = halves(slab.memory);
    const random = cache.random === null ? null : halves(cache.random);
    try {
      while (true) {
        if (seen[index] === 1) return { objects, problem: new FormatError(name, `loops back to object ${index}`) };
        seen[index] = 1;
        objects.push(index);
        const next = this.nextFree(cache, slab, base, random, index);
        if (next === end) return { objects, problem: null };
        if (next === outside) {
          return { objects, problem: new FormatError(name, `leads out of it from object ${index}`) };
        }
        index = next;
      }
    } catch (error) {
      if (error instanceof MemoryFault) return { objects, problem: error };
      throw error;
    }
  }

  /**
   * The object after a free one, or `end`, or `outside` if what is written there is neither. In 32-bit halves: a cache has
   * thousands of them, and each takes half a dozen operations, of which one on a bigint costs as much as all of them.
   * @param base where the slab's memory begins @throws MemoryFault
   */
  private nextFree(cache: SlabCache, slab: Slab, base: Halves, random: Halves | null, index: number): number {
    const { memory } = this.kernel.space;
    const offset = index * cache.size + cache.redLeft + cache.freePointer;
    const { word } = this;
    memory.read(physAddr(slab.pfn * memory.pageSize + offset), this.wordBytes);
    const low = word.getUint32(0, true);
    const high = word.getUint32(4, true);
    if (random === null) return indexOf(cache, slab, base, low, high);
    const sum = base.low + offset;
    const placeLow = sum >>> 0;
    const placeHigh = base.high + (sum > 0xffff_ffff ? 1 : 0);
    for (let way = 0; way < 2; way++) {
      const swapped = this.mixing === 'swapped';
      const next = indexOf(
        cache,
        slab,
        base,
        low ^ random.low ^ (swapped ? swap32(placeHigh) : placeLow),
        high ^ random.high ^ (swapped ? swap32(placeLow) : placeHigh),
      );
      if (next !== outside) return next;
      // neither way: back to the one that was right until now
      this.mixing = swapped ? 'straight' : 'swapped';
    }
    return outside;
  }

  /**
   * Where a free object keeps the next one, and what stands there: as it lies in memory, and what the allocator makes of that,
   * for each way in which it may be mixed. Whether the object is free is not asked. Null where the linear map is not known.
   * @throws MemoryFault
   */
  storedNext(cache: SlabCache, slab: Slab, index: number): StoredNext | null {
    const object = this.objectAddress(cache, slab, index);
    if (object === null) return null;
    const at = offsetBy(object, cache.freePointer);
    const stored = this.kernel.space.u64(at);
    const { random } = cache;
    const values = random === null ? [stored] : [swapBytes(at), at].map((place) => stored ^ random ^ place);
    return { at, stored, values };
  }

  /** The slabs with room on a node's list. Throws as `listNodes`; a slab that cannot be read costs itself. */
  *partial(node: SlabNode): Generator<Slab> {
    for (const link of listNodes(node.object.member('partial'))) {
      const slab = this.kernel.faults.attempt('slab', () => this.slab(offsetBy(link, -this.offsets.list)), null);
      if (slab !== null) yield slab;
    }
  }

  /** What a CPU has of a cache; null on kernels where CPUs have no slabs. @throws MemoryFault */
  cpuSlabs(cache: SlabCache, cpu: number): CpuSlabs | null {
    // went with CONFIG_SLUB_CPU_PARTIAL in 7.0; the caches of boot have none for a while before, either
    const base = cache.object.optional('cpu_slab');
    if (base === null || base.isNull) return null;
    const { kernel } = this;
    const address = offsetBy(base.pointer(), kernel.perCpuOffset(cpu));
    const own = kernel.object('struct kmem_cache_cpu', address);
    const first = own.memberAmong('slab', 'page').pointer(); // bb192ed9aa71, 5.17
    const active =
      first === 0n
        ? null
        : kernel.faults.attempt(
            'slab of a CPU',
            () => {
              const slab = this.slab(first);
              return { slab, free: this.freeList(cache, slab, own.member('freelist').pointer()) };
            },
            null,
          );
    return { cpu, address, active, partial: this.chain(own.optional('partial')) };
  }

  /** Slabs chained by `next`. */
  private chain(head: KernelObject | null): Slab[] {
    const slabs: Slab[] = [];
    if (head === null || this.next === null) return slabs;
    const seen = new Set<bigint>();
    this.kernel.faults.attempt(
      'partial slabs of a CPU',
      () => {
        for (let at = head.pointer(); at !== 0n; at = this.kernel.space.pointer(offsetBy(at, this.next!))) {
          if (seen.has(at) || seen.size >= maxSlabs) {
            throw new FormatError('partial slabs of a CPU', `loop back to ${at.toString(16)}`);
          }
          seen.add(at);
          slabs.push(this.slab(at));
        }
      },
      undefined,
    );
    return slabs;
  }

  /** Every sheaf of a cache, of CPUs and in barns; none before 6.18 (2d517aa09bbc). A sheaf that cannot be read costs itself. */
  sheaves(cache: SlabCache): Sheaf[] {
    const found: Sheaf[] = [];
    const { faults } = this.kernel;
    const own = cache.object.optional('cpu_sheaves');
    if (own === null || own.isNull) return found;
    for (const cpu of this.kernel.cpus.possible) {
      faults.attempt(
        'sheaves of a CPU',
        () => {
          const address = offsetBy(own.pointer(), this.kernel.perCpuOffset(cpu));
          const sheaves = this.kernel.object('struct slub_percpu_sheaves', address);
          for (const kind of ['main', 'spare', 'rcu_free'] as const) {
            const sheaf = sheaves.member(kind);
            if (!sheaf.isNull) found.push(this.sheaf(sheaf.deref(), kind, cpu, null));
          }
        },
        undefined,
      );
    }
    for (const node of cache.nodes) {
      faults.attempt('sheaves of a node', () => this.barn(cache, node, found), undefined);
    }
    return found;
  }

  private barn(cache: SlabCache, node: SlabNode, found: Sheaf[]): void {
    // beside the node in `per_node` since 7.1
    const barn = cache.object.optional('per_node')?.index(node.id).member('barn') ?? node.object.optional('barn');
    if (barn === null || barn.isNull) return;
    let count = 0;
    for (const link of listNodes(barn.member('sheaves_full'))) {
      if (++count > maxBarnSheaves) throw new FormatError('barn', `more than ${maxBarnSheaves} sheaves`);
      const sheaf = this.kernel
        .object('struct list_head', link)
        .containerOf(this.kernel.type('struct slab_sheaf'), 'barn_list');
      found.push(this.sheaf(sheaf, 'barn', null, node.id));
    }
  }

  private sheaf(sheaf: KernelObject, kind: Sheaf['kind'], cpu: number | null, node: number | null): Sheaf {
    const count = sheaf.member('size').number();
    if (count > maxSheafObjects) throw new FormatError(`sheaf at ${sheaf.address.toString(16)}`, `${count} objects`);
    const bytes = this.kernel.space.read(sheaf.member('objects').address, count * 8);
    const view = new DataView(bytes.buffer);
    const objects = Array.from({ length: count }, (_, i) => view.getBigUint64(i * 8, true) as VirtAddr);
    return { address: sheaf.address, kind, cpu, node, objects };
  }
}

interface BitField {
  readonly shift: number;
  readonly mask: number;
}

function take(word: number, { shift, mask }: BitField): number {
  return (word >>> shift) & mask;
}

/** A 64-bit word as two of 32 bits. */
interface Halves {
  readonly low: number;
  readonly high: number;
}

function halves(word: bigint): Halves {
  return { low: Number(word & 0xffff_ffffn), high: Number((word >> 32n) & 0xffff_ffffn) };
}

/** What ends a list of free objects, and what is no object of its slab, in place of an object's number. */
const end = -1;
const outside = -2;

/** The number of the object that an address, in halves of any sign, is the start of. */
function indexOf(cache: SlabCache, slab: Slab, base: Halves, low: number, high: number): number {
  if (low === 0 && high === 0) return end;
  // the top byte is a tag where arm64's memory tagging is on
  const above = ((high - base.high) << 8) >> 8;
  const offset = above * 2 ** 32 + ((low >>> 0) - base.low) - cache.redLeft;
  const index = offset / cache.size;
  return index >= 0 && index < slab.objects && Number.isInteger(index) ? index : outside;
}

function swap32(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

function swapBytes(word: bigint): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, word, true);
  return view.getBigUint64(0, false);
}
