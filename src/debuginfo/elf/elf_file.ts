// ELF files with debug information: vmlinux, modules (.ko), their separated debug files (elf.h; the System V ABI).
// The header and the table of sections are read at opening; of a section nothing before it is asked for.

import { ByteReader, latin1 } from '../../base/byte_reader.ts';
import { FormatError, UnsupportedError } from '../../base/errors.ts';
import { type ByteSource, FileSource, readUpTo } from '../../dump/byte_source.ts';
import { sectionContent } from './compressed_section.ts';
import { type ElfKind, elfKinds as kinds } from './elf_object.ts';
import { type ElfSection, sectionTypes } from './elf_section.ts';
import { buildIdOf } from './notes.ts';
import type { SectionBytes } from './section_bytes.ts';

const headerSize = 64;
const sectionHeaderSize = 64;
/** More than any module has, compiled with a section for each function or not. */
const mostSections = 1_000_000;
/** uname's names of e_machine. */
const machines: Readonly<Record<number, string>> = { 62: 'x86_64', 183: 'aarch64' };

export class ElfFile {
  readonly path: string;
  readonly kind: ElfKind;
  /** As uname names it; `elf machine N` for one that is not analysed. */
  readonly machine: string;
  readonly sections: readonly ElfSection[];
  /** GNU build-id in hexadecimal; null for a file without. */
  readonly buildId: string | null;
  private readonly source: ByteSource;
  private readonly contents = new Map<number, SectionBytes>();

  /**
   * @throws InputError if the file cannot be read; FormatError for one that is no ELF object, or is cut in its
   *   headers; UnsupportedError for 32-bit or big-endian ones
   */
  static open(path: string): ElfFile {
    const source = new FileSource(path);
    try {
      return new ElfFile(source);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** @throws FormatError, UnsupportedError as `open` */
  constructor(source: ByteSource) {
    this.path = source.path;
    this.source = source;
    const start = readUpTo(source, 0, headerSize);
    if (start.length < 4 || start[0] !== 0x7f || latin1(start, 1, 4) !== 'ELF') {
      throw new FormatError(source.path, 'is not an ELF file');
    }
    if (start.length < headerSize) throw new FormatError(source.path, 'is cut inside its ELF header');
    if (start[4] !== 2) throw new UnsupportedError(source.path, 'is not a 64-bit ELF file');
    if (start[5] !== 1) throw new UnsupportedError(source.path, 'is not a little-endian ELF file');
    const header = new ByteReader(start, `ELF header of ${source.path}`, true, 16);
    const type = header.u16();
    const kind = kinds[type];
    if (kind === undefined) {
      throw new FormatError(source.path, type === 4 ? 'is a core dump' : `is an ELF file of type ${type}`);
    }
    this.kind = kind;
    const machine = header.u16();
    this.machine = machines[machine] ?? `elf machine ${machine}`;
    header.offset = 40;
    const tableAt = header.size64();
    header.offset = 58;
    this.sections = readSections(source, tableAt, header.u16(), header.u16(), header.u16());
    this.buildId = buildIdOf(this.sections, (section) => this.content(section));
  }

  /** The first section of that name, or null. */
  section(name: string): ElfSection | null {
    return this.sections.find((section) => section.name === name) ?? null;
  }

  /**
   * The bytes of a section, unpacked if it is compressed; relocations are not applied.
   * @throws FormatError for a section that is cut off, or cannot be unpacked
   */
  content(section: ElfSection): SectionBytes {
    let known = this.contents.get(section.index);
    if (known === undefined) {
      known = sectionContent(this.source, section, this.buildId);
      this.contents.set(section.index, known);
    }
    return known;
  }

  close(): void {
    for (const content of this.contents.values()) content.close();
    this.contents.clear();
    this.source.close();
  }
}

function readSections(
  source: ByteSource,
  tableAt: number,
  entrySize: number,
  countInHeader: number,
  namesInHeader: number,
): ElfSection[] {
  const what = `sections of ${source.path}`;
  if (tableAt === 0) return [];
  if (entrySize !== sectionHeaderSize) throw new FormatError(what, `headers of ${entrySize} bytes`);
  const first = new ByteReader(readUpTo(source, tableAt, sectionHeaderSize), what);
  first.offset = 32;
  // more sections than 16 bits count: the numbers stand in section 0
  const count = countInHeader === 0 ? first.size64() : countInHeader;
  first.offset = 40;
  const names = namesInHeader === 0xffff ? first.u32() : namesInHeader;
  if (count > mostSections) throw new FormatError(what, `${count} sections is out of range`);
  const table = readUpTo(source, tableAt, count * sectionHeaderSize);
  if (table.length < count * sectionHeaderSize) throw new FormatError(what, 'the table is cut off');
  const reader = new ByteReader(table, what);
  const raw: (Omit<ElfSection, 'name'> & { readonly nameAt: number })[] = [];
  for (let index = 0; index < count; index++) {
    reader.offset = index * sectionHeaderSize;
    const nameAt = reader.u32();
    const type = reader.u32();
    const flags = Number(reader.u64() & 0xffff_ffffn);
    const address = reader.u64();
    const fileOffset = reader.size64();
    const size = reader.size64();
    const link = reader.u32();
    const info = reader.u32();
    const fileSize = type === sectionTypes.noBits || type === 0 ? 0 : size;
    raw.push({ index, nameAt, type, flags, address, fileOffset, fileSize, size, link, info });
  }
  const strings = raw[names];
  const text =
    strings === undefined
      ? new Uint8Array(0)
      : readUpTo(source, strings.fileOffset, Math.min(strings.fileSize, 1 << 24));
  return raw.map(({ nameAt, ...section }) => ({ ...section, name: latin1(text, nameAt, nameAt + 256) }));
}
