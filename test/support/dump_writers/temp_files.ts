// Dumps are opened by path: puts bytes into files that are gone when the test is.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Dump } from '../../../src/dump/dump.ts';
import { openDump } from '../../../src/dump/open.ts';

/** Paths of new files with these bytes, removed after the test. */
export function tempFiles(test: TestContext, ...contents: readonly Uint8Array[]): string[] {
  const directory = tempDirectory(test);
  return contents.map((bytes, i) => {
    const path = join(directory, `file${i}`);
    writeFileSync(path, bytes);
    return path;
  });
}

/** Opens files with these bytes as one dump; closed after the test. */
export function openBytes(test: TestContext, ...files: readonly Uint8Array[]): Dump {
  const dump = openDump(tempFiles(test, ...files));
  test.after(() => dump.close());
  return dump;
}

export function tempDirectory(test: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'inquest-'));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A page whose content tells its number, compresses, and is not all zeroes. */
export function page(seed: number, size = 4096): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i += 16) {
    bytes[i] = seed;
    bytes[i + 1] = seed >> 8;
    bytes[i + 2] = i >> 4;
    bytes[i + 5] = (i * 7) % 13;
  }
  bytes[1] = 0xa5;
  return bytes;
}

/** `page(n)` for each of these page frames. */
export function pagesOf(...frames: readonly number[]): Map<number, Uint8Array> {
  return new Map(frames.map((frame) => [frame, page(frame)]));
}
