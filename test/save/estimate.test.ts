// An estimate must say beforehand what a save then does.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { estimate } from '../../src/save/estimate.ts';
import { saveFiles } from '../../src/save/save_files.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { writeKdump } from '../support/dump_writers/kdump.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';
import { MemoryMap, pageShapes } from '../support/memory_map.ts';

it('the size at a level is what a save of it takes, within a tenth', (t) => {
  const small = openBytes(t, smallDump());
  const pages = new Map<number, Uint8Array>();
  // noise, text, zeroes
  for (let n = 0; n < 6000; n++) {
    const bytes = new Uint8Array(4096);
    if (n % 3 > 0)
      for (let i = 0; i < 4096; i++) bytes[i] = n % 3 === 1 ? Math.imul(i + n, 2654435761) >>> 24 : (i * n) & 15;
    pages.set(0x10_0000 + n, bytes);
  }
  for (const { first, count } of small.memory.presentRuns(0 as never, small.memory.maxPfn as never)) {
    for (let n = first; n < first + count; n++) pages.set(n, small.memory.page(n as never).slice());
  }
  const kernel = openKernel(openBytes(t, writeKdump({ pages, vmcoreinfo: small.notes.vmcoreinfo! })));
  const folder = mkdtempSync(join(tmpdir(), 'inquest-estimate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const compression of ['zlib', 'none'] as const) {
    const { levels } = estimate(kernel, compression);
    for (const level of [0, 1]) {
      const target = join(folder, `${compression}.${level}`);
      saveFiles(kernel, {
        format: 'kdump',
        compression,
        levels: [level],
        targets: [target],
        threads: 1,
        flattened: false,
        overwrite: false,
      });
      const ratio = levels[level]!.bytes / statSync(target).size;
      assert.ok(ratio > 0.9 && ratio < 1.1, `${compression}, level ${level}: ${ratio}`);
      assert.equal(levels[level]!.pages, pages.size);
    }
  }
});

it('pages are counted by kind, and at each level without those that it takes', () => {
  const map = new MemoryMap(pageShapes['6.12']!)
    .page(30, 'cache')
    .page(31, 'buffers')
    .freeBlock(32, 3)
    .page(40, 'offline');
  for (const frame of [30, 31, 33, 40, 41, 50]) map.present(frame);
  const { kinds, levels } = estimate(map.kernel, 'zlib');
  const found = (kind: string, hasPrivate = false) =>
    kinds.filter((one) => one.kind === kind && one.private === hasPrivate).reduce((sum, { pages }) => sum + pages, 0);
  assert.deepEqual([found('cache'), found('cache', true), found('free'), found('offline')], [1, 1, 1, 1]);
  assert.equal(kinds.find(({ kind }) => kind === 'offline')?.sampled, 0, 'what must not be read is not');
  const kept = levels[0]!.pages;
  assert.deepEqual(
    [2, 4, 16, 31].map((level) => kept - levels[level]!.pages),
    [1, 2, 1, 3],
  );
});
