// What every dump reader gives, whatever the container: physical memory, page by page, and notes.
import type { Pfn, PhysAddr } from '../base/address.ts';
import type { MemoryFault } from '../base/errors.ts';
import type { WorkSlot } from '../base/work.ts';

/**
 * What a dump holds for one page frame.
 * - `present`: content is in the file
 * - `zero`: not in the file, but known to have been all zeroes (see `ExcludedPageJudge`)
 * - `excluded`: RAM that the dump's filter left out
 * - `not-in-dump`: no RAM there, or outside what the dump describes
 * - `truncated`: should be in the file, but the file was cut (or the dump was incomplete)
 */
export type PageState = 'present' | 'zero' | 'excluded' | 'not-in-dump' | 'truncated';

/**
 * Says whether a page frame that the filter left out was left out because it was zero-filled (dump
 * level bit 1). Containers do not mark the difference; whoever knows the kernel's image and page
 * structures can tell (`src/kernel/excluded_pages.ts`).
 */
export type ExcludedPageJudge = (pfn: Pfn) => boolean;

/** Page frames [first, first + count). */
export interface PageRun {
  readonly first: Pfn;
  readonly count: number;
}

/** Work over much of memory: past the page cache, many pages at a time. */
export interface BulkMemory {
  /**
   * The page frames of [from, to) whose content is in the files, as runs: ascending and apart. Pages that are known
   * to have been zero without being there are in none.
   */
  presentRuns(from: Pfn, to: Pfn): Iterable<PageRun>;

  /**
   * Hands out the content of the page frames of [from, to) that are present, ascending, in windows of frames that
   * follow one another.
   * @param visit takes a window's first frame and its pages, a view valid until it returns; false ends the scan
   * @param failed told of each present page that cannot be read or decoded; the scan goes on behind it
   */
  scan(
    from: Pfn,
    to: Pfn,
    visit: (first: Pfn, pages: Uint8Array) => boolean,
    failed: (pfn: Pfn, fault: MemoryFault) => void,
  ): void;
}

/** The dead machine's physical memory. */
export interface PhysicalMemory extends BulkMemory {
  /** Bytes in a page: a power of two. */
  readonly pageSize: number;
  /** Highest page frame number that the dump describes, plus one. */
  readonly maxPfn: number;
  /** What work is under way: everything that reads this memory charges it here, and may be stopped there. */
  readonly work: WorkSlot;

  pageState(pfn: Pfn): PageState;

  /**
   * The content of one page. The view is valid until the next call on this memory: copy what must last.
   * @throws MemoryFault (space `physical`) unless the state is `present` or `zero`, or when the data is corrupt
   */
  page(pfn: Pfn): Uint8Array;

  /**
   * Copies `into.length` bytes from a physical address; may cross pages.
   * @throws MemoryFault for the first page that cannot be read; `into` is then filled up to that page
   */
  read(address: PhysAddr, into: Uint8Array): void;

  /** Drops the pages that were kept: to be called where memory changes. */
  forget(): void;

  /** Installs the judge of excluded pages; `null` (the start) treats every such page as excluded. */
  setExcludedPageJudge(judge: ExcludedPageJudge | null): void;

  /** Ranges of RAM that the dump describes (present, excluded or zero), ascending, [start, end) in bytes. */
  ramRanges(): readonly { readonly start: PhysAddr; readonly end: PhysAddr }[];
}

export type DumpFormat = 'elf' | 'kdump';
export type PageCompression = 'none' | 'zlib' | 'lzo' | 'snappy' | 'zstd';

/** General-purpose registers of one CPU at the crash, by the kernel's names (`rip`, `rsp`, `cr3`, ...). */
export interface CpuNote {
  /** Position of the note in the file: the n-th CPU that saved its registers, not always the CPU's number. */
  readonly index: number;
  /** NT_PRSTATUS's pr_pid; 0 for an idle task or where the note has none. */
  readonly pid: number;
  readonly registers: Readonly<Record<string, bigint>>;
  /** `prstatus` (kdump), or `qemu` (QEMU's CPU state note, which has control and segment registers too). */
  readonly source: 'prstatus' | 'qemu';
}

/** What a mini dump says of itself: it lacks every page that none of its commands read. */
export interface MiniNote {
  /** The commands that it has the pages of, in words. */
  readonly holds: string;
  /** RAM of the machine, ascending, [start, end) in bytes; none where that was not written. */
  readonly ram: readonly { readonly start: PhysAddr; readonly end: PhysAddr }[];
}

/** What a driver left of its device when the kernel died. */
export interface DeviceDump {
  /** Driver and device: `cxgb4_0000:02:00.4`. */
  readonly name: string;
  /** File offset of its data. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

export interface DumpNotes {
  /** Text of the VMCOREINFO note (`KEY=value` lines); null where the dump has none. */
  readonly vmcoreinfo: string | null;
  readonly cpus: readonly CpuNote[];
  /** Text of makedumpfile's erase info; null where there is none. */
  readonly eraseInfo: string | null;
  /** Of a mini dump (`inquest save --mini`): what it holds; null for every other dump. */
  readonly mini: MiniNote | null;
  /** What drivers left of their devices (NT_VMCOREDD, include/uapi/linux/vmcore.h). */
  readonly devices: readonly DeviceDump[];
  /** Every note found: owner name, type and size in bytes. */
  readonly all: readonly { readonly name: string; readonly type: number; readonly size: number }[];
}

/** Facts about the container, for `inquest info` and the report. */
export interface DumpInfo {
  readonly files: readonly string[];
  /** Bytes on disk, all files together. */
  readonly fileSize: number;
  readonly format: DumpFormat;
  /** One line for people: `kdump-compressed v6, zlib, flattened`. */
  readonly description: string;
  readonly flattened: boolean;
  /** Number of files of a split set; 1 for a dump in one piece. */
  readonly split: number;
  /** Header version of the kdump format; null for ELF. */
  readonly version: number | null;
  /** Compression of the pages: the one that the header names or, failing that, the first page's. */
  readonly compression: PageCompression;
  /** makedumpfile's dump level (-d), 0 to 31; null where the format does not say. */
  readonly level: number | null;
  /** Whether parts of the memory map were left out that tell of no page in the dump; false where the format does not say. */
  readonly lacksMap: boolean;
  /** ELF machine name as uname has it: `x86_64`, `aarch64`. */
  readonly machine: string;
  /** From the kdump header's utsname; null for ELF, and where the writer left it empty (QEMU). */
  readonly utsname: { sysname: string; nodename: string; release: string; version: string; machine: string } | null;
  /** When the dump header was written, in seconds since 1970; null where the format does not say. */
  readonly headerTime: number | null;
  readonly pages: {
    /** Page frames of RAM that the dump describes. */
    readonly total: number;
    /** Page frames whose content is in the file. */
    readonly present: number;
    /** Page frames lost to a cut file or an incomplete dump. */
    readonly lost: number;
  };
  /** False when the file is cut or the writer marked it incomplete. */
  readonly complete: boolean;
  /** Sentences about what is odd with this file: cut at..., header says..., overlapping ranges... */
  readonly warnings: readonly string[];
}

/** All that it takes to open a dump once more, as plain data: for a worker. See `reopenDump`. */
export interface DumpDescription {
  /** Opened as `openDamagedDump` does. */
  readonly damaged?: boolean;
  /** Absolute paths, in the order in which they were given. */
  readonly files: readonly string[];
}

/** An opened dump. */
export interface Dump {
  readonly description: DumpDescription;
  /** The ELF notes as they stand in the file, one behind another; a cut one ends them. Empty where there are none. */
  rawNotes(): Uint8Array;
  readonly info: DumpInfo;
  readonly memory: PhysicalMemory;
  readonly notes: DumpNotes;
  /** Of the running machine's memory, which changes under the reader: what keeps pages from being read. Else null. */
  readonly live: { setGuard(mustNotBeRead: (pfn: Pfn) => boolean): void } | null;
  close(): void;
}
