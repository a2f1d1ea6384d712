// Compressed pages must come back byte for byte: through our own readers, which makedumpfile's dumps have proven.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Codec, decompressor } from '../../src/dump/codecs.ts';
import { compressor, pagesPacker } from '../../src/save/compress.ts';
import { lzo1xCompress } from '../../src/save/lzo.ts';

const codecs: readonly Codec[] = ['zlib', 'lzo', 'snappy', 'zstd'];

/** Pages of runs, repeats from near and far, and noise. */
const page = (size: number) =>
  fc
    .array(
      fc.oneof(
        fc.record({ kind: fc.constant('noise' as const), length: fc.nat(400), seed: fc.nat() }),
        fc.record({ kind: fc.constant('run' as const), length: fc.nat(3000), seed: fc.nat(255) }),
        fc.record({ kind: fc.constant('again' as const), length: fc.nat(600), seed: fc.nat(20_000) }),
      ),
      { maxLength: 40 },
    )
    .map((pieces) => {
      const bytes = new Uint8Array(size);
      let at = 0;
      for (const { kind, length, seed } of pieces) {
        for (let i = 0; i < length && at < size; i++, at++) {
          if (kind === 'noise') bytes[at] = (Math.imul(i + seed, 2654435761) >>> 13) & 0xff;
          else if (kind === 'run') bytes[at] = seed;
          else bytes[at] = bytes[at - 1 - (seed % Math.max(1, at))] ?? 0;
        }
      }
      return bytes;
    });

describe('a compressed page', () => {
  for (const codec of codecs) {
    it(`comes back from ${codec}, or is told not to get smaller`, () => {
      const [compress, decompress] = [compressor(codec), decompressor(codec)];
      for (const size of [4096, 65536]) {
        const [into, back] = [new Uint8Array(size), new Uint8Array(size)];
        fc.assert(
          fc.property(page(size), (bytes) => {
            const length = compress(bytes, into);
            assert.ok(length < size);
            if (length === 0) return;
            back.fill(0xee);
            assert.equal(decompress(into.slice(0, length), back), size);
            assert.deepEqual(back, bytes);
          }),
          { numRuns: size === 4096 ? 200 : 30 },
        );
      }
      assert.ok(compress(new Uint8Array(4096), new Uint8Array(4096)) > 0, 'zeroes get smaller');
    });
  }
  for (const codec of [...codecs, 'none'] as const) {
    it(`of many by ${codec} is the same as alone`, () => {
      const [compress, pack] = [compressor(codec), pagesPacker(codec)];
      for (const size of [4096, 65536]) {
        const one = fc.oneof(page(size), fc.constant(new Uint8Array(size)));
        fc.assert(
          // more than are packed at a time, some of them
          fc.property(fc.array(one, { maxLength: 5 }), fc.nat(40), fc.boolean(), (some, times, dropsZeroes) => {
            const pages = Array.from({ length: size === 4096 ? times : 1 }, () => some).flat();
            const parts = pages.map((bytes) => {
              if (dropsZeroes && bytes.every((byte) => byte === 0)) return new Uint8Array(0);
              const into = new Uint8Array(size);
              const length = compress(bytes, into);
              return length === 0 ? bytes : into.subarray(0, length);
            });
            const [into, sizes] = [new Uint8Array(pages.length * size), new Uint32Array(pages.length)];
            const used = pack(Buffer.concat(pages), size, dropsZeroes, into, sizes);
            assert.deepEqual(
              [...sizes],
              parts.map(({ length }) => length),
            );
            assert.ok(Buffer.concat(parts).equals(into.subarray(0, used)));
          }),
          { numRuns: 20 },
        );
      }
    });
  }
  it('that may take its time comes back too, and is smaller', () => {
    // objects of 96 bytes with pointers, as slabs have them
    const bytes = new Uint8Array(4096);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < 4000; at += 8) {
      const isPointer = at % 96 < 40;
      const near = Math.imul(at * at + 3, 40_503) & 0xffff80;
      view.setBigUint64(at, isPointer ? 0xffff_8880_0000_0000n + BigInt(near) : BigInt(at % 96), true);
    }
    const [into, back] = [new Uint8Array(4096), new Uint8Array(4096)];
    const length = compressor('zstd', true)(bytes, into);
    assert.ok(length > 0 && length < compressor('zstd')(bytes, new Uint8Array(4096)));
    assert.equal(decompressor('zstd')(into.slice(0, length), back), 4096);
    assert.deepEqual(back, bytes);
  });
  it('by lzo does not depend on what lies behind it', () => {
    const packed = ['X', 'Y'].map((next) => {
      const two = Buffer.alloc(8192, next).fill(0x11, 0, 4096);
      two.write('ABCDX', 100);
      two.write('ABCD', 4092); // which goes on as before, or not
      const [into, sizes] = [new Uint8Array(8192), new Uint32Array(2)];
      pagesPacker('lzo')(two, 4096, false, into, sizes);
      return into.slice(0, sizes[0]);
    });
    assert.deepEqual(packed[0], packed[1]);
  });

  it('of nothing that repeats is kept as it is', () => {
    const noise = Uint8Array.from({ length: 4096 }, (_, i) => Math.imul(i * i + 7, 2654435761) >>> 24);
    for (const codec of [...codecs, 'none' as const]) {
      const length = compressor(codec)(noise, new Uint8Array(4096));
      assert.ok(length === 0 || length > 3000, codec);
    }
  });
  it('by lzo stays below the size that is wanted', () => {
    const text = Buffer.from('abcdefghij'.repeat(400));
    const length = lzo1xCompress(text, new Uint8Array(4096));
    assert.ok(length > 0 && length < 100);
    assert.equal(lzo1xCompress(text, new Uint8Array(4096), length - 1), 0);
  });
});
