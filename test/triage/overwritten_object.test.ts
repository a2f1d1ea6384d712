// Whose memory was written past its end: told only where the allocator's own link is what it came to.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { slabCaches } from '../../src/kernel/slab_cache.ts';
import { slub } from '../../src/kernel/slub.ts';
import { overwrittenObject, overwrittenWords } from '../../src/triage/overwritten_object.ts';
import { SlabWriter, sheafTypes, slubTypes } from '../support/slab_writer.ts';

function written(types: string, bytes: { from: number; length: number }) {
  const writer = new SlabWriter(types);
  const cache = writer.cache({ name: 'ticket', size: 64, freePointer: 32 });
  const slab = writer.slab(cache, { objects: 8, free: [4, 3, 6] });
  writer.partial(cache, slab);
  const { kernel } = writer;
  const start = slab.memory + BigInt(bytes.from);
  kernel.space.write(start, Buffer.alloc(bytes.length, 'B'));
  const [read] = slabCaches(kernel);
  const link = slub(kernel).storedNext(read!, slub(kernel).slab(slab.address), 3)!;
  return { kernel, cache: read!, slab, start, link };
}

describe('a free object that was written over', () => {
  for (const types of [slubTypes(true), slubTypes(false), sheafTypes]) {
    test('from the object before it: that was written past its end', () => {
      const { kernel, cache, slab, start, link } = written(types, { from: 2 * 64 + 8, length: 120 });
      const found = overwrittenObject(kernel, cache, [link.values[0]!], []);
      assert.equal(found?.object.address, slab.memory + 3n * 64n);
      assert.match(
        overwrittenWords(found!),
        new RegExp(
          `the text "BBBBBBBBBBBBBBBB\\.\\.\\.".*120 bytes of it begin at ${start.toString(16)}, in the object before it .*past its end`,
        ),
      );
    });
  }

  test('from within: it was written to after it was freed', () => {
    const { kernel, cache, link } = written(slubTypes(true), { from: 3 * 64 + 8, length: 48 });
    const found = overwrittenObject(kernel, cache, [link.values[0]!], []);
    assert.match(overwrittenWords(found!), /in that object, which was written to after it was freed/);
  });

  test('by its struct slab in a register, where the slab is on no list any more', () => {
    const { kernel, cache, slab, link } = written(slubTypes(true), { from: 3 * 64 + 8, length: 48 });
    kernel.link(cache.nodes[0]!.object.member('partial').address);
    assert.equal(overwrittenObject(kernel, cache, [link.values[0]!], [5n]), null);
    assert.notEqual(overwrittenObject(kernel, cache, [link.values[0]!], [slab.memory + 70n]), null);
  });

  test('an address that no object leads to', () => {
    const { kernel, cache } = written(slubTypes(true), { from: 3 * 64 + 8, length: 48 });
    assert.equal(overwrittenObject(kernel, cache, [0x1234_5678_9abc_def0n], []), null);
  });
});
