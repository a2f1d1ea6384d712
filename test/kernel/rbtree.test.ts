// Red-black trees: their order, and what a torn one costs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { rbEntries, rbNodes, rbTop } from '../../src/kernel/rbtree.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right, *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
  struct rb_root_cached { struct rb_root rb_root; struct rb_node *rb_leftmost; };
  struct item { int id; struct rb_node node; };
`;

/** A tree of the ids in the order they are inserted, unbalanced: readers do not look at colours. */
class Tree {
  readonly kernel = new SyntheticKernel(types);
  readonly items = new Map<number, KernelObject>();
  readonly root: KernelObject;

  constructor(ids: readonly number[], rootType = 'struct rb_root') {
    this.root = this.kernel.allocate(rootType);
    for (const id of ids) this.insert(id);
  }

  private insert(id: number): void {
    const { kernel } = this;
    const item = kernel.allocate('struct item');
    kernel.set(item, 'id', id);
    this.items.set(id, item);
    const node = item.member('node').address;
    let at = rbTop(this.root);
    if (at === 0n) {
      kernel.space.words(this.root.address, node);
      return;
    }
    for (;;) {
      const parent = kernel.object('struct rb_node', at).containerOf('struct item', 'node');
      const side = id < parent.member('id').number() ? 'node.rb_left' : 'node.rb_right';
      if (parent.member(side).isNull) {
        kernel.set(parent, side, node);
        return;
      }
      at = parent.member(side).pointer();
    }
  }

  ids(): { ids: number[]; faults: number } {
    const { value, faults } = this.kernel.faults.collect(() =>
      [...rbEntries(this.root, 'struct item', 'node', this.kernel.faults)].map((item) => item.member('id').number()),
    );
    return { ids: value, faults: faults.length };
  }

  positions(order: 'ascending' | 'root-first'): string[] {
    return [...rbNodes(this.kernel, rbTop(this.root), this.kernel.faults, order)].map(({ position }) => position);
  }
}

describe('rbtree', () => {
  test('a node that cannot be read costs what is below it, and is told', () => {
    const tree = new Tree([4, 2, 6, 1, 3, 5, 7]);
    tree.kernel.space.exclude(tree.items.get(2)!.address);
    assert.deepEqual(tree.ids(), { ids: [4, 5, 6, 7], faults: 1 });
  });

  test('a tree that leads back to itself ends, and nothing comes twice', () => {
    const tree = new Tree([4, 2, 6]);
    tree.kernel.set(tree.items.get(2)!, 'node.rb_left', tree.items.get(4)!.member('node').address);
    assert.deepEqual(tree.ids(), { ids: [2, 4, 6], faults: 1 });
  });

  test('a chain deeper than any tree is given up', () => {
    const tree = new Tree(Array.from({ length: 200 }, (_, i) => i));
    const { ids, faults } = tree.ids();
    assert.equal(ids.length, 129);
    assert.equal(faults, 1);
  });

  test('an empty tree', () => {
    assert.deepEqual(new Tree([]).ids(), { ids: [], faults: 0 });
  });

  test('a cached root', () => {
    assert.deepEqual(new Tree([2, 1, 3], 'struct rb_root_cached').ids().ids, [1, 2, 3]);
  });

  test('positions, root first and ascending', () => {
    const tree = new Tree([4, 2, 6, 3]);
    assert.deepEqual(tree.positions('root-first'), ['root', 'root/l', 'root/l/r', 'root/r']);
    assert.deepEqual(tree.positions('ascending'), ['root/l', 'root/l/r', 'root', 'root/r']);
  });

  test('ascending is sorted, whatever the shape', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 1000 }), { maxLength: 40 }), (ids) => {
        assert.deepEqual(
          new Tree(ids).ids().ids,
          ids.toSorted((a, b) => a - b),
        );
      }),
      { numRuns: 40 },
    );
  });
});
