import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { FormatError } from '../../src/base/errors.ts';
import { type CpioNode, listImage, writeCpio } from '../../src/host/cpio.ts';

const files = (...names: string[]): Map<string, CpioNode> =>
  new Map(names.map((name) => [name, { kind: 'file', bytes: Buffer.from(name) }]));

test('an archive of microcode before the compressed one is looked through', () => {
  const image = Buffer.concat([
    writeCpio(files('early/ucode')),
    Buffer.alloc(512),
    gzipSync(writeCpio(files('lib/a.ko', 'init'))),
  ]);
  assert.deepEqual(listImage(image).paths, ['early', 'early/ucode', 'init', 'lib', 'lib/a.ko']);
});

test('the same nodes give the same bytes, in whatever order they were added', () => {
  assert.deepEqual(writeCpio(files('b/c', 'a')), writeCpio(files('a', 'b/c')));
});

test('a cut, damaged or otherwise packed image is told, and never loops', () => {
  const whole = writeCpio(files('lib/a.ko', 'init'));
  assert.throws(() => listImage(Buffer.from('894c5a4f5a000000', 'hex')), /packed with lzo/);
  assert.throws(() => listImage(Buffer.from('fd377a585a000000', 'hex')), /cannot be unpacked/);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const bad = Buffer.from(whole);
      bad[at] = byte;
      for (const bytes of [bad, whole.subarray(0, at)]) {
        try {
          listImage(bytes);
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      }
    }),
  );
});
