import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDryRun } from '../../src/host/dry_run.ts';

const start = '[    0.000000] Linux version 6.1\r\ninquest: capture kernel 6.1 started\r\n';

test('a capture kernel in which the program runs did what it should', () => {
  const { isGood, lines } = readDryRun(`${start}inquest: dry: done, the program runs (0.1.0)\r\n`, '');
  assert.equal(isGood, true);
  assert.ok(readDryRun(`inquest: module nvme: insmod: No such device\ninquest: dry: done\n`, '').isGood);
  assert.deepEqual(lines, ['capture kernel 6.1 started', 'dry: done, the program runs (0.1.0)']);
});

test('a module that is not loaded, a program that does not run, and no word at all are failures that say why', () => {
  const done = 'inquest: dry: done, the program runs (0.1.0)\n';
  assert.equal(
    readDryRun(`${start}inquest: module ext4: insmod: can't insert 'ext4.ko': invalid module format\n${done}`, '')
      .isGood,
    false,
  );
  assert.equal(readDryRun(`${start}inquest: dry: FAILED: Killed\n`, '').isGood, false);
  const silent = readDryRun('Kernel panic - not syncing: VFS\n', 'qemu: terminated');
  assert.equal(silent.isGood, false);
  assert.match(silent.lines.join('\n'), /did not come to its script.*VFS.*terminated/s);
});
