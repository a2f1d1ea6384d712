import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { snappyCompress } from 'hysnappy';
import { type Codec, decompressor } from '../../src/dump/codecs.ts';
import { lzo1xDecompress } from '../../src/dump/lzo.ts';
import { lzo1xCompress } from '../support/dump_writers/lzo.ts';

const pageSize = 4096;
const compressors: Record<Codec, (bytes: Uint8Array) => Uint8Array> = {
  zlib: (bytes) => zlib.deflateSync(bytes),
  lzo: lzo1xCompress,
  snappy: snappyCompress,
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
};
const codecs = Object.keys(compressors) as Codec[];

/** Bytes with the repetitions, near and far, that memory has. */
const memoryLike = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 24 }), fc.integer({ min: 1, max: 200 })), {
    minLength: 1,
    maxLength: 24,
  })
  .map((parts) =>
    Uint8Array.from(parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => [...bytes]).flat())),
  )
  .map((bytes) => bytes.subarray(0, 16 * pageSize));

for (const codec of codecs) {
  describe(codec, () => {
    const decompress = decompressor(codec);

    it('throws for data that is not its own, and writes nothing past the destination', () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), (src) => {
          const buffer = new Uint8Array(pageSize + 64).fill(0xee);
          let length = 0;
          try {
            length = decompress(src, buffer.subarray(32, 32 + pageSize));
          } catch (error) {
            assert.ok(error instanceof Error);
          }
          assert.ok(length <= pageSize);
          assert.ok(buffer.subarray(0, 32).every((byte) => byte === 0xee));
          assert.ok(buffer.subarray(32 + pageSize).every((byte) => byte === 0xee));
        }),
      );
    });

    it('throws for a page that would not fit: a bomb costs nothing', () => {
      const packed = compressors[codec](new Uint8Array(1024 * 1024));
      assert.throws(() => decompress(packed, new Uint8Array(pageSize)));
    });

    it('throws for every cut of a page', () => {
      const packed = compressors[codec](Uint8Array.from({ length: pageSize }, (_, i) => (i * i) >> 5));
      for (let length = 1; length < packed.length; length += 7) {
        assert.throws(() => decompress(packed.subarray(0, length), new Uint8Array(pageSize)), `${length} bytes`);
      }
    });

    it('still works after it threw', () => {
      const original = new Uint8Array(pageSize).fill(7);
      assert.throws(() => decompress(Uint8Array.of(1, 2, 3, 4), new Uint8Array(pageSize)));
      const page = new Uint8Array(pageSize);
      assert.equal(decompress(compressors[codec](original), page), pageSize);
      assert.deepEqual(page, original);
    });

    it('gives back what was compressed', () => {
      fc.assert(
        fc.property(memoryLike, (original) => {
          const back = new Uint8Array(original.length);
          assert.equal(decompress(compressors[codec](original), back), original.length);
          assert.deepEqual(back, original);
        }),
        { numRuns: 60 },
      );
    });
  });
}

describe('lzo1x', () => {
  const text = (bytes: number[], size = 64): string => {
    const out = new Uint8Array(size);
    return Buffer.from(out.subarray(0, lzo1xDecompress(Uint8Array.from(bytes), out))).toString('latin1');
  };
  const a = 0x61;
  const end = [0x11, 0, 0];

  it('refuses a match before the start of the output', () => {
    assert.throws(() => text([18, a, 0x40 | (2 << 2), 0, ...end]), /before the start/);
  });

  it('refuses bytes after the end mark, and a stream without one', () => {
    assert.throws(() => text([18, a, ...end, 0]), /after the end/);
    assert.throws(() => text([18, a, 0x40]), /too early/);
  });

  it('refuses a run length that is cut, or larger than the output', () => {
    assert.throws(() => text([0, 0, 0]), /too early/);
    assert.throws(() => text([18, a, 0x20, ...new Array<number>(20).fill(0)]), /too early/);
    assert.throws(() => text([255, ...new Array<number>(238).fill(a), ...end]), /does not fit/);
  });

  it('reads an empty stream', () => {
    assert.equal(text(end), '');
  });

  it('reads two bytes from near after one to three literals', () => {
    // "abc" as three first literals, then a two-byte match at distance 3 with one literal more
    assert.equal(text([20, a, a + 1, a + 2, (2 << 2) | 1, 0, 0x7a, ...end]), 'abcabz');
  });

  it('reads three bytes from 2 KiB back after a long run', () => {
    const far = Array.from({ length: 2049 }, (_, i) => 0x41 + (i % 26));
    // a long run: 0, then 255 for each zero byte, then the rest
    const zeroes = Math.floor((2049 - 18) / 255);
    const stream = [0, ...new Array<number>(zeroes).fill(0), 2049 - 18 - 255 * zeroes, ...far, 0, 0, ...end];
    assert.equal(text(stream, 4096).slice(2049), 'ABC');
  });

  it('reads matches from all over a long output', () => {
    const original = Uint8Array.from({ length: 60_000 }, (_, i) => (i * 2654435761) >>> 24);
    original.copyWithin(20_000, 0, 100); // 20000 back: the far form
    original.copyWithin(59_000, 12_000, 12_700); // 47000 back, and long
    original.copyWithin(40_000, 30_000, 30_005); // 10000 back
    const packed = lzo1xCompress(original);
    const back = new Uint8Array(original.length);
    assert.equal(lzo1xDecompress(packed, back), original.length);
    assert.deepEqual(back, original);
  });
});
