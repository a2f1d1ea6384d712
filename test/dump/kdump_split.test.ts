import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pfn } from '../../src/base/address.ts';
import { openDump } from '../../src/dump/open.ts';
import { flatten } from '../support/dump_writers/flattened.ts';
import { type KdumpOptions, writeKdump, writeSplitKdump } from '../support/dump_writers/kdump.ts';
import { openBytes, page, pagesOf, tempFiles } from '../support/dump_writers/temp_files.ts';

describe('split kdump', () => {
  const options: KdumpOptions = {
    pages: pagesOf(1, 2, 9, 10, 20, 29),
    ram: [[0, 30]],
    maxMapnr: 30,
    compression: 'zlib',
    vmcoreinfo: 'OSRELEASE=6.1\n',
  };
  const parts = writeSplitKdump(options, [9, 20]);

  it('reads parts given in any order', (t) => {
    for (const order of [
      [0, 1, 2],
      [2, 0, 1],
      [1, 2, 0],
    ]) {
      const dump = openBytes(t, ...order.map((i) => parts[i]!));
      for (const [frame, bytes] of options.pages) assert.deepEqual(dump.memory.page(pfn(frame)), bytes);
      assert.equal(dump.info.split, 3);
      assert.equal(dump.memory.pageState(pfn(3)), 'excluded');
      assert.deepEqual(dump.info.pages, { total: 30, present: 6, lost: 0 });
      assert.equal(dump.notes.vmcoreinfo, 'OSRELEASE=6.1\n');
    }
  });

  it('reads flattened parts', (t) => {
    const dump = openBytes(t, flatten(parts[1]!), parts[0]!, flatten(parts[2]!, 100));
    for (const [frame, bytes] of options.pages) assert.deepEqual(dump.memory.page(pfn(frame)), bytes);
    assert.equal(dump.info.flattened, true);
  });

  it('loses the pages of a cut part only', (t) => {
    const dump = openBytes(t, parts[0]!, parts[1]!.subarray(0, parts[1]!.length - 10), parts[2]!);
    assert.equal(dump.memory.pageState(pfn(10)), 'truncated');
    assert.deepEqual(dump.memory.page(pfn(29)), page(29));
    assert.equal(dump.info.pages.lost, 1);
  });

  it('says which part is missing', (t) => {
    assert.throws(() => openBytes(t, parts[1]!, parts[2]!), /page frames 0x0 to 0x8 is missing/);
    assert.throws(() => openBytes(t, parts[0]!, parts[2]!), /page frames 0x9 to 0x13 is missing/);
    assert.throws(() => openBytes(t, parts[0]!), /page frames 0x9 to 0x1d is missing: 1 file given/);
  });

  it('refuses parts that do not make one dump', (t) => {
    assert.throws(() => openBytes(t, parts[0]!, parts[1]!, parts[1]!, parts[2]!), /are the same part/);
    const [path] = tempFiles(t, parts[0]!);
    assert.throws(() => openDump([path!, path!]), /given twice/);
    const other = writeSplitKdump({ ...options, utsname: { nodename: 'other' } }, [9, 20]);
    assert.throws(() => openBytes(t, parts[0]!, other[1]!, parts[2]!), /parts of different dumps/);
    const overlapping = writeSplitKdump(options, [5, 20]);
    assert.throws(() => openBytes(t, parts[0]!, overlapping[1]!, parts[2]!), /is in two parts/);
    assert.throws(() => openBytes(t, writeKdump(options), parts[1]!), /is not a part of a split dump/);
  });
});
