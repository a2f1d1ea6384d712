// Areas of vmalloc(): stacks of tasks, modules and what drivers mapped are named by them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { vmallocAreaAt, vmallocAreas, vmallocKinds } from '../../src/kernel/vmalloc.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct vm_struct { struct vm_struct *next; void *addr; u64 size; u64 flags; void *pages; unsigned int nr_pages; u64 phys_addr; void *caller; };
  struct vmap_area { u64 va_start; u64 va_end; struct list_head list; union { u64 subtree_max_size; struct vm_struct *vm; }; };
`;

/** Kernels with one list, and with a list in each of two nodes (6.9). */
function machine(nodes: number, ...areas: (readonly [start: bigint, end: bigint, node: number, vm: boolean])[]) {
  const kernel = new SyntheticKernel(
    nodes === 0
      ? types
      : `${types}struct rb_list { struct list_head head; }; struct vmap_node { u64 pool; struct rb_list busy; };`,
  );
  let heads: bigint[];
  if (nodes === 0) heads = [kernel.allocate('struct list_head', 'vmap_area_list').address];
  else {
    const array = kernel.reserve(nodes * 24);
    kernel.define('vmap_nodes', kernel.reserve(8));
    kernel.space.words(kernel.address('vmap_nodes'), array);
    kernel.space.words(kernel.allocate('unsigned int', 'nr_vmap_nodes').address, BigInt(nodes));
    heads = Array.from({ length: nodes }, (_, i) => array + BigInt(i * 24 + 8));
  }
  const made = areas.map(([start, end, , withVm]) => {
    const area = kernel.allocate('struct vmap_area');
    kernel.set(area, 'va_start', start);
    kernel.set(area, 'va_end', end);
    if (withVm) {
      const vm = kernel.allocate('struct vm_struct');
      kernel.set(vm, 'size', end - start);
      kernel.set(vm, 'flags', 0x22);
      kernel.set(vm, 'nr_pages', 4);
      kernel.set(area, 'vm', vm);
    }
    return area;
  });
  for (const [i, head] of heads.entries()) {
    kernel.link(head, ...made.filter((_, j) => areas[j]![2] === i).map((area) => area.member('list').address));
  }
  return { kernel, made };
}

for (const nodes of [0, 2]) {
  describe(`vmalloc areas in ${nodes === 0 ? 'one list' : 'the lists of nodes'}`, () => {
    const second = nodes === 0 ? 0 : 1;
    const areas = [
      [0x9000n, 0xb000n, second, false],
      [0x1000n, 0x4000n, 0, true],
      [0x4000n, 0x6000n, second, true],
    ] as const;

    test('by address, each with what it was made for', () => {
      const { kernel } = machine(nodes, ...areas);
      assert.deepEqual(
        vmallocAreas(kernel).map(({ start, end, vm }) => [start, end, vm?.pages ?? null]),
        [
          [0x1000n, 0x4000n, 4],
          [0x4000n, 0x6000n, 4],
          [0x9000n, 0xb000n, null],
        ],
      );
      assert.deepEqual(vmallocKinds(vmallocAreas(kernel)[0]!.vm!), ['vmalloc']);
    });
    test('an address is in the area that covers it, or in none', () => {
      const { kernel } = machine(nodes, ...areas);
      const at = (address: bigint) => vmallocAreaAt(kernel, virtAddr(address))?.start ?? null;
      assert.deepEqual([0xfffn, 0x1000n, 0x3fffn, 0x4000n, 0x5fffn, 0x6000n, 0x9001n, 0xb000n].map(at), [
        null,
        0x1000n,
        0x1000n,
        0x4000n,
        0x4000n,
        null,
        0x9000n,
        null,
      ]);
    });
    test('an area that is missing costs itself and those behind it, with a fault', () => {
      const { kernel, made } = machine(nodes, ...areas);
      kernel.space.exclude(made[0]!.address);
      const { value, faults } = kernel.faults.collect(() => vmallocAreas(kernel));
      assert.ok(value.every(({ start }) => start !== 0x9000n));
      assert.ok(faults.length > 0);
    });
  });
}
