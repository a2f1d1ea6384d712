// Random access to the bytes of a dump, whatever they lie in: a file, or a flattened stream of one.
// Readers above never see which.
import { closeSync, constants, fstatSync, openSync, readSync, statfsSync } from 'node:fs';
import { InquestError, messageOf } from '../base/errors.ts';

export interface ByteSource {
  /** The file's path, for messages and `DumpInfo.files`. */
  readonly path: string;
  /** Bytes that can be read: offsets run from 0 to this. */
  readonly size: number;
  /** Bytes on disk. */
  readonly fileSize: number;
  /** `device:inode`: tells whether two paths are one file. */
  readonly identity: string;
  /** Whether the bytes lie in makedumpfile's flattened form. */
  readonly flattened: boolean;
  /** What is odd with the file, as sentences. */
  readonly warnings: readonly string[];
  /** Copies from `offset` into the whole of `into`, or as much as there is. Returns the bytes copied. */
  read(offset: number, into: Uint8Array): number;
  close(): void;
}

/** A path that was given cannot be read as a file. */
export class InputError extends InquestError {
  readonly code: string = 'input';
  readonly path: string;
  readonly problem: string;
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.path = path;
    this.problem = problem;
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  EIO: 'the device reports an input/output error',
};

function problemOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return reasons[code] ?? messageOf(error);
}

/**
 * Compressed pages lie one behind another in a dump, a few hundred bytes each, and neighbours in memory are often wanted
 * soon after one another, though not in a row: short reads are of whole blocks, and the last ones are kept.
 */
const blockSize = 16 * 1024;
/** Blocks kept, each in the one place that its number leaves it. */
const blockPlaces = 64;
/** Longest read that is served from a block: a page. */
const shortRead = 4096;

/** A regular file, read by offset and never as a whole. */
export class FileSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly fileSize: number;
  readonly identity: string;
  readonly flattened = false;
  readonly warnings: readonly string[] = [];
  private descriptor: number;
  private readonly blocks: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(blockPlaces).fill(undefined);
  /** Number of the block in each place, and how many bytes of it there are. */
  private readonly blockNumbers = new Float64Array(blockPlaces).fill(-1);
  private readonly blockLengths = new Int32Array(blockPlaces);
  /** Where the last short read ended: a page that starts there, or soon after, is thought to be one of many. */
  private lastEnd = -1;
  /** Not of memory: it changes, and pages that nobody asked for may be ones that must not be read. */
  private readonly readsAhead: boolean;

  /** @throws InputError if the path is missing, unreadable, empty or not a regular file */
  constructor(path: string) {
    this.path = path;
    try {
      // Not blocking: to open a named pipe without a writer would wait for ever.
      this.descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw new InputError(path, problemOf(error));
    }
    try {
      const stat = fstatSync(this.descriptor, { bigint: true });
      if (stat.isDirectory()) throw new InputError(path, 'is a directory');
      if (!stat.isFile()) throw new InputError(path, 'is not a regular file');
      if (stat.size === 0n) throw new InputError(path, 'is empty');
      this.size = Number(stat.size);
      this.fileSize = this.size;
      this.readsAhead = !isOfProc(path);
      this.identity = `${stat.dev}:${stat.ino}`;
    } catch (error) {
      closeSync(this.descriptor);
      throw error instanceof InputError ? error : new InputError(path, problemOf(error));
    }
  }

  read(offset: number, into: Uint8Array): number {
    const { length } = into;
    if (length > shortRead) return this.readHere(offset, into);
    const isNext = offset >= this.lastEnd && offset < this.lastEnd + shortRead;
    this.lastEnd = offset + length;
    // a page alone, not compressed, is read as it is: a block would be four times as much
    if (!this.readsAhead || (length === shortRead && !isNext)) return this.readHere(offset, into);
    for (let done = 0; done < length; ) {
      const at = (offset + done) % blockSize;
      const block = this.block((offset + done - at) / blockSize, at + Math.min(length - done, blockSize - at));
      // at the file's end, and where it cannot be read: what there is of just this
      if (block === null) return this.readHere(offset, into);
      const part = block.subarray(at, Math.min(at + length - done, blockSize));
      into.set(part, done);
      done += part.length;
    }
    return length;
  }

  /** A block of the file; null where it has not so many bytes, or cannot be read. */
  private block(number: number, bytes: number): Uint8Array | null {
    const place = number % blockPlaces;
    let block = this.blocks[place];
    if (block === undefined) {
      block = new Uint8Array(blockSize);
      this.blocks[place] = block;
    }
    if (this.blockNumbers[place] !== number) {
      this.blockNumbers[place] = -1; // a read that throws leaves nothing behind
      try {
        this.blockLengths[place] = this.readHere(number * blockSize, block);
      } catch {
        return null; // a bad sector may lie beside what is wanted; if not, who reads that alone is told
      }
      this.blockNumbers[place] = number;
    }
    return bytes <= this.blockLengths[place]! ? block : null;
  }

  private readHere(offset: number, into: Uint8Array): number {
    let done = 0;
    try {
      while (done < into.length) {
        const at = offset + done;
        const position = at <= Number.MAX_SAFE_INTEGER ? at : BigInt(at);
        const got = readSync(this.descriptor, into, done, into.length - done, position);
        if (got === 0) break;
        done += got;
      }
    } catch (error) {
      throw new InputError(this.path, `cannot be read at offset 0x${offset.toString(16)}: ${problemOf(error)}`);
    }
    return done;
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = -1;
  }
}

/** PROC_SUPER_MAGIC of include/uapi/linux/magic.h. */
const procMagic = 0x9fa0;

/** Whether a file is one that the kernel makes as it is read: /proc/kcore, /proc/vmcore. */
export function isOfProc(path: string): boolean {
  try {
    return statfsSync(path).type === procMagic;
  } catch {
    return false;
  }
}

/** At most `length` bytes at `offset`; shorter where the source ends. */
export function readUpTo(source: ByteSource, offset: number, length: number): Uint8Array {
  const available = Math.max(0, Math.min(length, source.size - offset));
  const bytes = new Uint8Array(available);
  return bytes.subarray(0, source.read(offset, bytes));
}
