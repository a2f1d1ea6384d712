import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cpio, type Node } from '../../lab/cpio.ts';

/** Reads a newc archive as the kernel does (init/initramfs.c): every header and every body begins at a multiple of 4. */
function entries(archive: Buffer): { name: string; mode: number; body: string }[] {
  const found = [];
  for (let at = 0; ; ) {
    assert.equal(at % 4, 0);
    assert.equal(archive.toString('latin1', at, at + 6), '070701');
    const field = (i: number) => Number.parseInt(archive.toString('latin1', at + 6 + i * 8, at + 14 + i * 8), 16);
    const [mode, size, length] = [field(1), field(6), field(11)];
    const name = archive.toString('latin1', at + 110, at + 110 + length - 1);
    assert.equal(archive[at + 110 + length - 1], 0);
    const body = (at + 110 + length + 3) & ~3;
    if (name === 'TRAILER!!!') return found;
    found.push({ name, mode, body: archive.toString('latin1', body, body + size) });
    at = (body + size + 3) & ~3;
  }
}

describe('cpio', () => {
  it('writes folders before what is in them, once, and keeps modes, links and odd sizes', () => {
    const nodes = new Map<string, Node>([
      ['usr/bin/tool', { kind: 'file', bytes: Buffer.from('abcde'), executable: true }],
      ['usr/bin/link', { kind: 'link', target: 'tool' }],
      ['usr/notes', { kind: 'file', bytes: Buffer.from('') }],
    ]);
    assert.deepEqual(entries(cpio(nodes)), [
      { name: 'usr', mode: 0o040755, body: '' },
      { name: 'usr/bin', mode: 0o040755, body: '' },
      { name: 'usr/bin/tool', mode: 0o100755, body: 'abcde' },
      { name: 'usr/bin/link', mode: 0o120777, body: 'tool' },
      { name: 'usr/notes', mode: 0o100644, body: '' },
    ]);
  });

  it('writes an archive of nothing', () => {
    assert.deepEqual(entries(cpio(new Map())), []);
  });
});
