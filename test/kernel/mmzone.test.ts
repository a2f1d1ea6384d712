// Nodes, zones, their free blocks and counters: what "out of memory" is judged by.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { freeAreas, memoryNodes, migrateTypes, presentPages, zoneCounters } from '../../src/kernel/mmzone.ts';
import { vmCounters } from '../../src/kernel/vmstat.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct cpumask { u64 bits[1]; };
  typedef struct { long counter; } atomic_long_t;
  enum zone_stat_item { NR_FREE_PAGES, NR_ZONE_LRU_BASE, NR_ZONE_INACTIVE_ANON = 1, NR_BOUNCE, NR_VM_ZONE_STAT_ITEMS };
  enum node_stat_item { NR_LRU_BASE, NR_VM_NODE_STAT_ITEMS };
  enum numa_stat_item { NUMA_HIT, NUMA_MISS, NR_VM_NUMA_EVENT_ITEMS };
  enum vm_event_item { PGPGIN, PGPGOUT, NR_VM_EVENT_ITEMS };
  enum migratetype { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_PCPTYPES, MIGRATE_HIGHATOMIC = 3, MIGRATE_ISOLATE, MIGRATE_TYPES };
  struct vm_event_state { u64 event[2]; };
  struct free_area { struct list_head free_list[5]; u64 nr_free; };
  struct per_cpu_pages { int count; int high; int batch; struct list_head lists[3]; };
`;
const zone = (more: string) => `
  struct zone {
    ${more} u64 zone_start_pfn; atomic_long_t managed_pages; u64 spanned_pages; u64 present_pages; char *name;
    struct free_area free_area[3]; atomic_long_t vm_stat[3];
  };
  struct pglist_data { struct zone node_zones[2]; int nr_zones; u64 node_start_pfn; u64 node_present_pages; u64 node_spanned_pages; int node_id; };
`;
const current = types + zone('u64 _watermark[4]; u64 watermark_boost; struct per_cpu_pages *per_cpu_pageset;');
const older = `${types}struct per_cpu_pageset { struct per_cpu_pages pcp; s64 vm_stat_diff[3]; };${zone('u64 watermark[3]; struct per_cpu_pageset *pageset;')}`;

function machine(declarations: string): SyntheticKernel {
  const kernel = new SyntheticKernel(declarations);
  const node = kernel.allocate('struct pglist_data');
  kernel.set(node, 'node_id', 1);
  kernel.set(node, 'node_start_pfn', 1);
  kernel.set(node, 'node_present_pages', 700);
  kernel.set(node, 'node_spanned_pages', 800);
  const pages = kernel.reserve(2 * 4096);
  for (const [i, name] of ['DMA', 'Normal'].entries()) {
    const at = `node_zones[${i}]`;
    const text = kernel.reserve(16);
    kernel.space.write(text, Buffer.from(`${name}\0`));
    kernel.set(node, `${at}.name`, text);
    kernel.set(node, `${at}.zone_start_pfn`, 1 + i * 100);
    kernel.set(node, `${at}.spanned_pages`, 100 + i * 600);
    kernel.set(node, `${at}.present_pages`, 90 + i * 520);
    kernel.set(node, `${at}.managed_pages.counter`, 80 + i * 500);
    kernel.set(node, `${at}.vm_stat[0].counter`, 40 + i);
    kernel.set(node, `${at}.vm_stat[2].counter`, -3);
    kernel.set(node, `${at}.free_area[1].nr_free`, 5);
    const zoneObject = node.member('node_zones').index(i);
    const marks = zoneObject.has('_watermark') ? '_watermark' : 'watermark';
    for (const mark of [0, 1, 2]) kernel.set(node, `${at}.${marks}[${mark}]`, 10 + mark);
    kernel.set(node, zoneObject.has('pageset') ? `${at}.pageset` : `${at}.per_cpu_pageset`, pages);
  }
  kernel.space.words(pages, (7n << 32n) | 3n);
  kernel.space.words(pages + 4096n, (8n << 32n) | 4n);
  kernel.define('node_data', kernel.reserve(16), 16);
  kernel.space.words(kernel.address('node_data'), 0n, node.address);
  const offsets = kernel.reserve(16);
  kernel.define('__per_cpu_offset', offsets, 16);
  kernel.space.words(offsets, 0n, 4096n);
  for (const mask of ['possible', 'present', 'online']) {
    kernel.set(kernel.allocate('struct cpumask', `__cpu_${mask}_mask`), 'bits[0]', 3);
  }
  // as long as its symbol, as the kernel has it
  kernel.define('node_data', kernel.address('node_data'), 16, {
    kind: 'array',
    element: { kind: 'pointer', size: 8, target: kernel.type('struct pglist_data') },
    length: 2,
  });
  return kernel;
}

for (const [name, declarations] of [
  ['zones with boosted watermarks', current],
  ['zones as they were before 5.0', older],
] as const) {
  describe(name, () => {
    const kernel = machine(declarations);
    const [node] = memoryNodes(kernel);

    test('nodes in their array, gaps left out, with the zones of each', () => {
      assert.equal(memoryNodes(kernel).length, 1);
      assert.deepEqual([node?.startPfn, node?.spanned, node?.present], [1, 800, 700]);
      assert.deepEqual(
        node?.zones.map((z) => [z.name, z.startPfn, z.spanned, z.present, z.managed]),
        [
          ['DMA', 1, 100, 90, 80],
          ['Normal', 101, 700, 610, 580],
        ],
      );
      assert.deepEqual(node?.zones[1]?.watermarks, { min: 10, low: 11, high: 12, boost: 0 });
      assert.equal(presentPages(kernel), 700);
    });
    test('counters have the last of their names, and may be below zero', () => {
      assert.deepEqual(zoneCounters(kernel, node!.zones[1]!), [
        { name: 'NR_FREE_PAGES', value: 41 },
        { name: 'NR_ZONE_INACTIVE_ANON', value: 0 },
        { name: 'NR_BOUNCE', value: -3 },
      ]);
    });
    test('free blocks by order, each with its lists', () => {
      const areas = freeAreas(node!.zones[0]!);
      assert.deepEqual(
        areas.map(({ order, count, lists }) => [order, count, lists.length]),
        [
          [0, 0, 5],
          [1, 5, 5],
          [2, 0, 5],
        ],
      );
    });
    test('names of lists: a number that two names share has the one that is a list', () => {
      assert.deepEqual(migrateTypes(kernel), ['unmovable', 'movable', 'reclaimable', 'highatomic', 'isolate']);
    });
  });
}

describe('counters of virtual memory', () => {
  test('events are summed over CPUs; a CPU whose memory is missing costs its own', () => {
    const kernel = machine(current);
    const first = kernel.reserve(2 * 4096);
    kernel.define('vm_event_states', first, 16, kernel.type('struct vm_event_state'));
    kernel.space.words(first, 5n, 6n);
    kernel.space.words(first + 4096n, 50n, 60n);
    assert.deepEqual(vmCounters(kernel).events, [
      { name: 'PGPGIN', value: 55 },
      { name: 'PGPGOUT', value: 66 },
    ]);
    kernel.space.exclude(first + 4096n);
    const { value, faults } = kernel.faults.collect(() => vmCounters(kernel));
    assert.deepEqual(value.events[0], { name: 'PGPGIN', value: 5 });
    assert.equal(faults[0]?.what, 'event counters of CPU 1');
  });
  test('a group that the kernel has not is empty', () => {
    const { zone, node, numa } = vmCounters(machine(current));
    assert.deepEqual([zone, node, numa], [[], [], []]);
  });
});
