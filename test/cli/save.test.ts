// `inquest save` as a program: what it says, where it writes, and its exit status.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openDump } from '../../src/dump/open.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { inquest } from './run.ts';

function folderWithDump(test: TestContext): { folder: string; vmcore: string } {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-save-'));
  test.after(() => rmSync(folder, { recursive: true }));
  const vmcore = join(folder, 'vmcore');
  writeFileSync(vmcore, smallDump());
  return { folder, vmcore };
}

describe('inquest save', () => {
  it('refuses what it does not understand, and writes nothing', async (t) => {
    const { folder, vmcore } = folderWithDump(t);
    const target = join(folder, 'x');
    for (const words of [
      [vmcore],
      ['-d', '32', vmcore, target],
      ['-d', 'all', vmcore, target],
      ['--drop', 'slab', vmcore, target],
      ['-d', '1', '--drop', 'zero', vmcore, target],
      ['--limit', 'much', vmcore, target],
      ['--threads', '0', vmcore, target],
      ['--split', '2', vmcore, '-'],
      ['--format', 'elf', '--compress', 'zlib', vmcore, target],
    ]) {
      const { status, stdout, stderr } = await inquest(['save', ...words]);
      assert.equal(status, 2, words.join(' '));
      assert.equal(stdout, '');
      assert.match(stderr, /^(inquest|error): /);
    }
    assert.deepEqual(readdirSync(folder), ['vmcore']);
  });

  it('writes a file under its name, and says what is in it', async (t) => {
    const { folder, vmcore } = folderWithDump(t);
    const target = join(folder, 'small');
    const { status, stdout } = await inquest([
      'save',
      '--drop',
      'zero',
      '--compress',
      'zlib',
      '--threads',
      '1',
      vmcore,
      target,
    ]);
    assert.equal(status, 0);
    assert.match(stdout, /small: \d+\.\d MB\n\d+ pages of \d+, level 1\n/);
    const { info } = openDump([target]);
    assert.equal(info.description, 'kdump-compressed v6, zlib');
    assert.deepEqual(readdirSync(folder).sort(), ['small', 'vmcore']);
    const again = await inquest(['save', vmcore, target]);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /small: is there already/);
  });

  it('divides, and writes a stream to standard output with its words elsewhere', async (t) => {
    const { folder, vmcore } = folderWithDump(t);
    const divided = await inquest(['save', '--split', '2', '--threads', '2', vmcore, join(folder, 'part')]);
    assert.equal(divided.status, 0, divided.stderr);
    assert.deepEqual(readdirSync(folder).sort(), ['part.1', 'part.2', 'vmcore']);
    const { status, stdout, stderr } = await inquest([
      'save',
      '--json',
      join(folder, 'part.1'),
      join(folder, 'part.2'),
      '-',
    ]);
    assert.equal(status, 0);
    assert.ok(stdout.startsWith('makedumpfile\0'));
    assert.equal(JSON.parse(stderr).lost, 0);
  });
});
