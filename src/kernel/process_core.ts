// A core file of a process out of a dump of the whole machine, laid out as the kernel would have written it
// (fs/binfmt_elf.c; linux/elfcore.h, uapi/linux/elf.h).
//
//   ELF header | program headers | notes: each thread's registers, the process, auxv, mapped files | pages ...
//
// Memory is cut into segments where what the dump has of it begins and ends: a segment whose size in the file is 0 is
// memory that the process had and nobody has any more. Debuggers say of that that it cannot be read.
import type { Registers } from '../arch/registers.ts';
import { offsetBy, pfn, type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError, MemoryFault, NotFoundError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { sizeOf } from '../debuginfo/type.ts';
import { backtracer } from './backtrace.ts';
import { openFile } from './fs.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { userMemory, type VmArea, vmAreas } from './mm_types.ts';
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

const NT_PRSTATUS = 1;
const NT_FPREGSET = 2;
const NT_PRPSINFO = 3;
const NT_AUXV = 6;
const NT_FILE = 0x4649_4c45;
const PT_LOAD = 1;
const PT_NOTE = 4;
const ET_CORE = 4;
/** More program headers than this stand in a section header's sh_info (PN_XNUM). */
const manySegments = 0xffff;
const headerSize = 64;
const segmentSize = 56;
const sectionSize = 64;
/** Most segments: a page each in turn would be 4 GiB of memory. */
const maxSegments = 1 << 20;
const VM_READ = 1n;
const VM_WRITE = 2n;
const VM_EXEC = 4n;

interface Segment {
  readonly area: VmArea;
  readonly start: bigint;
  readonly end: bigint;
  /** False for memory that nobody has any more. */
  readonly present: boolean;
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
  let withoutRegisters = 0;
  const notes: Uint8Array[] = [];
  for (const [i, thread] of threads.entries()) {
    const registers = threadRegisters(kernel, thread);
    if (registers === null) withoutRegisters++;
    notes.push(note(NT_PRSTATUS, processStatus(kernel, thread, registers ?? {})));
    if (i === 0) notes.push(note(NT_PRPSINFO, processInfo(kernel, thread)));
    const floating = thread.active ? null : floatingPoint(kernel, thread);
    if (floating !== null) notes.push(note(NT_FPREGSET, floating));
    const { coreFile } = kernel.arch;
    for (const { type, registers: names } of coreFile.notes) {
      notes.push(note(type, words(names.map((name) => registers?.[name] ?? 0n))));
    }
    if (i > 0) continue;
    const auxv = kernel.faults.attempt('auxiliary vector', () => mm.deref().member('saved_auxv').bytes(), null);
    if (auxv !== null) notes.push(note(NT_AUXV, auxv));
    notes.push(note(NT_FILE, mappedFiles(kernel, areas)));
  }
  const noteBytes = Buffer.concat(notes);
  const { pageSize } = kernel.dump.memory;
  const count = segments.length + 1;
  const extended = count >= manySegments;
  const headers = headerSize + count * segmentSize + (extended ? sectionSize : 0);
  const data = Math.ceil((headers + noteBytes.length) / pageSize) * pageSize;
  const pagesIn = (one: Segment): number => Number(one.end - one.start) / pageSize;
  const pages = segments.filter(({ present }) => present).reduce((sum, one) => sum + pagesIn(one), 0);
  function* pieces(): Generator<Uint8Array> {
    const head = Buffer.alloc(data);
    writeHeader(head, kernel.arch.coreFile.machine, count, extended);
    writeSegment(head, headerSize, {
      type: PT_NOTE,
      flags: 0,
      offset: headers,
      address: 0n,
      fileSize: noteBytes.length,
      size: 0,
      align: 4,
    });
    let offset = data;
    for (const [i, one] of segments.entries()) {
      const size = Number(one.end - one.start);
      const fileSize = one.present ? size : 0;
      const at = headerSize + (i + 1) * segmentSize;
      writeSegment(head, at, {
        type: PT_LOAD,
        flags: segmentFlags(one.area.flags),
        offset,
        address: one.start,
        fileSize,
        size,
        align: pageSize,
      });
      offset += fileSize;
    }
    if (extended) head.writeUInt32LE(count, headers - sectionSize + 44); // sh_info
    head.set(noteBytes, headers);
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
    size: data + pages * pageSize,
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
    let start: bigint = area.start;
    let present: boolean | null = null;
    for (let at: bigint = area.start; at < area.end; at += pageSize) {
      kernel.work.charge('nodes', 1);
      const has: boolean = reader.has(area, virtAddr(at));
      if (present !== null && has !== present) {
        yield { area, start, end: at, present };
        start = at;
        if (++count > maxSegments) throw new FormatError('core file', `more than ${maxSegments} segments`);
      }
      present = has;
      // a stretch of page tables that maps nothing is stepped over at once
      if (!has) at = reader.skip(area, at, pageSize) - pageSize;
    }
    yield { area, start, end: area.end, present: present ?? false };
  }
}

/** Pages of a process: mapped, swapped out and still in memory, or in the cache of the file that is mapped there. */
class PageReader {
  /** Pages that the process had and that are not to be had. */
  missing = 0;
  private readonly kernel: Kernel;
  private readonly space;
  private readonly mappings = new Map<bigint, KernelObject | null>();

  constructor(kernel: Kernel, task: Task) {
    this.kernel = kernel;
    this.space = userMemory(kernel, task);
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
    if (area.file === 0n) return null;
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

/** The frame of a file's page, by the folio or page that the cache has for it; null where that has no such page. */
function frameWithin(kernel: Kernel, entry: VirtAddr, index: number): number | null {
  const frame = memoryModel(kernel)?.pfnOf(entry) ?? null;
  if (frame === null) return null;
  const page = kernel.object('struct page', entry);
  const first = (page.optional('index') ?? page.member('__folio_index')).number();
  const behind = index - first;
  return behind >= 0 && behind < 1 << 16 ? frame + behind : null;
}

/** The registers that a thread left user mode with; null where they are not known. */
function threadRegisters(kernel: Kernel, task: Task): Registers | null {
  const frames = kernel.faults.attempt('backtrace', () => backtracer(kernel).of(task).frames, []);
  const saved = frames.findLast(
    ({ registers }) => registers !== null && kernel.arch.registers.isUserMode(registers),
  )?.registers;
  if (saved == null) return null;
  const registers: Record<string, bigint> = {};
  for (const [name, value] of Object.entries(saved)) if (value !== undefined) registers[name] = value;
  for (const [name, paths] of Object.entries(kernel.arch.coreFile.kept)) {
    const path = paths.find((one) => task.object.has(one));
    if (path === undefined) continue;
    const value = kernel.faults.attempt('registers of a thread', () => task.object.member(path).bigint(), null);
    if (value !== null) registers[name] = value;
  }
  return registers;
}

/** struct elf_prstatus: 112 bytes, then the registers, then pr_fpvalid. */
function processStatus(kernel: Kernel, task: Task, registers: Registers): Uint8Array {
  const { coreFile } = kernel.arch;
  const bytes = Buffer.alloc(112 + coreFile.registers.length * 8 + 8);
  const { parent, group, session } = kin(kernel, task);
  bytes.writeInt32LE(task.pid, 32);
  bytes.writeInt32LE(parent, 36);
  bytes.writeInt32LE(group, 40);
  bytes.writeInt32LE(session, 44);
  for (const [i, name] of coreFile.registers.entries()) {
    bytes.writeBigUInt64LE(BigInt.asUintN(64, registers[name] ?? 0n), 112 + i * 8);
  }
  return bytes;
}

/** struct elf_prpsinfo. */
function processInfo(kernel: Kernel, task: Task): Uint8Array {
  const bytes = Buffer.alloc(136);
  const { parent, group, session } = kin(kernel, task);
  const letter = task.state.charAt(0);
  bytes.writeUInt8(task.state === 'ZO' ? 4 : task.state === 'RU' ? 0 : task.state === 'UN' ? 2 : 1, 0);
  bytes.write(letter === 'I' ? 'S' : letter === 'U' ? 'D' : letter, 1, 'latin1');
  bytes.writeBigUInt64LE(BigInt(task.flags >>> 0), 8);
  const owner = (name: 'uid' | 'gid'): number =>
    kernel.faults.attempt('credentials', () => task.object.member('real_cred').member(`${name}.val`).number(), 0);
  bytes.writeUInt32LE(owner('uid'), 16);
  bytes.writeUInt32LE(owner('gid'), 20);
  bytes.writeInt32LE(task.pid, 24);
  bytes.writeInt32LE(parent, 28);
  bytes.writeInt32LE(group, 32);
  bytes.writeInt32LE(session, 36);
  bytes.write(task.comm.slice(0, 15), 40, 'latin1');
  const line = kernel.faults.attempt('arguments', () => commandLine(kernel, task), '');
  bytes.write((line === '' ? task.comm : line).slice(0, 79), 56, 'latin1');
  return bytes;
}

function commandLine(kernel: Kernel, task: Task): string {
  const mm = task.object.member('mm').deref();
  const start = mm.member('arg_start').pointer();
  const length = Math.min(80, Number(mm.member('arg_end').pointer() - start));
  if (!(length > 0)) return '';
  const { bytes } = userMemory(kernel, task).readUpTo(start, length);
  return Buffer.from(bytes).toString('latin1').replace(/\0+$/, '').replaceAll('\0', ' ');
}

function kin(kernel: Kernel, task: Task): { parent: number; group: number; session: number } {
  const pidOf = (kind: 2 | 3): number =>
    kernel.faults.attempt(
      'process group',
      () => {
        // in the signal_struct since 2c4704756cab (4.19), in links of the task before
        const pid =
          task.object.member('signal').optional(`pids[${kind}]`) ?? task.object.member(`pids[${kind - 1}].pid`);
        return pid.isNull ? 0 : pid.member('numbers').index(0).member('nr').number();
      },
      0,
    );
  return {
    parent: kernel.faults.attempt('parent', () => task.object.member('real_parent').member('tgid').number(), 0),
    group: pidOf(2),
    session: pidOf(3),
  };
}

/** FXSAVE's area of x86, user_fpsimd_state of arm64: both are what NT_FPREGSET has. Of a task that is switched away. */
function floatingPoint(kernel: Kernel, task: Task): Uint8Array | null {
  return kernel.faults.attempt(
    'floating point registers',
    () => {
      const { object } = task;
      const simd = object.optional('thread.uw.fpsimd_state');
      if (simd !== null) return simd.bytes();
      const old = object.optional('thread.fpu.state.fxsave');
      if (old !== null) return old.bytes();
      // fpu.fpstate since 87d0e5be0fac (5.16); struct fpu behind the task_struct since 55bc30f2e34d (6.16)
      const fpu =
        object.optional('thread.fpu') ??
        (kernel.types.find('struct fpu') === null
          ? null
          : kernel.object('struct fpu', offsetBy(task.address, sizeOf(object.type))));
      const state = fpu?.optional('fpstate') ?? null;
      return state === null || state.isNull ? null : state.member('regs.fxsave').bytes();
    },
    null,
  );
}

/** NT_FILE: count, page size, then start, end and offset of each mapping of a file, then their names. */
function mappedFiles(kernel: Kernel, areas: readonly VmArea[]): Uint8Array {
  const files = areas
    .filter(({ file }) => file !== 0n)
    .map((area) => ({ area, path: kernel.faults.attempt('file', () => openFile(kernel, area.file).path?.path, null) }));
  const numbers = [BigInt(files.length), BigInt(kernel.dump.memory.pageSize)];
  for (const { area } of files) numbers.push(area.start, area.end, area.pageOffset);
  const names = files.map(({ path }) => Buffer.from(`${path ?? ''}\0`, 'latin1'));
  return Buffer.concat([words(numbers), ...names]);
}

function words(values: readonly bigint[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt.asUintN(64, value), i * 8);
  return bytes;
}

function note(type: number, content: Uint8Array): Uint8Array {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(5, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(type, 8);
  head.write('CORE\0', 12, 'latin1');
  const padding = Buffer.alloc((4 - (content.length % 4)) % 4);
  return Buffer.concat([head, content, padding]);
}

function segmentFlags(flags: bigint): number {
  return (flags & VM_READ ? 4 : 0) | (flags & VM_WRITE ? 2 : 0) | (flags & VM_EXEC ? 1 : 0);
}

function writeHeader(bytes: Buffer, machine: number, segments: number, extended: boolean): void {
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little endian, version 1
  bytes.writeUInt16LE(ET_CORE, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(headerSize), 32); // e_phoff
  bytes.writeUInt16LE(headerSize, 52);
  bytes.writeUInt16LE(segmentSize, 54);
  bytes.writeUInt16LE(extended ? manySegments : segments, 56);
  if (!extended) return;
  bytes.writeBigUInt64LE(BigInt(headerSize + segments * segmentSize), 40); // e_shoff
  bytes.writeUInt16LE(sectionSize, 58);
  bytes.writeUInt16LE(1, 60);
}

function writeSegment(
  bytes: Buffer,
  at: number,
  {
    type,
    flags,
    offset,
    address,
    fileSize,
    size,
    align,
  }: {
    readonly type: number;
    readonly flags: number;
    readonly offset: number;
    readonly address: bigint;
    readonly fileSize: number;
    readonly size: number;
    readonly align: number;
  },
): void {
  bytes.writeUInt32LE(type, at);
  bytes.writeUInt32LE(flags, at + 4);
  bytes.writeBigUInt64LE(BigInt(offset), at + 8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, address), at + 16);
  bytes.writeBigUInt64LE(BigInt(fileSize), at + 32);
  bytes.writeBigUInt64LE(BigInt(size), at + 40);
  bytes.writeBigUInt64LE(BigInt(align), at + 48);
}
