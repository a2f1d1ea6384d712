// Who keeps the memory that ran out: named where one has most of it, and never where nobody stands out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { holderOf, perCpuTables, perCpuUse } from '../../src/triage/memory_holders.ts';
import { HoldingMachine } from '../support/holding_machine.ts';

const vmallocTypes = `
  struct vm_struct { struct vm_struct *next; void *addr; u64 size; u64 flags; void *pages; unsigned int nr_pages; u64 phys_addr; void *caller; };
  struct vmap_area { u64 va_start; u64 va_end; struct list_head list; union { u64 subtree_max_size; struct vm_struct *vm; }; };
`;
const text = 0xffff_ffff_8100_0000n;

/** @param asked pages, and who asked for them: a function and how far behind its start */
function withAreas(...asked: readonly (readonly [pages: number, by: string, offset: number])[]) {
  const { kernel } = new HoldingMachine('new', vmallocTypes);
  const names = [...new Set(asked.map(([, by]) => by))];
  for (const [i, name] of names.entries()) kernel.define(name, text + BigInt(i * 0x100), 0x100);
  const head = kernel.allocate('struct list_head', 'vmap_area_list');
  const areas = asked.map(([pages, by, offset], i) => {
    const vm = kernel.allocate('struct vm_struct');
    kernel.set(vm, 'nr_pages', pages);
    kernel.set(vm, 'caller', text + BigInt(names.indexOf(by) * 0x100 + offset));
    const area = kernel.allocate('struct vmap_area');
    kernel.set(area, 'va_start', 0x1000 * (i + 1));
    kernel.set(area, 'va_end', 0x1000 * (i + 2));
    kernel.set(area, 'vm', vm);
    return area;
  });
  kernel.link(head.address, ...areas.map((area) => area.member('list').address));
  return kernel;
}

describe('vmalloc', () => {
  test('a function that asked at several places is one', () => {
    const kernel = withAreas([256, 'leak', 0x10], [512, 'leak', 0x40], [256, 'load_module', 0x20]);
    assert.equal(holderOf(kernel, 'vmalloc', 1e9)?.words, 'leak asked for 3 MiB of it in 2 areas');
  });

  test('nobody is named where nobody has a half of it', () => {
    assert.equal(holderOf(withAreas([256, 'a', 0], [256, 'b', 0], [256, 'c', 0]), 'vmalloc', 1e9), null);
  });

  test('tables of per-CPU memory are told with that, and hide nobody else', () => {
    const kernel = withAreas([1024, 'pcpu_create_chunk', 0x10], [512, 'pcpu_mem_zalloc', 0x10], [256, 'leak', 0x10]);
    assert.equal(perCpuTables(kernel), 1536 * 4096);
    assert.match(holderOf(kernel, perCpuUse, 1e9)!.words, /^6 MiB of it are tables of its chunks/);
    assert.equal(holderOf(kernel, 'vmalloc', 1e9)?.words, 'leak asked for 1 MiB of it in 1 area');
  });

  test('without such tables nothing is said of them', () => {
    assert.equal(holderOf(withAreas([256, 'leak', 0]), perCpuUse, 1e9), null);
  });
});

describe('what files hold of memory that no counter knows', () => {
  const uncounted = 'not counted (pages)';

  test('the process that has most of it open, and the pipe that holds most', () => {
    const world = new HoldingMachine();
    const full = world.pipe({ head: 1024, tail: 0, ring_size: 1024 });
    world.process(5, [full, world.pipe({ head: 512, tail: 0, ring_size: 1024 })]);
    world.process(6, [world.pipe({ head: 256, tail: 0, ring_size: 1024 })]);
    const holder = holderOf(world.linked(), uncounted, 70e6)!;
    assert.equal(
      holder.words,
      'pipes keep 7 MiB: 3 have what was written and nobody has read, most of it in pipes of p5 (pid 5)',
    );
    assert.match(holder.command, new RegExp(`${full.member('i_pipe').pointer().toString(16)}$`));
  });

  test('sockets before pipes where those hold more; nobody where it is a crumb', () => {
    const world = new HoldingMachine();
    world.process(5, [world.socket({ received: 1 << 20 }), world.pipe({ head: 1, tail: 0, ring_size: 16 })]);
    const kernel = world.linked();
    assert.match(holderOf(kernel, uncounted, 1 << 21)!.words, /^sockets keep 1 MiB: 1 have what was sent/);
    assert.equal(holderOf(kernel, uncounted, 1 << 30), null);
  });

  test('other uses of memory have no holder', () => {
    assert.equal(holderOf(new HoldingMachine().linked(), 'page tables', 1e9), null);
  });
});
