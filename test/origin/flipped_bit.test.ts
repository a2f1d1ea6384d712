// A pointer that is one bit away from an object points to memory that fails: said of any other garbage, it sends people
// to change good memory.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flippedBit } from '../../src/origin/flipped_bit.ts';
import { SlabWriter, slubTypes } from '../support/slab_writer.ts';

/** A slab of four objects; the third is free. */
function slab() {
  const writer = new SlabWriter(slubTypes(true));
  const cache = writer.cache({ name: 'dentry', size: 64 });
  const made = writer.slab(cache, { objects: 4, free: [2] });
  return { kernel: writer.kernel, object: (index: number) => writer.objectAddress(cache, made, index) };
}

describe('no bit is blamed', () => {
  test('for a pointer to memory that is there', () => {
    const { kernel, object } = slab();
    assert.equal(flippedBit(kernel, object(1)), null);
  });
  test('for NULL, text, and a poison pattern', () => {
    const { kernel } = slab();
    for (const pointer of [0n, 0x4141_4141_4141_4141n, 0x6b6b_6b6b_6b6b_6b6bn, 0xdead_0000_0000_0100n])
      assert.equal(flippedBit(kernel, pointer), null);
  });
  test('where the object is free: nobody would point to it', () => {
    const { kernel, object } = slab();
    assert.equal(flippedBit(kernel, object(2) ^ (1n << 52n)), null);
  });
  test('for a low bit, that leads from one object to another', () => {
    const { kernel, object } = slab();
    assert.equal(flippedBit(kernel, object(1) ^ (1n << 30n)), null);
  });
  test('where two bits are the other way', () => {
    const { kernel, object } = slab();
    assert.equal(flippedBit(kernel, object(1) ^ (1n << 52n) ^ (1n << 60n)), null);
  });
});

test('an upper bit, with the object that was meant', () => {
  const { kernel, object } = slab();
  for (const bit of [40, 47, 52, 63])
    assert.deepEqual(flippedBit(kernel, object(1) ^ (1n << BigInt(bit))), {
      bit,
      address: object(1),
      what: 'an object of dentry',
    });
});
