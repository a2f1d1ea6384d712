// Maple trees: which ranges lead where, and what a torn one costs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { mapleEntries, mapleSteps } from '../../src/kernel/maple_tree.ts';
import { type MapleRange, mapleTypes, writeMapleTree } from '../support/maple_tree_writer.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

class World {
  readonly kernel = new SyntheticKernel(mapleTypes);
  readonly tree: KernelObject = this.kernel.allocate('struct maple_tree');

  constructor(ranges: readonly MapleRange[], perLeaf = 15) {
    writeMapleTree(this.kernel, this.tree, ranges, perLeaf);
  }

  read() {
    const { value, faults } = this.kernel.faults.collect(() => [...mapleEntries(this.tree, this.kernel.faults)]);
    return { ranges: value.map(({ first, last, entry }): MapleRange => [first, last, entry]), faults };
  }

  /** Addresses of its nodes, the root first. */
  nodes(): bigint[] {
    const root = this.tree.member('ma_root').pointer();
    return [...mapleSteps(this.kernel, root, this.kernel.faults)].flatMap((step) =>
      step.kind === 'node' ? [step.address] : [],
    );
  }
}

/** `count` ranges of a page, with a page between them. */
const ranges = (count: number): MapleRange[] =>
  Array.from({ length: count }, (_, i) => {
    const first = BigInt(i * 2 + 1) * 4096n;
    return [first, first + 4095n, 0xffff_8880_1000_0000n + BigInt(i) * 64n];
  });

describe('maple tree', () => {
  test('a leaf that cannot be read costs its own entries', () => {
    const world = new World(ranges(20), 8);
    world.kernel.space.exclude(world.nodes()[2]!);
    const { ranges: read, faults } = world.read();
    // the second leaf holds slots 8 to 15: a gap and a range each
    assert.deepEqual(read, [...ranges(20).slice(0, 4), ...ranges(20).slice(8)]);
    assert.equal(faults.length, 1);
  });

  test('a node that holds itself ends', () => {
    const world = new World(ranges(20), 8);
    const root = world.nodes()[0]!;
    world.kernel.set(world.kernel.object('struct maple_node', root as never), 'ma64.slot[1]', root | 0x1en);
    const { faults } = world.read();
    assert.match(faults[0]!.message, /twice/);
  });

  test('a pivot beyond its node stops that node', () => {
    const world = new World(ranges(20), 8);
    const leaf = world.nodes()[1]!;
    world.kernel.set(world.kernel.object('struct maple_node', leaf as never), 'mr64.pivot[2]', 0xffff_ffff_0000n);
    const { ranges: read, faults } = world.read();
    assert.deepEqual(read, [ranges(20)[0], ...ranges(20).slice(4)]);
    assert.equal(faults.length, 1);
  });

  test('a node of an unknown type is told', () => {
    const world = new World(ranges(3));
    world.kernel.set(world.tree, 'ma_root', world.nodes()[0]! | 0x4an);
    assert.match(world.read().faults[0]!.message, /unknown type 9/);
  });

  test('nothing, and a single entry at index 0', () => {
    const world = new World([]);
    assert.deepEqual(world.read(), { ranges: [], faults: [] });
    world.kernel.set(world.tree, 'ma_root', 0);
    assert.deepEqual(world.read(), { ranges: [], faults: [] });
    world.kernel.set(world.tree, 'ma_root', 0xffff_8880_0000_1000n);
    assert.deepEqual(world.read().ranges, [[0n, 0n, 0xffff_8880_0000_1000n]]);
  });

  test('a mark of the tree is no entry', () => {
    // XA_ZERO_ENTRY
    assert.deepEqual(new World([[0x1000n, 0x1fffn, 0x406n]]).read().ranges, []);
  });

  test('positions are the slots on the way', () => {
    const world = new World(ranges(20), 8);
    const root = world.tree.member('ma_root').pointer();
    const steps = [...mapleSteps(world.kernel, root, world.kernel.faults)];
    const held = steps.flatMap((step) => (step.kind === 'entry' && step.entry !== 0n ? [step.position] : []));
    assert.deepEqual(held.slice(0, 5), ['root/0/1', 'root/0/3', 'root/0/5', 'root/0/7', 'root/1/1']);
  });

  test('whatever ranges were stored come back', () => {
    const starts = fc.uniqueArray(fc.bigInt({ min: 0n, max: 2n ** 50n }), { maxLength: 400 });
    fc.assert(
      fc.property(starts, fc.integer({ min: 2, max: 15 }), (found, perLeaf) => {
        const sorted = found.toSorted((a, b) => (a < b ? -1 : 1));
        const stored = sorted.map((first, i): MapleRange => {
          const next = sorted[i + 1] ?? first + 100n;
          return [
            first,
            first + (next - first) / 2n - (next - first === 1n ? 0n : 1n),
            0xffff_8880_0000_0000n + BigInt(i + 1) * 8n,
          ];
        });
        assert.deepEqual(new World(stored, perLeaf).read(), { ranges: stored, faults: [] });
      }),
      { numRuns: 30 },
    );
  });
});
