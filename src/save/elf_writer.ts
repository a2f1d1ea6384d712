// Writes ELF cores (elf.h; read by `elf_header.ts` and `elf_store.ts`):
//
//   header | program headers | section 0, where there are more than it can count | notes | pages
//
// A segment is a run of pages that are kept, and behind it the RAM that was left out: p_filesz and p_memsz.
import type { Pfn } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { FrameSet } from './frame_set.ts';
import type { MachineFacts } from './kdump_writer.ts';
import type { EarlierOutput, Output } from './output.ts';

const headerSize = 64;
const flagsAt = 48;
/** Pages at the end of an earlier save that are written once more. */
const writtenAgain = 4096;
const programHeaderSize = 56;
const sectionHeaderSize = 64;
/** PN_XNUM: the number of program headers stands in section 0. */
const countInSection0 = 0xffff;
const ptLoad = 1;
const ptNote = 4;
/** makedumpfile's elf_info.h, DUMP_ELF_INCOMPLETE. */
const incompleteFlag = 1;
const machineNumbers: Readonly<Record<string, number>> = { x86_64: 62, aarch64: 183 };

/** Page frames [first, first + kept), of which the content comes, and RAM without content behind them. */
interface Segment {
  readonly first: Pfn;
  readonly kept: number;
  readonly frames: number;
  readonly fileOffset: number;
}

export class ElfWriter {
  /** Pages that were written as lost: as zeroes. */
  lost = 0;
  /** Pages that an earlier save had written: those that are added follow them. */
  done = 0;
  private readonly output: Output;
  private readonly facts: MachineFacts;
  private readonly segments: readonly Segment[];
  private next = 0;
  /** e_flags of the header that was written last. */
  private flags = 0;

  /**
   * Writes all that is known before the pages.
   * @param linearAddress where the kernel's linear map has a physical address; null where that is not known
   * @throws OutputError
   */
  constructor(
    output: Output,
    facts: MachineFacts,
    sets: { readonly ram: FrameSet; readonly kept: FrameSet },
    linearAddress: (physical: number) => bigint | null,
  ) {
    this.output = output;
    this.facts = facts;
    const runs = segmentsOf(sets);
    const headers = runs.length + 1;
    const sectionAt = headerSize + headers * programHeaderSize;
    const hasSection = headers >= countInSection0;
    const notesAt = sectionAt + (hasSection ? sectionHeaderSize : 0);
    const { pageSize, notes } = facts;
    const isFiltered = runs.some(({ kept, frames }) => kept < frames);
    let fileOffset = pagesAt(notesAt + notes.length, pageSize, isFiltered);
    this.segments = runs.map((run) => {
      const segment = { ...run, fileOffset };
      fileOffset += run.kept * pageSize;
      return segment;
    });
    this.flags = output.canRewrite ? incompleteFlag : 0;
    const table = Buffer.alloc(headers * programHeaderSize);
    const entry = (
      n: number,
      type: number,
      at: number,
      virtual: bigint,
      physical: number,
      size: number,
      memory: number,
    ) => {
      const to = n * programHeaderSize;
      table.writeUInt32LE(type, to);
      table.writeUInt32LE(type === ptLoad ? 7 : 0, to + 4); // readable, writable, executable: as /proc/vmcore has it
      for (const [i, value] of [BigInt(at), virtual, BigInt(physical), BigInt(size), BigInt(memory), 0n].entries()) {
        table.writeBigUInt64LE(value, to + 8 + 8 * i);
      }
    };
    entry(0, ptNote, notesAt, 0n, 0, notes.length, notes.length);
    for (const [i, { first, kept, frames, fileOffset }] of this.segments.entries()) {
      const physical = first * pageSize;
      entry(i + 1, ptLoad, fileOffset, linearAddress(physical) ?? 0n, physical, kept * pageSize, frames * pageSize);
    }
    const section = Buffer.alloc(hasSection ? sectionHeaderSize : 0);
    if (hasSection) section.writeUInt32LE(headers, 44); // sh_info
    const { earlier } = output;
    const start = Buffer.concat([this.header(), table, section, notes]);
    if (earlier !== null && earlier.size >= start.length) {
      this.resume(earlier, start);
      return;
    }
    earlier?.discard();
    output.write(0, this.header());
    output.write(headerSize, table);
    if (hasSection) output.write(sectionAt, section);
    output.write(notesAt, notes);
  }

  /**
   * Goes on behind the last page that an earlier save wrote, but for some: what was written last may not have reached the
   * disk.
   * @throws FormatError if it was of other pages
   */
  private resume(earlier: EarlierOutput, start: Buffer): void {
    const found = Buffer.alloc(start.length);
    const isRead = earlier.read(0, found);
    // its flags tell whether it was finished, which does not matter
    found.copy(start, flagsAt, flagsAt, flagsAt + 4);
    if (!isRead || !found.equals(start)) {
      throw new FormatError(earlier.path, 'was begun with other pages or options: it cannot be gone on with');
    }
    const { pageSize } = this.facts;
    const last = this.segments.at(-1);
    const whole = last === undefined ? 0 : last.fileOffset + last.kept * pageSize;
    const reached = earlier.size >= whole ? whole : Math.max(0, earlier.size - writtenAgain * pageSize);
    for (const { fileOffset, kept } of this.segments) {
      this.done += Math.max(0, Math.min(kept, Math.floor((reached - fileOffset) / pageSize)));
    }
    earlier.endsAt(Math.max(start.length, Math.min(reached, whole)));
  }

  /** The next pages, in their order: [first, first + bytes / page size) lies within one run of those kept. @throws OutputError */
  add(first: number, bytes: Uint8Array): void {
    const { pageSize } = this.facts;
    while (first >= this.segments[this.next]!.first + this.segments[this.next]!.frames) this.next++;
    const segment = this.segments[this.next]!;
    this.output.write(segment.fileOffset + (first - segment.first) * pageSize, bytes);
  }

  /** A page that could not be read. @throws OutputError */
  addLost(frame: number): void {
    this.lost++;
    this.add(frame, new Uint8Array(this.facts.pageSize));
  }

  /** Everything was added. @throws OutputError */
  finish(): void {
    const flags = this.lost === 0 ? 0 : incompleteFlag;
    if (flags === this.flags) return;
    this.flags = flags;
    this.output.write(0, this.header());
  }

  private header(): Buffer {
    const headers = this.segments.length + 1;
    const hasSection = headers >= countInSection0;
    const bytes = Buffer.alloc(headerSize);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    bytes.writeUInt16LE(4, 16); // ET_CORE
    bytes.writeUInt16LE(machineNumbers[this.facts.machine] ?? 0, 18);
    bytes.writeUInt32LE(1, 20);
    bytes.writeBigUInt64LE(BigInt(headerSize), 32);
    bytes.writeBigUInt64LE(hasSection ? BigInt(headerSize + headers * programHeaderSize) : 0n, 40);
    bytes.writeUInt32LE(this.flags, flagsAt);
    bytes.writeUInt16LE(headerSize, 52);
    bytes.writeUInt16LE(programHeaderSize, 54);
    bytes.writeUInt16LE(hasSection ? countInSection0 : headers, 56);
    bytes.writeUInt16LE(hasSection ? sectionHeaderSize : 0, 58);
    bytes.writeUInt16LE(hasSection ? 1 : 0, 60);
    return bytes;
  }
}

/**
 * File offset of the first page, behind `end`. A page at a boundary of the file can be mapped, which all of a raw dump are for.
 * In a filtered one none is: makedumpfile (1.7.2) maps, for a page that a segment has in memory and not in the file, whatever
 * is in the file behind the segment, or behind the mapping, and ends with a segmentation fault.
 */
function pagesAt(end: number, pageSize: number, isFiltered: boolean): number {
  if (!isFiltered) return Math.ceil(end / pageSize) * pageSize;
  const aligned = Math.ceil(end / 8) * 8;
  return aligned % pageSize === 0 ? aligned + 8 : aligned;
}

/** Runs of kept frames, each with the RAM behind it that is not kept; RAM before the first is a run of none. */
function segmentsOf({ ram, kept }: { readonly ram: FrameSet; readonly kept: FrameSet }): Omit<Segment, 'fileOffset'>[] {
  const segments: Omit<Segment, 'fileOffset'>[] = [];
  for (const { first, count } of ram.runs()) {
    const end = first + count;
    let at: number = first;
    let open: { first: Pfn; kept: number } | null = null;
    for (const run of kept.runs(first, end)) {
      if (open !== null) segments.push({ ...open, frames: run.first - open.first });
      else if (run.first > at) segments.push({ first, kept: 0, frames: run.first - at });
      open = { first: run.first, kept: run.count };
      at = run.first + run.count;
    }
    if (open === null) segments.push({ first, kept: 0, frames: count });
    else segments.push({ ...open, frames: end - open.first });
  }
  return segments;
}
