import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader, latin1 } from '../../src/base/byte_reader.ts';
import { FormatError } from '../../src/base/errors.ts';

test("reading past the end is an error that names the thing, never a neighbour's bytes", () => {
  const whole = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const reader = new ByteReader(whole.subarray(0, 4), 'kdump header');
  assert.equal(reader.u32(), 0x04030201);
  assert.throws(
    () => reader.u8(),
    (error) => error instanceof FormatError && error.message.startsWith('kdump header:'),
  );
  assert.throws(() => new ByteReader(whole, 'x', true, 8).u16(), FormatError);
  assert.throws(() => new ByteReader(whole, 'x').take(-1), FormatError);
  assert.throws(() => new ByteReader(whole, 'x').skip(Number.NaN), FormatError);
});

test('both byte orders', () => {
  const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(new ByteReader(bytes, 'x', true).u64(), 0x0807060504030201n);
  assert.equal(new ByteReader(bytes, 'x', false).u64(), 0x0102030405060708n);
});

test('a size that is not exact as a number is refused', () => {
  const bytes = new Uint8Array(8).fill(0xff);
  assert.throws(() => new ByteReader(bytes, 'x').size64(), FormatError);
  fc.assert(
    fc.property(fc.maxSafeNat(), (n) => {
      const b = new Uint8Array(8);
      new DataView(b.buffer).setBigUint64(0, BigInt(n), true);
      assert.equal(new ByteReader(b, 'x').size64(), n);
    }),
  );
});

test('text ends at a NUL or at its end', () => {
  const bytes = new Uint8Array([97, 98, 0, 99, 0xe9]);
  assert.equal(latin1(bytes), 'ab');
  assert.equal(latin1(bytes, 3), 'cé');
  assert.equal(latin1(bytes, 1, 2), 'b');
});
