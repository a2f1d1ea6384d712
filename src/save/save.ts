// Writes a dump anew: filtered, in another format, compressed in another way, in one file or several.
//
//   kernel --> which frames are kept --> threads: read, compress --> writer --> output
import { type PhysAddr, pfn, physAddr } from '../base/address.ts';
import { UsageError } from '../base/errors.ts';
import type { Threads } from '../base/threads.ts';
import type { Dump, MiniNote, PageCompression, PhysicalMemory } from '../dump/dump.ts';
import { noteBytes, notesIn } from '../dump/elf_notes.ts';
import { miniNoteOwner, miniNoteText, miniNoteType } from '../dump/mini_note.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { type DropKind, dumpLevel } from '../kernel/dump_level.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { readUtsname } from '../kernel/utsname.ts';
import { isZero } from './compress.ts';
import { ElfWriter } from './elf_writer.ts';
import { Eraser, type Erasure } from './erasure.ts';
import type { FrameSet } from './frame_set.ts';
import { KdumpWriter, lostPage, type MachineFacts, type PackedPages, type Part } from './kdump_writer.ts';
import { type Output, OutputError } from './output.ts';
import { Packer, type PackTask, type PackThreadData, packTasks, scanKept } from './pack.ts';
import { startPackThreads } from './pack_threads.ts';
import { mostMapped, onlyFrames, type Selection, selectFrames } from './selection.ts';

export interface SaveOptions {
  readonly format: 'kdump' | 'elf';
  /** Of the pages of a kdump-compressed dump. */
  readonly compression: PageCompression;
  /** What is left out: bits of `dumpLevel`. */
  readonly level: number;
  /** Leaves out the parts of the memory map that tell of no page that is kept. */
  readonly leavesMap?: boolean;
  /** By default as many as the machine has processors, and memory for. */
  readonly threads?: number;
  /** Such threads that were started before; null for one alone. The caller ends them. */
  readonly packThreads?: Threads | null;
  /** Files to divide a kdump-compressed dump into. */
  readonly parts?: number;
  /** Bytes that there are for the dump; null where that is not known. */
  readonly room?: number | null;
  /** A mini dump is written: these pages alone, whatever the level. */
  readonly mini?: MiniPages | null;
  /** Finds what is to be erased in the pages that are kept; null for nothing. */
  readonly erase?: ((kernel: Kernel, kept: FrameSet) => Erasure) | null;
}

/** What a mini dump is made of. */
export interface MiniPages {
  readonly frames: FrameSet;
  readonly note: MiniNote;
}

export interface SaveResult {
  /** Page frames are below this. */
  readonly maxPfn: number;
  /** Page frames of RAM that the source describes. */
  readonly ram: number;
  /** Pages that the source has. */
  readonly pages: number;
  /** Pages left out by kind; zero pages are counted apart. */
  readonly dropped: ReadonlyMap<DropKind, number>;
  /** Pages found to be all zeroes, and left out as such. */
  readonly zero: number;
  /** Pages that the source should have and that could not be read. */
  readonly lost: number;
  /** Pages that an earlier save had written. Those of them that are zeroes are not in `zero`. */
  readonly resumed: number;
  /** Bytes written. */
  readonly written: number;
}

/**
 * Saves a dump. The kernel's work is charged, and told how far it is in page frames.
 * @param open gives the output of each part, 0 and up
 * @throws OutputError when an output cannot be written, Cancelled; what was written is then an incomplete dump
 */
export function saveDump(kernel: Kernel, open: (part: number) => Output, options: SaveOptions): SaveResult {
  const { mini = null } = options;
  const selection =
    mini === null ? selectFrames(kernel, options.level, options.leavesMap) : onlyFrames(kernel, mini.frames);
  const pages = [...selection.dropped.values()].reduce((sum, count) => sum + count, selection.kept.count());
  const erasure = options.erase?.(kernel, selection.kept) ?? null;
  const whole = machineFacts(kernel, options.level, options.leavesMap);
  const marked = mini === null ? whole : withMiniNote(whole, mini.note);
  const facts = erasure === null ? marked : withErasure(marked, erasure);
  checkRoom(facts, selection, options);
  // where the linear map is, a symbol tells
  if (options.format === 'elf') void kernel.symbols;
  const linear = (physical: PhysAddr): bigint | null => kernel.space.linearAddress(physical);
  const written = writeDump(kernel.dump, open, { facts, selection, linear, erase: erasure?.ranges ?? null }, options);
  return { maxPfn: facts.maxPfn, ram: selection.ram.count(), pages, dropped: selection.dropped, ...written };
}

/** A page of the dead machine takes no less, compressed and with its descriptor, on average: 1 in 100. */
const smallestPart = 0.01;

/** @throws OutputError where the dump cannot have room, before anything is written */
function checkRoom(
  { maxPfn, pageSize, notes }: MachineFacts,
  { kept }: Selection,
  { format, compression, level, room = null }: SaveOptions,
): void {
  if (room === null) return;
  const isPlain = (format === 'elf' || compression === 'none') && (level & dumpLevel.zero) === 0;
  const pages = kept.count() * pageSize * (isPlain ? 1 : smallestPart);
  const needed = Math.floor(pages + notes.length + (format === 'elf' ? 0 : maxPfn / 4));
  if (needed <= room) return;
  const problem = `no room: it takes ${isPlain ? '' : 'at least '}${needed} bytes, and ${room} are free`;
  throw new OutputError('the target', Object.assign(new Error(problem), { code: 'ENOSPC' }));
}

export type Written = Pick<SaveResult, 'zero' | 'lost' | 'resumed' | 'written'>;

/** What is to be written. */
export interface Content {
  readonly facts: MachineFacts;
  readonly selection: Pick<Selection, 'ram' | 'kept'>;
  /** Where the kernel's linear map has a physical address; null where that is not known. */
  readonly linear: (physical: PhysAddr) => bigint | null;
  /** Told of each page that could not be read, of a kdump-compressed dump. */
  readonly lost?: (frame: number) => void;
  /** What is erased from the pages; null for nothing. */
  readonly erase: Erasure['ranges'] | null;
}

/**
 * Writes pages of a dump, whatever the kernel in it. The memory's work is charged.
 * @param open gives the output of each part, 0 and up
 * @throws OutputError, Cancelled; what was written is then an incomplete dump
 */
export function writeDump(dump: Dump, open: (part: number) => Output, content: Content, options: SaveOptions): Written {
  return options.format === 'elf'
    ? writeElf(dump, open(0), content, options)
    : writeKdump(dump, open, content, options);
}

function writeKdump(dump: Dump, open: (part: number) => Output, content: Content, options: SaveOptions): Written {
  const { packThreads, mini = null } = options;
  if (packThreads !== undefined) return writeParts(dump, open, content, options, packThreads);
  // a few thousand pages; and what is known to be zero is known here
  const started = mini === null ? startPackThreads(options.threads) : null;
  try {
    return writeParts(dump, open, content, options, started);
  } finally {
    started?.end();
  }
}

function writeParts(
  dump: Dump,
  open: (part: number) => Output,
  { facts, selection, lost, erase }: Content,
  options: SaveOptions,
  threads: Threads | null,
): Written {
  const total: { -readonly [K in keyof Written]: number } = { zero: 0, lost: 0, resumed: 0, written: 0 };
  for (const [i, part] of partsOf(selection.kept, options.parts ?? 1).entries()) {
    const output = open(i);
    try {
      const writer = new KdumpWriter(output, facts, selection, options.compression, part);
      const given: PackTask[] = [];
      total.resumed += writer.done;
      const rest = { ...part, from: frameAt(selection.kept, part, writer.done) };
      for (const packed of packedPages(dump, selection.kept, rest, erase, options, threads, given)) {
        writer.add(packed);
        const task = given.shift()!;
        if (lost !== undefined && packed.sizes.includes(lostPage)) tellLost(selection.kept, task, packed, lost);
        dump.memory.work.progress(task.to, facts.maxPfn);
      }
      writer.finish();
      output.finish();
      total.zero += writer.zero;
      total.lost += writer.lost;
      total.written += output.written;
    } finally {
      output.close();
    }
  }
  return total;
}

/** The frame of the n-th page of a part; the part's end behind the last. */
function frameAt(kept: FrameSet, { from, to }: Part, n: number): number {
  let before = 0;
  for (const { first, count } of kept.runs(from, to)) {
    if (before + count > n) return n === 0 ? from : first + n - before;
    before += count;
  }
  return n === 0 ? from : to;
}

function tellLost(kept: FrameSet, { from, to }: PackTask, { sizes }: PackedPages, lost: (frame: number) => void): void {
  let index = 0;
  for (const { first, count } of kept.runs(from, to)) {
    for (let i = 0; i < count; i++) if (sizes[index++] === lostPage) lost(first + i);
  }
}

/** The kept pages of a part, packed: by threads, or here if one is enough. */
function packedPages(
  { memory, description }: Dump,
  kept: FrameSet,
  { from, to }: Part,
  erase: Erasure['ranges'] | null,
  { compression, level, mini = null }: SaveOptions,
  threads: Threads | null,
  given: PackTask[],
): Iterable<PackedPages> {
  const data = {
    frames: kept.length,
    kept: kept.bytes.buffer as SharedArrayBuffer,
    compression,
    isCompact: mini !== null,
    dropsZeroes: (level & dumpLevel.zero) !== 0,
    erase,
  };
  const tasks = function* (): Generator<PackTask> {
    for (const task of packTasks(kept, from, to)) {
      given.push(task);
      yield task;
    }
  };
  const packer = new Packer(memory, data);
  if (threads !== null) {
    const start: PackThreadData = { ...data, dump: description };
    const here = (task: PackTask): PackedPages => {
      const packed = packer.pack(task);
      return { ...packed, data: packed.data.slice() };
    };
    const all = threads.run<PackTask, PackedPages>(start, tasks(), memory.work, here);
    return (function* () {
      for (const packed of all) {
        yield packed;
        // written by now: given back at once, as tens of megabytes would gather until garbage is collected
        (packed.data.buffer as Detachable).transfer?.(0);
      }
    })();
  }
  return (function* () {
    for (const task of tasks()) yield packer.pack(task);
  })();
}

/** ES2024: not in Node 20. */
type Detachable = ArrayBuffer & { transfer?(length: number): ArrayBuffer };

/**
 * Frames at whose multiples a part may begin: crash 9.0.2 counts the pages before a frame in words of the bitmap, from the
 * part's first one on (read_dump_header in its diskdump.c).
 */
const borderFrames = 64;

/** A split set has about as many pages in each file. */
function partsOf(kept: FrameSet, parts: number): Part[] {
  if (parts <= 1) return [{ from: 0, to: kept.length, isSplit: false }];
  const each = Math.max(1, Math.ceil(kept.count() / parts));
  let from = 0;
  return Array.from({ length: parts }, (_, i) => {
    const rest: Part = { from, to: kept.length, isSplit: true };
    const end = i === parts - 1 ? rest.to : Math.ceil(frameAt(kept, rest, each) / borderFrames) * borderFrames;
    from = Math.min(end, rest.to);
    return { ...rest, to: from };
  });
}

function writeElf(
  { memory }: Dump,
  output: Output,
  { facts, selection, linear, erase }: Content,
  { level }: SaveOptions,
): Written {
  try {
    const zero = (level & dumpLevel.zero) === 0 ? 0 : dropZeroes(memory, selection.kept);
    const writer = new ElfWriter(output, withEraseNote(facts), selection, (physical) => linear(physAddr(physical)));
    const eraser = erase === null ? null : new Eraser(erase);
    const start = frameAt(selection.kept, { from: 0, to: facts.maxPfn, isSplit: false }, writer.done);
    for (const { first, count } of selection.kept.runs(start)) {
      scanKept(
        memory,
        first,
        first + count,
        (start, pages) => {
          eraser?.apply(start * facts.pageSize, pages);
          writer.add(start, pages);
          memory.work.progress(start, facts.maxPfn);
          return true;
        },
        (lost) => writer.addLost(lost),
      );
    }
    writer.finish();
    output.finish();
    return { zero, lost: writer.lost, resumed: writer.done, written: output.written };
  } finally {
    output.close();
  }
}

/** Takes pages that are all zeroes out of those kept: an ELF core has nothing to say so, but that they are not there. */
function dropZeroes(memory: PhysicalMemory, kept: FrameSet): number {
  const zeroes = new Uint8Array(memory.pageSize);
  let found = 0;
  for (const { first, count } of kept.runs()) {
    memory.scan(
      first,
      pfn(first + count),
      (start, pages) => {
        for (let at = 0, frame: number = start; at < pages.length; at += memory.pageSize, frame++) {
          if (!isZero(pages.subarray(at, at + memory.pageSize), zeroes)) continue;
          kept.set(frame, 1, false);
          found++;
        }
        return true;
      },
      () => undefined,
    );
  }
  return found;
}

/** As it is written in an ELF core: erase information is a note there. */
function withEraseNote(facts: MachineFacts): MachineFacts {
  const { eraseInfo, notes } = facts;
  if (eraseInfo === null || [...notesIn(notes)].some(({ name }) => name === 'ERASEINFO')) return facts;
  const note = noteBytes('ERASEINFO', 0, Buffer.from(eraseInfo, 'latin1'));
  return { ...facts, notes: new Uint8Array(Buffer.concat([notes, note])) };
}

/** With what was erased told beside what had been erased before. */
function withErasure(facts: MachineFacts, { info }: Erasure): MachineFacts {
  const others = [...notesIn(facts.notes)].filter(({ name }) => name !== 'ERASEINFO');
  const notes = new Uint8Array(Buffer.concat(others.map(({ start, end }) => facts.notes.subarray(start, end))));
  const before = facts.eraseInfo ?? '';
  const gap = before === '' || before.endsWith('\n') ? '' : '\n';
  return { ...facts, notes, vmcoreinfo: vmcoreinfoIn(notes), eraseInfo: `${before}${gap}${info}` || null };
}

/**
 * Whether a mini dump's bitmaps are nearly empty and large: in a stream, which leaves out what is zero, they take no room.
 */
export function isSparse({ frames }: MiniPages): boolean {
  return frames.length > mostMapped;
}

/** As it is written in a mini dump. A bitmap of RAM that would be larger than the pages is left to the note. */
function withMiniNote(facts: MachineFacts, note: MiniNote): MachineFacts {
  const others = [...notesIn(facts.notes)].filter(({ name }) => name !== miniNoteOwner);
  const notes = new Uint8Array(
    Buffer.concat([
      ...others.map(({ start, end }) => facts.notes.subarray(start, end)),
      noteBytes(miniNoteOwner, miniNoteType, Buffer.from(miniNoteText(note), 'latin1')),
    ]),
  );
  const all = Object.values(dumpLevel).reduce((sum, bit) => sum | bit, 0);
  return { ...facts, level: all, notes, vmcoreinfo: vmcoreinfoIn(notes) };
}

/** What is written of the machine, from the dump and the kernel in it. */
export function machineFacts(kernel: Kernel, level: number, leavesMap = false): MachineFacts {
  const { dump, faults, vmcoreinfo } = kernel;
  const utsname = faults.attempt('utsname', () => readUtsname(kernel), null);
  const facts = factsOf(dump, vmcoreinfo, level, utsname);
  return { ...facts, lacksMap: facts.lacksMap || leavesMap };
}

/** What is written of the machine, from the dump alone. @param vmcoreinfo from the dump's note, or found in its memory */
export function factsOf(
  { info, memory, notes, rawNotes }: Dump,
  vmcoreinfo: Vmcoreinfo,
  level: number,
  utsname: MachineFacts['utsname'] = null,
): MachineFacts {
  let raw = rawNotes();
  if (vmcoreinfoIn(raw) === null && vmcoreinfo.text('OSRELEASE') !== null) {
    // it was in no note, and was found in memory
    const text = [...vmcoreinfo.entries()].map(([key, value]) => `${key}=${value}\n`).join('');
    raw = new Uint8Array(Buffer.concat([raw, noteBytes('VMCOREINFO', 0, Buffer.from(text, 'latin1'))]));
  }
  return {
    machine: info.machine,
    pageSize: memory.pageSize,
    maxPfn: memory.maxPfn,
    utsname: utsname ?? (info.utsname === null ? null : { ...info.utsname, domainname: '' }),
    time: vmcoreinfo.crashTime ?? info.headerTime ?? 0,
    // a source that does not tell, and lacks pages, may have been filtered in any way
    level: level | (info.level ?? (info.pages.present < info.pages.total ? 31 : 0)),
    cpus: Math.max(1, notes.cpus.filter(({ source }) => source === 'prstatus').length),
    physBase: vmcoreinfo.number('phys_base') ?? 0n,
    notes: raw,
    vmcoreinfo: vmcoreinfoIn(raw),
    eraseInfo: notes.eraseInfo,
    lacksMap: info.lacksMap,
  };
}

function vmcoreinfoIn(notes: Uint8Array): MachineFacts['vmcoreinfo'] {
  for (const { name, type, desc, size } of notesIn(notes)) {
    if (name === 'VMCOREINFO' && type === 0) return { offset: desc, size };
  }
  return null;
}

/** @throws UsageError for options that do not go together */
export function checkSaveOptions({ format, compression, level, parts = 1 }: SaveOptions): void {
  if (!Number.isInteger(level) || level < 0 || level > 31) throw new UsageError(`level ${level}: it is 0 to 31`);
  if (format === 'elf' && compression !== 'none') throw new UsageError('pages of an ELF core are not compressed');
  if (format === 'elf' && parts > 1) throw new UsageError('an ELF core is not divided');
  if (!Number.isInteger(parts) || parts < 1 || parts > 64) throw new UsageError(`${parts} parts: it is 1 to 64`);
}
