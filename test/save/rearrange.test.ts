// A flattened stream from standard input: put in order as `makedumpfile -R` does, and as far as it goes when it is cut.
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/base/errors.ts';
import { FileOutput } from '../../src/save/output.ts';
import { rearrange } from '../../src/save/rearrange.ts';
import { flatten, writeFlattened } from '../support/dump_writers/flattened.ts';

function arranged(test: TestContext, stream: Uint8Array): { bytes: Uint8Array; error: unknown } {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-rearrange-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  const [from, to] = [join(folder, 'stream'), join(folder, 'file')];
  writeFileSync(from, stream);
  const descriptor = openSync(from, 'r');
  const output = new FileOutput(to);
  let error: unknown = null;
  try {
    rearrange(descriptor, output);
  } catch (thrown) {
    error = thrown;
  }
  output.close();
  closeSync(descriptor);
  const bytes = new Uint8Array(readFileSync(to));
  rmSync(folder, { recursive: true });
  return { bytes, error };
}

it('a stream is put in order, whatever its records are', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 20_000 }),
      fc.integer({ min: 1, max: 5000 }),
      (bytes, size) => {
        const { bytes: got, error } = arranged(t, flatten(bytes, size));
        assert.equal(error, null);
        assert.deepEqual(got, bytes);
      },
    ),
    { numRuns: 30 },
  );
});

it('later records win, and what none writes is zeroes', (t) => {
  const stream = writeFlattened([
    { offset: 4, bytes: Uint8Array.of(1, 2, 3, 4) },
    { offset: 5, bytes: Uint8Array.of(9) },
  ]);
  assert.deepEqual([...arranged(t, stream).bytes], [0, 0, 0, 0, 1, 9, 3, 4]);
});

it('a stream that is cut gives what it has, and says so', (t) => {
  const bytes = Uint8Array.from({ length: 9000 }, (_, i) => i * 7);
  const stream = flatten(bytes, 1000);
  for (const length of [4096 + 16 + 500, 4096 + 1016 * 3, 4096 + 1016 * 3 + 7, stream.length - 3]) {
    const { bytes: got, error } = arranged(t, stream.subarray(0, length));
    assert.ok(error instanceof FormatError);
    assert.deepEqual(got, bytes.subarray(0, got.length));
    assert.ok(got.length > 0);
  }
});

it('refuses what is no stream, and impossible records', (t) => {
  for (const stream of [
    new Uint8Array(10),
    new Uint8Array(8192),
    writeFlattened([{ offset: -5, bytes: Uint8Array.of(1) }]),
    writeFlattened([{ offset: 0, bytes: Uint8Array.of(1), size: -7 }]),
    writeFlattened([{ offset: 2n ** 62n, bytes: Uint8Array.of(1) }]),
  ]) {
    assert.ok(arranged(t, stream).error instanceof FormatError);
  }
});
