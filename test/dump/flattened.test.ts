import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/base/errors.ts';
import { FileSource } from '../../src/dump/byte_source.ts';
import { FlattenedSource } from '../../src/dump/flattened.ts';
import { type FlattenedRecord, flatten, writeFlattened } from '../support/dump_writers/flattened.ts';
import { tempFiles } from '../support/dump_writers/temp_files.ts';

function open(test: TestContext, bytes: Uint8Array): FlattenedSource {
  const source = new FlattenedSource(new FileSource(tempFiles(test, bytes)[0]!));
  test.after(() => source.close());
  return source;
}

function contentOf(source: FlattenedSource): Uint8Array {
  const bytes = new Uint8Array(source.size);
  assert.equal(source.read(0, bytes), source.size);
  return bytes;
}

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

describe('FlattenedSource', () => {
  it('refuses a stream without records, cut in its header, or of a later version', (t) => {
    assert.throws(() => open(t, writeFlattened([])), FormatError);
    assert.throws(() => open(t, writeFlattened([]).subarray(0, 100)), /ends inside its header/);
    assert.throws(() => open(t, writeFlattened([{ offset: 0, bytes: bytes(9, 1) }], { version: 2 })), /version 2/);
  });

  it('gives what a cut stream has, to the byte, and says that it is cut', (t) => {
    const original = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);
    const stream = flatten(original, 1000);
    for (const missing of [16, 17, 500, 1016, 1030]) {
      const source = open(t, stream.subarray(0, stream.length - missing));
      assert.deepEqual(contentOf(source), original.subarray(0, source.size));
      assert.ok(source.size >= 3000 - missing);
      assert.match(source.warnings.join(), /cut/);
    }
  });

  it('stops at an impossible record and keeps what came before', (t) => {
    const good: FlattenedRecord = { offset: 0, bytes: bytes(64, 1) };
    for (const bad of [
      { offset: -5, bytes: bytes(8, 2) },
      { offset: 0, bytes: bytes(8, 2), size: -2 },
      { offset: 2n ** 62n, bytes: bytes(8, 2) },
      { offset: 0, bytes: bytes(8, 2), size: 2n ** 62n },
    ]) {
      const source = open(t, writeFlattened([good, bad, good]));
      assert.deepEqual(contentOf(source), bytes(64, 1), String(bad.offset));
      assert.match(source.warnings.join(), /impossible/);
    }
  });

  it('takes the later of records that overlap, as a header written again', (t) => {
    const source = open(
      t,
      writeFlattened([
        { offset: 0, bytes: bytes(100, 1) },
        { offset: 100, bytes: bytes(100, 2) },
        { offset: 50, bytes: bytes(60, 3) },
        { offset: 0, bytes: bytes(10, 4) },
      ]),
    );
    const content = contentOf(source);
    const expected = Uint8Array.of(...bytes(10, 4), ...bytes(40, 1), ...bytes(60, 3), ...bytes(90, 2));
    assert.deepEqual(content, expected);
    assert.deepEqual(source.warnings, []);
  });

  it('reads what no record writes as zeroes, and no record of size 0', (t) => {
    const source = open(
      t,
      writeFlattened([
        { offset: 20, bytes: bytes(4, 9) },
        { offset: 7, bytes: bytes(0, 0) },
        { offset: 4, bytes: bytes(4, 8) },
      ]),
    );
    assert.deepEqual(contentOf(source), Uint8Array.of(0, 0, 0, 0, 8, 8, 8, 8, ...bytes(12, 0), 9, 9, 9, 9));
  });

  it('reads nothing past the end', (t) => {
    const source = open(t, flatten(bytes(100, 5), 30));
    const into = bytes(20, 1);
    assert.equal(source.read(90, into), 10);
    assert.deepEqual(into, Uint8Array.of(...bytes(10, 5), ...bytes(10, 1)));
    assert.equal(source.read(100, into), 0);
    assert.equal(source.read(1e15, into), 0);
  });

  it('is the file that the records would have written, in any order and overlapping', (t) => {
    const record = fc.record({ offset: fc.nat(400), size: fc.nat(60), seed: fc.integer({ min: 1, max: 255 }) });
    const run = fc
      .record({ offset: fc.nat(400), size: fc.integer({ min: 1, max: 8 }), count: fc.nat(12), seed: fc.nat(255) })
      .map(({ offset, size, count, seed }) =>
        Array.from({ length: count }, (_, i) => ({ offset: offset + i * size, size, seed: (seed + i) & 0xff })),
      );
    const reads = fc.array(fc.tuple(fc.nat(500), fc.nat(100)), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            record.map((one) => [one]),
            run,
          ),
          { minLength: 1, maxLength: 12 },
        ),
        reads,
        (parts, asked) => {
          const records = parts.flat().map(({ offset, size, seed }) => ({ offset, bytes: bytes(size, seed) }));
          const end = Math.max(0, ...records.filter((r) => r.bytes.length > 0).map((r) => r.offset + r.bytes.length));
          if (end === 0) return;
          const expected = new Uint8Array(end);
          for (const { offset, bytes } of records) if (bytes.length > 0) expected.set(bytes, offset);
          const source = new FlattenedSource(new FileSource(tempFiles(t, writeFlattened(records))[0]!));
          assert.deepEqual(contentOf(source), expected);
          for (const [offset, length] of asked) {
            const into = new Uint8Array(length);
            const got = source.read(offset, into);
            assert.deepEqual(into.subarray(0, got), expected.subarray(offset, offset + length));
          }
          source.close();
        },
      ),
      { numRuns: 150 },
    );
  });
});
