// Standard output and standard error, written at once and in order, so that `!echo` in a script of
// commands comes out where it stands.
import { writeSync } from 'node:fs';
import type { Sink } from '../commands/run.ts';

/** Thrown when whoever reads our output has gone (`inquest ... | head`). */
export class OutputClosed extends Error {}

/** Writes all of `text` to a file descriptor. @throws OutputClosed */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EPIPE') throw new OutputClosed();
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); // a full pipe: let its reader read
    }
  }
}

export function writeOut(text: string): void {
  writeAll(1, text);
}

/** Standard output as a command's sink. */
export const standardOutput: Sink = {
  write(text) {
    try {
      writeOut(text);
      return true;
    } catch (error) {
      if (error instanceof OutputClosed) return false;
      throw error;
    }
  },
};

export function writeError(text: string): void {
  writeAll(2, text);
}
