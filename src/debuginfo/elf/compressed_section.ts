// The content of a section as it was before the linker compressed it (Elf64_Chdr, SHF_COMPRESSED; before 2015
// `.zdebug_*`, "ZLIB" and the size in big-endian). Small ones are unpacked into memory, large ones into the cache.
import { latin1 } from '../../base/byte_reader.ts';
import { FormatError } from '../../base/errors.ts';
import { type ByteSource, FileSource } from '../../dump/byte_source.ts';
import type { ElfSection } from './elf_section.ts';
import type { Packing } from './packing.ts';
import { SectionBytes } from './section_bytes.ts';
import { unpackStream } from './unpack.ts';
import { cachedFile } from './unpacked_cache.ts';

const compressedFlag = 0x800; // SHF_COMPRESSED
const packings: Readonly<Record<number, Packing>> = { 1: 'zlib', 2: 'zstd' };
const chdrSize = 24;
const zdebugSize = 12;
/** Largest section that is unpacked into memory, in bytes. */
const inMemory = 32 * 1024 * 1024;
/** Largest section believed. */
const largest = 2 ** 32;
const pieceSize = 1 << 20;

/**
 * @param buildId of the file, by which what is unpacked is found again; null: by the file's path, size and time
 * @throws FormatError for a section that is cut off, or cannot be unpacked
 */
export function sectionContent(source: ByteSource, section: ElfSection, buildId: string | null): SectionBytes {
  const what = `${section.name} of ${source.path}`;
  const { fileOffset, fileSize } = section;
  if (fileOffset + fileSize > source.size) {
    throw new FormatError(what, `is cut off: the file ends at 0x${source.size.toString(16)}`);
  }
  const plain = new SectionBytes(what, fileSize, (offset, into) => readAll(source, fileOffset + offset, into, what));
  const packed = headerOf(plain, section);
  if (packed === null) return plain;
  const { packing, start, size } = packed;
  if (size > largest) throw new FormatError(what, `says that it is 0x${size.toString(16)} bytes`);
  const unpackInto = (emit: (bytes: Uint8Array) => void): void => {
    const total = unpackStream(packing, what, piecesOf(plain, start), emit, size);
    if (total !== size)
      throw new FormatError(what, `unpacks to 0x${total.toString(16)} bytes, not to 0x${size.toString(16)}`);
  };
  if (size <= inMemory) {
    const parts: Uint8Array[] = [];
    unpackInto((bytes) => parts.push(bytes));
    return SectionBytes.of(what, Buffer.concat(parts));
  }
  const file = new FileSource(cachedFile(`${buildId ?? source.identity}${section.name}`, source.path, unpackInto));
  return new SectionBytes(
    what,
    file.size,
    (offset, into) => readAll(file, offset, into, what),
    () => file.close(),
  );
}

function headerOf(plain: SectionBytes, section: ElfSection): { packing: Packing; start: number; size: number } | null {
  if ((section.flags & compressedFlag) !== 0) {
    if (plain.size < chdrSize) throw new FormatError(plain.what, 'is cut inside its compression header');
    const header = view(plain.read(0, chdrSize));
    const packing = packings[header.getUint32(0, true)];
    if (packing === undefined) throw new FormatError(plain.what, `compression of type ${header.getUint32(0, true)}`);
    return { packing, start: chdrSize, size: Number(header.getBigUint64(8, true)) };
  }
  if (!section.name.startsWith('.zdebug_') || plain.size < zdebugSize) return null;
  const header = plain.read(0, zdebugSize);
  if (latin1(header, 0, 4) !== 'ZLIB') return null;
  return { packing: 'zlib', start: zdebugSize, size: Number(view(header).getBigUint64(4, false)) };
}

function* piecesOf(plain: SectionBytes, start: number): Generator<Uint8Array> {
  for (let at = start; at < plain.size; at += pieceSize) yield plain.readUpTo(at, pieceSize);
}

function readAll(source: ByteSource, offset: number, into: Uint8Array, what: string): void {
  if (source.read(offset, into) < into.length) throw new FormatError(what, 'is cut off');
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
