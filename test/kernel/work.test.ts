// Long work can be stopped: everything that walks or reads memory asks whether it is still wanted, and what was stopped
// in the middle is read anew by whoever asks next.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pfn } from '../../src/base/address.ts';
import type { Charge } from '../../src/base/budget.ts';
import { Cancelled, type Work } from '../../src/base/work.ts';
import { PagedMemory } from '../../src/dump/paged_memory.ts';
import { hlistEntries, listEntries } from '../../src/kernel/list.ts';
import { rbEntries } from '../../src/kernel/rbtree.ts';
import { xarrayEntries } from '../../src/kernel/xarray.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

/** Work that is cancelled when it has charged more than so much of a kind. */
function until(kind: Charge, most: number): Work & { charged: number } {
  return {
    charged: 0,
    charge(what, amount) {
      if (what !== kind) return;
      this.charged += amount;
      if (this.charged > most) throw new Cancelled();
    },
    progress: () => {},
  };
}

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct hlist_node { struct hlist_node *next; struct hlist_node **pprev; };
  struct hlist_head { struct hlist_node *first; };
  struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right, *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
  struct xa_node { u8 shift; void *slots[64]; };
  struct xarray { void *xa_head; };
  struct item { struct list_head list; struct hlist_node hash; struct rb_node tree; };
`;

describe('a walk charges each node, and ends where it is cancelled', () => {
  const kernel = new SyntheticKernel(types);
  const items = Array.from({ length: 5 }, () => kernel.allocate('struct item'));
  const list = kernel.allocate('struct list_head');
  kernel.link(list.address, ...items.map((item) => item.member('list').address));
  const hash = kernel.allocate('struct hlist_head');
  const tree = kernel.allocate('struct rb_root');
  kernel.set(hash, 'first', items[0]!.member('hash').address);
  kernel.set(tree, 'rb_node', items[0]!.member('tree').address);
  for (const [i, item] of items.slice(1).entries()) {
    kernel.set(items[i]!, 'hash.next', item.member('hash').address);
    kernel.set(items[i]!, 'tree.rb_right', item.member('tree').address);
  }
  const array = kernel.allocate('struct xarray');
  let below = kernel.reserve(8) as bigint;
  for (const shift of [0, 6, 12, 18, 24]) {
    const node = kernel.allocate('struct xa_node');
    kernel.set(node, 'shift', shift);
    kernel.set(node, 'slots[1]', shift === 0 ? below : below | 2n);
    below = node.address;
  }
  kernel.set(array, 'xa_head', below | 2n);

  for (const [name, walk] of [
    ['list', () => listEntries(list, 'struct item', 'list')],
    ['hlist', () => hlistEntries(hash, 'struct item', 'hash')],
    ['red-black tree', () => rbEntries(tree, 'struct item', 'tree', kernel.faults)],
    ['xarray', () => xarrayEntries(array, kernel.faults)],
  ] as const) {
    test(name, () => {
      const all = until('nodes', 1000);
      kernel.work.during(all, () => [...walk()]);
      assert.equal(all.charged, 5);
      const { faults } = kernel.faults.collect(() =>
        assert.throws(() => kernel.work.during(until('nodes', 2), () => [...walk()]), Cancelled),
      );
      assert.deepEqual(faults, [], 'a cancelled walk is no damage');
    });
  }
});

test('what was cancelled in the middle is read anew, and whole', () => {
  const kernel = machine({ cpus: 1 });
  linkTasks(
    kernel,
    [7, 8, 9].map((pid) => newTask(kernel, { pid })),
  );
  assert.throws(() => kernel.work.during(until('nodes', 2), () => kernel.tasks), Cancelled);
  const { value, faults } = kernel.faults.collect(() => kernel.tasks.all.map(({ pid }) => pid));
  assert.deepEqual([value, faults], [[0, 7, 8, 9], []]);
});

test('a name that was looked for in modules until it was cancelled is looked for again', () => {
  const kernel = new SyntheticKernel(`${types}
    enum module_state { MODULE_STATE_LIVE };
    struct module {
      enum module_state state; struct list_head list; char name[56]; unsigned long taints;
      void *symtab; unsigned int num_symtab; char *strtab;
    };
  `);
  const head = kernel.allocate('struct list_head', 'modules');
  const module = kernel.allocate('struct module');
  kernel.set(module, 'name', 'widget');
  kernel.link(head.address, module.member('list').address);
  const symbols = kernel.reserve(24);
  const names = kernel.reserve(16);
  kernel.space.write(names, Buffer.from('frob\0'));
  kernel.space.words(symbols, 0x7400_0000_0000n, 0xffff_ffff_c000_0010n, 16n);
  kernel.set(module, 'symtab', symbols);
  kernel.set(module, 'num_symtab', 1);
  kernel.set(module, 'strtab', names);
  assert.throws(() => kernel.work.during(until('nodes', 0), () => kernel.symbols.find('frob')), Cancelled);
  assert.equal(kernel.symbols.find('frob')?.module, 'widget');
});

test('pages are charged when they are read from the file, and those at hand now and then', () => {
  const memory = new PagedMemory({
    pageSize: 4096,
    maxPfn: 16,
    state: () => 'present',
    load: () => 'present',
    loadRun: () => 1,
    presentRuns: () => [],
    ramRanges: () => [],
  });
  const work = until('bytes', 1e9);
  memory.work.during(work, () => {
    for (let i = 0; i < 100; i++) memory.page(pfn(i & 3));
  });
  assert.equal(work.charged, 4 * 4096);
  let asked = 0;
  memory.work.during({ charge: () => void asked++, progress: () => {} }, () => {
    for (let i = 0; i < 10_000; i++) memory.page(pfn(1));
  });
  assert.ok(asked > 10 && asked < 1000);
});
