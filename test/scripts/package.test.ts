import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type DebFacts, writeDeb } from '../../scripts/package/deb.ts';
import { type PackageNode, type PackageTree, writeTar } from '../../scripts/package/tar.ts';

const long = `usr/lib/${'a-long-folder/'.repeat(9)}file`;
const file = (text: string, mode = 0o644): PackageNode => ({ kind: 'file', bytes: Buffer.from(text), mode });
const tree: PackageTree = new Map([
  ['usr/bin/inquest', file('#!/bin/sh\n', 0o755)],
  [long, file('x'.repeat(1000))],
  ['usr/bin/iq', { kind: 'link', target: 'inquest' }],
]);
const facts: DebFacts = {
  name: 'inquest',
  version: '0.1.0',
  architecture: 'amd64',
  depends: 'libc6',
  recommends: 'kexec-tools',
  summary: 'says why',
  description: ['More', '', 'words.'],
  beforeRemoval: '#!/bin/sh\n',
};
const time = 1_600_000_000;

function unpacked(t: TestContext, archive: Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-tar-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync('tar', ['-x', '-p', '-C', folder], { input: archive });
  return folder;
}

/** Members of an ar archive by name. */
function members(archive: Buffer): ReadonlyMap<string, Buffer> {
  assert.equal(archive.toString('latin1', 0, 8), '!<arch>\n');
  const found = new Map<string, Buffer>();
  for (let at = 8; at < archive.length; ) {
    const name = archive.toString('latin1', at, at + 16).trim();
    const size = Number(archive.toString('latin1', at + 48, at + 58));
    assert.equal(archive.toString('latin1', at + 58, at + 60), '`\n');
    found.set(name, archive.subarray(at + 60, at + 60 + size));
    at += 60 + size + (size & 1);
  }
  return found;
}

test('tar unpacks what was packed: modes, links, long paths, times', (t) => {
  const folder = unpacked(t, writeTar(tree, './', time));
  assert.equal(statSync(join(folder, 'usr/bin/inquest')).mode & 0o777, 0o755);
  assert.equal(statSync(join(folder, 'usr/bin/inquest')).mtimeMs, time * 1000);
  assert.equal(readFileSync(join(folder, long), 'utf8').length, 1000);
  assert.equal(readlinkSync(join(folder, 'usr/bin/iq')), 'inquest');
});

test('the same files give the same bytes, in whatever order they come', () => {
  const turned = new Map([...tree].reverse());
  assert.ok(writeTar(tree, '', time).equals(writeTar(turned, '', time)));
  assert.ok(writeDeb(tree, facts, time).equals(writeDeb(turned, facts, time)));
});

test('a .deb has the members that dpkg wants, in their order, and sums of what is in it', (t) => {
  const parts = members(writeDeb(tree, facts, time));
  assert.deepEqual([...parts.keys()], ['debian-binary', 'control.tar.gz', 'data.tar.zst']);
  const control = unpacked(t, gunzipSync(parts.get('control.tar.gz')!));
  assert.match(
    readFileSync(join(control, 'control'), 'utf8'),
    /^Package: inquest\n(?:.*\n)*Description: says why\n More\n \.\n words\.\n$/,
  );
  const data = unpacked(t, zstdDecompressSync(parts.get('data.tar.zst')!));
  execFileSync('md5sum', ['-c', '--quiet', join(control, 'md5sums')], { cwd: data });
  assert.equal(statSync(join(control, 'prerm')).mode & 0o777, 0o755);
});

test('a path that no tar holds is refused', () => {
  assert.throws(() => writeTar(new Map([['x'.repeat(101), file('')]]), '', time), /too long/);
});
