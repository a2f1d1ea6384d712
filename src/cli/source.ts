// A log from wherever it is: a dump, a text file of any size, or standard input.
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { FormatError } from '../base/errors.ts';
import { isDump } from '../dump/open.ts';

const chunkSize = 1024 * 1024;

/** Whether SOURCE names a dump. @throws FormatError if there is no such file */
export function isDumpSource(source: string): boolean {
  if (source === '-') return false;
  if (!existsSync(source)) throw new FormatError(source, 'no such file');
  if (statSync(source).isDirectory()) throw new FormatError(source, 'is a directory: name a dump or a log in it');
  return isDump(source);
}

/**
 * Holds the heap's young generation small: a reader of a long text makes garbage at a steady rate and keeps next to nothing,
 * and V8 would let it grow to a hundred megabytes.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** The bytes of a text source, in pieces. The view is valid until the next one. @throws FormatError if it cannot be read */
export function* readSource(source: string): Generator<Uint8Array> {
  // without waiting for somebody to write to a named pipe
  const fd = source === '-' ? 0 : openSync(source, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = new Uint8Array(chunkSize);
  let isFirst = true;
  try {
    for (;;) {
      const n = readChunk(fd, buffer, source);
      if (n === 0 && isFirst && fd !== 0 && fstatSync(fd).isFIFO()) {
        throw new FormatError(source, 'is a pipe, and nobody has written to it');
      }
      if (n === 0) return;
      isFirst = false;
      yield buffer.subarray(0, n);
    }
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

function readChunk(fd: number, buffer: Uint8Array, source: string): number {
  for (;;) {
    try {
      return readSync(fd, buffer, 0, buffer.length, null);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw new FormatError(source, `cannot be read (${code ?? String(error)})`);
      // a terminal or pipe that has nothing yet
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
