// What is reached on dumps from elsewhere, held against what was reached before; and their pictures laid out as the lab's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layOut } from '../../lab/given.ts';
import { Picture } from '../../lab/picture.ts';
import { Tally } from '../../lab/tally.ts';
import { fallenFar, levelOf, totalsOf, worseThan } from '../../lab/truth.ts';
import { pictureOf } from './world.ts';

/** A row of `equal` comparisons that hold and `wrong` that do not. */
function row(fact: string, equal: number, wrong = 0): { fact: string; tally: Tally } {
  const tally = new Tally();
  tally.same(equal);
  for (let i = 0; i < wrong; i++) tally.fault(`${i}`);
  return { fact, tally };
}

test('less that is compared, a fact that is compared no more, and more that is wrong are worse', () => {
  const before = levelOf([row('stacks', 60), row('tasks', 70), row('mounts', 8)], {});
  const now = levelOf([row('stacks', 60), row('tasks', 69), row('mounts', 0)], before);
  assert.deepEqual(worseThan(now, before), [
    { fact: 'tasks', problem: '69 compared, and 70 before' },
    { fact: 'mounts', problem: '0 compared, and 8 before' },
  ]);
  const wrong = levelOf([row('stacks', 59, 1), row('tasks', 90), row('mounts', 8)], before);
  assert.deepEqual(worseThan(wrong, before), [
    { fact: 'stacks', problem: '1 wrong, and 0 before; 1 wrong, and no reason is recorded' },
  ]);
});

test('what cannot be judged here for want of a program is as it was', () => {
  const before = levelOf([row('core file', 5)], {});
  const now = levelOf([{ fact: 'core file', tally: undefined, lacks: 'gdb' }], before);
  assert.deepEqual(worseThan(now, before), []);
  assert.equal(worseThan(levelOf([{ fact: 'core file', tally: undefined }], before), before).length, 1);
});

test('of all runs together: what compares half as much as before, or nothing, has fallen', () => {
  const checked = (rows: ReturnType<typeof row>[]) => ({ program: 'inquest', rows, wrong: 0 });
  const before = { stacks: 60, tasks: 100, mounts: 8 };
  const now = totalsOf([
    checked([row('stacks', 20), row('tasks', 40), row('mounts', 0)]),
    checked([row('stacks', 11), row('tasks', 9)]),
  ]);
  assert.deepEqual(now, { stacks: 31, tasks: 49, mounts: 0 });
  assert.deepEqual(fallenFar(now, before, new Set()), [
    'tasks: 49 compared in all runs, and 100 before',
    'mounts: 0 compared in all runs, and 8 before',
  ]);
  assert.deepEqual(fallenFar({}, before, new Set(Object.keys(before))), []);
});

test('what is wrong and accepted has its reason beside it, which goes with the last wrong comparison', () => {
  const before = { tasks: { compared: 70, wrong: 2, because: 'pages are missing' } };
  const still = levelOf([row('tasks', 69, 1)], before);
  assert.deepEqual(still, { tasks: { compared: 70, wrong: 1, because: 'pages are missing' } });
  assert.deepEqual(worseThan(still, before), []);
  assert.equal(levelOf([row('tasks', 70)], before)['tasks']?.because, null);
  const silent = { tasks: { compared: 70, wrong: 1, because: null } };
  assert.deepEqual(worseThan(silent, silent), [{ fact: 'tasks', problem: '1 wrong, and no reason is recorded' }]);
});

test('a picture that a shell took is read as the lab takes them, and has no more than it has', (t) => {
  const { folder } = pictureOf(t, {
    'dmesg.txt': '[    0.0] Linux\n',
    'sysctl.txt': 'kernel.tainted = 12288\nkernel.version = a = b\n',
    mounts: 'proc /proc proc rw 0 0\n',
    '7/status':
      'Name:\tnc\nState:\tS (sleeping)\nTgid:\t7\nPid:\t7\nPPid:\t1\nvoluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t0\n',
    '7/stat': `7 (nc) S ${Array.from({ length: 35 }, () => 0).join(' ')} 1 0\n`,
    '7/stack': '[<0>] inet_csk_accept+0x25a/0x2f0\n',
    '7/fd.txt':
      'total 0\nlr-x------ 1 root 0 64 Nov 21 03:49 0 -> /dev/null\nlrwx------ 1 root 0 64 Nov 21 03:49 3 -> socket:[11207]\n',
    '7/smaps':
      'Rss:                   4 kB\nSwap:                  0 kB\n00401000-00585000 r-xp\nRss:                1360 kB\nSwap:                  8 kB\n',
    '1/maps': '',
  });
  layOut(folder);
  const picture = new Picture(folder);
  assert.equal(picture.text('dmesg'), '[    0.0] Linux\n');
  assert.equal(picture.text('sysctl'), 'kernel.tainted=12288\nkernel.version=a = b\n');
  assert.equal(picture.text('1/mounts'), 'proc /proc proc rw 0 0\n');
  assert.equal(picture.text('7/fd'), '0 /dev/null\n3 socket:[11207]\n');
  assert.match(picture.text('7/smaps_rollup') ?? '', /^Rss: 1364 kB\nSwap: 8 kB$/m);
  assert.deepEqual([picture.tasks.get(7)?.cpu, picture.tasks.get(7)?.stack[0]?.name], [1, 'inet_csk_accept']);
  assert.equal(picture.text('7/root'), undefined);
});
