// kmem -s, -S, -r: slab caches, and what is in their slabs.
import { physAddr, type VirtAddr, virtAddr } from '../../../base/address.ts';
import { NotFoundError, UsageError } from '../../../base/errors.ts';
import { escapeLine, escapeTerminal, hex16 } from '../../../base/text.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { memoryModel } from '../../../kernel/memory_model.ts';
import { nodeOfFrame } from '../../../kernel/mmzone.ts';
import { type SlabCache, slabCaches } from '../../../kernel/slab_cache.ts';
import { cacheHolders, cacheUse, type ObjectState, slabObjectAt, slabObjects } from '../../../kernel/slab_object.ts';
import { type Slab, slub } from '../../../kernel/slub.ts';
import type { Answer } from '../../command.ts';
import { type CommandContext, parseHex } from '../../context.ts';

export interface SlabsHead {
  readonly kind: 'slabs';
  /** - `caches`: a line each   - `names`: only where and what   - `lists`: with CPUs' and nodes' slabs */
  readonly show: 'caches' | 'names' | 'lists';
}

/** A slab cache that was to be left out. */
export interface IgnoredItem {
  readonly kind: 'ignored';
  readonly cache: VirtAddr;
  readonly name: string | null;
}

/** A slab cache. */
export interface CacheItem {
  readonly kind: 'cache';
  /** Virtual address of the `struct kmem_cache`. */
  readonly cache: VirtAddr;
  /** null where it cannot be read. */
  readonly name: string | null;
  /** Bytes of one object as the user asked for them. */
  readonly objectSize: number;
  /** Bytes from one object to the next. */
  readonly size: number;
  /** Objects that somebody has; null where they are not counted. */
  readonly allocated: number | null;
  /** Objects that there is room for. */
  readonly total: number | null;
  readonly slabs: number | null;
  /** Bytes of a slab. */
  readonly slabSize: number;
  /** What CPUs and nodes have of it (-S); null without. */
  readonly lists: CacheLists | null;
}

export interface CacheLists {
  readonly cpus: readonly {
    readonly cpu: number;
    /** Virtual address of the `struct kmem_cache_cpu`. */
    readonly address: VirtAddr;
    /** The slab that it allocates from. */
    readonly active: SlabData | null;
    readonly partial: readonly SlabData[];
  }[];
  /** Sheaves of free objects (kernels since 6.18). */
  readonly sheaves: readonly {
    readonly address: VirtAddr;
    readonly kind: 'main' | 'spare' | 'rcu_free' | 'barn';
    readonly cpu: number | null;
    readonly node: number | null;
    readonly objects: readonly VirtAddr[];
  }[];
  readonly nodes: readonly {
    readonly node: number;
    /** Virtual address of the `struct kmem_cache_node`. */
    readonly address: VirtAddr;
    readonly slabs: number | null;
    /** Slabs on the partial list that the kernel counts. */
    readonly partialCount: number;
    /** Slabs of this node that CPUs allocate from. */
    readonly onCpus: number;
    readonly partial: readonly SlabData[];
  }[];
}

/** One slab. */
export interface SlabData {
  /** Virtual address of the `struct slab` (`struct page` before 5.17). */
  readonly slab: VirtAddr;
  /** Virtual address of its memory; null where that is not known. */
  readonly memory: VirtAddr | null;
  readonly node: number | null;
  readonly total: number;
  readonly allocated: number;
  readonly free: number;
  /** Its objects; null where only the slab is listed. */
  readonly objects: readonly ObjectData[] | null;
}

export interface ObjectData {
  readonly address: VirtAddr;
  readonly state: ObjectState;
  readonly cpu: number | null;
}

/** A slab with the object that was asked for. */
export interface SlabItem extends SlabData {
  readonly kind: 'slab';
}

export interface SlabOptions {
  readonly show: SlabsHead['show'];
  /** The CPUs of which slabs are listed; null for all. */
  readonly cpus: readonly number[] | null;
  /** Names or addresses: of caches, or of anything in a slab. */
  readonly wanted: readonly string[];
  /** Names of caches that are left out. */
  readonly ignored: readonly string[];
}

/** @throws UsageError for a name that no cache has */
export function collectSlabs(
  context: CommandContext,
  { show, cpus, wanted, ignored }: SlabOptions,
): Answer<SlabsHead, CacheItem | SlabItem | IgnoredItem, null> {
  const { kernel } = context;
  const caches = slabCaches(kernel);
  const chosen: readonly Chosen[] =
    wanted.length === 0
      ? caches.map((cache) => ({ cache, found: null }))
      : wanted.map((word) => choose(context, word, caches));
  function* items(): Generator<CacheItem | SlabItem | IgnoredItem, null> {
    for (const { cache, found } of chosen) {
      const { name } = cache;
      if (name !== null && ignored.includes(name)) {
        yield { kind: 'ignored', cache: cache.address, name };
        continue;
      }
      yield cacheItem(kernel, cache, found === null ? show : 'caches', cpus);
      if (found !== null) yield slabItem(kernel, cache, found.slab, show === 'lists' ? null : found.object);
    }
    return null;
  }
  return { head: { kind: 'slabs', show }, items: items() };
}

interface Chosen {
  readonly cache: SlabCache;
  /** The slab and, unless its page was named, the object that an address lies in; null where a cache was named. */
  readonly found: { readonly slab: Slab; readonly object: VirtAddr | null } | null;
}

function choose({ kernel }: CommandContext, word: string, caches: readonly SlabCache[]): Chosen {
  const byName = caches.find(({ name }) => name === word);
  if (byName !== undefined) return { cache: byName, found: null };
  const address = parseHex(word);
  if (address === null) throw new UsageError(`invalid slab cache name: ${escapeTerminal(word)}`);
  const byAddress = caches.find((cache) => cache.address === address);
  if (byAddress !== undefined) return { cache: byAddress, found: null };
  const page = slabOfPage(kernel, virtAddr(address));
  if (page !== null) return { cache: page.cache, found: { slab: page.slab, object: null } };
  const place = slabObjectAt(kernel, address);
  if (place === null) throw new NotFoundError('slab', `at ${word}`, 'the address is in none');
  const { cache, slab } = place.object;
  return { cache, found: { slab, object: place.object.address } };
}

/** The slab that the page of a `struct page` belongs to; null for other addresses and pages. */
export function slabOfPage(
  kernel: Kernel,
  address: VirtAddr,
): { readonly cache: SlabCache; readonly slab: Slab } | null {
  const frame = kernel.arch.isKernelAddress(address) ? (memoryModel(kernel)?.pfnOf(address) ?? null) : null;
  if (frame === null) return null;
  const memory = kernel.space.linearAddress(physAddr(frame * kernel.dump.memory.pageSize));
  return memory === null ? null : (slabObjectAt(kernel, memory)?.object ?? null);
}

/** A cache's line, with its lists where they are asked for. */
export function cacheItem(
  kernel: Kernel,
  cache: SlabCache,
  show: SlabsHead['show'] = 'caches',
  only: readonly number[] | null = null,
): CacheItem {
  const { address, name, objectSize, size, objects, slabs, order } = cache;
  const use =
    show === 'names' ? null : kernel.faults.attempt('objects of a slab cache', () => cacheUse(kernel, cache), null);
  return {
    kind: 'cache',
    cache: address,
    name,
    objectSize,
    size,
    allocated: use?.allocated ?? null,
    total: objects,
    slabs,
    slabSize: 2 ** order * kernel.dump.memory.pageSize,
    lists: show === 'lists' ? listsOf(kernel, cache, only) : null,
  };
}

function listsOf(kernel: Kernel, cache: SlabCache, only: readonly number[] | null): CacheLists {
  const reader = slub(kernel);
  const holders = cacheHolders(kernel, cache);
  const wanted = (cpu: number | null): boolean => only === null || cpu === null || only.includes(cpu);
  const cpus = holders.cpus.filter(({ cpu }) => wanted(cpu));
  const sheaves = holders.sheaves.filter(({ cpu }) => wanted(cpu));
  return {
    cpus: cpus.map(({ cpu, address, active, partial }) => ({
      cpu,
      address,
      active: active === null ? null : slabData(kernel, cache, active.slab, true),
      partial: partial.map((slab) => slabData(kernel, cache, slab, true)),
    })),
    sheaves,
    nodes: cache.nodes.map((node) => ({
      node: node.id,
      address: node.address,
      slabs: node.slabs,
      partialCount: node.partial,
      onCpus: cpus.filter(({ active }) => active !== null && nodeOfFrame(kernel, active.slab.pfn) === node.id).length,
      partial: kernel.faults.attempt(
        'slabs of a node',
        () => [...reader.partial(node)].map((slab) => slabData(kernel, cache, slab, false)),
        [],
      ),
    })),
  };
}

/** A slab. @param withObjects each object as well */
function slabData(kernel: Kernel, cache: SlabCache, slab: Slab, withObjects: boolean): SlabData {
  const { cpus } = cacheHolders(kernel, cache);
  const onCpu = cpus.find(({ active }) => active?.slab.address === slab.address)?.active?.free.objects.length ?? 0;
  const allocated = Math.max(0, slab.inUse - onCpu);
  return {
    slab: slab.address,
    memory: slab.memory,
    node: nodeOfFrame(kernel, slab.pfn),
    total: slab.objects,
    allocated,
    free: slab.objects - allocated,
    objects: withObjects
      ? slabObjects(kernel, cache, slab).map(({ address, state, cpu }) => ({ address, state, cpu }))
      : null,
  };
}

/** The slab of an object. @param only the object; null for all of the slab's */
export function slabItem(kernel: Kernel, cache: SlabCache, slab: Slab, only: VirtAddr | null): SlabItem {
  const data = slabData(kernel, cache, slab, true);
  const objects = data.objects?.filter(({ address }) => only === null || address === only) ?? null;
  return { kind: 'slab', ...data, objects };
}

export const slabsHeader = 'CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME\n';
const slabHeader = '  SLAB              MEMORY            NODE  TOTAL  ALLOCATED  FREE\n';

export function slabItemText(item: CacheItem | SlabItem | IgnoredItem, { show }: SlabsHead, index: number): string {
  if (item.kind === 'slab') return slabHeader + slabText(item);
  if (item.kind === 'ignored') {
    const line = `${hex16(item.cache)} [IGNORED]${' '.repeat(36)}${cacheName(item)}\n`;
    return index === 0 && show !== 'names' ? slabsHeader + line : line;
  }
  if (show === 'names') return `${hex16(item.cache)} ${cacheName(item)}\n`;
  const header = index === 0 || show === 'lists' ? slabsHeader : '';
  return header + cacheText(item) + (item.lists === null ? '' : listsText(item.lists));
}

function cacheName({ name }: { readonly name: string | null }): string {
  return name === null ? '(unknown)' : escapeLine(name);
}

export function cacheText(item: CacheItem): string {
  const { cache, objectSize, allocated, total, slabs, slabSize } = item;
  const columns = [
    hex16(cache),
    String(objectSize).padStart(7),
    String(allocated ?? '?').padStart(9),
    String(total ?? '?').padStart(8),
    String(slabs ?? '?').padStart(5),
    `${slabSize / 1024}k`.padStart(5),
    cacheName(item),
  ];
  return `${columns.join('  ')}\n`;
}

function listsText({ cpus, sheaves, nodes }: CacheLists): string {
  const lines: string[] = [];
  for (const { cpu, address, active, partial } of cpus) {
    lines.push(`CPU ${cpu} KMEM_CACHE_CPU:\n  ${hex16(address)}\n`);
    lines.push(`CPU ${cpu} SLAB:\n`, active === null ? '  (empty)\n' : slabHeader + slabText(active));
    lines.push(`CPU ${cpu} PARTIAL:\n`);
    lines.push(...(partial.length === 0 ? ['  (empty)\n'] : partial.map((slab) => slabHeader + slabText(slab))));
  }
  for (const { kind, cpu, node, address, objects } of sheaves) {
    const whose = cpu === null ? `NODE ${node} BARN` : `CPU ${cpu} ${kind.toUpperCase()} SHEAF`;
    lines.push(`${whose}:\n  ${hex16(address)}  OBJECTS: ${objects.length}\n`);
    lines.push(...objects.map((object) => `   ${hex16(object)}\n`));
  }
  for (const { node, address, slabs, partialCount, onCpus, partial } of nodes) {
    const columns = [
      `${hex16(address)}  ${String(node).padStart(4)}`,
      String(slabs ?? '?').padStart(5),
      String(partialCount).padStart(7),
      String(onCpus).padStart(7),
    ];
    lines.push(`KMEM_CACHE_NODE   NODE  SLABS  PARTIAL  PER-CPU\n${columns.join('  ')}\n`);
    lines.push(`NODE ${node} PARTIAL:\n`);
    lines.push(partial.length === 0 ? '  (empty)\n' : slabHeader + partial.map(slabText).join(''));
    lines.push(`NODE ${node} FULL:\n  (not tracked)\n`);
  }
  return `${lines.join('')}\n`;
}

function slabText({ slab, memory, node, total, allocated, free, objects }: SlabData): string {
  const columns = [
    `  ${hex16(slab)}  ${memory === null ? '(unknown)'.padEnd(16) : hex16(memory)}`,
    String(node ?? '?').padStart(4),
    String(total).padStart(5),
    String(allocated).padStart(9),
    String(free).padStart(4),
  ];
  const list = objects === null ? '' : `  FREE / [ALLOCATED]\n${objects.map(objectText).join('')}`;
  return `${columns.join('  ')}\n${list}`;
}

function objectText({ address, state, cpu }: ObjectData): string {
  const word = hex16(address);
  switch (state) {
    case 'allocated':
      return `  [${word}]\n`;
    case 'free':
    case 'cpu':
      return `   ${word}  ${cpu === null ? '' : `(cpu ${cpu} cache)`}\n`;
    case 'sheaf':
      return `   ${word}  (${cpu === null ? 'barn' : `cpu ${cpu} sheaf`})\n`;
    case 'rcu':
      return `   ${word}  (freed, waits for a grace period)\n`;
    case 'unknown':
      return `   ${word}  (free or not: not known)\n`;
  }
}
