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

/** Compressed pages lie one behind another in a dump, and are mostly read so: several are read at a time. */
const aheadSize = 16 * 1024;
/** Longest read that is served from what was read ahead: a page. */
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
  /** What was read ahead: bytes of the file from `aheadStart` on, `aheadLength` of them. */
  private readonly ahead = new Uint8Array(aheadSize);
  private aheadStart = 0;
  private aheadLength = 0;
  /** Where the last short read ended: one that starts there, or soon after, is thought to go on. */
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
    const isNext = this.readsAhead && offset >= this.lastEnd && offset < this.lastEnd + shortRead;
    this.lastEnd = offset + length;
    if (!this.isAhead(offset, length)) {
      if (!isNext) return this.readHere(offset, into);
      this.aheadLength = 0; // a read that throws leaves nothing behind
      this.aheadLength = this.readHere(offset, this.ahead);
      this.aheadStart = offset;
      if (!this.isAhead(offset, length)) return this.readHere(offset, into); // at the file's end
    }
    const at = offset - this.aheadStart;
    into.set(this.ahead.subarray(at, at + length));
    return length;
  }

  private isAhead(offset: number, length: number): boolean {
    return offset >= this.aheadStart && offset + length <= this.aheadStart + this.aheadLength;
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
