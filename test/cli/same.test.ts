// `inquest same`, and what `inquest FILE` takes a file for.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { FormatError } from '../../src/base/errors.ts';
import { inputKind } from '../../src/cli/input_kind.ts';
import { compare } from '../../src/cli/same.ts';
import { findIncidents } from '../../src/oops/scanner.ts';

const folder = mkdtempSync(join(tmpdir(), 'inquest-input-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** The log of a NULL pointer in a function called by others. */
const log = (
  functions: readonly string[],
  release = '6.12.0',
  headline = 'BUG: kernel NULL pointer dereference, address: 0000000000000240',
): string =>
  [
    headline,
    'Oops: Oops: 0000 [#1] SMP NOPTI',
    `CPU: 1 UID: 0 PID: 7 Comm: sh Not tainted ${release} #1`,
    `RIP: 0010:${functions[0]}+0x10/0x100 [widget]`,
    'Call Trace:',
    ' <TASK>',
    ...functions.slice(1).map((name) => ` ${name}+0x50/0x100`),
    ' </TASK>',
    '---[ end trace 0000000000000000 ]---',
    'Kernel panic - not syncing: Fatal exception',
  ]
    .map((line, i) => `[    5.${String(i).padStart(6, '0')}] ${line}\n`)
    .join('');

const death = (...given: Parameters<typeof log>) => findIncidents(log(...given))[0]!;

describe('same', () => {
  const stack = ['frob', 'widget_ioctl', 'vfs_ioctl', 'do_syscall_64'];

  test('one bug in two builds is one death, and both kernels are named', () => {
    const found = compare(death(stack), death(stack, '6.13.1'));
    assert.equal(found.same, 'yes');
    assert.ok(found.reasons.includes('of two kernels: 6.12.0 and 6.13.1'));
  });

  test('another kind of death in the same function is another death', () => {
    const other = death(stack, '6.12.0', 'divide error: 0000 [#1] SMP');
    assert.equal(compare(death(stack), other).same, 'no');
  });

  test('another function is another death', () => {
    const found = compare(death(stack), death(['spill', 'gadget_read', 'vfs_read', 'do_syscall_64']));
    assert.equal(found.same, 'no');
    assert.ok(found.reasons.some((reason) => reason === 'one blames frob, the other spill'));
  });
});

describe('same, of hung tasks', () => {
  const hung = (...waits: readonly string[]) =>
    findIncidents(
      [
        'INFO: task sh:11 blocked for more than 122 seconds.',
        '      Not tainted 6.12.0 #1',
        '"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
        'task:sh              state:D stack:0     pid:11   tgid:11   ppid:2      flags:0x00004000',
        'Call Trace:',
        ' <TASK>',
        ...[...waits, 'frob', 'vfs_write', 'do_syscall_64'].map((name) => ` ${name}+0x50/0x100`),
        ' </TASK>',
        'Kernel panic - not syncing: hung_task: blocked tasks',
      ]
        .map((line, i) => `[    5.${String(i).padStart(6, '0')}] ${line}\n`)
        .join(''),
    )[0]!;

  test('one function that waits for two things hangs twice', () => {
    const mutex = hung('__schedule', 'schedule', '__mutex_lock');
    const found = compare(mutex, hung('__schedule', 'schedule', 'wait_for_completion'));
    assert.equal(found.same, 'no');
    assert.ok(found.reasons.includes('one waits for a mutex, the other for a completion'));
    assert.equal(compare(mutex, hung('__schedule', 'schedule', '__mutex_lock.constprop.0', 'mutex_lock')).same, 'yes');
  });
});

describe('what a file is', () => {
  test('a log, with an escape in it, is a log', () => {
    assert.equal(inputKind(file('console.log', `\x1b[0m${log(['frob'])}`)).kind, 'log');
  });

  test('what is packed is told with the command that unpacks it, as a shell takes it', () => {
    const found = inputKind(file("it's a log.gz", gzipSync(log(['frob']))));
    assert.deepEqual(found, {
      kind: 'packed',
      how: 'gzip',
      unpack: `gunzip -k '${join(folder, "it'\\''s a log.gz")}'`,
    });
  });

  test('a folder is what is in it, with its own folders; an empty one is empty', () => {
    file('crash/a/vmcore', Buffer.concat([Buffer.from('KDUMP   '), Buffer.alloc(5000)]));
    file('crash/a/vmcore-dmesg.txt', log(['frob']));
    file('crash/b/notes', 'nothing\n');
    const found = inputKind(join(folder, 'crash'));
    assert.equal(found.kind, 'directory');
    assert.deepEqual(found.kind === 'directory' ? [found.dumps, found.logs] : [], [
      [join(folder, 'crash/a/vmcore')],
      [join(folder, 'crash/a/vmcore-dmesg.txt')],
    ]);
    mkdirSync(join(folder, 'empty'));
    assert.deepEqual(inputKind(join(folder, 'empty')), { kind: 'directory', dumps: [], logs: [] });
  });

  test('bytes that are no text are left to the readers of dumps', () => {
    assert.equal(
      inputKind(file('bytes', Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7) % 256)))).kind,
      'dump',
    );
    assert.throws(() => inputKind(join(folder, 'nowhere')), FormatError);
  });
});
