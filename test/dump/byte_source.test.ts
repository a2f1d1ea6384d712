// Files read in blocks: what a reader gets must be the file's bytes, wherever blocks and the file end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FileSource } from '../../src/dump/byte_source.ts';
import { tempFiles } from '../support/dump_writers/temp_files.ts';

const size = 100_003;
const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >>> 8)) & 0xff);

test('any reads in any order give the bytes of the file, and no more than there are', (t) => {
  const [path] = tempFiles(t, bytes);
  const lengths = fc.oneof(
    fc.integer({ min: 0, max: 4095 }),
    fc.constant(4096),
    fc.integer({ min: 4097, max: 40_000 }),
  );
  const offsets = fc.oneof(fc.integer({ min: 0, max: size + 10 }), fc.integer({ min: 16_300, max: 16_400 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(offsets, lengths), { maxLength: 40 }), (reads) => {
      const source = new FileSource(path!);
      for (const [offset, length] of reads) {
        const into = new Uint8Array(length);
        const got = source.read(offset, into);
        assert.equal(got, Math.max(0, Math.min(length, size - offset)));
        assert.deepEqual(into.subarray(0, got), bytes.subarray(offset, offset + got));
      }
      source.close();
    }),
    { numRuns: 60 },
  );
});
