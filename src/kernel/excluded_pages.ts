// Which pages the dump lacks because they were all zeroes. makedumpfile leaves zero-filled pages out (dump
// level bit 1) and marks them no differently from pages that it left out for what they were used for: half of
// .bss then looks excluded. But a page that the level's other bits cannot have taken was zero:
//
//   missing page -- its struct page says free, cache, user and the level has that bit ----> excluded
//                -- else (slab, stack, reserved, kernel image, ...) ----------------------> zeroes
import { type Pfn, pfn as toPfn } from '../base/address.ts';
import { InquestError, MemoryFault } from '../base/errors.ts';
import type { Dump } from '../dump/dump.ts';
import { dumpLevel, takenByLevel } from './dump_level.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { PageFrames, type PageUse, pageFrames, pageUse } from './page_kind.ts';
import { perKernel } from './per_kernel.ts';

/** Page frames of which the use is kept, a word each. */
const maxKnown = 1 << 20;

/**
 * Lets the dump's memory tell zero-filled pages from excluded ones. Works from VMCOREINFO and the page
 * structures alone, at the first page that is missing.
 */
export function installExcludedPageJudge(kernel: Kernel): void {
  const { memory, info, notes } = kernel.dump;
  // a mini dump has the pages of zeroes that it needs, and lacks others for no reason of theirs
  if (notes.mini !== null) return;
  // a container that does not tell its level may have been written at any
  const level = info.level ?? 31;
  if ((level & dumpLevel.zero) === 0) return;
  let uses: FrameUses | null | undefined;
  let keepsZeroes: boolean | undefined;
  let image: readonly Frames[] | undefined;
  // Reading a struct page may meet a missing page itself: that one is then not judged, but unreadable.
  let judging = false;
  memory.setExcludedPageJudge((pfn) => {
    if (judging) return false;
    judging = true;
    try {
      uses ??= FrameUses.open(kernel);
      const use = uses?.of(pfn) ?? null;
      if (use === null) image ??= kernelImage(kernel);
      const notTaken =
        use === null
          ? image!.some(({ start, end }) => pfn >= start && pfn < end)
          : !takenByLevel(use, level) && !uses!.mayBeTakenForUser(pfn, level);
      if (notTaken) keepsZeroes ??= holdsZeroPages(kernel.dump);
      return notTaken && keepsZeroes === false;
    } finally {
      judging = false;
    }
  });
}

/** What page frames are used for, as far as it was looked up: by VMCOREINFO, else by types, which take reading. */
const frameUses = perKernel((kernel) => FrameUses.open(kernel) ?? FrameUses.over(pageFrames(kernel), kernel));

/**
 * Keeps pages of the running machine from being read that must not be: those that are offline, not accepted from the
 * hypervisor, or broken.
 */
export function installLiveGuard(kernel: Kernel): void {
  let asking = false; // to read a struct page, too, is to read pages
  kernel.dump.live?.setGuard((pfn) => {
    if (asking) return false;
    asking = true;
    try {
      const use = frameUses(kernel)?.of(pfn) ?? null;
      return use !== null && takenByLevel(use, 0);
    } finally {
      asking = false;
    }
  });
}

/** What page frames were used for: looked up a page of `struct page`s at a time, and kept. */
class FrameUses {
  private readonly frames: PageFrames;
  private readonly atOnce: number;
  private readonly known = new Map<number, Uint16Array>();

  private constructor(frames: PageFrames, pageSize: number) {
    this.frames = frames;
    this.atOnce = Math.max(1, Math.floor(pageSize / frames.model.pageStructSize));
  }

  /** Null where VMCOREINFO does not tell enough. */
  static open(kernel: Kernel): FrameUses | null {
    const model = memoryModel(kernel);
    return FrameUses.over(
      model === null ? null : PageFrames.open(kernel.space, model, kernel.vmcoreinfo, null),
      kernel,
    );
  }

  /** Null where there are none. */
  static over(frames: PageFrames | null, { space }: Kernel): FrameUses | null {
    return frames === null ? null : new FrameUses(frames, space.memory.pageSize);
  }

  /** Null where the `struct page` cannot be read. */
  of(pfn: Pfn): PageUse | null {
    const within = pfn % this.atOnce;
    const first = pfn - within;
    let words = this.known.get(first);
    if (words === undefined) {
      words = this.frames.classify(toPfn(first), this.atOnce);
      if (this.known.size * this.atOnce >= maxKnown) this.known.clear();
      this.known.set(first, words);
    }
    const use = pageUse(words[within]!);
    return use.kind === 'none' ? null : use;
  }

  /**
   * Whether some makedumpfile takes a page for a process's that is not. It looks at the mapping of slabs, which have
   * something else there; and of tail pages, where it does not know the kernel's compound pages (1.7.8 and 7.0's
   * compound_info).
   */
  mayBeTakenForUser(pfn: Pfn, level: number): boolean {
    return (level & dumpLevel.user) !== 0 && this.frames.looksAnonymous(pfn);
  }
}

/** Missing pages counted at most: more would take longer than anyone waits for a summary. */
const maxCounted = 4_000_000;

/**
 * How many of the pages that the dump describes and does not hold were zero, and how many the filter took;
 * null where that is too many to look at one by one.
 */
export function pageCensus(kernel: Kernel): { readonly zero: number; readonly excluded: number } | null {
  const { memory, info } = kernel.dump;
  if (info.pages.total - info.pages.present > maxCounted) return null;
  let zero = 0;
  let excluded = 0;
  for (const { start, end } of memory.ramRanges()) {
    const last = Math.ceil(end / memory.pageSize);
    for (let pfn = Math.floor(start / memory.pageSize); pfn < last; pfn++) {
      const state = memory.pageState(toPfn(pfn));
      if (state === 'zero') zero++;
      else if (state === 'excluded' && ++excluded + zero > maxCounted) return null;
    }
  }
  return { zero, excluded };
}

/** Pages of a dump looked at for one that is all zeroes: even an idle kernel has a few in a hundred. */
const zeroSamples = 1024;

/**
 * True for a kdump-compressed dump that holds zero-filled pages: makedumpfile since 1.5 (cyclic mode) keeps
 * one such page in the file for all of them, so that none is missing for its content. (ELF dumps hold zero
 * pages between others, and lack them in long runs.)
 */
function holdsZeroPages(dump: Dump): boolean {
  const { memory, info } = dump;
  if (info.format !== 'kdump') return false;
  const step = Math.max(1, Math.floor(memory.maxPfn / zeroSamples));
  for (let first = 0; first < step; first += Math.ceil(step / 4)) {
    for (let pfn = first; pfn < memory.maxPfn; pfn += step) {
      if (memory.pageState(toPfn(pfn)) !== 'present') continue;
      try {
        if (memory.page(toPfn(pfn)).every((byte) => byte === 0)) return true;
      } catch (error) {
        if (!(error instanceof MemoryFault)) throw error;
      }
    }
  }
  return false;
}

/** Page frames [start, end), in pages and parts of pages. */
interface Frames {
  readonly start: number;
  readonly end: number;
}

/**
 * Frames of the kernel's own code and data; none where they are not known. Init memory is not counted: it was
 * given back, and may have become anything; nor is the part of .bss that guests share with their hypervisor, of
 * which all others give most of 2 MiB back (mem_encrypt_free_decrypted_mem(), since 4.20).
 */
function kernelImage(kernel: Kernel): readonly Frames[] {
  const { pageSize } = kernel.dump.memory;
  const frame = (symbol: string): number | null => {
    // kernels without CONFIG_AMD_MEM_ENCRYPT share nothing
    const name = kernel.symbols.find(symbol) === null && symbol.endsWith('_bss_decrypted') ? '__bss_stop' : symbol;
    const address = kernel.symbols.find(name)?.address;
    return address === undefined ? null : kernel.space.translate(address) / pageSize;
  };
  const found: Frames[] = [];
  try {
    for (const [first, last] of [
      ['_stext', '_etext'],
      ['_sdata', '_edata'],
      ['__bss_start', '__start_bss_decrypted'],
      ['__end_bss_decrypted', '__bss_stop'],
    ] as const) {
      const start = frame(first);
      const end = frame(last);
      if (start !== null && end !== null) found.push({ start: Math.floor(start), end });
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return found;
}
