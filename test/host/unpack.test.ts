import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/base/errors.ts';
import { unpack } from '../../src/host/unpack.ts';

const plain = 'what a module is made of, what a module is made of, what a module is made of\n';
/** As `gzip`, `zstd`, `xz --check=crc32` and `lz4 -l` write it. */
const packed = {
  gzip: 'H4sIAAAAAAACAyvPSCxRSFTIzU8pzUlVyCxWyE1MSVXIT9NRKCdZhgsAn5iP5U0AAAA=',
  zstd: 'KLUv/QRoFQEA2HdoYXQgYSBtb2R1bGUgaXMgbWFkZSBvZiwgCgEA3tEcA93IRqg=',
  xz: '/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4ABMACJdADuaCEhp6hKgeo50hm3jKJHTePeuiEc9rICIzYspE27KAAAAAACfmI/lAAE6TX9WQg2QQpkNAQAAAAABWVo=',
  lz4: 'AiFMGCUAAAD/C3doYXQgYSBtb2R1bGUgaXMgbWFkZSBvZiwgGgAbUGUgb2YK',
} as const;

for (const [name, base64] of Object.entries(packed)) {
  const bytes = Buffer.from(base64, 'base64');
  test(`${name}: what was packed comes out`, () => {
    assert.equal(unpack(bytes, 'a.ko', 1000).toString(), plain);
  });
  test(`${name}: too large, cut or damaged is an error that names the file`, () => {
    assert.throws(() => unpack(bytes, 'a.ko', 70), /a\.ko.*cannot be unpacked/);
    assert.throws(() => unpack(bytes.subarray(0, -6), 'a.ko', 1000), /a\.ko/);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const bad = Buffer.from(bytes);
        bad[at] = byte;
        try {
          unpack(bad, 'a.ko', 1000);
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      }),
      { numRuns: 60 },
    );
  });
}

test('lz4 in several blocks, and zeroes behind the last', () => {
  const bytes = Buffer.from(packed.lz4, 'base64');
  const two = Buffer.concat([bytes, bytes.subarray(4), Buffer.alloc(16)]);
  assert.equal(unpack(two, 'initrd', 1000).toString(), plain + plain);
});

test('what kernels unpack and this does not is named', () => {
  assert.throws(() => unpack(Buffer.from('425a6839', 'hex'), 'a.ko', 10), /packed with bzip2/);
  assert.throws(() => unpack(Buffer.from('plain'), 'a.ko', 10), /something unknown \(706c6169\)/);
});
