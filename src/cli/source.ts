// A log from wherever it is: a dump, a text file of any size, or standard input.
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { FormatError } from '../base/errors.ts';
import { packingOf } from '../debuginfo/elf/packing.ts';
import { unpackPieces } from '../debuginfo/elf/unpack.ts';
import { isDump } from '../dump/open.ts';

const chunkSize = 1024 * 1024;

/** Whether SOURCE names a dump. @throws FormatError if there is no such file */
export function isDumpSource(source: string): boolean {
  if (source === '-') return false;
  if (!existsSync(source)) throw new FormatError(source, 'no such file');
  if (statSync(source).isDirectory()) throw new FormatError(source, 'is a directory: name a dump or a log in it');
  // what is packed is a log, or has to be unpacked
  return !isPacked(source) && isDump(source);
}

function isPacked(source: string): boolean {
  const fd = openSync(source, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const start = new Uint8Array(16);
    return fstatSync(fd).isFile() && readSync(fd, start, 0, start.length, 0) > 0 && packingOf(start) !== null;
  } finally {
    closeSync(fd);
  }
}

/**
 * Holds the heap's young generation small: a reader of a long text makes garbage at a steady rate and keeps next to nothing,
 * and V8 would let it grow to a hundred megabytes.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * The bytes of a text source, in pieces, unpacked if it is packed (gzip, zstd, xz). The view is valid until the next one.
 * @throws FormatError if it cannot be read
 */
export function* readSource(source: string): Generator<Uint8Array> {
  const pieces = readPieces(source);
  const start = pieces.next();
  if (start.done === true) return;
  const packing = packingOf(start.value);
  const all = (function* (): Generator<Uint8Array> {
    yield start.value;
    yield* pieces;
  })();
  if (packing === null) yield* all;
  else yield* unpackedText(unpackPieces(packing, source, all), source);
}

/** @throws FormatError if it is no text: a dump */
function* unpackedText(pieces: Iterable<Uint8Array>, source: string): Generator<Uint8Array> {
  let isFirst = true;
  for (const piece of pieces) {
    if (isFirst && piece.subarray(0, 64).includes(0)) throw new FormatError(source, 'holds no text: unpack it first');
    isFirst = false;
    yield piece;
  }
}

function* readPieces(source: string): Generator<Uint8Array> {
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
