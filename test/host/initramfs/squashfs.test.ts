import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../../src/base/errors.ts';
import type { CpioNode } from '../../../src/host/cpio.ts';
import { writeSquashfs } from '../../../src/host/initramfs/squashfs.ts';
import { readSquashfs } from '../../support/squashfs_reader.ts';

const file = (bytes: Buffer): CpioNode => ({ kind: 'file', bytes });

test('files of several blocks, empty ones, links and folders are read back', () => {
  const large = Buffer.concat([randomBytes(300_000), Buffer.alloc(300_000)]);
  const image = writeSquashfs(
    new Map<string, CpioNode>([
      ['bin/node', file(large)],
      ['bin/sh', { kind: 'link', target: 'busybox' }],
      ['empty', file(Buffer.alloc(0))],
      ['nothing', { kind: 'folder' }],
      ['a/b/c', file(Buffer.from('c'))],
    ]),
  );
  const found = readSquashfs(image);
  assert.deepEqual([...found.keys()], ['a', 'a/b', 'a/b/c', 'bin', 'bin/node', 'bin/sh', 'empty', 'nothing']);
  assert.ok(large.equals(found.get('bin/node') as Buffer));
  assert.equal(found.get('bin/sh'), '-> busybox');
  assert.equal((found.get('empty') as Buffer).length, 0);
  assert.equal(image.length % 4096, 0, 'a loop device needs whole sectors');
  assert.ok(Number(image.readBigUInt64LE(40)) <= image.length);
});

test('more entries than one block of metadata, and than one run of a listing, hold', () => {
  const names = Array.from({ length: 1500 }, (_, i) => `folder/${String(i).padStart(5, '0')}`);
  const found = readSquashfs(writeSquashfs(new Map(names.map((name) => [name, file(randomBytes(3))]))));
  assert.deepEqual([...found.keys()], ['folder', ...names]);
});

test('any tree is read back, and the order of its nodes does not show', () => {
  const path = fc
    .array(fc.constantFrom('a', 'bb', 'é', 'Z', '0'), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/'));
  fc.assert(
    fc.property(fc.array(fc.tuple(path, fc.uint8Array({ maxLength: 50 })), { maxLength: 12 }), (list) => {
      const files = list.filter(([name]) => !list.some(([other]) => other.startsWith(`${name}/`)));
      const nodes = new Map(files.map(([name, bytes]) => [name, file(Buffer.from(bytes))]));
      const image = writeSquashfs(nodes);
      assert.ok(image.equals(writeSquashfs(new Map([...nodes].reverse()))));
      const found = readSquashfs(image);
      for (const [name, node] of nodes)
        assert.ok(node.kind === 'file' && (found.get(name) as Buffer).equals(node.bytes), name);
      assert.equal([...found.values()].filter((value) => value !== null).length, nodes.size);
    }),
  );
});

test('a file below a file is refused', () => {
  assert.throws(
    () =>
      writeSquashfs(
        new Map([
          ['a', file(Buffer.alloc(1))],
          ['a/b', file(Buffer.alloc(1))],
        ]),
      ),
    FormatError,
  );
});
