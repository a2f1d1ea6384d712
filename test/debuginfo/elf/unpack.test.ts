import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import { FormatError } from '../../../src/base/errors.ts';
import { type Packing, packingOf } from '../../../src/debuginfo/elf/packing.ts';
import { unpackStream } from '../../../src/debuginfo/elf/unpack.ts';

const content = Buffer.from(Array.from({ length: 70_000 }, (_, i) => `line ${(i * 7919) % 1000}\n`).join(''), 'latin1');
/** `seq 1 20` packed by xz 5.4 with a CRC64. */
const xz = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AAyAC1dABiCgo8iTvimVffwmaUlDZBFkVpRtJvKrNwFMuyFUp+xSG3v3OhLuWG6OjsZGAAAAADDMm3aonLtfwABSTNxIO2+H7bzfQEAAAAABFla',
  'base64',
);
const numbers = Array.from({ length: 20 }, (_, i) => `${i + 1}\n`).join('');

function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) list.push(bytes.subarray(at, at + size));
  return list;
}

function unpack(packing: Packing, bytes: Uint8Array, size: number, limit = 1 << 24): Buffer {
  const parts: Uint8Array[] = [];
  unpackStream(packing, 'file', pieces(bytes, size), (part) => parts.push(part), limit);
  return Buffer.concat(parts);
}

const packed: [Packing, Buffer][] = [
  ['gzip', zlib.gzipSync(content)],
  ['zlib', zlib.deflateSync(content)],
  ...(zlib.zstdCompressSync === undefined ? [] : [['zstd', zlib.zstdCompressSync(content)] as [Packing, Buffer]]),
];

test('a damaged or cut stream is an error, whatever the pieces', () => {
  for (const [packing, bytes] of packed) {
    assert.throws(() => unpack(packing, bytes.subarray(0, bytes.length - 9), 1000), FormatError, packing);
    const damaged = Buffer.from(bytes);
    damaged.fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 40);
    assert.throws(() => unpack(packing, damaged, 1 << 16), FormatError, packing);
    assert.throws(() => unpack(packing, bytes, 4096, 1000), /more than 1000 bytes/);
  }
  assert.throws(() => unpack('xz', xz.subarray(0, xz.length - 20), 16), /does not end/);
  const damaged = Buffer.from(xz);
  damaged[40]! ^= 0x55;
  assert.throws(() => unpack('xz', damaged, 1000), /damaged/);
  assert.throws(() => unpack('xz', Buffer.from('not xz at all, but long enough'), 1000), /not an xz stream/);
});

test('streams come out whole, whatever the pieces', () => {
  for (const [packing, bytes] of packed) {
    for (const size of [7, 4096, 1 << 20])
      assert.ok(unpack(packing, bytes, size).equals(content), `${packing} ${size}`);
  }
  for (const size of [1, 16, 4096]) assert.equal(unpack('xz', xz, size).toString(), numbers);
});

test('files of several members, and with padding behind, come out whole', () => {
  const [, gzip] = packed[0]!;
  const two = Buffer.concat([gzip, gzip, Buffer.alloc(100)]);
  assert.equal(unpack('gzip', two, 5000).length, 2 * content.length);
  assert.equal(unpack('xz', Buffer.concat([xz, Buffer.alloc(8)]), 16).toString(), numbers);
});

test('a packing is told by the first bytes', () => {
  assert.equal(packingOf(xz), 'xz');
  assert.equal(packingOf(packed[0]![1]), 'gzip');
  assert.equal(packingOf(Buffer.from('\x7fELF')), null);
});
