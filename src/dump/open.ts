// Opens a dump, whatever it lies in. What a file is, is told by its first bytes, in this one place; its
// name is never looked at.
import { resolve } from 'node:path';
import { latin1 } from '../base/byte_reader.ts';
import { FormatError } from '../base/errors.ts';
import { type ByteSource, FileSource, InputError, readUpTo } from './byte_source.ts';
import type { Dump, DumpDescription } from './dump.ts';
import { openElfCore } from './elf_core.ts';
import { probeElf } from './elf_header.ts';
import { FlattenedSource, probeFlattened } from './flattened.ts';
import { openKdump, probeKdump } from './kdump.ts';
import { repaired } from './repair.ts';

interface Format {
  /** @param start the first bytes of the file, up to `probeBytes` */
  readonly probe: (start: Uint8Array) => boolean;
  /** @param damaged parts of a split dump may be missing */
  readonly open: (sources: readonly ByteSource[], damaged: boolean) => Omit<Dump, 'description'>;
}

const formats: readonly Format[] = [
  { probe: probeKdump, open: openKdump },
  { probe: probeElf, open: openElfCore },
];
const probeBytes = 64;

/**
 * Opens a dump: an ELF core or a kdump-compressed dump, either of them flattened or not; or, given several
 * files, the parts of a split kdump-compressed dump, in any order. Reads headers and notes only.
 * @throws InputError if a file cannot be read; FormatError if it is not a dump, or too broken to tell
 *   anything; UnsupportedError for dumps of 32-bit or big-endian machines
 */
export function openDump(paths: readonly string[]): Dump {
  return open(paths, false);
}

/**
 * Opens what is left of a dump: damaged headers are made anew, damaged records of a flattened stream passed over, and of a
 * split dump parts may be missing or broken. What was lost has the state `truncated`.
 * @throws as `openDump` where nothing can be made of it
 */
export function openDamagedDump(paths: readonly string[]): Dump {
  return open(paths, true);
}

function open(paths: readonly string[], damaged: boolean): Dump {
  const sources: ByteSource[] = [];
  try {
    for (const path of paths) sources.push(damaged ? repaired(openSource(path, true)) : openSource(path));
    // of damaged parts the first that is known tells what they are
    const first = (damaged ? sources.find((source) => formatOf(source) !== null) : undefined) ?? sources[0];
    if (first === undefined) throw new FormatError('dump', 'no file given');
    checkDistinct(sources);
    const format = formatOf(first);
    if (format === null) {
      checkUnpacked(first.path, startOf(first));
      throw new FormatError(first.path, 'is not a dump: neither ELF core nor kdump-compressed');
    }
    for (const source of sources) {
      if (formatOf(source) !== format && !damaged)
        throw new FormatError(source.path, `is not a part of the dump ${first.path}`);
    }
    const description = { files: paths.map((path) => resolve(path)), damaged };
    const known = sources.filter((source) => formatOf(source) === format);
    return { ...format.open(known, damaged), description };
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
}

/** The same dump once more, from what `Dump.description` says of it. @throws as `openDump` */
export function reopenDump(description: DumpDescription): Dump {
  return open(description.files, description.damaged ?? false);
}

/** First bytes of files that are something else, packed. */
const packings: readonly (readonly [name: string, start: string])[] = [
  ['gzip', '\x1f\x8b\x08'],
  ['xz', '\xfd7zXZ'],
  ['zstd', '\x28\xb5\x2f\xfd'],
  ['bzip2', 'BZh'],
  ['zip', 'PK\x03\x04'],
];

/** @param start the file's first bytes @throws FormatError if they are those of a packed file */
function checkUnpacked(path: string, start: Uint8Array): void {
  const text = latin1(start, 0, Math.min(start.length, 8));
  const packing = packings.find(([, magic]) => text.startsWith(magic));
  if (packing !== undefined) throw new FormatError(path, `is packed with ${packing[0]}: unpack it first`);
}

/**
 * Whether a file is a dump that `openDump` would try to open, rather than, say, the text of a log.
 * @throws FormatError for one that is packed: it could be either
 */
export function isDump(path: string): boolean {
  let source: ByteSource | null = null;
  try {
    source = new FileSource(path);
    const start = startOf(source);
    checkUnpacked(path, start);
    return probeFlattened(start) || formatOf(source) !== null;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  } finally {
    source?.close();
  }
}

/**
 * A file, or the file that a flattened stream in it describes.
 * @param damaged records of the stream that make no sense are passed over
 * @throws InputError, FormatError
 */
export function openSource(path: string, damaged = false): ByteSource {
  const file = new FileSource(path);
  try {
    return probeFlattened(startOf(file)) ? new FlattenedSource(file, damaged) : file;
  } catch (error) {
    file.close();
    throw error;
  }
}

function startOf(source: ByteSource): Uint8Array {
  return readUpTo(source, 0, probeBytes);
}

function formatOf(source: ByteSource): Format | null {
  const start = startOf(source);
  return formats.find((format) => format.probe(start)) ?? null;
}

function checkDistinct(sources: readonly ByteSource[]): void {
  const seen = new Map<string, string>();
  for (const { identity, path } of sources) {
    const other = seen.get(identity);
    if (other !== undefined)
      throw new FormatError(path, other === path ? 'given twice' : `is the same file as ${other}`);
    seen.set(identity, path);
  }
}
