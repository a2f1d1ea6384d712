// File systems that panic on errors: the error that they met is the matter, the option that made it fatal is said.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { analyseLog } from '../../src/triage/analyse.ts';

const report = (...lines: string[]) =>
  analyseLog(Buffer.from(`${lines.map((line, i) => `[   18.${100000 + i}] ${line}`).join('\n')}\n`), 'console.log');

const stack = [
  'CPU: 1 UID: 0 PID: 1554 Comm: sh Not tainted 6.12.1 #1',
  'Call Trace:',
  ' <TASK>',
  ' panic+0x118/0x2f0',
  ' frob_handle_error+0x1d9/0x1e0 [frobfs]',
  ' frob_lookup+0x1d1/0x200 [frobfs]',
  ' entry_SYSCALL_64_after_hwframe+0x76/0x7e',
  ' </TASK>',
];

describe('a file system that panics on errors', () => {
  const cases: readonly (readonly [error: string, reason: string, device: string])[] = [
    [
      'EXT4-fs error (device sda1): ext4_lookup:1855: inode #2: comm ls: deleted inode referenced: 12',
      'EXT4-fs (device sda1): panic forced after error',
      'sda1',
    ],
    [
      'FAT-fs (sdb1): error, fat_get_cluster: invalid start cluster (i_pos 0)',
      'FAT-fs (sdb1): fs panic from previous error',
      'sdb1',
    ],
    [
      'NILFS error (device sdc): nilfs_bmap_lookup: broken bmap (inode number=4)',
      'NILFS (device sdc): panic forced after error',
      'sdc',
    ],
    [
      'OCFS2: ERROR (device dm-3): ocfs2_validate: Invalid dinode #17',
      'OCFS2: (device dm-3): panic forced after error',
      'dm-3',
    ],
    [
      'ERROR: (device loop0): dbFree: block to be freed is outside the map',
      'JFS (device loop0): panic forced after error',
      'loop0',
    ],
  ];
  for (const [error, reason, device] of cases) {
    test(reason, () => {
      const { panic, findings } = report(
        error.replace(device, 'vdz'), // of another disk
        error,
        'usb 1-1: an error of something else',
        `Kernel panic - not syncing: ${reason}`,
        ...stack,
      );
      assert.equal(
        panic.message,
        `The file system on ${device} met an error and is mounted with errors=panic: ${error}, run by sh (pid 1554) on CPU 1.`,
      );
      assert.deepEqual([panic.kind, panic.confidence], ['panic', 'certain']);
      assert.match(findings[0]!.title, /errors=panic/);
    });
  }

  test('without the error in the log, none is made up', () => {
    const { panic } = report(
      'EXT4-fs error (device vdz): ext4_lookup:1855: inode #2: comm ls: deleted inode referenced: 12',
      'Kernel panic - not syncing: EXT4-fs (device sda1): panic forced after error',
      ...stack,
    );
    assert.match(panic.message, /errors=panic: its log does not say which \(EXT4-fs \(device sda1\)/);
  });

  test('a panic of a file system for another reason is not that', () => {
    const { panic } = report('Kernel panic - not syncing: EXT4-fs (device sda1): no memory for journal', ...stack);
    assert.doesNotMatch(panic.message, /errors=panic/);
  });
});
