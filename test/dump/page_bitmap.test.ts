import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ByteSource } from '../../src/dump/byte_source.ts';
import { PageBitmap } from '../../src/dump/page_bitmap.ts';

/** Bytes as a file; counts the bytes that were read. */
class MemorySource implements ByteSource {
  readonly path = 'memory';
  readonly identity = 'memory';
  readonly flattened = false;
  readonly warnings = [];
  readonly size: number;
  readonly fileSize: number;
  bytesRead = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.size = this.fileSize = bytes.length;
  }

  read(offset: number, into: Uint8Array): number {
    const part = this.bytes.subarray(offset, offset + into.length);
    into.set(part);
    this.bytesRead += part.length;
    return part.length;
  }

  close(): void {}
}

function naive(bytes: Uint8Array, start: number, length: number): boolean[] {
  return Array.from({ length }, (_, bit) => (bytes[start + (bit >> 3)]! & (1 << (bit & 7))) !== 0);
}

describe('PageBitmap', () => {
  it('has no bits where the file has none: a cut bitmap and one that lies outside', () => {
    const cut = new PageBitmap(new MemorySource(new Uint8Array(10).fill(0xff)), 8, 1000);
    assert.equal(cut.length, 16);
    assert.equal(cut.count(), 16);
    assert.equal(cut.get(16), false);
    const outside = new PageBitmap(new MemorySource(new Uint8Array(10)), 1 << 20, 1000);
    assert.equal(outside.length, 0);
    assert.equal(outside.count(), 0);
    assert.equal(outside.rank(5), 0);
    assert.deepEqual(outside.runs(10), []);
  });

  it('does not take bits of the last byte that are beyond its length', () => {
    const bitmap = new PageBitmap(new MemorySource(new Uint8Array(4).fill(0xff)), 0, 13);
    assert.equal(bitmap.count(), 13);
    assert.deepEqual(bitmap.runs(10), [{ start: 0, end: 13 }]);
  });

  it('agrees with counting bit by bit, in whatever order it is asked', () => {
    const bits = fc.uint8Array({ minLength: 1, maxLength: 20_000, size: 'max' });
    const questions = fc.array(fc.nat(170_000), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(bits, questions, fc.nat(64), (bytes, asked, start) => {
        const length = Math.max(0, (bytes.length - start) * 8);
        const expected = naive(bytes, start, length);
        const below = [0];
        for (const set of expected) below.push(below.at(-1)! + (set ? 1 : 0));
        const bitmap = new PageBitmap(new MemorySource(bytes), start, length);
        for (const bit of asked) {
          assert.equal(bitmap.get(bit), expected[bit] ?? false);
          assert.equal(bitmap.rank(bit), below[Math.min(bit, length)]);
        }
        assert.equal(bitmap.count(), below[length]);
      }),
      { numRuns: 30 },
    );
  });

  it('finds the runs that are there', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 40_000 }), fc.integer({ min: 1, max: 40_000 })), { maxLength: 8 }),
        (gaps) => {
          const runs: { start: number; end: number }[] = [];
          let at = 0;
          for (const [gap, length] of gaps) {
            runs.push({ start: at + gap, end: at + gap + length });
            at += gap + length;
          }
          const bytes = new Uint8Array(Math.ceil(at / 8) + 3);
          for (const { start, end } of runs) for (let bit = start; bit < end; bit++) bytes[bit >> 3]! |= 1 << (bit & 7);
          assert.deepEqual(new PageBitmap(new MemorySource(bytes), 0, bytes.length * 8).runs(100), runs);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('joins the rest when a hostile bitmap has too many runs', () => {
    const bytes = new Uint8Array(100_000).fill(0x55);
    const runs = new PageBitmap(new MemorySource(bytes), 0, 800_000).runs(10);
    assert.equal(runs.length, 10);
    assert.deepEqual(runs[0], { start: 0, end: 1 });
    assert.deepEqual(runs[9], { start: 18, end: 799_999 });
  });

  it('reads nothing before it is asked, and little for a page at the start', () => {
    const source = new MemorySource(new Uint8Array(1 << 20).fill(0xff));
    const bitmap = new PageBitmap(source, 0, 8 << 20);
    assert.equal(source.bytesRead, 0);
    assert.equal(bitmap.rank(1000), 1000);
    assert.ok(source.bytesRead <= 4096);
  });
});
