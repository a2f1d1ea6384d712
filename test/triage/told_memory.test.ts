// Where memory went, by what an out-of-memory report of a log has: for those who have nothing else.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { analyseLog } from '../../src/triage/analyse.ts';
import { toldMemory } from '../../src/triage/told_memory.ts';

const table = [
  'Mem-Info:',
  'active_anon:5563 inactive_anon:56874 isolated_anon:0',
  ' active_file:100 inactive_file:20 isolated_file:0',
  ' slab_reclaimable:2800 slab_unreclaimable:2076',
  ' mapped:448 shmem:62036 pagetables:67',
  ' free:995 free_pcp:204 free_cma:0',
  'Node 0 active_anon:22252kB inactive_anon:227496kB active_file:400kB inactive_file:80kB kernel_stack:1040kB pagetables:268kB all_unreclaimable? yes',
  'Node 0 DMA32 free:2816kB boost:0kB min:1904kB low:2380kB high:2856kB reserved_highatomic:0KB present:507764kB managed:268064kB mlocked:0kB',
  'Node 0 DMA32: 70*4kB (UME) 48*8kB (UME) 0*16kB 1*32kB (M) = 2816kB',
  '130939 pages RAM',
  '60083 pages reserved',
  'Tasks state (memory values in pages):',
  '[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name',
  '[    121]     0   121      565      384    28672        0             0 sh',
  '[   1368]     0  1368      700      480    28672        0         -1000 my dd',
];

const bytes = (memory: readonly string[]) =>
  Object.fromEntries((toldMemory({ memory })?.uses ?? []).map(({ name, bytes }) => [name.split(' (')[0], bytes]));

describe('memory as a log tells of it', () => {
  test('counters in pages, of which tmpfs is not the processes’', () => {
    const memory = toldMemory({ memory: table })!;
    assert.equal(memory.total, (130_939 - 60_083) * 4096);
    const { 'files in tmpfs and shared memory': shmem, 'memory of processes': anonymous, free } = bytes(table);
    assert.deepEqual(
      [shmem, anonymous, free],
      [62_036, 401, 1199].map((pages) => pages * 4096),
    );
    assert.deepEqual(memory.tasks, [
      { pid: 1368, comm: 'my dd', rss: 480 * 4096 },
      { pid: 121, comm: 'sh', rss: 384 * 4096 },
    ]);
    const [zone] = memory.zones;
    assert.deepEqual([zone?.name, zone?.managed, zone?.largest], ['DMA32', 268_064 * 1024, 32 * 1024]);
  });

  test('pages of 64 KiB, as the same counter in KiB tells', () => {
    const large = table.map((line) =>
      line.replace('22252kB inactive_anon:227496kB', `${5563 * 64}kB inactive_anon:${56874 * 64}kB`),
    );
    assert.equal(toldMemory({ memory: large })!.total, (130_939 - 60_083) * 65_536);
  });

  test('a report that was cut has no figures', () => {
    assert.equal(toldMemory({ memory: table.slice(0, 6) }), null);
    assert.equal(toldMemory({ memory: [] }), null);
  });

  const death = (lines: readonly string[]) =>
    analyseLog(
      Buffer.from(
        [
          'sh invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0',
          'CPU: 0 PID: 7 Comm: sh Not tainted 6.1.0 #1',
          'Call Trace:',
          ' <TASK>',
          ' out_of_memory+0x42/0x7e',
          ' vfs_write+0x235/0x3f0',
          ' </TASK>',
          ...lines,
          'Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled',
        ]
          .map((line) => `[   13.625067] ${line}\n`)
          .join(''),
      ),
      'log',
    );

  test('the sentence tells of the largest use, and the table shows all', () => {
    const { panic, memory } = death(table);
    assert.equal(
      panic.message,
      'Memory ran out when sh (pid 7) asked for more: 88% of it is files in tmpfs and shared memory.',
    );
    assert.equal(memory?.cgroup, null);
    assert.equal(memory?.uses[0]?.name, 'files in tmpfs and shared memory');
  });

  test('a slab cache where slab is what took it', () => {
    const slab = table.map((line) =>
      line
        .replace('slab_unreclaimable:2076', 'slab_unreclaimable:60000')
        .replace('shmem:62036', 'shmem:9')
        .replace('inactive_anon:56874', 'inactive_anon:9'),
    );
    const { panic } = death([
      ...slab,
      'Unreclaimable slab info:',
      'Name                      Used          Total',
      'ticket              230000KB     231040KB',
    ]);
    assert.match(
      panic.message,
      /85% of it is slab, not reclaimable, the largest cache being ticket with 226 MiB \(82%\)/,
    );
  });

  test('nobody is named for a crumb of it', () => {
    const { panic } = death(table.map((line) => line.replace('shmem:62036', 'shmem:9')));
    assert.match(panic.message, /: 88% of it is memory of processes \(anonymous\)\.$/);
  });
});
