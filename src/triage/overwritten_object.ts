// The object of a slab cache whose link in the free list was overwritten: found by what the allocator took for the next one.
//
//   | allocated object BBBBBBBB|BBBB free object BBB next BB|
//     written past its end ---->              this was followed
import { regionOf } from '../arch/architecture.ts';
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex, hex16 } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { slabAt } from '../kernel/slab.ts';
import type { SlabCache } from '../kernel/slab_cache.ts';
import { cacheHolders, type SlabObject, slabObjects } from '../kernel/slab_object.ts';
import { type Slab, type StoredNext, slub } from '../kernel/slub.ts';
import { type ObjectNow, objectNow } from '../origin/object_now.ts';

/** The object whose free list pointer was overwritten. */
export interface OverwrittenObject {
  readonly object: SlabObject;
  readonly previous: SlabObject | null;
  /** Virtual address of the pointer. */
  readonly at: VirtAddr;
  /** What is there. */
  readonly bits: bigint;
  /** How far the same reaches around it; null for a word that stands alone. */
  readonly pattern: ObjectNow['pattern'];
}

/** Slabs that are looked at. */
const maxSlabs = 500;

/**
 * The object of a cache that has certain bits where the next free one should stand; null where none is found.
 * @param wild what the allocator made of what it found there: one of these
 * @param registers that may lead to the slab
 */
export function overwrittenObject(
  kernel: Kernel,
  cache: SlabCache,
  wild: readonly bigint[],
  registers: readonly (bigint | undefined)[],
): OverwrittenObject | null {
  const reader = slub(kernel);
  for (const slab of slabsInHand(kernel, cache, registers)) {
    const matches: { index: number; next: StoredNext }[] = [];
    for (let index = 0; index < slab.objects; index++) {
      kernel.work.charge('nodes', 1);
      const next = kernel.faults.attempt('free object', () => reader.storedNext(cache, slab, index), null);
      if (next?.values.some((value) => wild.includes(value)) === true) matches.push({ index, next });
    }
    // the same may lie in objects that are in use: the last that the list leads to is the one
    const last = reader.freeList(cache, slab).objects.at(-1);
    const match = matches.find(({ index }) => index === last) ?? matches[0];
    const objects = match === undefined ? [] : slabObjects(kernel, cache, slab);
    const object = match === undefined ? undefined : objects[match.index];
    if (match === undefined || object === undefined) continue;
    const { at, stored: bits } = match.next;
    const pattern = objectNow(kernel, at, bits)?.pattern ?? null;
    return { object, previous: objects[match.index - 1] ?? null, at, bits, pattern };
  }
  return null;
}

/** Slabs of a cache that the allocator may have been at: those that registers point to, those of CPUs, those with room. */
function* slabsInHand(kernel: Kernel, cache: SlabCache, registers: readonly (bigint | undefined)[]): Generator<Slab> {
  const reader = slub(kernel);
  const seen = new Set<bigint>();
  const found: Slab[] = [];
  for (const value of registers) {
    if (value === undefined || !kernel.arch.isKernelAddress(value)) continue;
    const place = slabAt(kernel, virtAddr(value)) ?? slabStruct(kernel, virtAddr(value));
    if (place === null || place.cache !== cache.address) continue;
    kernel.faults.attempt('slab', () => found.push(reader.slab(place.slab)), 0);
  }
  for (const { active, partial } of cacheHolders(kernel, cache).cpus) {
    if (active !== null) found.push(active.slab);
    found.push(...partial);
  }
  for (const node of cache.nodes) {
    const slabs = reader.partial(node);
    while (found.length < maxSlabs) {
      const next = kernel.faults.attempt('slabs of a node', () => slabs.next(), null);
      if (next === null || next.done === true) break;
      found.push(next.value);
    }
  }
  for (const slab of found) {
    if (seen.has(slab.address)) continue;
    seen.add(slab.address);
    yield slab;
  }
}

/** A `struct slab` at an address itself; null where none is. */
function slabStruct(kernel: Kernel, address: VirtAddr): { readonly slab: VirtAddr; readonly cache: bigint } | null {
  if (regionOf(kernel.arch, address)?.name !== 'vmemmap') return null;
  const type = kernel.types.find('struct slab') === null ? 'struct page' : 'struct slab';
  const read = (): bigint => kernel.object(type, address).member('slab_cache').pointer();
  const cache = kernel.faults.apart(() => kernel.faults.attempt('slab', read, null)).value;
  return cache === null ? null : { slab: address, cache };
}

/** What was written over it, and from where, as far as the bytes around it tell. */
export function overwrittenWords({ object, previous, at, bits, pattern }: OverwrittenObject): string {
  const what =
    pattern?.text == null
      ? `0x${hex(bits)}`
      : `the text "${pattern.text.slice(0, 16)}${pattern.text.length > 16 ? '...' : ''}"`;
  const start = `Object ${hex16(object.address)} has ${what} where the next free one should stand (${hex16(at)})`;
  if (pattern === null) return start;
  if (previous !== null && pattern.start < object.address)
    return `${start}: ${Number(pattern.end - pattern.start)} bytes of it begin at ${hex16(pattern.start)}, in the object before it (${hex16(previous.address)}${previous.state === 'unknown' ? '' : `, ${previous.state}`}), which was written past its end`;
  return `${start}: ${Number(pattern.end - pattern.start)} bytes of it begin at ${hex16(pattern.start)}, in that object, which was written to after it was freed`;
}
