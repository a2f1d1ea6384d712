// What the lab does when a guest says nothing any more, with a program in QEMU's place.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Guest } from '../../lab/qemu.ts';

function guestOf(test: TestContext, script: string): Guest {
  const folder = mkdtempSync(join(tmpdir(), 'lab-test-'));
  const path = process.env.PATH;
  test.after(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });
  const program = join(folder, 'qemu-system-x86_64');
  writeFileSync(program, `#!/bin/sh\n${script}`);
  chmodSync(program, 0o755);
  process.env.PATH = `${folder}:${path}`;
  return new Guest({
    kind: 'x86_64',
    vmlinuz: '',
    initrd: '',
    append: '',
    disks: [],
    memory: 800,
    cpus: 2,
    cpu: 'max',
    console: join(folder, 'console.log'),
  });
}

describe('a guest', () => {
  it('is followed as long as it writes, and given up when it falls silent', async (test) => {
    const guest = guestOf(test, 'for i in 1 2 3 4; do echo $i; sleep 0.2; done; exec sleep 100');
    assert.equal(await guest.shows(/^4$/m, 60, 30), true);
    assert.equal(await guest.shows(/^5$/m, 60, 0.2), false);
    guest.stop();
    await guest.ended;
    assert.equal(guest.text, '1\n2\n3\n4\n');
  });

  it('that ended is not waited for', async (test) => {
    const guest = guestOf(test, 'echo LAB READ; printf Y');
    assert.equal(await guest.shows(/^LAB READY/m, 60), false);
    await guest.ended;
  });
});
