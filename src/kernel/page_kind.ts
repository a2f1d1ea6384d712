// What each page frame was used for, from the kernel's `struct page`s: read in bulk, judged in one pass.
//
//   memory map      | head of a free block |  (what is in the block is not looked at)  | tail, tail, ... | single | ...
//   a frame's word  | free, order 3        | free, order 3, tail ...                   | as its head     |
//
// The head of a free block or of a huge page speaks for all of it, a tail of another compound page points to its head,
// every other frame speaks for itself.
import type { AddressSpace } from '../arch/address_space.ts';
import { type Pfn, pfn as toPfn, type VirtAddr, virtAddr } from '../base/address.ts';
import { framesPerNode } from '../base/budget.ts';
import { unwatched, type Work } from '../base/work.ts';
import type { Rows } from '../debuginfo/layout.ts';
import type { TypeSource } from '../debuginfo/type.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { type MemoryMapRun, type MemoryModel, memoryModel } from './memory_model.ts';
import { type ByteOfWords, isPageType, type PageFacts, pageFacts } from './page_flags.ts';
import { perKernel } from './per_kernel.ts';

/**
 * - `none`: has no `struct page`, or none that can be read
 * - `free`: in the buddy allocator; what CPUs keep aside for their next allocation is `kernel`, as nothing marks it
 * - `cache`: page cache, tmpfs and shared memory among it, in small or large folios
 * - `anonymous`: of processes, in small pages or transparent huge ones
 * - `hugetlb`: a huge page of hugetlbfs, used or not
 * - `table`: page tables
 * - `reserved`: never given to the page allocator: firmware's, the kernel's image, the memory map, holes
 * - `offline`: not the kernel's any more: given back to a hypervisor (balloon), or taken offline; not to be read
 * - `unaccepted`: not accepted from the hypervisor yet; not to be read
 * - `kernel`: anything else that the kernel allocated: stacks, vmalloc, per-CPU memory, modules, drivers' memory
 */
export type PageKind = (typeof pageKinds)[number];

/** Every kind, `none` first. */
export const pageKinds = [
  'none',
  'free',
  'slab',
  'cache',
  'anonymous',
  'hugetlb',
  'table',
  'reserved',
  'offline',
  'unaccepted',
  'kernel',
] as const;

const [NONE, FREE, SLAB, CACHE, ANONYMOUS, HUGETLB, TABLE, RESERVED, OFFLINE, UNACCEPTED, KERNEL] = pageKinds.map(
  (_, code) => code,
) as [number, number, number, number, number, number, number, number, number, number, number];

// A frame's word: kind in bits 0-3, order in 4-8, then these.
const kindMask = 0xf;
const orderShift = 4;
const orderMask = 0x1f;
const TAIL = 1 << 9;
const PRIVATE = 1 << 10;
const POISONED = 1 << 11;
const COMPOUND = 1 << 12;

/** Words of `PageFrames.classify` are below this. */
export const wordLimit = COMPOUND << 1;

/** The bits of a word that tell kind, `private` and `poisoned`. */
export const kindBits = kindMask | PRIVATE | POISONED;

/** What one frame was used for. */
export interface PageUse {
  readonly kind: PageKind;
  /** Of the free block or compound page that the frame is in: it has 2^order frames. 0 for a single page. */
  readonly order: number;
  /** Not the first frame of its block. */
  readonly tail: boolean;
  /** In a compound page: a large folio, a huge page, a slab of several pages. */
  readonly compound: boolean;
  /** Page cache with private data of its file system (buffers, ...). */
  readonly private: boolean;
  /** The hardware reported it broken: not to be read. */
  readonly poisoned: boolean;
}

/** What a word of `PageFrames.classify` says. */
export function pageUse(word: number): PageUse {
  return {
    kind: kindOf(word),
    order: (word >>> orderShift) & orderMask,
    tail: (word & TAIL) !== 0,
    compound: (word & COMPOUND) !== 0,
    private: (word & PRIVATE) !== 0,
    poisoned: (word & POISONED) !== 0,
  };
}

/** Page frames [first, first + count) of one use. Of blocks of order n, each starts at a multiple of 2^n. */
export interface PageUseRun extends Omit<PageUse, 'tail'> {
  readonly first: Pfn;
  readonly count: number;
}

function runOf(first: number, end: number, word: number): PageUseRun {
  const { kind, order, compound, private: hasPrivate, poisoned } = pageUse(word);
  return { first: toPfn(first), count: end - first, kind, order, compound, private: hasPrivate, poisoned };
}

/** The kind that a word of `PageFrames.classify` says. */
export function kindOf(word: number): PageKind {
  return pageKinds[word & kindMask] ?? 'none';
}

/** `struct page`s read at a time. */
const windowRows = 4096;
/** Frames classified at a time for runs: their words take 128 KiB. */
const runFrames = 65536;
/** Largest order of a compound page believed: 16 GiB of 4 KiB pages. */
const maxOrder = 22;

type PageRows = Rows<'flags' | 'mapping' | 'type' | 'private' | 'head'>;

/** Classifies page frames. */
export class PageFrames {
  readonly model: MemoryModel;
  readonly facts: PageFacts;
  private readonly space: AddressSpace;
  /** The kinds that have a page type. */
  private readonly typed: readonly { readonly code: number; readonly mask: number; readonly value: number }[];
  private readonly work: Work;
  private rows: PageRows | null = null;
  private pair: PageRows | null = null;
  // Address of the `struct page` of frame 0 of the run at hand, in halves.
  private baseLow = 0;
  private baseHigh = 0;
  private base = virtAddr(0n);
  // The block or huge page whose head speaks for its tails: they end before this frame.
  private blockEnd = 0;
  private blockWord = 0;
  // The compound page met last: address of its head in halves, its frames, the word of its tails.
  private headLow = 0;
  private headHigh = 0;
  private headPfn = 0;
  private headEnd = 0;
  private headWord = 0;

  private constructor(space: AddressSpace, model: MemoryModel, facts: PageFacts, work: Work) {
    this.space = space;
    this.work = work;
    this.model = model;
    this.facts = facts;
    const codes = [
      [SLAB, facts.types.slab],
      [TABLE, facts.types.table],
      [HUGETLB, facts.types.hugetlb],
      [OFFLINE, facts.types.offline],
    ] as const;
    this.typed = codes.flatMap(([code, test]) => (test === null ? [] : [{ code, ...test }]));
  }

  /**
   * Null where the kernel does not tell enough.
   * @param types null to work from VMCOREINFO alone
   * @param work charged a node for each `framesPerNode` frames
   */
  static open(
    space: AddressSpace,
    model: MemoryModel,
    info: Vmcoreinfo,
    types: TypeSource | null,
    work: Work = unwatched,
  ): PageFrames | null {
    const facts = pageFacts(info, model.pageStructSize, types);
    return facts === null ? null : new PageFrames(space, model, facts, work);
  }

  /**
   * A word for each of the page frames [first, first + count), for `kindOf` and `pageUse`. Throws nothing for what
   * cannot be read: those frames are `none`, and a tail of a head that cannot be read is the kernel's.
   * @param into where to put them
   */
  classify(first: Pfn, count: number, into: Uint16Array = new Uint16Array(count)): Uint16Array {
    into.fill(NONE, 0, count);
    this.blockEnd = 0;
    for (const run of this.model.runs(first, toPfn(first + count))) {
      const out = run.first - first;
      if (run.online) this.classifyRun(run, into, out);
      else into.fill(OFFLINE, out, out + run.count);
    }
    return into;
  }

  /** What the page frames [from, to) were used for, as runs: ascending, and with no frame between them. */
  *runs(from: Pfn, to: Pfn): Generator<PageUseRun> {
    const words = new Uint16Array(Math.max(0, Math.min(runFrames, to - from)));
    let open = null as { first: number; word: number } | null;
    for (let at: number = from; at < to; at += words.length) {
      const count = Math.min(words.length, to - at);
      this.classify(toPfn(at), count, words);
      for (let i = 0; i < count; i++) {
        const word = words[i]! & ~TAIL;
        if (word === open?.word) continue;
        if (open !== null) yield runOf(open.first, at + i, open.word);
        open = { first: at + i, word };
      }
    }
    if (open !== null) yield runOf(open.first, to, open.word);
  }

  /** What one page frame was used for. For many, `classify` takes a hundredth of the time. */
  use(pfn: Pfn): PageUse {
    return pageUse(this.classify(pfn, 1, single)[0]!);
  }

  /**
   * The `struct page` that speaks for a page frame: its own, or that of the head of its compound page.
   * @returns null where there is none, or that cannot be read
   */
  headPage(pfn: Pfn): VirtAddr | null {
    const page = this.model.pageStruct(pfn);
    if (page === null) return null;
    const rows = this.readPair(page);
    if (!rows.readable(0)) return null;
    const { head } = rows.at;
    if (head < 0 || (rows.words[head]! & 1) === 0) return page;
    const link = rows.u64(0, head) & ~1n;
    const size = BigInt.asUintN(64, -link);
    const isMask = this.facts.headIsMasked && size !== 0n && (size & (size - 1n)) === 0n;
    return virtAddr(isMask ? page & link : link);
  }

  /** The `struct page` of the slab that a page frame belongs to; null if it is no slab's. */
  slabPage(pfn: Pfn): VirtAddr | null {
    const page = this.headPage(pfn);
    if (page === null) return null;
    const rows = this.readPair(page);
    return rows.readable(0) && (this.headKind(rows.words, 0) & kindMask) === SLAB ? page : null;
  }

  /**
   * Whether the mapping of a page or its head has the bit of anonymous memory: slabs and tails of compound pages have
   * something else there, and have been taken for a process's by readers that did not know them.
   */
  looksAnonymous(pfn: Pfn): boolean {
    return [this.model.pageStruct(pfn), this.headPage(pfn)].some((page) => {
      if (page === null) return false;
      const rows = this.readPair(page);
      return (rows.words[rows.at.mapping]! & 1) !== 0;
    });
  }

  private classifyRun({ first, count, base }: MemoryMapRun, into: Uint16Array, out: number): void {
    const { layout } = this.facts;
    this.base = base;
    this.baseLow = Number(base & 0xffff_ffffn);
    this.baseHigh = Number(base >> 32n);
    this.headLow = this.headHigh = this.headEnd = 0;
    this.lookBehind(first);
    for (let done = 0; done < count; done += windowRows) {
      const pfn = first + done;
      const many = Math.min(windowRows, count - done);
      this.work.charge('nodes', many / framesPerNode);
      this.rows = layout.read(this.space, this.pageAt(pfn), many, this.rows);
      this.classifyRows(this.rows, pfn, into, out + done);
    }
  }

  private classifyRows(rows: PageRows, first: number, into: Uint16Array, out: number): void {
    const { words, count, stride, at } = rows;
    const { flags: flagsAt, type: typeAt, head: linkAt } = at;
    const { flags } = this.facts;
    const whole = rows.fault === null;
    for (let row = 0, base = 0; row < count; row++, base += stride) {
      const pfn = first + row;
      const own = words[base + flagsAt]!;
      let word: number;
      if (pfn < this.blockEnd) word = this.blockWord;
      else if (!whole && !rows.readable(row)) {
        into[out + row] = NONE;
        continue;
      } else if (linkAt >= 0 && (words[base + linkAt]! & 1) !== 0) word = this.tail(words, base + linkAt, pfn);
      else if ((own & flags.head) !== 0) {
        word = this.head(words, base, row + 1 < count && (whole || rows.readable(row + 1)), pfn);
      } else {
        const type = words[base + typeAt]!;
        word =
          type < 0x8000_0000 || type === 0xffff_ffff ? this.untyped(words, base) : this.typedPage(words, base, pfn);
      }
      into[out + row] = (own & flags.hwpoison) !== 0 ? word | POISONED : word;
    }
  }

  /** The word of a page that has no page type and is no part of a compound page. */
  private untyped(words: Uint32Array, base: number): number {
    const { flags, layout } = this.facts;
    const own = words[base + layout.at.flags]!;
    if ((own & flags.slab) !== 0) return SLAB; // before all else: slabs use the other words for their own
    if ((words[base + layout.at.mapping]! & 1) !== 0) return ANONYMOUS; // PAGE_MAPPING_ANON
    // the flag has other meanings for pages that are not swapped
    const swapcache = (own & flags.swapcache) !== 0 && (flags.swapbacked === 0 || (own & flags.swapbacked) !== 0);
    if ((own & flags.lru) !== 0 || swapcache) return (own & flags.private) !== 0 ? CACHE | PRIVATE : CACHE;
    return (own & flags.reserved) !== 0 ? RESERVED : KERNEL;
  }

  /** The word of a page that has a page type, perhaps one of no interest here; opens a free block. */
  private typedPage(words: Uint32Array, base: number, pfn: number): number {
    const { flags, layout, types, orders } = this.facts;
    if ((words[base + layout.at.flags]! & flags.slab) !== 0) return SLAB;
    const type = words[base + layout.at.type]!;
    for (const { code, mask, value } of this.typed) if ((type & mask) >>> 0 === value) return code;
    const isFree = isPageType(type, types.buddy);
    if (!isFree && !isPageType(type, types.unaccepted)) return KERNEL;
    // what is not accepted comes in blocks of the largest order (dcdfdd40fa82, 6.5)
    const order = isFree ? words[base + layout.at.private]! : orders - 1;
    const code = isFree ? FREE : UNACCEPTED;
    if (order >= orders || pfn % 2 ** order !== 0) return code;
    const word = code | (order << orderShift);
    this.blockEnd = pfn + 2 ** order;
    this.blockWord = word | TAIL;
    return word;
  }

  /** The word of a compound page's head, from its `struct page` and the next one; makes it the compound page at hand. */
  private head(words: Uint32Array, base: number, hasNext: boolean, pfn: number): number {
    const { stride } = this.facts.layout;
    if (!hasNext) {
      const rows = this.readPair(this.pageAt(pfn));
      return this.head(rows.words, 0, rows.readable(0), pfn);
    }
    const order = this.byte(words, base + stride, this.facts.order);
    const known = order >= 1 && order <= maxOrder ? order : 0;
    const word = this.headKind(words, base) | COMPOUND | (known << orderShift);
    const start = pfn - (pfn % 2 ** known);
    this.headWord = word | TAIL;
    this.headPfn = start;
    this.headEnd = start + 2 ** known;
    const low = this.baseLow + start * this.facts.layout.size;
    this.headLow = low % 2 ** 32;
    this.headHigh = (this.baseHigh + Math.floor(low / 2 ** 32)) >>> 0;
    if ((word & kindMask) !== HUGETLB) return word;
    // The `struct page`s of a huge page's tails may be others' mapped in their place, a head's among them (f41f2ed43ca5,
    // 5.14, to 7.0): a "head" that is not where one of its order can be is a tail.
    if ((words[base + this.facts.layout.at.flags]! & this.facts.flags.hwpoison) !== 0) this.headWord |= POISONED;
    this.blockEnd = this.headEnd;
    this.blockWord = this.headWord;
    return start === pfn ? word : this.headWord;
  }

  /** The kind of a compound page, from its head at `base` and the next page behind it. */
  private headKind(words: Uint32Array, base: number): number {
    const { layout, hugetlbDestructor, hugetlbFlag } = this.facts;
    const { stride, at } = layout;
    const type = words[base + at.type]!;
    const isTyped = type >= 0x8000_0000 && type !== 0xffff_ffff;
    const word = isTyped ? this.typedPage(words, base, 1) : this.untyped(words, base);
    if ((word & kindMask) === SLAB) return word;
    const second = base + stride;
    if (at.head < 0 || (words[second + at.head]! & 1) === 0) return word;
    if (hugetlbDestructor !== null && this.byte(words, second, hugetlbDestructor) === hugetlbDestructor.value) {
      return HUGETLB;
    }
    return (words[second + at.flags]! & hugetlbFlag) !== 0 ? HUGETLB : word;
  }

  private byte(words: Uint32Array, base: number, place: ByteOfWords | null): number {
    return place === null ? 0 : (words[base + place.word]! >>> place.shift) & 0xff;
  }

  /** The word of a compound page's tail, whose link to its head is at `at`. */
  private tail(words: Uint32Array, at: number, pfn: number): number {
    const low = (words[at]! & ~1) >>> 0;
    const high = words[at + 1]!;
    if (low === this.headLow && high === this.headHigh) return this.headWord;
    let head: number | null; // page frame of the head; null where it is in no frame that follows on from here
    const { size } = this.facts.layout;
    if (this.facts.headIsMasked && isMask(low, high)) {
      if (pfn > this.headPfn && pfn < this.headEnd) return this.headWord;
      const pages = (high === 0xffff_ffff ? 2 ** 32 - low : (2 ** 32 - high) * 2 ** 32) / size;
      head = pages >= 1 ? pfn - (pfn % pages) : null;
    } else {
      const distance = ((high - this.baseHigh) * 2 ** 32 + (low - this.baseLow)) / size;
      head = distance >= 0 && distance < pfn && Number.isInteger(distance) ? distance : null;
    }
    const address = head === null ? virtAddr((BigInt(high) << 32n) | BigInt(low)) : this.pageAt(head);
    const rows = this.readPair(address);
    const { flags } = this.facts;
    const isHead = rows.readable(0) && (flags.head === 0 || (rows.words[rows.at.flags]! & flags.head) !== 0);
    if (!isHead || head === null) {
      const word = (isHead ? this.headKind(rows.words, 0) : KERNEL) | COMPOUND | TAIL;
      this.headLow = low;
      this.headHigh = high;
      this.headPfn = this.headEnd = 0;
      this.headWord = word;
      return word;
    }
    this.head(rows.words, 0, true, head);
    return this.headWord;
  }

  /** Finds out whether a frame lies within a free block that starts before it. */
  private lookBehind(pfn: number): void {
    let seen = pfn;
    for (let order = 1; order < this.facts.orders; order++) {
      const start = pfn - (pfn % 2 ** order);
      if (start === seen) continue;
      seen = start;
      const rows = this.readPair(this.pageAt(start));
      if (!rows.readable(0)) continue;
      const type = rows.words[rows.at.type]!;
      if (!isPageType(type, this.facts.types.buddy) && !isPageType(type, this.facts.types.unaccepted)) continue;
      this.typedPage(rows.words, 0, start);
      if (this.blockEnd > pfn) return;
    }
  }

  private readPair(page: VirtAddr): PageRows {
    this.pair = this.facts.layout.read(this.space, page, 2, this.pair);
    return this.pair;
  }

  private pageAt(pfn: number): VirtAddr {
    return virtAddr(this.base + BigInt(pfn) * BigInt(this.facts.layout.size));
  }
}

const single = new Uint16Array(1);

/** Whether the 64 bits are a mask: ones, and zeroes below them. */
function isMask(low: number, high: number): boolean {
  const rest = low === 0 ? -high >>> 0 : -low >>> 0;
  if (rest === 0 || (rest & (rest - 1)) !== 0) return false;
  return low === 0 || high === 0xffff_ffff;
}

/**
 * As `pageFrames`, for what dump levels ask: by VMCOREINFO alone where that tells enough, as finding the kernel's types takes
 * longer than to look at a gigabyte's `struct page`s. Page tables and reserved pages may be `kernel` then.
 */
export const levelFrames = perKernel((kernel) => {
  const model = memoryModel(kernel);
  const told = model === null ? null : PageFrames.open(kernel.space, model, kernel.vmcoreinfo, null, kernel.work);
  return told?.facts.tellsLevels ? told : pageFrames(kernel);
});

/** The classifier of a kernel's page frames; null where the kernel does not tell enough. */
export const pageFrames = perKernel((kernel) => {
  const model = memoryModel(kernel);
  return model === null ? null : PageFrames.open(kernel.space, model, kernel.vmcoreinfo, kernel.types, kernel.work);
});
