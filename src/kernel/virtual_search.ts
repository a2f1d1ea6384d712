// Searching the dead kernel's virtual memory. Physical memory is scanned once; what is found there is told by every
// address that the kernel has it mapped at.
//
//   scan of physical memory --> hit --> direct map
//                                   \-> image            both linear
//                                   \-> vmalloc, modules, vmemmap: their pages, looked up one by one
//
// Strings may lie across pages that only follow one another in virtual memory, so they are looked for there again.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type PhysAddr, pfn, type VirtAddr, virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import { Matcher, type SearchPattern, searchMemory } from '../dump/search.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { vmallocAreas } from './vmalloc.ts';

/** The parts of the kernel's virtual memory that can be searched. */
export type SearchedPart = 'direct-map' | 'vmalloc' | 'vmemmap' | 'image';

export interface VirtualHit {
  readonly address: VirtAddr;
  /** Which of the pattern's values or strings. */
  readonly which: number;
}

export interface VirtualSearch {
  /** Virtual addresses [start, end). */
  readonly start: VirtAddr;
  readonly end: VirtAddr;
  readonly parts: ReadonlySet<SearchedPart>;
}

interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/** What two ranges have in common; null for nothing. */
export function overlap(one: Range, other: Range): Range | null {
  // biome-ignore lint/complexity/useMathMinMax: Math.max() takes no bigint
  const start = one.start > other.start ? one.start : other.start;
  // biome-ignore lint/complexity/useMathMinMax: Math.min() takes no bigint
  const end = one.end < other.end ? one.end : other.end;
  return start < end ? { start, end } : null;
}

/** Hits kept to be told by their other addresses. */
const maxKept = 1_000_000;
/** Bytes of a range whose every page may be looked up, mapped or not. */
const shortRange = 2n ** 30n;
/** Bytes of virtual memory looked at at a time. */
const window = 256 * 1024;

/**
 * Finds a pattern in the kernel's virtual memory: hits by part, ascending in each. Pages that cannot be read are skipped.
 * A short range is searched whatever part it is in.
 */
export function* searchKernel(
  kernel: Kernel,
  pattern: SearchPattern,
  { start, end, parts }: VirtualSearch,
): Generator<VirtualHit> {
  const { memory } = kernel.dump;
  if (end - start <= shortRange) {
    yield* searchRange(kernel, kernel.space, pattern, { start, end });
    return;
  }
  const within = (range: Range): Range | null => overlap(range, { start, end });
  const mapped = [
    ...(parts.has('vmalloc') ? vmallocRanges(kernel) : []),
    ...(parts.has('vmemmap') ? memoryMapRanges(kernel) : []),
  ]
    .map(within)
    .filter((range) => range !== null)
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  const image = parts.has('image') ? imageRange(kernel) : null;
  const ofImage = image === null ? null : within(image);
  const base = directMapBase(kernel);
  const all = base === null ? null : { start: base, end: base + BigInt(memory.maxPfn * memory.pageSize) };
  const direct = all === null || !parts.has('direct-map') ? null : within(all);
  if (direct === null || base === null) {
    for (const range of [...mapped, ...(ofImage === null ? [] : [ofImage])]) {
      yield* searchRange(kernel, kernel.space, pattern, range);
    }
    return;
  }
  const kept: Kept = new Map();
  const isWhole = direct.start === all!.start && direct.end === all!.end;
  yield* searchDirectMap(kernel, pattern, base, direct, isWhole ? kept : null);
  const byPage = pattern.kind === 'words' && isWhole;
  for (const range of mapped) {
    if (byPage) yield* mappedHits(kernel, kept, range);
    else yield* searchRange(kernel, kernel.space, pattern, range);
  }
  if (ofImage === null) return;
  if (isWhole) yield* mappedHits(kernel, kept, ofImage);
  else yield* searchRange(kernel, kernel.space, pattern, ofImage);
}

/**
 * What is added to a physical address for its place in the direct map, which may begin at an address that is not physical
 * memory's first (arm64); null where no memory is known to be in it.
 */
function directMapBase({ dump, space }: Kernel): VirtAddr | null {
  for (const { start } of dump.memory.ramRanges()) {
    const address = space.linearAddress(start);
    if (address !== null) return offsetBy(address, -start);
  }
  return null;
}

/** Hits by page frame: offset in the page, which. */
type Kept = Map<number, { readonly offset: number; readonly which: number }[]>;

function* searchDirectMap(
  kernel: Kernel,
  pattern: SearchPattern,
  base: VirtAddr,
  { start, end }: Range,
  kept: Kept | null,
): Generator<VirtualHit> {
  const { memory } = kernel.dump;
  const [first, last] = [Number(start - base), Number(end - base)];
  const hits = searchMemory(kernel.dump, pattern, {
    from: pfn(Math.floor(first / memory.pageSize)),
    to: pfn(Math.ceil(last / memory.pageSize)),
    work: kernel.work,
    failed: (_frame, fault) => kernel.faults.record('search', fault),
  });
  let count = 0;
  for (const { address, which } of hits) {
    if (address < first || address >= last) continue;
    yield { address: offsetBy(base, address), which };
    if (kept === null || ++count > maxKept) continue;
    const page = Math.floor(address / memory.pageSize);
    const list = kept.get(page);
    const hit = { offset: address % memory.pageSize, which };
    if (list === undefined) kept.set(page, [hit]);
    else list.push(hit);
  }
}

/** The hits on the pages that a range is mapped to. */
function* mappedHits(kernel: Kernel, kept: Kept, { start, end }: Range): Generator<VirtualHit> {
  if (kept.size === 0) return;
  const pageSize = BigInt(kernel.dump.memory.pageSize);
  for (let at = start - (start % pageSize); at < end; at += pageSize) {
    const physical = translated(kernel.space, virtAddr(at));
    if (physical === null) continue;
    for (const { offset, which } of kept.get(physical / Number(pageSize)) ?? []) {
      const address = at + BigInt(offset);
      if (address >= start && address < end) yield { address: virtAddr(address), which };
    }
  }
}

function translated(space: AddressSpace, address: VirtAddr): PhysAddr | null {
  try {
    return space.translate(address);
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}

/** Finds a pattern in [start, end) of an address space. What is not there, or cannot be read, is skipped. */
export function* searchRange(
  kernel: Kernel,
  space: AddressSpace,
  pattern: SearchPattern,
  { start, end }: Range,
): Generator<VirtualHit> {
  const matcher = new Matcher(pattern);
  const pageSize = BigInt(space.memory.pageSize);
  let follows = false;
  // words lie at multiples of their size, which offsets within a window are of when it begins at one of 8
  for (let at = start - (start % 8n); at < end; ) {
    kernel.work.charge('bytes', window);
    const length = Math.min(window - Number(at % pageSize), Number(end - at));
    const { bytes, fault } = space.readUpTo(virtAddr(at), Math.ceil(length / 8) * 8);
    if (bytes.length > 0) {
      matcher.match(bytes, follows);
      for (const [i, offset] of matcher.offsets.entries()) {
        const address = at + BigInt(offset);
        if (address >= start && address < end) yield { address: virtAddr(address), which: matcher.which[i]! };
      }
      at += BigInt(bytes.length);
    }
    follows = fault === null;
    if (fault !== null) at += pageSize - (at % pageSize);
  }
}

/** What is mapped by vmalloc() and its like, modules among it; not memory of devices. */
function vmallocRanges(kernel: Kernel): Range[] {
  return kernel.faults
    .attempt('vmalloc areas', () => vmallocAreas(kernel), [])
    .filter(({ vm }) => vm === null || vm.physical === 0n);
}

/** Where the kernel's `struct page`s are. */
function memoryMapRanges(kernel: Kernel): Range[] {
  const model = memoryModel(kernel);
  if (model === null) return [];
  const size = BigInt(model.pageStructSize);
  return [...model.runs(pfn(0), pfn(kernel.dump.memory.maxPfn))].map(({ first, count, base }) => ({
    start: base + BigInt(first) * size,
    end: base + BigInt(first + count) * size,
  }));
}

function imageRange(kernel: Kernel): Range | null {
  const start = kernel.ownSymbol('_text')?.address ?? kernel.ownSymbol('_stext')?.address;
  const end = kernel.ownSymbol('_end')?.address;
  return start === undefined || end === undefined || end <= start ? null : { start, end };
}
