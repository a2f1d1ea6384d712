// Xarrays, and the radix trees that they were: a wrong index is a wrong pid, a wrong page of a file, a wrong interrupt.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { xarrayEntries, xarrayEntry } from '../../src/kernel/xarray.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct xa_node { unsigned char shift; unsigned char offset; unsigned char count; void *parent; void *slots[64]; };
  struct xarray { unsigned int xa_flags; void *xa_head; };
`;
/** Before 4.20. */
const oldTypes = `
  struct radix_tree_node { unsigned char shift; unsigned char offset; void *parent; void *slots[64]; };
  struct radix_tree_root { unsigned int gfp_mask; void *rnode; };
`;
/** CONFIG_BASE_SMALL. */
const smallTypes = types.replace('slots[64]', 'slots[16]');

const first = 0xffff_8880_1000_0000n;
const second = 0xffff_8880_2000_0000n;
const third = 0xffff_8880_3000_0000n;

class Tree {
  readonly kernel: SyntheticKernel;
  readonly root: KernelObject;
  private readonly tag: bigint;

  constructor(declarations = types) {
    this.kernel = new SyntheticKernel(declarations);
    this.tag = declarations === oldTypes ? 1n : 2n;
    this.root = this.kernel.allocate(declarations === oldTypes ? 'struct radix_tree_root' : 'struct xarray');
  }

  /** What the root holds. */
  head(entry: bigint): this {
    this.kernel.set(this.root, this.root.has('xa_head') ? 'xa_head' : 'rnode', entry);
    return this;
  }

  /** A node with these slots. @returns what leads to it */
  node(shift: number, slots: Readonly<Record<number, bigint>>): bigint {
    const node = this.kernel.allocate(this.tag === 1n ? 'struct radix_tree_node' : 'struct xa_node');
    this.kernel.set(node, 'shift', shift);
    for (const [i, entry] of Object.entries(slots)) this.kernel.set(node, `slots[${i}]`, entry);
    return node.address | this.tag;
  }

  read() {
    const { value, faults } = this.kernel.faults.collect(() => [...xarrayEntries(this.root, this.kernel.faults)]);
    return {
      entries: value.map(({ index, entry, count }) => [index, entry as bigint, count] as const),
      problems: faults.map(({ message }) => message),
    };
  }
}

describe('entries by index', () => {
  test('of an empty one none; an entry that is the root has index 0', () => {
    assert.deepEqual(new Tree().read(), { entries: [], problems: [] });
    assert.deepEqual(new Tree().head(first).read().entries, [[0, first, 1]]);
  });

  test('each level of nodes counts 64 times as much as the one below; 16 where the kernel is small', () => {
    for (const [declarations, bits] of [
      [types, 6],
      [smallTypes, 4],
      [oldTypes, 6],
    ] as const) {
      const tree = new Tree(declarations);
      const low = tree.node(0, { 0: first, 5: second });
      const high = tree.node(0, { 2: third });
      tree.head(tree.node(bits, { 0: low, 3: high }));
      const last = 3 * 2 ** bits + 2;
      assert.deepEqual(tree.read().entries, [
        [0, first, 1],
        [5, second, 1],
        [last, third, 1],
      ]);
      assert.deepEqual(
        [0, 5, 6, last, last + 1, 2 ** (2 * bits)].map((index) => xarrayEntry(tree.root, index)),
        [first, second, null, third, null, null],
      );
    }
  });

  test('one of an order has several indices, whether siblings stand for it or a whole level', () => {
    const tree = new Tree();
    // siblings: internal entries below 64 that tell the slot of their first
    const sibling = (slot: number): bigint => (BigInt(slot) << 2n) | 2n;
    const low = tree.node(0, { 4: first, 5: sibling(4), 6: sibling(4), 7: sibling(4), 8: second });
    tree.head(tree.node(6, { 0: low, 1: third }));
    assert.deepEqual(tree.read().entries, [
      [4, first, 4],
      [8, second, 1],
      [64, third, 64],
    ]);
    assert.deepEqual(
      [6, 8, 64, 100].map((index) => xarrayEntry(tree.root, index)),
      [first, second, third, third],
    );
  });

  test('values are entries as they are; marks of a reader to try again are none', () => {
    const value = (7n << 1n) | 1n;
    const retry = (256n << 2n) | 2n;
    const tree = new Tree();
    assert.deepEqual(tree.head(tree.node(0, { 1: value, 2: retry })).read().entries, [[1, value, 1]]);
  });
});

describe('what is broken', () => {
  test('a node that leads to itself or up costs its own entries', () => {
    const tree = new Tree();
    const low = tree.node(0, { 1: first });
    const loop = tree.node(6, { 1: low });
    tree.kernel.set(tree.kernel.object('struct xa_node', (loop - 2n) as never), 'slots[0]', loop);
    const { entries, problems } = tree.head(loop).read();
    assert.deepEqual(entries, [[65, first, 1]]);
    assert.match(problems.join(), /shift 6 below 6/);
    assert.throws(() => xarrayEntry(tree.root, 3), /shift 6 below 6/);
  });

  test('a node that is not in the dump, too', () => {
    const tree = new Tree();
    const [lost, low] = [tree.node(0, { 1: first }), tree.node(0, { 1: second })];
    tree.head(tree.node(6, { 0: lost, 1: low }));
    tree.kernel.space.exclude(lost - 2n);
    const { entries, problems } = tree.read();
    assert.deepEqual(entries, [[65, second, 1]]);
    assert.equal(problems.length, 1);
  });

  test('a shift that no node has is none', () => {
    for (const shift of [5, 66, 255]) {
      const tree = new Tree();
      assert.deepEqual(tree.head(tree.node(shift, { 1: first })).read().entries, [], `${shift}`);
    }
  });

  test('without the type of its nodes nothing can be told', () => {
    const tree = new Tree('struct xarray { unsigned int xa_flags; void *xa_head; };');
    tree.head(first | 2n);
    assert.throws(() => tree.read(), /xa_node/);
  });
});
