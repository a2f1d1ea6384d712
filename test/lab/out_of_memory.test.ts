import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { outOfMemory } from '../../lab/facts/out_of_memory.ts';
import leak from '../../lab/scenarios/leak.ts';
import { compared, counts, pictureOf } from './world.ts';

const log = `[   29.7] Mem-Info:
[   29.7] active_anon:7860 inactive_anon:2548 isolated_anon:0
           slab_reclaimable:371 slab_unreclaimable:70406
           mapped:1307 shmem:9124 pagetables:187
           free:1712 free_pcp:51 free_cma:0
[   29.8] Unreclaimable slab info:
[   29.8] perish_leak           259326KB     259326KB
[   29.8] [  pid  ]   uid  tgid total_vm      rss rss_anon name
[   29.9] [    166]     0   166      582      348        0 busybox
`;
const slabinfo = 'slabinfo - version: 2.1\n# name\nperish_leak 1 320 520 31 4 : tunables\n';

const report = (more: { slab?: number; objects?: number; rss?: number; free?: number }) =>
  JSON.stringify({
    memory: {
      uses: [
        { name: 'slab, not reclaimable', bytes: (more.slab ?? 70406) * 4096 },
        { name: 'slab, reclaimable', bytes: 371 * 4096 },
        { name: 'files in tmpfs and shared memory', bytes: 9124 * 4096 },
        { name: 'page tables', bytes: 187 * 4096 },
        { name: 'free', bytes: (more.free ?? 1712) * 4096 },
      ],
      tasks: [{ pid: 166, rss: (more.rss ?? 348) * 4096 }],
      slabs: [{ name: 'perish_leak', objects: more.objects ?? 510673 }],
    },
  });

describe('memory when it ran out', () => {
  const outcome = (test: Parameters<typeof pictureOf>[0], text: string) =>
    counts(compared(outOfMemory, pictureOf(test, { slabinfo }), [text, log], { scenario: leak }));

  it("is what the kernel's OOM killer counted", (test) => {
    assert.deepEqual(outcome(test, report({})), [7, 0, 0]);
  });

  it('may differ by the few pages that came and went before the panic', (test) => {
    assert.deepEqual(outcome(test, report({ free: 1700 })), [6, 1, 0]);
  });

  it('is wrong when a counter, a cache or a process is', (test) => {
    assert.deepEqual(outcome(test, report({ slab: 7040, objects: 51067, rss: 900 })), [4, 0, 3]);
  });

  it('is wrong when the report has no account of memory', (test) => {
    assert.deepEqual(outcome(test, '{"memory":null}'), [0, 0, 5]);
  });

  it('is no matter of other deaths', (test) => {
    assert.deepEqual(counts(compared(outOfMemory, pictureOf(test, {}), [report({}), log])), [0, 0, 0]);
  });
});
