// The verdict on 20 whole dumps, and on 100 that are cut, damaged and wrongly filtered.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { unwatched } from '../../src/base/work.ts';
import { readKdumpHeader } from '../../src/dump/kdump_header.ts';
import { openDump, openSource } from '../../src/dump/open.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { saveFiles } from '../../src/save/save_files.ts';
import { type Verdict, verifyDump } from '../../src/save/verify.ts';
import { flatten } from '../support/dump_writers/flattened.ts';
import { tempDirectory, tempFiles } from '../support/dump_writers/temp_files.ts';
import { wholeDump } from '../support/whole_dump.ts';

/** The verdict; null where too little is left to be a dump. */
function verdictOf(files: readonly string[]): Verdict | null {
  try {
    return verifyDump(files, unwatched, 1).verdict;
  } catch (error) {
    assert.ok(error instanceof FormatError, String(error));
    return null;
  }
}

describe('the verdict', () => {
  it('on 20 whole dumps is that they are', (t) => {
    const folder = tempDirectory(t);
    const [path] = tempFiles(t, wholeDump());
    let seen = 0;
    for (const level of [0, 1]) {
      for (const [format, compression, parts, flattened] of [
        ['kdump', 'none', 1, false],
        ['kdump', 'zlib', 1, false],
        ['kdump', 'zlib', 1, true],
        ['kdump', 'zlib', 2, false],
        ['kdump', 'lzo', 1, false],
        ['kdump', 'snappy', 3, false],
        ['kdump', 'zstd', 1, false],
        ['kdump', 'zstd', 1, true],
        ['elf', 'none', 1, false],
        ['elf', 'none', 1, true],
      ] as const) {
        const dump = openDump([path!]);
        const targets = Array.from({ length: parts }, (_, i) => `${folder}/${seen}.${i}`);
        const options = { format, compression, flattened, levels: [level], threads: 1, overwrite: false } as const;
        saveFiles(openKernel(dump), { ...options, targets });
        dump.close();
        assert.equal(verdictOf(targets), 'whole', `${format} ${compression} ${parts} ${flattened} level ${level}`);
        seen++;
      }
    }
    assert.equal(seen, 20);
  });

  it('on 40 dumps that are cut is that they are incomplete', (t) => {
    const bytes = wholeDump();
    for (let i = 0; i < 40; i++) {
      const whole = i % 2 === 0 ? bytes : flatten(bytes);
      const cut = Math.floor(((i + 1) * whole.length) / 41);
      const verdict = verdictOf(tempFiles(t, whole.slice(0, cut)));
      assert.ok(verdict === 'incomplete' || (verdict === null && cut < 40_000), `cut at ${cut}: ${verdict}`);
    }
  });

  it('on 40 that are damaged is that they are', (t) => {
    const source = openSource(tempFiles(t, wholeDump())[0]!);
    const { descriptors } = readKdumpHeader(source);
    source.close();
    for (let i = 0; i < 40; i++) {
      const bytes = wholeDump();
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const at = descriptors + 24 * (1 + i);
      const harms = [
        () => view.setUint32(at, 5000, true),
        () => view.setUint32(at + 8, 99_999, true),
        () => view.setUint32(at + 12, 0x40, true),
        () => view.setUint32(at, view.getUint32(at + 24, true) + 3, true),
      ];
      harms[i % harms.length]!();
      assert.equal(verdictOf(tempFiles(t, bytes)), 'damaged', `harm ${i % harms.length} to page ${1 + i}`);
    }
  });

  it('on 20 that are wrongly filtered is that they are', (t) => {
    for (let i = 0; i < 20; i++) {
      const frame = 630 + i;
      const kind = (['slab', 'table', 'kernel', 'reserved'] as const)[i % 4]!;
      // level 30: what is missing was not left out for being zero
      const bytes = wholeDump({ level: 30, excluded: [frame], describe: (map) => void map.page(frame, kind) });
      assert.equal(verdictOf(tempFiles(t, bytes)), 'wrongly filtered', `${kind} page ${frame}`);
    }
  });
});
