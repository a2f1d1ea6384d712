// A core file of a process out of a dump of the whole machine, laid out as the kernel would have written it
// (fs/binfmt_elf.c; linux/elfcore.h, uapi/linux/elf.h).
//
//   ELF header | program headers | notes: each thread's registers, the process, auxv, mapped files | pages ...
//
// Memory is cut into segments where what the dump has of it begins and ends: a segment whose size in the file is 0 is
// memory that the process had and nobody has any more. Debuggers say of that that it cannot be read.
import { offsetBy, pfn, type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError, MemoryFault, NotFoundError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { type CoreSegment, coreFileHead } from './core_file_head.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { userMemory, type VmArea, vmAreas } from './mm_types.ts';
import { processNotes } from './process_notes.ts';
import { swappedPage } from './swapped_pages.ts';
import type { Task } from './task.ts';
import { xarrayEntry } from './xarray.ts';

/** What a core file has, and what it lacks. */
export interface ProcessCore {
  /** The file, piece by piece. */
  readonly pieces: Iterable<Uint8Array>;
  /** Bytes of the file. */
  readonly size: number;
  readonly threads: number;
  /** Threads whose registers are not known: zeroes stand for them. */
  readonly withoutRegisters: number;
  /** Pages that the process had mapped, in memory or swapped out, and that are in the file. */
  readonly pages: number;
  /** Such pages that the dump's filter left out, that were lost, or that are on a swap device. */
  readonly missing: number;
}

/** Most segments: a page each in turn would be 4 GiB of memory. */
const maxSegments = 1 << 20;
const VM_READ = 1n;
const VM_WRITE = 2n;
const VM_EXEC = 4n;

interface Segment extends CoreSegment {
  readonly area: VmArea;
}

/**
 * The core file of the process that a task is a thread of.
 * @param threads the process's threads, the first of them the one that the file is about
 * @throws NotFoundError for a kernel thread, or a process that has given its memory up; MemoryFault
 */
export function processCore(kernel: Kernel, threads: readonly Task[]): ProcessCore {
  const [first] = threads;
  if (first === undefined) throw new NotFoundError('task', 'any', 'a process has threads');
  const mm = first.object.member('mm');
  if (mm.isNull) throw new NotFoundError('user memory', `of PID ${first.pid}`, 'it has none');
  const areas = [...vmAreas(kernel, mm.deref())];
  const reader = new PageReader(kernel, first);
  const segments = [...segmentsOf(kernel, areas, reader)];
  const { notes, withoutRegisters } = processNotes(kernel, threads, areas);
  const { pageSize } = kernel.dump.memory;
  const head = coreFileHead(kernel.arch.coreFile.machine, notes, segments, pageSize);
  const pagesIn = (one: Segment): number => Number(one.end - one.start) / pageSize;
  const pages = segments.filter(({ present }) => present).reduce((sum, one) => sum + pagesIn(one), 0);
  function* pieces(): Generator<Uint8Array> {
    yield head;
    let done = 0;
    for (const { area, start, end, present } of segments) {
      if (!present) continue;
      for (let at = start; at < end; at += BigInt(pageSize)) {
        if (++done % 256 === 0) kernel.work.progress(done, pages);
        yield reader.page(area, virtAddr(at)) ?? new Uint8Array(pageSize);
      }
    }
  }
  return {
    pieces: pieces(),
    size: head.length + pages * pageSize,
    threads: threads.length,
    withoutRegisters,
    pages,
    missing: reader.missing,
  };
}

/** Cuts areas where what there is of them begins and ends. */
function* segmentsOf(kernel: Kernel, areas: readonly VmArea[], reader: PageReader): Generator<Segment> {
  const pageSize = BigInt(kernel.dump.memory.pageSize);
  let count = 0;
  for (const area of areas) {
    const flags = segmentFlags(area.flags);
    let start: bigint = area.start;
    let present: boolean | null = null;
    for (let at: bigint = area.start; at < area.end; at += pageSize) {
      kernel.work.charge('nodes', 1);
      const has: boolean = reader.has(area, virtAddr(at));
      if (present !== null && has !== present) {
        yield { area, start, end: at, flags, present };
        start = at;
        if (++count > maxSegments) throw new FormatError('core file', `more than ${maxSegments} segments`);
      }
      present = has;
      // a stretch of page tables that maps nothing is stepped over at once
      if (!has) at = reader.skip(area, at, pageSize) - pageSize;
    }
    yield { area, start, end: area.end, flags, present: present ?? false };
  }
}

/** Pages of a process: mapped, swapped out and still in memory, or in the cache of the file that is mapped there. */
class PageReader {
  /** Pages that the process had and that are not to be had. */
  missing = 0;
  private readonly kernel: Kernel;
  private readonly space;
  private readonly mappings = new Map<bigint, KernelObject | null>();
  private readonly vdso: VdsoImage | null;

  constructor(kernel: Kernel, task: Task) {
    this.kernel = kernel;
    this.space = userMemory(kernel, task);
    this.vdso = kernel.faults.attempt('vdso', () => vdsoOf(task.object.member('mm').deref()), null);
  }

  /** Whether a page is to be had. One that the process had and that is not counts as missing. */
  has(area: VmArea, at: VirtAddr): boolean {
    const { memory } = this.kernel.dump;
    const { physical, fault } = this.space.walk(at);
    if (physical !== null) {
      const state = memory.pageState(pfn(Math.floor(physical / memory.pageSize)));
      if (state === 'present' || state === 'zero') return true;
      this.missing++;
      return false;
    }
    if (fault?.reason === 'swapped') {
      if (this.space.isReadable(at)) return true;
      this.missing++;
      return false;
    }
    return this.cached(area, at) !== null;
  }

  /** The content of a page; null where it is not to be had. */
  page(area: VmArea, at: VirtAddr): Uint8Array | null {
    try {
      return this.space.read(at, this.kernel.dump.memory.pageSize);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      if (error.reason === 'not-mapped') return this.cached(area, at);
      this.kernel.faults.record('page of a process', error);
      return null;
    }
  }

  /** Where to go on behind a page that is not mapped: memory of no file has nothing else up to the end of its table. */
  skip(area: VmArea, at: bigint, pageSize: bigint): bigint {
    const { entries, fault } = this.space.walk(virtAddr(at));
    if (area.file !== 0n || fault?.reason !== 'not-mapped' || entries.at(-1)?.level === 'PTE') return at + pageSize;
    const table = pageSize * (pageSize / 8n); // what one last table maps
    const next = (at / table + 1n) * table;
    return next < area.end ? next : area.end;
  }

  /** A page of the file that is mapped, from the page cache; of tmpfs, also one that was swapped out. */
  private cached(area: VmArea, at: VirtAddr): Uint8Array | null {
    if (area.file === 0n) return this.ofVdso(area, at);
    const { kernel } = this;
    return kernel.faults.attempt(
      'page cache',
      () => {
        const pages = this.mapping(area.file);
        if (pages === null) return null;
        const { memory } = kernel.dump;
        const index = Number(area.pageOffset) + Number((at - area.start) / BigInt(memory.pageSize));
        const entry = xarrayEntry(pages, index);
        if (entry === null) return null;
        if ((entry & 1n) !== 0n) {
          // a value: where the page was swapped to, or a mark that it once was here
          return swappedPage(kernel, { type: Number(entry >> 59n), offset: (entry >> 1n) & ((1n << 58n) - 1n) });
        }
        const frame = frameWithin(kernel, entry, index);
        if (frame === null || memory.pageState(pfn(frame)) !== 'present') return null;
        return memory.page(pfn(frame)).slice();
      },
      null,
    );
  }

  /**
   * A page of the vdso (arch/x86/entry/vdso/vma.c), which is mapped when it is first touched; the symbols and section headers
   * that debuggers read mostly never are.
   */
  private ofVdso(area: VmArea, at: VirtAddr): Uint8Array | null {
    const { vdso, kernel } = this;
    const offset = Number(at - area.start);
    if (vdso === null || area.start !== vdso.start || offset >= vdso.size) return null;
    const read = (): Uint8Array => kernel.space.read(offsetBy(vdso.data, offset), kernel.dump.memory.pageSize);
    return kernel.faults.attempt('page of the vdso', read, null);
  }

  private mapping(file: VirtAddr): KernelObject | null {
    let pages = this.mappings.get(file);
    if (pages === undefined) {
      const space = this.kernel.object('struct file', file).member('f_mapping');
      pages = space.isNull ? null : space.deref().memberAmong('i_pages', 'page_tree');
      this.mappings.set(file, pages);
    }
    return pages;
  }
}

/** Where a process has its vdso, and the kernel's own copy of it. */
interface VdsoImage {
  /** User address. */
  readonly start: bigint;
  /** Kernel address. */
  readonly data: VirtAddr;
  /** In bytes. */
  readonly size: number;
}

/** Null: of a machine whose processes share the vdso's pages otherwise, or of a process that has none. */
function vdsoOf(mm: KernelObject): VdsoImage | null {
  const context = mm.has('context') ? mm.member('context') : null;
  if (context === null || !context.has('vdso_image') || context.member('vdso_image').isNull) return null;
  const image = context.member('vdso_image').deref();
  return {
    start: context.member('vdso').pointer(),
    data: image.member('data').pointer(),
    size: image.member('size').number(),
  };
}

/** The frame of a file's page, by the folio or page that the cache has for it; null where that has no such page. */
function frameWithin(kernel: Kernel, entry: VirtAddr, index: number): number | null {
  const frame = memoryModel(kernel)?.pfnOf(entry) ?? null;
  if (frame === null) return null;
  const page = kernel.object('struct page', entry);
  const first = (page.optional('index') ?? page.member('__folio_index')).number();
  const behind = index - first;
  return behind >= 0 && behind < 1 << 16 ? frame + behind : null;
}

function segmentFlags(flags: bigint): number {
  return (flags & VM_READ ? 4 : 0) | (flags & VM_WRITE ? 2 : 0) | (flags & VM_EXEC ? 1 : 0);
}
