// A thread packs pages as the thread that writes does: a save gives the same file whoever packed what.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { unwatched } from '../../src/base/work.ts';
import { ErasureBuilder } from '../../src/save/erasure.ts';
import { FrameSet } from '../../src/save/frame_set.ts';
import type { PackedPages } from '../../src/save/kdump_writer.ts';
import { Packer, type PackTask, packTasks } from '../../src/save/pack.ts';
import { startPackThreads } from '../../src/save/pack_threads.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';

it('pages are packed and erased by a thread as here', (t) => {
  const { memory, description } = openBytes(t, smallDump());
  const kept = new FrameSet(memory.maxPfn);
  for (const { first, count } of memory.presentRuns(0 as never, memory.maxPfn as never)) kept.set(first, count, true);
  const erased = new ErasureBuilder();
  erased.add(0, memory.maxPfn * memory.pageSize * 0.5);
  const data = {
    frames: kept.length,
    kept: kept.bytes.buffer as SharedArrayBuffer,
    compression: 'lzo',
    isCompact: false,
    dropsZeroes: true,
    erase: erased.done().ranges,
  } as const;
  const tasks = [...packTasks(kept, 0, kept.length)];
  const threads = startPackThreads(2)!;
  t.after(() => threads.end());
  const packer = new Packer(memory, data);
  let done = 0;
  for (const packed of threads.run<PackTask, PackedPages>({ ...data, dump: description }, tasks, unwatched)) {
    const same = packer.pack(tasks[done++]!);
    assert.deepEqual([...packed.sizes], [...same.sizes]);
    assert.deepEqual(Buffer.from(packed.data), Buffer.from(same.data));
  }
  assert.equal(done, tasks.length);
  assert.ok(done > 0);
});

it('one thread alone needs no other', () => {
  assert.equal(startPackThreads(1), null);
});
