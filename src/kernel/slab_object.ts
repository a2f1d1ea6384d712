// mm/slub.c: the objects of slab caches, each with who has it.
//
//   on its slab's free list            --> free
//   on the list of the CPU that allocates from the slab, in a CPU's sheaf, in a node's barn --> free, there
//   on none of them                    --> allocated, unless a list that it could be on cannot be followed

import type { VirtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';
import { slabAt } from './slab.ts';
import { type SlabCache, slabCacheAt } from './slab_cache.ts';
import { type CpuSlabs, type FreeList, type Sheaf, type Slab, slub } from './slub.ts';

/**
 * - `allocated`: somebody has it
 * - `free`: on its slab's list
 * - `cpu`: free, kept by a CPU for its next allocation
 * - `sheaf`: free, in a sheaf of a CPU or of a node
 * - `rcu`: freed, and waiting in a CPU's sheaf for a grace period
 * - `unknown`: a list that it could be on cannot be read
 */
export type ObjectState = 'allocated' | 'free' | 'cpu' | 'sheaf' | 'rcu' | 'unknown';

/** One object of a slab. */
export interface SlabObject {
  readonly cache: SlabCache;
  readonly slab: Slab;
  /** Its number in the slab. */
  readonly index: number;
  /** Virtual address of the object. */
  readonly address: VirtAddr;
  readonly state: ObjectState;
  /** Of a free object, the CPU that has it: on its list, in its sheaf, or in the slab that it allocates from; else null. */
  readonly cpu: number | null;
}

/** Objects of a cache by who has them. */
export interface CacheUse {
  /** Objects that somebody has; null where the cache's slabs are not counted. */
  readonly allocated: number | null;
  /** On the lists of slabs that are on nodes' lists or CPUs'. */
  readonly inSlabs: number;
  /** On lists of CPUs. */
  readonly onCpus: number;
  /** In sheaves, with those that wait for a grace period. */
  readonly inSheaves: number;
}

/** What CPUs and sheaves have of a cache. */
export interface CacheHolders {
  readonly cpus: readonly CpuSlabs[];
  readonly sheaves: readonly Sheaf[];
}

/** By the address of the cache. */
const holders = perKernel(() => new Map<bigint, () => CacheHolders>());

/** What CPUs and sheaves have of a cache, read once. @throws NotFoundError where the kernel has no SLUB */
export function cacheHolders(kernel: Kernel, cache: SlabCache): CacheHolders {
  const known = holders(kernel);
  let read = known.get(cache.address);
  if (read === undefined) {
    const reader = slub(kernel);
    read = kernel.faults.memo(() => ({
      cpus: kernel.cpus.possible
        .map((cpu) => kernel.faults.attempt('slabs of a CPU', () => reader.cpuSlabs(cache, cpu), null))
        .filter((own) => own !== null),
      sheaves: reader.sheaves(cache),
    }));
    known.set(cache.address, read);
  }
  return read();
}

/** Counts a cache's objects. Lists that cannot be followed count as far as they could. @throws NotFoundError as `cacheHolders` */
export function cacheUse(kernel: Kernel, cache: SlabCache): CacheUse {
  const { cpus, sheaves } = cacheHolders(kernel, cache);
  let inSlabs = 0;
  let onCpus = 0;
  const count = (slab: Slab): void => {
    inSlabs += Math.max(0, slab.objects - slab.inUse);
  };
  for (const { active, partial } of cpus) {
    partial.forEach(count);
    if (active === null) continue;
    count(active.slab);
    onCpus += active.free.objects.length;
    if (active.free.problem !== null) kernel.faults.record('free list of a CPU', active.free.problem);
  }
  for (const node of cache.nodes) {
    kernel.faults.attempt(
      'slabs of a node',
      () => {
        for (const slab of slub(kernel).partial(node)) count(slab);
      },
      undefined,
    );
  }
  const inSheaves = sheaves.reduce((sum, { objects }) => sum + objects.length, 0);
  const allocated = cache.objects === null ? null : Math.max(0, cache.objects - inSlabs - onCpus - inSheaves);
  return { allocated, inSlabs, onCpus, inSheaves };
}

/** Every object of a slab. Empty where the kernel's linear map is not known. */
export function slabObjects(kernel: Kernel, cache: SlabCache, slab: Slab): SlabObject[] {
  const reader = slub(kernel);
  const { cpus, sheaves } = cacheHolders(kernel, cache);
  const own = reader.freeList(cache, slab);
  const free = new Set(own.objects);
  const owner = cpus.find(({ active }) => active?.slab.address === slab.address);
  const held = new Set(owner?.active?.free.objects ?? []);
  const unread = isCut(own, slab.objects - slab.inUse) || (owner?.active?.free.problem ?? null) !== null;
  const inSheaves = sheafPlaces(sheaves);
  const objects: SlabObject[] = [];
  for (let index = 0; index < slab.objects; index++) {
    const address = reader.objectAddress(cache, slab, index);
    if (address === null) break;
    const sheaf = inSheaves.get(address);
    const state: ObjectState =
      free.has(index) || slab.inUse === 0
        ? 'free'
        : held.has(index)
          ? 'cpu'
          : sheaf !== undefined
            ? sheaf.kind === 'rcu_free'
              ? 'rcu'
              : 'sheaf'
            : unread
              ? 'unknown'
              : 'allocated';
    const cpu = state === 'cpu' || state === 'free' ? (owner?.cpu ?? null) : (sheaf?.cpu ?? null);
    objects.push({ cache, slab, index, address, state, cpu });
  }
  return objects;
}

/** Whether a list could not be followed to all of the objects that it should have. */
function isCut({ objects, problem }: FreeList, expected: number): boolean {
  return problem !== null && objects.length < expected;
}

const places = new WeakMap<readonly Sheaf[], Map<bigint, Sheaf>>();

function sheafPlaces(sheaves: readonly Sheaf[]): Map<bigint, Sheaf> {
  let known = places.get(sheaves);
  if (known === undefined) {
    known = new Map();
    for (const sheaf of sheaves) for (const object of sheaf.objects) known.set(object, sheaf);
    places.set(sheaves, known);
  }
  return known;
}

/** An address in a slab: the object that it lies in, and that object's neighbours. */
export interface SlabObjectPlace {
  readonly object: SlabObject;
  /** Bytes from the object to the address; negative in the red zone before it. */
  readonly offset: number;
  /** The object before it in the slab; null for the first. */
  readonly previous: SlabObject | null;
  /** The object after it in the slab; null for the last. */
  readonly next: SlabObject | null;
}

/**
 * The object of a slab that an address lies in; null for memory of no slab, the rest at the end of a slab, and what
 * cannot be read. Throws nothing for what the dump holds.
 */
export function slabObjectAt(kernel: Kernel, address: VirtAddr): SlabObjectPlace | null {
  const place = slabAt(kernel, address);
  if (place === null) return null;
  try {
    const cache = slabCacheAt(kernel, place.cache);
    const slab = slub(kernel).slab(place.slab);
    if (slab.memory === null || cache.size <= 0) return null;
    const index = Math.floor(Number(address - slab.memory) / cache.size);
    const objects = slabObjects(kernel, cache, slab);
    const object = objects[index];
    if (object === undefined) return null;
    return {
      object,
      offset: Number(address - object.address),
      previous: objects[index - 1] ?? null,
      next: objects[index + 1] ?? null,
    };
  } catch (error) {
    if (error instanceof InquestError) return null;
    throw error;
  }
}
