// Totals of memory, swap areas, huge pages and blocks of memory: each is printed as a fact.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hugePagePools, hugePagesTotal } from '../../src/kernel/hugetlb.ts';
import { memoryInfo } from '../../src/kernel/meminfo.ts';
import { swapAreas } from '../../src/kernel/swap.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct cpumask { u64 bits[1]; };
  typedef struct { long counter; } atomic_long_t;
  struct percpu_counter { s64 count; int *counters; };
  enum zone_stat_item { NR_FREE_PAGES, NR_VM_ZONE_STAT_ITEMS };
  enum node_stat_item { NR_SLAB_RECLAIMABLE_B, NR_SLAB_UNRECLAIMABLE_B, NR_FILE_PAGES, NR_SWAPCACHE, NR_VM_NODE_STAT_ITEMS };
  struct hstate { unsigned int order; u64 nr_huge_pages; u64 free_huge_pages; u64 resv_huge_pages; u64 surplus_huge_pages; char name[32]; };
  struct file { u64 f_flags; };
  struct address_space { u64 nrpages; };
  struct inode { struct address_space *i_mapping; struct list_head i_sb_list; };
  struct super_block { struct list_head s_inodes; };
`;
const plainSwap =
  'struct swap_info_struct { u64 flags; short prio; unsigned int pages; unsigned int inuse_pages; struct file *swap_file; };';
const atomicSwap =
  'struct swap_info_struct { u64 flags; short prio; unsigned int pages; atomic_long_t inuse_pages; struct file *swap_file; };';

function machine(swap = plainSwap): SyntheticKernel {
  const kernel = new SyntheticKernel(types + swap);
  for (const mask of ['possible', 'present', 'online']) {
    kernel.set(kernel.allocate('struct cpumask', `__cpu_${mask}_mask`), 'bits[0]', 1);
  }
  kernel.space.words(kernel.allocate('atomic_long_t', '_totalram_pages').address, 1000n);
  kernel.define('vm_zone_stat', kernel.reserve(8), 8);
  kernel.space.words(kernel.address('vm_zone_stat'), 300n);
  kernel.define('vm_node_stat', kernel.reserve(32), 32);
  kernel.space.words(kernel.address('vm_node_stat'), 40n, 60n, 200n, 15n);
  kernel.space.words(kernel.allocate('int', 'sysctl_overcommit_ratio').address, 50n);
  kernel.space.words(kernel.allocate('u64', 'sysctl_overcommit_kbytes').address, 0n);
  kernel.space.words(kernel.allocate('struct percpu_counter', 'vm_committed_as').address, 123n, 0n);
  return kernel;
}

function swap(kernel: SyntheticKernel, ...areas: { flags: number; pages: number; used: bigint }[]): void {
  kernel.define('swap_info', kernel.reserve(areas.length * 8), areas.length * 8);
  kernel.space.words(kernel.allocate('unsigned int', 'nr_swapfiles').address, BigInt(areas.length));
  for (const [i, { flags, pages, used }] of areas.entries()) {
    const area = kernel.allocate('struct swap_info_struct');
    kernel.set(area, 'flags', flags);
    kernel.set(area, 'prio', -2);
    kernel.set(area, 'pages', pages);
    kernel.set(area, area.has('inuse_pages.counter') ? 'inuse_pages.counter' : 'inuse_pages', used);
    kernel.set(area, 'swap_file', kernel.allocate('struct file'));
    kernel.space.words(kernel.address('swap_info') + BigInt(i * 8), area.address);
  }
}

describe('swap areas', () => {
  test('those in use, with what they hold', () => {
    const kernel = machine();
    swap(
      kernel,
      { flags: 3 | 64, pages: 500, used: 20n },
      { flags: 0, pages: 9, used: 0n },
      { flags: 1, pages: 7, used: 7n },
    );
    assert.deepEqual(
      swapAreas(kernel).map(({ type, pages, used, priority, isDevice, isWritable }) => [
        type,
        pages,
        used,
        priority,
        isDevice,
        isWritable,
      ]),
      [
        [0, 500, 20, -2, true, true],
        [2, 7, 7, -2, false, false],
      ],
    );
  });
  test('the bit beside the count is no part of it, wherever it is', () => {
    for (const bit of [0n, 1n << 30n, 1n << 62n]) {
      const kernel = machine(atomicSwap);
      swap(kernel, { flags: 3, pages: 500, used: 500n | bit });
      assert.equal(swapAreas(kernel)[0]?.used, 500);
    }
  });
  test('a kernel without swap has none; a table that is missing is a fault', () => {
    assert.deepEqual(swapAreas(machine()), []);
    const kernel = machine();
    swap(kernel, { flags: 3, pages: 5, used: 1n });
    kernel.space.exclude(kernel.address('swap_info'));
    const { value, faults } = kernel.faults.collect(() => swapAreas(kernel));
    assert.deepEqual(value, []);
    assert.equal(faults.length, 1);
  });
});

describe('totals of memory', () => {
  test('each total, the cache without what is swap cache and devices', () => {
    const kernel = machine();
    swap(kernel, { flags: 3, pages: 500, used: 20n });
    const superblock = kernel.allocate('struct super_block');
    const mapping = kernel.allocate('struct address_space');
    kernel.set(mapping, 'nrpages', 5);
    const inode = kernel.allocate('struct inode');
    kernel.set(inode, 'i_mapping', mapping);
    kernel.link(superblock.member('s_inodes').address, inode.member('i_sb_list').address);
    kernel.define('blockdev_superblock', kernel.reserve(8));
    kernel.space.words(kernel.address('blockdev_superblock'), superblock.address);
    assert.deepEqual(memoryInfo(kernel), {
      total: 1000,
      free: 300,
      buffers: 5,
      cached: 180,
      slab: 100,
      hugeTotal: 0,
      hugeFree: 0,
      swapTotal: 500,
      swapUsed: 20,
      commitLimit: 1000,
      committed: 123,
    });
  });
  test('overcommit_kbytes takes the place of the ratio', () => {
    const kernel = machine();
    kernel.space.words(kernel.address('sysctl_overcommit_kbytes'), 400n);
    assert.equal(memoryInfo(kernel).commitLimit, 100);
  });
  test('what cannot be read is null, not zero', () => {
    const kernel = machine();
    for (const name of ['_totalram_pages', 'vm_zone_stat', 'vm_node_stat', 'vm_committed_as']) {
      kernel.space.exclude(kernel.address(name));
    }
    const { value, faults } = kernel.faults.collect(() => memoryInfo(kernel));
    const { total, free, cached, slab, committed, commitLimit } = value;
    assert.deepEqual([total, free, cached, slab, committed, commitLimit], [null, null, null, null, null, null]);
    assert.ok(faults.length >= 4);
  });
  test('huge pages count in ordinary ones; a kernel without them has no total', () => {
    const kernel = machine();
    assert.equal(hugePagesTotal(kernel), null);
    const size = kernel.allocate('struct hstate').size;
    const states = kernel.reserve(size * 2);
    kernel.define('hstates', states, size * 2);
    const state = kernel.object('struct hstate', states);
    kernel.set(state, 'order', 9);
    kernel.set(state, 'nr_huge_pages', 3);
    kernel.set(state, 'free_huge_pages', 2);
    kernel.set(state, 'name', 'hugepages-2048kB');
    // where nothing tells how many sizes there are, those that have a name
    assert.deepEqual([hugePagesTotal(kernel), hugePagePools(kernel).length], [3 * 512, 1]);
    kernel.space.words(kernel.allocate('int', 'hugetlb_max_hstate').address, 2n);
    assert.deepEqual([hugePagesTotal(kernel), hugePagePools(kernel).length], [3 * 512 + 0, 2]);
    assert.equal(hugePagePools(kernel)[0]?.name, 'hugepages-2048kB');
    assert.equal(memoryInfo(kernel).hugeFree, 1024);
  });
});
