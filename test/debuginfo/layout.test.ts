// Structs in bulk: what the words say must be what the members say, and a page that is missing must cost no more than
// the structs that lie in it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { FormatError } from '../../src/base/errors.ts';
import { Layout, layout } from '../../src/debuginfo/layout.ts';
import { parseCTypes } from '../support/c_types.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const at = 0xffff_8880_0000_0000n;
const types = parseCTypes(
  'struct item { u32 id; u8 kind, flags; u16 size; u64 next; u32 more[20]; unsigned bit : 3; };',
);
const item = types.find('struct item')!;

/** Items of 104 bytes, numbered. */
function items(count: number): SyntheticSpace {
  const space = new SyntheticSpace();
  const words = new Uint32Array((count * 104) / 4);
  for (let i = 0; i < count; i++) {
    words[i * 26] = i;
    words[i * 26 + 1] = (0xabcd << 16) | (7 << 8) | 5;
    words[i * 26 + 2] = i;
    words[i * 26 + 3] = 0xffff_8880;
  }
  space.write(at, new Uint8Array(words.buffer));
  return space;
}

describe('a layout', () => {
  const wanted = layout(item, { id: 'id', flags: 'flags', size: 'size', next: 'next', third: 'more[2]', gone: 'gone' });

  test('has the words of members, and -1 for those that this kernel has not', () => {
    assert.deepEqual(wanted.at, { id: 0, flags: 1, size: 1, next: 2, third: 6, gone: -1 });
    assert.deepEqual(wanted.shift, { id: 0, flags: 8, size: 16, next: 0, third: 0, gone: 0 });
    assert.equal(wanted.stride * 4, wanted.size);
  });
  test('refuses what it cannot say in words', () => {
    assert.throws(() => layout(item, { bit: 'bit' }), FormatError);
    assert.throws(() => new Layout('struct odd', 6, { a: 0 }), FormatError);
    assert.throws(() => new Layout('struct far', 8, { a: 8 }), FormatError);
  });
  test('reads an array at once, from any address', () => {
    const space = items(300);
    for (const first of [0, 7]) {
      const rows = wanted.read(space, virtAddr(at + BigInt(first * 104)), 290);
      assert.equal(rows.fault, null);
      for (let row = 0; row < 290; row++) {
        assert.ok(rows.readable(row));
        assert.equal(rows.words[row * rows.stride + rows.at.id], first + row);
        assert.equal(rows.u64(row, rows.at.next), 0xffff_8880_0000_0000n + BigInt(first + row));
        assert.equal((rows.words[row * rows.stride + rows.at.flags]! >>> wanted.shift.flags) & 0xff, 7);
      }
    }
  });
  test('takes the room of rows read before, and shows nothing of them', () => {
    const space = items(300);
    const before = wanted.read(space, virtAddr(at), 300);
    const after = wanted.read(space, virtAddr(at + 104n), 3, before);
    assert.equal(after.room, before.room);
    assert.equal(after.words.length, 3 * 26);
    assert.equal(after.words[0], 1);
    assert.equal(wanted.read(space, virtAddr(at), 300, after).words[299 * 26], 299);
  });
  test('loses the structs on a missing page, and no others', () => {
    const space = items(300);
    const all = wanted.read(space, virtAddr(at), 300);
    space.exclude(at + 2n * 4096n);
    space.exclude(at + 7n * 4096n + 4000n);
    const rows = wanted.read(space, virtAddr(at), 300, all);
    const lost = (row: number) => [2, 7].some((page) => row * 104 < (page + 1) * 4096 && (row + 1) * 104 > page * 4096);
    for (let row = 0; row < 300; row++) {
      assert.equal(rows.readable(row), !lost(row), `row ${row}`);
      if (!lost(row)) assert.equal(rows.words[row * 26], row);
    }
    assert.equal(rows.fault?.address, at + 2n * 4096n);
    assert.equal(rows.words[Math.ceil((2 * 4096) / 104) * 26], 0, 'nothing is left of what was there before');
  });
  test('reads nothing where nothing is mapped', () => {
    const rows = wanted.read(items(1), virtAddr(0x1000n), 100);
    assert.ok(Array.from({ length: 100 }, (_, row) => rows.readable(row)).every((readable) => !readable));
  });
});
