// Addresses that pointer authentication spoiled.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { failedAuthentication } from '../../src/arch/aarch64/pointer_authentication.ts';

test('an error code in bits 62 and 61 of an address without a signature: what it was', () => {
  assert.equal(failedAuthentication(0xbfff_8000_8123_4567n), 0xffff_8000_8123_4567n); // key A
  assert.equal(failedAuthentication(0xdfff_8000_8123_4567n), 0xffff_8000_8123_4567n); // key B
  assert.equal(failedAuthentication(0x2000_0000_4141_4141n), 0x4141_4141n);
  assert.equal(failedAuthentication(0x4000_0000_4141_4141n), 0x4141_4141n);
});

test('what is no such address is left alone: sound ones, signed ones, text', () => {
  for (const address of [0xffff_8000_8123_4567n, 0x40_1000n, 0xbf2a_8000_8123_4567n, 0x4141_4141_4141_4141n, 0n])
    assert.equal(failedAuthentication(address), null);
});

test('any address that a CPU spoils is known again', () => {
  const low = fc.bigInt({ min: 0n, max: (1n << 48n) - 1n });
  fc.assert(
    fc.property(low, fc.boolean(), fc.constantFrom(1n, 2n), (bits, isKernel, error) => {
      const address = isKernel ? 0xffff_0000_0000_0000n | bits : bits;
      assert.equal(failedAuthentication((address & ~(3n << 61n)) | (error << 61n)), address);
    }),
  );
});
