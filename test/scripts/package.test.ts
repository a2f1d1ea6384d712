import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type DebFacts, writeDeb } from '../../scripts/package/deb.ts';
import { writeRpm } from '../../scripts/package/rpm.ts';
import { type PackageNode, type PackageTree, writeTar } from '../../scripts/package/tar.ts';
import { listImage } from '../../src/host/cpio.ts';

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

test('an .rpm: lead, both headers where they say they are, sums that hold, and a payload that is what was packed', () => {
  const rpm = writeRpm(
    tree,
    {
      name: 'inquest',
      version: '0.1.0',
      architecture: 'x86_64',
      licence: 'Apache-2.0',
      summary: 's',
      description: 'd',
      requires: ['/bin/sh'],
      beforeRemoval: ':\n',
    },
    time,
  );
  assert.equal(rpm.readUInt32BE(0), 0xedabeedb);
  const header = (
    at: number,
  ): {
    readonly end: number;
    readonly tags: Map<number, { readonly offset: number; readonly count: number }>;
    readonly store: number;
  } => {
    assert.equal(rpm.toString('hex', at, at + 4), '8eade801');
    const count = rpm.readUInt32BE(at + 8);
    const store = at + 16 + count * 16;
    const tags = new Map(
      Array.from({ length: count }, (_, i) => [
        rpm.readUInt32BE(at + 16 + i * 16),
        { offset: store + rpm.readUInt32BE(at + 24 + i * 16), count: rpm.readUInt32BE(at + 28 + i * 16) },
      ]),
    );
    return { end: store + rpm.readUInt32BE(at + 12), tags, store };
  };
  const signatures = header(96);
  const start = (signatures.end + 7) & ~7;
  const main = header(start);
  const text = (of: ReturnType<typeof header>, tag: number): string =>
    rpm.toString('utf8', of.tags.get(tag)!.offset, rpm.indexOf(0, of.tags.get(tag)!.offset));
  assert.equal(text(signatures, 273), createHash('sha256').update(rpm.subarray(start, main.end)).digest('hex'));
  assert.equal(rpm.readUInt32BE(signatures.tags.get(1000)!.offset), rpm.length - start);
  assert.equal(text(main, 5092), createHash('sha256').update(rpm.subarray(main.end)).digest('hex'));
  assert.equal(text(main, 1000), 'inquest');
  const archive = zstdDecompressSync(rpm.subarray(main.end));
  const { paths } = listImage(archive);
  assert.equal(main.tags.get(1117)!.count, paths.length);
  // with the package's own folders, which go with it; those that every system has are nobody's
  const own = long
    .split('/')
    .slice(0, -1)
    .map((_, i, all) => all.slice(0, i + 1).join('/'));
  assert.deepEqual(
    paths.filter((path) => !own.includes(path)),
    ['usr/bin/inquest', 'usr/bin/iq', long],
  );
  assert.ok(paths.includes(own.at(-1)!));
  assert.ok(!paths.includes('usr') && !paths.includes('usr/bin'));
});
