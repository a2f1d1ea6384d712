// Where memory went: sums, shares, and who is named for it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryUse, readVmStat } from '../../src/kernel/vmstat.ts';
import { analyse } from '../../src/triage/analyse.ts';
import type { Analysis } from '../../src/triage/analysis.ts';
import { DyingKernel, user } from '../support/dying_kernel.ts';
import { shownText } from '../support/shown.ts';

const types = `
  enum zone_stat_item { NR_FREE_PAGES, NR_ZONE_WRITE_PENDING, NR_VM_ZONE_STAT_ITEMS };
  enum node_stat_item {
    NR_SLAB_RECLAIMABLE_B, NR_SLAB_UNRECLAIMABLE_B, NR_ANON_MAPPED, NR_FILE_PAGES, NR_SHMEM, NR_KERNEL_STACK_KB,
    NR_PAGETABLE, NR_VM_NODE_STAT_ITEMS
  };
  struct kmem_cache_order_objects { unsigned int x; };
  struct kmem_cache_node { u64 nr_partial; struct atomic_long nr_slabs; struct atomic_long total_objects; };
  struct kmem_cache {
    struct kmem_cache_order_objects oo; unsigned int size; unsigned int object_size; unsigned int offset; u64 flags; const char *name;
    struct list_head list; struct kmem_cache_node *node[4];
  };
  struct atomic_long_t { long counter; };
`;
const nodeItems = [
  'slabReclaimable',
  'slabUnreclaimable',
  'anonymous',
  'files',
  'shmem',
  'stackKib',
  'pageTables',
] as const;

interface Machine {
  readonly total: number;
  readonly free?: number;
  readonly node?: Partial<Record<(typeof nodeItems)[number], number>>;
  readonly caches?: readonly { readonly name: string; readonly order: number; readonly slabs: number }[];
  readonly processes?: readonly {
    readonly pid: number;
    readonly comm: string;
    readonly anon: number;
    readonly sharedWith?: number;
  }[];
  readonly vmalloc?: number;
  /** Pages of per-CPU memory on each of two CPUs. */
  readonly perCpu?: number;
}

/** A kernel that panicked for want of memory. Sizes in pages. */
function starved({ total, free = 0, node = {}, caches = [], processes = [], vmalloc, perCpu }: Machine): DyingKernel {
  const dying = DyingKernel.make({ types });
  const counters = (name: string, values: readonly number[]): void => {
    const address = dying.reserve(values.length * 8);
    dying.space.words(address, ...values.map(BigInt));
    const element = dying.type('struct atomic_long');
    dying.define(name, address, values.length * 8, { kind: 'array', element, length: values.length });
  };
  counters('vm_zone_stat', [free, 7]);
  counters(
    'vm_node_stat',
    nodeItems.map((name) => node[name] ?? 0),
  );
  dying.set(dying.allocate('struct atomic_long', '_totalram_pages'), 'counter', total);
  if (vmalloc !== undefined) dying.set(dying.allocate('struct atomic_long', 'nr_vmalloc_pages'), 'counter', vmalloc);

  if (perCpu !== undefined) {
    dying.space.words(dying.allocate('unsigned long', 'pcpu_nr_populated').address, BigInt(perCpu));
    dying.space.words(dying.allocate('int', 'pcpu_nr_units').address, 2n);
  }

  dying.space.words(dying.allocate('unsigned int', 'nr_node_ids').address, 1n);
  const list = dying.allocate('struct list_head', 'slab_caches');
  const made = caches.map(({ name, order, slabs }) => {
    const cache = dying.allocate('struct kmem_cache');
    const text = dying.reserve(32);
    dying.space.write(text, Buffer.from(`${name}\0`));
    dying.set(cache, 'name', text);
    dying.set(cache, 'object_size', 512);
    dying.set(cache, 'oo.x', (order << 16) | 8);
    const nodeInfo = dying.allocate('struct kmem_cache_node');
    dying.set(nodeInfo, 'nr_slabs.counter', slabs);
    dying.set(nodeInfo, 'total_objects.counter', slabs * 8);
    dying.set(cache, 'node[0]', nodeInfo);
    return cache.member('list').address;
  });
  dying.link(list.address, ...made);

  const asking = dying.task({ pid: 7, comm: 'sh' });
  const memory = new Map<number, ReturnType<DyingKernel['allocate']>>();
  for (const { pid, comm, anon, sharedWith } of processes) {
    const task = dying.task({ pid, comm });
    const mm = sharedWith === undefined ? dying.allocate('struct mm_struct') : memory.get(sharedWith)!;
    if (sharedWith === undefined) dying.set(mm, 'rss_stat[1].count', anon);
    memory.set(pid, mm);
    dying.set(task, 'mm', mm);
  }
  dying.panicOn(1, asking, [
    'machine_kexec',
    '__crash_kexec',
    'panic',
    'out_of_memory',
    '__alloc_pages',
    'frob[widget]',
    user,
  ]);
  return dying;
}

function analysed(machine: Machine): Analysis {
  const dying = starved(machine);
  dying.writeTables();
  return analyse(dying.context);
}

describe('out of memory', () => {
  test('per-CPU memory is that of all CPUs', () => {
    const { panic, memory } = analysed({ total: 1000, perCpu: 300 });
    assert.match(panic.message, /: 60% of it is per-CPU memory\.$/);
    assert.equal(memory?.uses.find(({ name }) => name === 'per-CPU memory')?.bytes, 600 * 4096);
  });

  test('a process that took it: named, with what it has, and the command that shows it', () => {
    const { panic, findings, memory } = analysed({
      total: 1000,
      node: { anonymous: 700, shmem: 20, files: 60 },
      processes: [
        { pid: 20, comm: 'modest', anon: 50 },
        { pid: 21, comm: 'greedy', anon: 600 },
      ],
    });
    assert.equal(
      panic.message,
      'Memory ran out when sh (pid 7) asked for more: 70% of it is memory of processes (anonymous), most of it of greedy (pid 21): 2 MiB (60%).',
    );
    assert.deepEqual(
      memory!.tasks.map(({ comm, rss }) => [comm, rss / 4096]),
      [
        ['greedy', 600],
        ['modest', 50],
      ],
    );
    const finding = findings.find(({ title }) => title.startsWith('70% of memory'))!;
    assert.deepEqual(
      finding.evidence.map(({ command }) => command),
      ['p -d vm_node_stat[NR_ANON_MAPPED]', 'ps 21'],
    );
    assert.match(shownText(finding.evidence[0]!), /700/);
    assert.match(shownText(finding.evidence[1]!), /greedy/);
  });

  test('a slab cache that took it', () => {
    const { panic, findings } = analysed({
      total: 1000,
      node: { slabUnreclaimable: 640, slabReclaimable: 30 },
      caches: [
        { name: 'dentry', order: 0, slabs: 30 },
        { name: 'leaky', order: 3, slabs: 75 },
      ],
    });
    assert.match(
      panic.message,
      /64% of it is slab, not reclaimable, the largest cache being leaky with 2 MiB \(60%\)\.$/,
    );
    const finding = findings.find(({ title }) => title.startsWith('64%'))!;
    assert.match(finding.explanation, /leak/);
    assert.match(finding.evidence[1]!.command, /^struct kmem_cache\.name,object_size [0-9a-f]{16}$/);
    assert.match(shownText(finding.evidence[1]!), /"leaky"/);
  });

  test('what no counter counts is what is left, and the uses add up to all memory', () => {
    const { panic, memory } = analysed({
      total: 1000,
      free: 10,
      node: { anonymous: 100, files: 130, shmem: 30, slabUnreclaimable: 50, stackKib: 40, pageTables: 20 },
      vmalloc: 60,
    });
    assert.match(panic.message, /63% of it is not counted/);
    const pages = Object.fromEntries(memory!.uses.map(({ name, bytes }) => [name.split(' ')[0], bytes / 4096]));
    // page cache is files without shmem; stacks are vmalloc()ed and counted once: 40 KiB are 10 pages
    assert.deepEqual(
      [pages['not'], pages['files'], pages['vmalloc'], pages['kernel'], pages['free']],
      [630, 30, 50, 10, 10],
    );
    assert.equal(
      memory!.uses.reduce((sum, { bytes }) => sum + bytes, 0),
      memory!.total,
    );
    assert.deepEqual(
      [...memory!.uses].sort((a, b) => b.bytes - a.bytes),
      memory!.uses,
    );
  });

  test('tasks that share their memory count once', () => {
    const { memory } = analysed({
      total: 1000,
      processes: [
        { pid: 20, comm: 'parent', anon: 600 },
        { pid: 21, comm: 'vforked', anon: 0, sharedWith: 20 },
      ],
    });
    assert.deepEqual(
      memory!.tasks.map(({ comm }) => comm),
      ['parent'],
    );
  });

  test('counters below zero, and more counted than there is, make no nonsense', () => {
    const { memory } = analysed({
      total: 100,
      free: -5,
      node: { anonymous: 5000, files: 10, shmem: 40, stackKib: 400 },
      vmalloc: 3,
    });
    for (const { name, bytes } of memory!.uses) assert.ok(bytes >= 0, name);
    assert.ok(!memory!.uses.some(({ name }) => name.startsWith('not counted')));
  });

  test('without counters: no shares are claimed', () => {
    const dying = DyingKernel.make();
    // what has no type of its own can be read all the same
    dying.set(dying.allocate('struct atomic_long', '_totalram_pages'), 'counter', 1000);
    dying.set(dying.allocate('struct atomic_long', 'nr_vmalloc_pages'), 'counter', 10);
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
      'machine_kexec',
      '__crash_kexec',
      'panic',
      'out_of_memory',
      user,
    ]);
    dying.writeTables();
    const { panic, memory, findings } = analyse(dying.context);
    assert.equal(panic.message, 'Memory ran out when sh (pid 7) asked for more.');
    assert.deepEqual(
      memory!.uses.map(({ name }) => name),
      ['vmalloc'],
    );
    assert.ok(!findings.some(({ title }) => title.includes('% of memory')));
  });
});

describe('counters of memory', () => {
  test('by the names that this kernel has; those that only end an enumeration are none', () => {
    const kernel = starved({ total: 1000, free: 12, node: { shmem: 5 } });
    const stat = readVmStat(kernel);
    assert.deepEqual(
      [stat.get('NR_FREE_PAGES'), stat.get('NR_SHMEM'), stat.has('NR_VM_ZONE_STAT_ITEMS')],
      [12, 5, false],
    );
  });

  test('a kind that this kernel does not count is not 0', () => {
    const use = memoryUse(starved({ total: 1000 }));
    assert.deepEqual([use.vmalloc, use.hugePages, use.shmem], [null, null, 0]);
  });
});
