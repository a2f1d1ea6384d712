import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { snappyCompress } from 'hysnappy';
import { type Codec, decompressor } from '../../src/dump/codecs.ts';
import { lz4Decompress } from '../../src/dump/lz4.ts';
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

  describe('with runs of zeroes (lzo-rle)', () => {
    const zeroes = (length: number, state = 0): number[] => [
      0x18 | ((length - 4) & 7),
      0xfc | state,
      0xff,
      (length - 4) >> 3,
    ];

    it('reads runs, and the literals behind them', () => {
      const page = new Uint8Array(4096);
      const stream = [17, 1, 17 + 4, a, a, a, a, ...zeroes(2051), ...zeroes(2040, 1), a + 1, ...end];
      assert.equal(lzo1xDecompress(Uint8Array.from(stream), page), 4096);
      assert.deepEqual([...page.subarray(0, 5), page[4094], page[4095]], [a, a, a, a, 0, 0, a + 1]);
    });
    it('refuses a run that does not fit, and one that is cut', () => {
      const stream = [17, 1, 18, a, ...zeroes(2051), ...end];
      assert.throws(() => lzo1xDecompress(Uint8Array.from(stream), new Uint8Array(2000)), /does not fit/);
      assert.throws(
        () => lzo1xDecompress(Uint8Array.from([17, 1, 18, a, 0x18, 0xfc, 0xff]), new Uint8Array(64)),
        /too early/,
      );
    });
    it('takes the same bytes for a far match in a stream without them', () => {
      assert.throws(() => lzo1xDecompress(Uint8Array.from([18, a, ...zeroes(100), ...end]), new Uint8Array(256)));
    });
  });
});

describe('lz4', () => {
  const unpack = (bytes: readonly number[], size = 64): string => {
    const out = new Uint8Array(size);
    return Buffer.from(out.subarray(0, lz4Decompress(Uint8Array.from(bytes), out))).toString('latin1');
  };
  const text = (word: string): number[] => [...Buffer.from(word, 'latin1')];

  it('reads literals, matches that overlap themselves, and lengths that go on', () => {
    assert.equal(unpack([0x50, ...text('hello')]), 'hello');
    assert.equal(unpack([0x21, ...text('ab'), 2, 0, 0x10, ...text('c')]), 'abababac');
    const long = unpack([0x1f, ...text('x'), 1, 0, 255, 3, 0x10, ...text('y')], 400);
    assert.equal(long, `${'x'.repeat(1 + 15 + 255 + 3 + 4)}y`);
    assert.equal(unpack([0xf0, 2, ...text('seventeen letters')]), 'seventeen letters');
  });
  it('refuses a match before the start, an output that is too long, and every cut', () => {
    assert.throws(() => unpack([0x11, ...text('a'), 2, 0, 0x10, ...text('b')]), /before the start/);
    assert.throws(() => unpack([0x11, ...text('a'), 0, 0, 0x10, ...text('b')]), /before the start/);
    assert.throws(() => unpack([0x1f, ...text('a'), 1, 0, 200, 0x00], 64), /does not fit/);
    const whole = [0x21, ...text('ab'), 2, 0, 0x10, ...text('c')];
    for (let length = 0; length < whole.length; length++) {
      if (length !== 3) assert.throws(() => unpack(whole.slice(0, length)), /too early/, `${length} bytes`);
    }
  });
  it('takes any bytes without writing past the destination', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), (src) => {
        const buffer = new Uint8Array(192).fill(0xee);
        try {
          assert.ok(lz4Decompress(src, buffer.subarray(64, 128)) <= 64);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
        assert.ok(buffer.subarray(0, 64).every((byte) => byte === 0xee));
        assert.ok(buffer.subarray(128).every((byte) => byte === 0xee));
      }),
    );
  });
});
