// Opening ELF files as they lie on disks: plain, or packed with gzip, xz or zstd, then unpacked once into the cache.
import { type ByteSource, FileSource, readUpTo } from '../../dump/byte_source.ts';
import { ElfFile } from '../elf/elf_file.ts';
import { packingOf } from '../elf/packing.ts';
import { unpackStream } from '../elf/unpack.ts';
import { cachedFile } from '../elf/unpacked_cache.ts';

/** Largest file that comes out of a packed one, in bytes. */
const largest = 8 * 1024 ** 3;
const pieceSize = 1 << 20;
const startSize = 64;

/** Told when something takes long: `unpacking FILE`. */
export type Tell = (sentence: string) => void;

/** @throws InputError if the file cannot be read; FormatError if it is no ELF object, or cannot be unpacked */
export function openObjectFile(path: string, tell: Tell = () => {}): ElfFile {
  const source = new FileSource(path);
  let packing: ReturnType<typeof packingOf>;
  try {
    packing = packingOf(readUpTo(source, 0, startSize));
    if (packing === null) return new ElfFile(source);
  } catch (error) {
    source.close();
    throw error;
  }
  try {
    const unpacked = cachedFile(`${source.identity} ${path}`, path, (emit) => {
      tell(`unpacking ${path}`);
      unpackStream(packing, path, pieces(source), emit, largest);
    });
    return new ElfFile(renamed(new FileSource(unpacked), path));
  } finally {
    source.close();
  }
}

function* pieces(source: ByteSource): Generator<Uint8Array> {
  for (let at = 0; at < source.size; at += pieceSize) yield readUpTo(source, at, pieceSize);
}

/** The same bytes under the name that people know. */
function renamed(source: ByteSource, path: string): ByteSource {
  return {
    path,
    size: source.size,
    fileSize: source.fileSize,
    identity: source.identity,
    flattened: false,
    warnings: source.warnings,
    read: (offset, into) => source.read(offset, into),
    close: () => source.close(),
  };
}
