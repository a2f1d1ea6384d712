// Where a dump is written: a file, any offset of it, or makedumpfile's flattened stream (see `flattened.ts`), for targets
// that cannot seek.
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { InquestError, messageOf } from '../base/errors.ts';

export interface Output {
  /**
   * Whether what was written may be written over. In a stream it should not be: crash(8) takes what came first. A stream
   * that is cut is seen to be incomplete by that.
   */
  readonly canRewrite: boolean;
  /** Bytes that what was written so far takes. */
  readonly written: number;
  /** What an earlier save left there, to be gone on with; null for a new output. */
  readonly earlier: EarlierOutput | null;
  /** @throws OutputError */
  write(offset: number, bytes: Uint8Array): void;
  /** Everything is written: makes it last. @throws OutputError */
  finish(): void;
  /** Closes without more ado. */
  close(): void;
}

/** A file that an earlier save began. */
export interface EarlierOutput {
  /** What names it in messages. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Fills `into` from an offset; false where the file ends before. @throws OutputError */
  read(offset: number, into: Uint8Array): boolean;
  /** Nothing of it is of use. @throws OutputError */
  discard(): void;
  /** What was written by it ends here: what lies behind is no part of the dump. */
  endsAt(offset: number): void;
}

/** The target cannot be written. */
export class OutputError extends InquestError {
  readonly code: string = 'output';
  /** There is no room left. */
  readonly isFull: boolean;
  constructor(path: string, error: unknown) {
    super(`${path}: ${messageOf(error)}`);
    const code = error instanceof Error && 'code' in error ? error.code : null;
    this.isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
  }
}

/** A new file, or one that is written over. */
export class FileOutput implements Output {
  readonly canRewrite = true;
  private readonly path: string;
  private readonly descriptor: number;
  private readonly limit: number;
  private end = 0;
  readonly earlier: EarlierOutput | null;

  /**
   * @param limit bytes that the file may have
   * @param resume goes on with the file, if it is there
   * @throws OutputError
   */
  constructor(path: string, limit = Number.POSITIVE_INFINITY, resume = false) {
    this.path = path;
    this.limit = limit;
    const goesOn = resume && existsSync(path);
    this.descriptor = this.attempt(() => openSync(path, goesOn ? 'r+' : 'w+', 0o600));
    this.earlier = goesOn ? this.opened() : null;
  }

  private opened(): EarlierOutput {
    return {
      path: this.path,
      size: this.attempt(() => fstatSync(this.descriptor).size),
      read: (offset, into) =>
        this.attempt(() => {
          for (let done = 0; done < into.length; ) {
            const got = readSync(this.descriptor, into, done, into.length - done, offset + done);
            if (got === 0) return false;
            done += got;
          }
          return true;
        }),
      discard: () => this.attempt(() => ftruncateSync(this.descriptor, 0)),
      endsAt: (offset) => {
        this.end = Math.max(this.end, offset);
      },
    };
  }

  get written(): number {
    return this.end;
  }

  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.limit) {
      throw new OutputError(this.path, Object.assign(new Error('the limit is reached'), { code: 'EFBIG' }));
    }
    this.attempt(() => {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.descriptor, bytes, done, bytes.length - done, offset + done);
      }
    });
    this.end = Math.max(this.end, offset + bytes.length);
  }

  finish(): void {
    this.attempt(() => {
      ftruncateSync(this.descriptor, this.end);
      fsyncSync(this.descriptor);
    });
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new OutputError(this.path, error);
    }
  }
}

/** Nowhere: for a save that is only tried. */
export class NoOutput implements Output {
  readonly canRewrite = true;
  readonly earlier = null;
  written = 0;

  write(offset: number, bytes: Uint8Array): void {
    this.written = Math.max(this.written, offset + bytes.length);
  }

  finish(): void {}

  close(): void {}
}

const streamStart = 4096;

/** Where a stream goes: one piece behind another. */
interface Sink {
  put(bytes: Uint8Array): void;
  finish(): void;
  close(): void;
}

/** A flattened stream: into an open file descriptor, or a file. */
export class FlattenedOutput implements Output {
  readonly canRewrite = false;
  readonly earlier = null;
  written = 0;
  private readonly sink: Sink;
  private readonly head = new DataView(new ArrayBuffer(16));

  /** Writes the stream's header. @throws OutputError */
  constructor(target: number | Output) {
    this.sink = typeof target === 'number' ? descriptorSink(target) : fileSink(target);
    const header = new Uint8Array(streamStart);
    header.set(Buffer.from('makedumpfile'));
    const view = new DataView(header.buffer);
    view.setBigInt64(16, 1n); // type
    view.setBigInt64(24, 1n); // version
    this.put(header);
  }

  write(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.record(BigInt(offset), BigInt(bytes.length));
    this.put(bytes);
  }

  finish(): void {
    this.record(-1n, -1n);
    this.sink.finish();
  }

  close(): void {
    this.sink.close();
  }

  private record(offset: bigint, size: bigint): void {
    this.head.setBigInt64(0, offset);
    this.head.setBigInt64(8, size);
    this.put(new Uint8Array(this.head.buffer));
  }

  private put(bytes: Uint8Array): void {
    this.sink.put(bytes);
    this.written += bytes.length;
  }
}

function fileSink(file: Output): Sink {
  let end = 0;
  return {
    put(bytes) {
      file.write(end, bytes);
      end += bytes.length;
    },
    finish: () => file.finish(),
    close: () => file.close(),
  };
}

function descriptorSink(descriptor: number): Sink {
  const put = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(descriptor, bytes, done, bytes.length - done);
      } catch (error) {
        // a full pipe that does not block: its reader is slow
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) {
          throw new OutputError('standard output', error);
        }
        Atomics.wait(pause, 0, 0, 5);
      }
    }
  };
  return { put, finish: () => {}, close: () => {} };
}

const pause = new Int32Array(new SharedArrayBuffer(4));
