// Dumps that are cut, and what must be had again of them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pfn } from '../../src/base/address.ts';
import { FormatError } from '../../src/base/errors.ts';
import { unwatched } from '../../src/base/work.ts';
import { InputError } from '../../src/dump/byte_source.ts';
import { readKdumpHeader } from '../../src/dump/kdump_header.ts';
import { openDump, openSource } from '../../src/dump/open.ts';
import { type Salvaged, salvageDump } from '../../src/save/salvage.ts';
import { writeElfCore } from '../support/dump_writers/elf_core.ts';
import { flatten } from '../support/dump_writers/flattened.ts';
import { writeKdump } from '../support/dump_writers/kdump.ts';
import { vmcoreinfoNote } from '../support/dump_writers/notes.ts';
import { page } from '../support/dump_writers/temp_files.ts';

export interface Left {
  readonly salvaged: Salvaged;
  /** The pages of the dump that was written; null for one that is marked as lost. */
  readonly pages: ReadonlyMap<number, Uint8Array | null>;
}

/** What is salvaged of files; null if nothing can be. */
export function salvage(folder: string, ...files: Uint8Array[]): Left | null {
  const paths = files.map((bytes, i) => {
    const path = join(folder, `part${i}`);
    writeFileSync(path, bytes);
    return path;
  });
  const target = join(folder, 'left');
  let salvaged: Salvaged;
  try {
    salvaged = salvageDump(paths, target, { compression: 'none', threads: 1, overwrite: true }, unwatched);
  } catch (error) {
    assert.ok(error instanceof FormatError || error instanceof InputError, String(error));
    return null;
  }
  const dump = openDump([target]);
  try {
    const pages = new Map<number, Uint8Array | null>();
    for (let frame = 0; frame < dump.memory.maxPfn; frame++) {
      const state = dump.memory.pageState(pfn(frame));
      if (state === 'present') pages.set(frame, dump.memory.page(pfn(frame)).slice());
      else if (state === 'truncated') pages.set(frame, null);
    }
    assert.equal(dump.info.complete, salvaged.pages.lost === 0);
    assert.equal([...pages.values()].filter((bytes) => bytes === null).length, salvaged.pages.lost);
    return { salvaged, pages };
  } finally {
    dump.close();
  }
}

export function folderOf(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-salvage-'));
  test.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

export const frames = Array.from({ length: 60 }, (_, i) => (i < 40 ? i : i + 30));
export const content = new Map(frames.map((frame) => [frame, page(frame)]));
export const vmcoreinfo = 'OSRELEASE=6.1.0-lab\nPAGESIZE=4096\nNUMBER(phys_base)=0\n';
export const options = { pages: content, vmcoreinfo, compression: 'zlib', level: 0, ram: [[0, 100]] } as const;
export const kdump = (): Uint8Array => writeKdump(options);

/** Where each page's content ends in the file, by frame. */
export function endsOf(test: TestContext, bytes: Uint8Array): Map<number, number> {
  const path = join(folderOf(test), 'x');
  writeFileSync(path, bytes);
  const source = openSource(path);
  const { descriptors } = readKdumpHeader(source);
  source.close();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return new Map(
    frames.map((frame, i) => {
      const at = descriptors + i * 24;
      return [frame, Number(view.getBigUint64(at, true)) + view.getUint32(at + 8, true)];
    }),
  );
}

/** Checks that just these frames were had again, with what was in them. */
export function assertLeft(left: Left | null, expected: readonly number[], what: string): void {
  if (left === null) {
    assert.deepEqual(expected, [], `${what}: nothing was salvaged`);
    return;
  }
  const had = [...left.pages].filter(([, bytes]) => bytes !== null);
  assert.deepEqual(
    had.map(([frame]) => frame),
    expected,
    what,
  );
  for (const [frame, bytes] of had) assert.deepEqual(bytes, content.get(frame), `${what}, page frame ${frame}`);
}

/** Cuts a kdump at so many places, and checks what is salvaged of each. */
export function cutDump(t: TestContext, places: number): void {
  const folder = folderOf(t);
  const bytes = kdump();
  const ends = endsOf(t, bytes);
  for (let i = 0; i < places; i++) {
    const cut = Math.floor((i * bytes.length) / places);
    const expected = frames.filter((frame) => ends.get(frame)! <= cut);
    assertLeft(salvage(folder, bytes.slice(0, cut)), expected, `cut at ${cut}`);
  }
  const whole = salvage(folder, bytes)!;
  assert.deepEqual([whole.salvaged.pages.lost, whole.salvaged.lost], [0, []]);
}

/** The same of an ELF core. */
export function cutElfCore(t: TestContext, places: number): void {
  const folder = folderOf(t);
  const segments = [
    { address: 0, bytes: Buffer.concat(frames.slice(0, 40).map((frame) => page(frame))) },
    { address: 70 * 4096, bytes: Buffer.concat(frames.slice(40).map((frame) => page(frame))) },
  ];
  const bytes = writeElfCore({ segments, notes: [vmcoreinfoNote(vmcoreinfo)] });
  const dataAt = bytes.length - frames.length * 4096;
  for (let i = 0; i < places; i++) {
    const cut = Math.floor((i * bytes.length) / places);
    const expected = frames.filter((_, index) => dataAt + (index + 1) * 4096 <= cut);
    assertLeft(salvage(folder, bytes.slice(0, cut)), expected, `cut at ${cut}`);
  }
}

/** The same of a flattened stream. */
export function cutStream(t: TestContext, places: number): void {
  const folder = folderOf(t);
  const bytes = kdump();
  const ends = endsOf(t, bytes);
  const stream = flatten(bytes);
  // where in the stream the bytes of the file up to some place are
  const view = new DataView(stream.buffer, stream.byteOffset);
  const upTo = (cut: number): number => {
    let reached = 0;
    for (let at = 4096; at + 16 < cut; ) {
      const [to, size] = [Number(view.getBigInt64(at)), Number(view.getBigInt64(at + 8))];
      if (to === -1) break;
      reached = Math.max(reached, to + Math.min(size, cut - at - 16));
      at += 16 + size;
    }
    return reached;
  };
  for (let i = 0; i < places; i++) {
    const cut = Math.floor((i * stream.length) / places);
    const expected = frames.filter((frame) => ends.get(frame)! <= upTo(cut));
    assertLeft(salvage(folder, stream.slice(0, cut)), expected, `cut at ${cut}`);
  }
}
