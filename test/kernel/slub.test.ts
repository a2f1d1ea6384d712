// Slab caches: a count that is wrong sends people after the wrong leak, a free object that is called allocated (or the
// other way round) after the wrong bug.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { virtAddr } from '../../src/base/address.ts';
import { FormatError, MemoryFault } from '../../src/base/errors.ts';
import { slabCaches } from '../../src/kernel/slab_cache.ts';
import { cacheUse, slabObjectAt, slabObjects } from '../../src/kernel/slab_object.ts';
import { slub } from '../../src/kernel/slub.ts';
import { SlabWriter, sheafTypes, slubTypes } from '../support/slab_writer.ts';

const hardened = () => new SlabWriter(slubTypes(true));

/** The states of a slab's objects, a letter each. */
function states(writer: SlabWriter, slab: { address: bigint }): string {
  const { kernel } = writer;
  const cache = slabCaches(kernel)[0]!;
  return slabObjects(kernel, cache, slub(kernel).slab(virtAddr(slab.address)))
    .map(({ state, cpu }) =>
      state === 'cpu' ? String(cpu) : { allocated: 'A', free: 'f', sheaf: 's', rcu: 'r', unknown: '?' }[state],
    )
    .join('');
}

describe('broken slabs', () => {
  test('a free list that loops ends, and says so', () => {
    const writer = hardened();
    const cache = writer.cache({ name: 'dentry', size: 64 });
    const slab = writer.slab(cache, { objects: 4, free: [2, 0] });
    writer.writeNext(cache, slab, 0, writer.objectAddress(cache, slab, 2));
    const { kernel } = writer;
    const list = slub(kernel).freeList(slabCaches(kernel)[0]!, slub(kernel).slab(slab.address));
    assert.deepEqual(list.objects, [2, 0]);
    assert.match(list.problem?.message ?? '', /loops back to object 2/);
  });
  test('an overwritten link leads nowhere, and does not make other objects free', () => {
    const writer = hardened();
    const cache = writer.cache({ name: 'dentry', size: 64 });
    const slab = writer.slab(cache, { objects: 4, free: [2, 0, 1] });
    writer.kernel.space.words(writer.objectAddress(cache, slab, 2), 0x4141_4141_4141_4141n);
    assert.equal(states(writer, slab), '??f?');
  });
  test('a list that begins outside of its slab is not followed', () => {
    const writer = hardened();
    const cache = writer.cache({ name: 'dentry', size: 64 });
    const slab = writer.slab(cache, { objects: 4, free: [1] });
    const { kernel } = writer;
    for (const first of [slab.memory - 64n, slab.memory + 1n, slab.memory + 256n]) {
      const list = slub(kernel).freeList(slabCaches(kernel)[0]!, slub(kernel).slab(slab.address), virtAddr(first));
      assert.ok(list.problem instanceof FormatError);
      assert.deepEqual(list.objects, []);
    }
  });
  test('memory of a slab that the filter took costs what its list would tell; an empty slab needs no list', () => {
    const writer = hardened();
    const cache = writer.cache({ name: 'dentry', size: 64 });
    const some = writer.slab(cache, { objects: 4, free: [2, 0] });
    const all = writer.slab(cache, { objects: 3, free: [1, 0, 2] });
    for (const slab of [some, all]) writer.kernel.space.exclude(slab.memory);
    assert.equal(states(writer, some), '??f?');
    assert.equal(states(writer, all), 'fff');
    const { kernel } = writer;
    const list = slub(kernel).freeList(slabCaches(kernel)[0]!, slub(kernel).slab(some.address));
    assert.ok(list.problem instanceof MemoryFault && list.problem.reason === 'excluded');
  });
  test('slabs of a CPU that are chained in a circle end with a fault', () => {
    const writer = hardened();
    const cache = writer.cache({ name: 'dentry', size: 64 });
    const slab = writer.slab(cache, { objects: 4, free: [1] });
    writer.cpuPartial(cache, 0, slab);
    writer.kernel.set(slab.object, 'next', slab.address);
    const { kernel } = writer;
    const { value, faults: told } = kernel.faults.collect(() => cacheUse(kernel, slabCaches(kernel)[0]!));
    assert.equal(value.inSlabs, 1);
    assert.match(told[0]?.message ?? '', /loop back/);
  });
  test('a cache without a readable name is still counted', () => {
    const writer = hardened();
    const cache = writer.cache({ name: 'dentry', size: 64 });
    writer.slab(cache, { objects: 4, free: [1] });
    writer.kernel.space.exclude(cache.member('name').pointer());
    const { kernel } = writer;
    const [found] = slabCaches(kernel);
    assert.deepEqual([found?.name, found?.objects], [null, 4]);
  });
  test('a struct that belongs to no page is no slab', () => {
    const { kernel } = hardened();
    const at = kernel.space.linearAddress(0x1000 as never)!;
    assert.throws(() => slub(kernel).slab(at), FormatError);
  });
});

describe('who has an object', () => {
  for (const [name, types, options] of [
    ['hardened free lists', slubTypes(true), {}],
    ['hardened free lists before 5.7', slubTypes(true), { swapped: false }],
    ['plain free lists', slubTypes(false), {}],
  ] as const) {
    test(`${name}: objects of nodes' slabs, of CPUs' slabs and on CPUs' lists`, () => {
      const writer = new SlabWriter(types, options);
      const cache = writer.cache({ name: 'filp', size: 256, redLeft: 64, freePointer: 128 });
      const onNode = writer.slab(cache, { objects: 5, free: [4, 1] });
      writer.partial(cache, onNode);
      const active = writer.slab(cache, { objects: 6, free: [0] });
      writer.active(cache, 1, active, [3, 5]);
      const kept = writer.slab(cache, { objects: 4, free: [2] });
      writer.cpuPartial(cache, 0, kept, writer.slab(cache, { objects: 2, free: [1, 0] }));
      const full = writer.slab(cache, { objects: 3, free: [] });
      assert.equal(states(writer, onNode), 'AfAAf');
      assert.equal(states(writer, active), 'fAA1A1');
      assert.equal(states(writer, kept), 'AAfA');
      assert.equal(states(writer, full), 'AAA');
      const { kernel } = writer;
      const [found] = slabCaches(kernel);
      assert.deepEqual([found?.slabs, found?.objects], [5, 20]);
      assert.deepEqual(cacheUse(kernel, found!), { allocated: 12, inSlabs: 6, onCpus: 2, inSheaves: 0 });
    });
  }
  test('objects in sheaves of CPUs and of a node are free, though their slabs count them as used', () => {
    const writer = new SlabWriter(sheafTypes);
    const cache = writer.cache({ name: 'maple_node', size: 256 });
    const slab = writer.slab(cache, { objects: 8, free: [7] });
    writer.partial(cache, slab);
    const at = (index: number): bigint => writer.objectAddress(cache, slab, index);
    writer.sheaf(cache, 0, 'main', [at(0)]);
    writer.sheaf(cache, 1, 'rcu_free', [at(3)]);
    writer.barn(cache, [at(5), at(2)], []);
    assert.equal(states(writer, slab), 'sAsrAsAf');
    const { kernel } = writer;
    assert.deepEqual(cacheUse(kernel, slabCaches(kernel)[0]!), {
      allocated: 3,
      inSlabs: 1,
      onCpus: 0,
      inSheaves: 4,
    });
  });
  test('any free list gives back the objects that were freed', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 24 })
          .chain((objects) => fc.tuple(fc.constant(objects), fc.shuffledSubarray([...Array(objects).keys()]))),
        fc.constantFrom(16, 24, 96),
        fc.boolean(),
        ([objects, free], size, swapped) => {
          const writer = new SlabWriter(slubTypes(true), { swapped });
          const cache = writer.cache({ name: 'x', size, freePointer: 8 });
          const slab = writer.slab(cache, { objects, free });
          const { kernel } = writer;
          const list = slub(kernel).freeList(slabCaches(kernel)[0]!, slub(kernel).slab(slab.address));
          assert.deepEqual(list, { objects: free, problem: null });
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('the object at an address', () => {
  const writer = hardened();
  const cache = writer.cache({ name: 'filp', size: 128, redLeft: 32 });
  const slab = writer.slab(cache, { objects: 3, free: [2] });
  const at = (offset: number) => slabObjectAt(writer.kernel, virtAddr(slab.memory + BigInt(offset)));

  test('with its neighbours, and how far into it the address is', () => {
    const place = at(128 + 32 + 5);
    assert.equal(place?.object.index, 1);
    assert.equal(place?.object.address, slab.memory + 160n);
    assert.equal(place?.offset, 5);
    assert.deepEqual(
      [place?.previous?.state, place?.object.state, place?.next?.state],
      ['allocated', 'allocated', 'free'],
    );
  });
  test('in the red zone before an object, the offset is negative', () => assert.equal(at(128)?.offset, -32));
  test('the first has none before it, the last none after it', () => {
    assert.equal(at(40)?.previous, null);
    assert.equal(at(300)?.next, null);
  });
  test('the rest of a slab that has no room for another object is in none', () => assert.equal(at(3 * 128), null));
  test('memory of no slab is in none', () => {
    assert.equal(slabObjectAt(writer.kernel, cache.address), null);
    assert.equal(slabObjectAt(writer.kernel, virtAddr(0x40_0000n)), null);
  });
});
