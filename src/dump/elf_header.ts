// Headers of an ELF core as dumps have them: /proc/vmcore, makedumpfile -E, QEMU's dump-guest-memory
// (elf.h; fs/proc/vmcore.c for what the kernel puts there).
import { ByteReader } from '../base/byte_reader.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import { type ByteSource, readUpTo } from './byte_source.ts';
import type { FileRange } from './kdump_header.ts';

const headerSize = 64;
const programHeaderSize = 56;
const sectionHeaderSize = 64;
/** e_phnum of a file with more program headers than 16 bits count: the number stands in section 0. */
const countInSection0 = 0xffff;
/** A filtered dump has a segment for every row of pages kept. 128 MB of tables. */
const mostSegments = 4 * 1024 * 1024;

/** -1 as p_paddr: /proc/kcore's segments of memory that is not at one physical address; as a number it is rounded. */
const noAddress = 2 ** 64;
const ptLoad = 1;
const ptNote = 4;
const etCore = 4;
const typeNames: Readonly<Record<number, string>> = {
  1: 'a relocatable file (a kernel module?)',
  2: 'an executable (a vmlinux?)',
  3: 'a shared object',
};

/** uname's names of e_machine, where they differ from `elf machine N`. */
const machines: Readonly<Record<number, string>> = {
  21: 'ppc64le',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
};

/** The PT_LOAD segments as a struct of arrays, in the file's order. Physical addresses and sizes in bytes. */
export interface Segments {
  readonly count: number;
  readonly address: Float64Array;
  readonly fileSize: Float64Array;
  /** At least `fileSize`. */
  readonly memorySize: Float64Array;
  readonly fileOffset: Float64Array;
}

export interface ElfCoreHeader {
  /** As uname names it. */
  readonly machine: string;
  /** e_flags; bit 0 is makedumpfile's mark of an incomplete dump. */
  readonly flags: number;
  readonly segments: Segments;
  readonly notes: readonly FileRange[];
  readonly warnings: readonly string[];
}

export function probeElf(start: Uint8Array): boolean {
  return start[0] === 0x7f && start[1] === 0x45 && start[2] === 0x4c && start[3] === 0x46;
}

/** @throws FormatError for an ELF file that is not a core, or is cut in its header; UnsupportedError for 32-bit or big-endian */
export function readElfCoreHeader(source: ByteSource): ElfCoreHeader {
  const what = 'ELF core';
  const bytes = readUpTo(source, 0, headerSize);
  if (bytes.length < headerSize) {
    throw new FormatError(what, `the file ends inside its header: ${bytes.length} of ${headerSize} bytes`);
  }
  const [wordSize, byteOrder] = [bytes[4], bytes[5]];
  if (wordSize !== 1 && wordSize !== 2) throw new FormatError(what, `word size ${wordSize} in its header`);
  if (byteOrder !== 1 && byteOrder !== 2) throw new FormatError(what, `byte order ${byteOrder} in its header`);
  const header = new ByteReader(bytes, what, byteOrder === 1, 16);
  const type = header.u16();
  if (type !== etCore) {
    throw new FormatError(source.path, `is not a dump but ${typeNames[type] ?? `an ELF file of type ${type}`}`);
  }
  const machine = header.u16();
  if (byteOrder === 2) throw new UnsupportedError(what, 'a dump of a big-endian machine');
  if (wordSize === 1) throw new UnsupportedError(what, 'a dump of a 32-bit machine');
  header.offset = 32;
  const tableAt = header.size64();
  const sectionsAt = header.size64();
  const flags = header.u32();
  header.skip(2);
  const entrySize = header.u16();
  let entries = header.u16();
  if (entrySize !== programHeaderSize) {
    throw new FormatError(what, `program headers of ${entrySize} bytes, expected ${programHeaderSize}`);
  }
  if (entries === countInSection0) {
    const section = readUpTo(source, sectionsAt, sectionHeaderSize);
    if (sectionsAt === 0 || section.length < sectionHeaderSize) {
      throw new FormatError(what, 'section 0, which has the number of program headers, is not in the file');
    }
    entries = new ByteReader(section, what, true, 44).u32(); // sh_info
  }
  if (entries > mostSegments) throw new FormatError(what, `${entries} program headers`);
  const warnings: string[] = [];
  const available = Math.max(0, Math.floor((source.size - tableAt) / programHeaderSize));
  if (available < entries) {
    warnings.push(`${entries - available} of ${entries} program headers are cut off`);
    entries = available;
  }
  if (entries === 0) throw new FormatError(what, 'has no program headers');
  return {
    machine: machines[machine] ?? `elf machine ${machine}`,
    flags,
    ...readProgramHeaders(source, tableAt, entries, warnings),
    warnings,
  };
}

/**
 * Whether offsets in a segment are exact as numbers. Those of /proc/kcore are virtual addresses with their upper bits cut
 * off, and with five-level page tables beyond 2^53; but they are multiples of pages.
 */
function isExact(offset: number, size: number): boolean {
  if (Number.isSafeInteger(offset + size)) return true;
  return offset + size < 2 ** 63 && offset % 4096 === 0 && size % 4096 === 0;
}

function readProgramHeaders(
  source: ByteSource,
  tableAt: number,
  entries: number,
  warnings: string[],
): { segments: Segments; notes: readonly FileRange[] } {
  const segments = {
    count: 0,
    address: new Float64Array(entries),
    fileSize: new Float64Array(entries),
    memorySize: new Float64Array(entries),
    fileOffset: new Float64Array(entries),
  };
  const notes: FileRange[] = [];
  let impossible = 0;
  const perRead = 4096;
  for (let first = 0; first < entries; first += perRead) {
    const many = Math.min(perRead, entries - first);
    const table = readUpTo(source, tableAt + first * programHeaderSize, many * programHeaderSize);
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
    // Above 2^53 the sum is not exact, which does not matter: it is refused.
    const u64 = (at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    for (let at = 0; at + programHeaderSize <= table.length; at += programHeaderSize) {
      const type = view.getUint32(at, true);
      if (type !== ptLoad && type !== ptNote) continue;
      const fileOffset = u64(at + 8);
      const address = u64(at + 24);
      const fileSize = u64(at + 32);
      const memorySize = Math.max(fileSize, u64(at + 40));
      if (type === ptLoad && address === noAddress) continue;
      if (!isExact(fileOffset, fileSize)) impossible++;
      else if (type === ptNote) notes.push({ offset: fileOffset, size: fileSize });
      else if (!Number.isSafeInteger(address + memorySize)) impossible++;
      else if (memorySize > 0) {
        const i = segments.count++;
        segments.address[i] = address;
        segments.fileSize[i] = fileSize;
        segments.memorySize[i] = memorySize;
        segments.fileOffset[i] = fileOffset;
      }
    }
  }
  if (impossible > 0) warnings.push(`${impossible} program headers with impossible addresses or sizes left out`);
  return { segments, notes };
}
