// A search must find what is there, once, wherever pages, windows and chunks of the work begin and end.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pfn } from '../../src/base/address.ts';
import { Cancelled, type Work } from '../../src/base/work.ts';
import type { Dump } from '../../src/dump/dump.ts';
import { Matcher, type SearchPattern, searchMemory } from '../../src/dump/search.ts';
import { writeElfCore } from '../support/dump_writers/elf_core.ts';
import { type PageDescriptor, writeKdump } from '../support/dump_writers/kdump.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';

const hits = (dump: Dump, pattern: SearchPattern, options: Parameters<typeof searchMemory>[2] = { threads: 1 }) =>
  [...searchMemory(dump, pattern, options)].map(({ address, which }) => [address, which]);

/** Every place where a word of a pattern is, the slow way. */
function slowly(bytes: Uint8Array, pattern: SearchPattern): [number, number][] {
  const found: [number, number][] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (pattern.kind === 'strings') {
    for (let at = 0; at < bytes.length; at++) {
      for (const [which, string] of pattern.strings.entries()) {
        if (string.every((byte, i) => bytes[at + i] === byte)) found.push([at, which]);
      }
    }
    return found;
  }
  const { size, values, ignore } = pattern;
  for (let at = 0; at + size <= bytes.length - (bytes.length % 8); at += size) {
    const word =
      size === 8
        ? view.getBigUint64(at, true)
        : BigInt(size === 4 ? view.getUint32(at, true) : view.getUint16(at, true));
    for (const [which, value] of values.entries()) {
      if (BigInt.asUintN(size * 8, (word ^ value) & ~ignore) === 0n) found.push([at, which]);
    }
  }
  return found;
}

describe('a matcher', () => {
  const few = fc.constantFrom(0, 1, 0x80, 0xff);
  const size = fc.constantFrom<2 | 4 | 8>(2, 4, 8);

  it('finds words of every size under any mask', () => {
    const value = fc.array(few, { minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).readBigUInt64LE());
    fc.assert(
      fc.property(
        fc.array(few, { maxLength: 400 }),
        size,
        fc.array(value, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(0n, 0xffn, 0xff00n, 0xffff_ffffn, 0xffff_ffff_0000_0000n, 0x00ff_0000_0000_00ffn),
        (bytes, size, values, ignore) => {
          const window = Uint8Array.from(bytes);
          const pattern = { kind: 'words', size, values, ignore } as const;
          const matcher = new Matcher(pattern);
          matcher.match(window, false);
          const found = matcher.offsets.map((at, i) => [at, matcher.which[i]]);
          assert.deepEqual(found, slowly(window, pattern));
        },
      ),
    );
  });

  it('finds strings, across windows too, and each once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(few, { maxLength: 12 }), { maxLength: 12 }),
        fc.array(fc.array(few, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
        (windows, strings) => {
          const pattern = { kind: 'strings', strings: strings.map((bytes) => Uint8Array.from(bytes)) } as const;
          const matcher = new Matcher(pattern);
          const found: [number, number][] = [];
          let base = 0;
          for (const bytes of windows) {
            matcher.match(Uint8Array.from(bytes), base > 0);
            matcher.offsets.forEach((at, i) => {
              found.push([base + at, matcher.which[i]!]);
            });
            base += bytes.length;
          }
          found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
          assert.deepEqual(found, slowly(Uint8Array.from(windows.flat()), pattern));
        },
      ),
    );
  });

  it('does not join what does not follow on', () => {
    const matcher = new Matcher({ kind: 'strings', strings: [Buffer.from('abcd')] });
    matcher.match(Buffer.from('xxab'), false);
    matcher.match(Buffer.from('cdxx'), false);
    assert.deepEqual(matcher.offsets, []);
  });
});

describe('a search of a dump', () => {
  /** Pages with a number of its own at the start of each, and a string across every boundary. */
  const pageOf = (n: number): Uint8Array => {
    const bytes = Buffer.alloc(4096);
    bytes.writeUInt32LE(0xabcd_0000 + n, 16);
    bytes.write('needle', 4093, 'latin1'); // 'nee'
    bytes.write('dle', 0, 'latin1');
    return bytes;
  };
  const needle = { kind: 'strings', strings: [Buffer.from('needle')] } as const;

  it('finds each word once, by ascending address, over windows and gaps', (t) => {
    const pages = new Map(
      [5, 6, 7, 100, 101, ...Array.from({ length: 300 }, (_, i) => 200 + i)].map((n) => [n, pageOf(n)]),
    );
    for (const compression of ['none', 'zlib'] as const) {
      const dump = openBytes(t, writeKdump({ pages, compression }));
      const all = { kind: 'words', size: 4, values: [0xabcd_0000n], ignore: 0xffffn } as const;
      assert.deepEqual(
        hits(dump, all),
        [...pages.keys()].map((n) => [n * 4096 + 16, 0]),
      );
      assert.deepEqual(hits(dump, all, { threads: 1, from: pfn(101), to: pfn(202) }), [
        [101 * 4096 + 16, 0],
        [200 * 4096 + 16, 0],
        [201 * 4096 + 16, 0],
      ]);
      const together = [...pages.keys()].filter((n) => pages.has(n + 1));
      assert.deepEqual(
        hits(dump, needle),
        together.map((n) => [n * 4096 + 4093, 0]),
      );
      // a string that begins in the range and ends behind it is found, one that begins before it is not
      assert.deepEqual(hits(dump, needle, { threads: 1, from: pfn(6), to: pfn(7) }), [[6 * 4096 + 4093, 0]]);
    }
  });

  it('goes on behind pages that cannot be read, and tells them', (t) => {
    const pages = new Map(Array.from({ length: 20 }, (_, n) => [n, pageOf(n)]));
    const descriptor = (n: number, d: PageDescriptor) => {
      if (n === 7) d.size = 99_999;
    };
    const dump = openBytes(t, writeKdump({ pages, compression: 'zlib', lies: { descriptor } }));
    const failed: number[] = [];
    const found = hits(
      dump,
      { kind: 'words', size: 4, values: [0xabcd_0000n], ignore: 0xffn },
      { threads: 1, failed: (n, fault) => failed.push(n, fault.reason === 'corrupt' ? 1 : 0) },
    );
    assert.equal(found.length, 19);
    assert.deepEqual(failed, [7, 1]);
  });

  it('finds the same with threads, in the same order, at the borders of their shares too', (t) => {
    const bytes = new Uint8Array(36 * 1024 * 1024); // three shares
    const words = new Uint32Array(bytes.buffer);
    for (let at = 0; at < words.length; at += 1 << 19) words[at] = 0xabcd_0001 + at;
    for (let at = 16 * 1024 * 1024; at < bytes.length; at += 16 * 1024 * 1024) bytes.set(Buffer.from('needle'), at - 3);
    const dump = openBytes(t, writeElfCore({ segments: [{ address: 0x10_0000, bytes }], notes: [] }));
    for (const pattern of [{ kind: 'words', size: 4, values: [0xabcd_0001n], ignore: 0x0fff_ffffn } as const, needle]) {
      const alone = hits(dump, pattern);
      assert.ok(alone.length >= 2);
      assert.deepEqual(hits(dump, pattern, { threads: 2 }), alone);
    }
  });

  it('tells how far it is, and ends when it is cancelled', (t) => {
    const bytes = new Uint8Array(9000 * 4096);
    const dump = openBytes(t, writeElfCore({ segments: [{ address: 0, bytes }], notes: [] }));
    const seen: number[] = [];
    const work: Work = {
      charge: () => {
        if (seen.length === 2) throw new Cancelled();
      },
      progress: (done, total) => {
        assert.equal(total, 9000);
        seen.push(done);
      },
    };
    const pattern = { kind: 'words', size: 8, values: [5n], ignore: 0n } as const;
    assert.throws(() => hits(dump, pattern, { threads: 1, work }), Cancelled);
    assert.deepEqual(seen, [4096, 8192]);
  });
});
