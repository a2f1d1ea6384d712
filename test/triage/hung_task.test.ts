// Hung tasks: which of the blocked tasks the report is about, who holds what it waits for, and the words for it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { analyse } from '../../src/triage/analyse.ts';
import { heldMutex, mutexTypes, sleepsOn } from '../support/blocked_tasks.ts';
import { DyingKernel, exception } from '../support/dying_kernel.ts';
import { shownText } from '../support/shown.ts';

const detector = ['machine_kexec', '__crash_kexec', 'panic', 'watchdog', 'kthread', 'ret_from_fork_asm'];

const hungLog = (comm: string, pid: number, at: string): string[] => [
  `INFO: task ${comm}:${pid} blocked for more than 122 seconds.`,
  '      Not tainted 6.12.0 #1',
  '"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
  `task:${comm.padEnd(16)}state:D stack:0     pid:${pid}   tgid:${pid}   ppid:2      flags:0x00004000`,
  'Call Trace:',
  ' <TASK>',
  ' __schedule+0x50/0x100',
  ' schedule+0x50/0x100',
  ` ${at}+0x50/0x100 [widget]`,
  ' kthread+0x50/0x100',
  ' </TASK>',
  'Kernel panic - not syncing: hung_task: blocked tasks',
];

/** A kernel whose hung-task detector panicked. */
function hung(log: readonly string[] = []): DyingKernel {
  const dying = DyingKernel.make({ types: mutexTypes, log });
  dying.panicOn(0, dying.task({ pid: 30, comm: 'khungtaskd' }), detector);
  return dying;
}

const analysed = (dying: DyingKernel) => {
  dying.writeTables();
  return analyse(dying.context);
};

describe('a hung task', () => {
  test('whose function went to sleep by a jump, through another that jumps on: that function is to blame', () => {
    const dying = hung();
    const imm = (to: bigint, from: bigint): string =>
      Buffer.from(Int32Array.of(Number(to - from)).buffer).toString('hex');
    const jump = (from: string, to: string): void => {
      dying.code(from, `e9 ${imm(dying.codeAt(to), dying.codeAt(from) + 5n)}`);
    };
    for (const name of ['__mutex_lock.constprop.0', 'mutex_lock']) dying.codeAt(name);
    const waits = dying.codeAt('waits[widget]');
    dying.code('frob[widget]', '90 eb 48'); // nop; jmp 0x4b
    dying.code('frob+0x4b[widget]', `e8 ${imm(waits, dying.codeAt('frob+0x50[widget]'))}`); // call waits
    jump('waits[widget]', 'mutex_lock');
    jump('mutex_lock', '__mutex_lock.constprop.0');
    const [holder, waiter] = [dying.task({ pid: 10, comm: 'holder' }), dying.task({ pid: 11, comm: 'waiter' })];
    sleepsOn(dying, waiter, heldMutex(dying, holder, 'widget_mutex'), 'frob[widget]');
    dying.sleeps(holder, ['schedule_timeout', 'msleep', 'doze[widget]', 'kthread', 'ret_from_fork_asm'], 1);
    const { panic } = analysed(dying);
    assert.match(
      panic.message,
      / in waits \[widget\] \(which ended with a jump; frob\+0x50 \[widget\] called it\) on the mutex/,
    );
    assert.equal(panic.rip?.symbol, 'waits');
  });

  test('on a mutex whose holder sleeps elsewhere: the holder, and where it sleeps', () => {
    for (const log of [[], hungLog('waiter', 11, 'frob')]) {
      const dying = hung(log);
      const [holder, waiter] = [dying.task({ pid: 10, comm: 'holder' }), dying.task({ pid: 11, comm: 'waiter' })];
      sleepsOn(dying, waiter, heldMutex(dying, holder, 'widget_mutex'), 'frob[widget]');
      dying.sleeps(holder, ['schedule_timeout', 'msleep', 'doze[widget]', 'kthread', 'ret_from_fork_asm'], 1);
      const { panic, findings, tasks } = analysed(dying);
      const seconds = log.length === 0 ? '' : ' for more than 122 seconds';
      assert.equal(
        panic.message,
        `waiter (pid 11) was blocked${seconds} in frob+0x50 [widget] on the mutex widget_mutex, held by holder (pid 10), which sleeps in doze+0x50 [widget].`,
      );
      assert.deepEqual([panic.kind, panic.pid, panic.culprit?.pid, panic.rip?.symbol], ['hung-task', 30, 11, 'frob']);
      assert.deepEqual(
        tasks.map(({ pid, role }) => [pid, role]),
        [
          [11, 'blocked'],
          [10, 'holds a lock that others wait for'],
        ],
      );
      const lock = findings.find(({ title }) => title.startsWith('1 task blocked on the mutex widget_mutex'))!;
      assert.equal(lock.confidence, 'certain');
      assert.deepEqual(
        lock.evidence.map(({ command }) => command.replace(/[0-9a-f]{16}/, 'ADDRESS')),
        ['bt ADDRESS', 'struct mutex.owner -x ADDRESS', 'bt ADDRESS'],
      );
      assert.ok(
        shownText(lock.evidence[1]!).includes((holder.address | 1n).toString(16)),
        shownText(lock.evidence[1]!),
      );
    }
  });

  test('at the start of a chain: what is at its end is what to look at', () => {
    const dying = hung(hungLog('a', 11, 'frob'));
    const [a, b, c] = [
      dying.task({ pid: 11, comm: 'a' }),
      dying.task({ pid: 12, comm: 'b' }),
      dying.task({ pid: 13, comm: 'c' }),
    ];
    sleepsOn(dying, a, heldMutex(dying, b), 'frob[widget]');
    sleepsOn(dying, b, heldMutex(dying, c), 'frob[widget]');
    const nmi = exception('end_repeat_nmi', 'spin+0x50[widget]');
    dying.runs(1, c, ['crash_nmi_callback', 'nmi_handle', 'exc_nmi', nmi, 'kthread', 'ret_from_fork_asm']);
    assert.match(
      analysed(dying).panic.message,
      /held by b \(pid 12\), which waits in turn \(through 1 more lock\) for c \(pid 13\), which ran on CPU 1 in spin\+0x50 \[widget\]\.$/,
    );
  });

  for (const [what, count] of [
    ['two', 2],
    ['three', 3],
  ] as const) {
    test(`a deadlock of ${what}`, () => {
      const dying = hung(hungLog('t0', 10, 'frob'));
      const ring = Array.from({ length: count }, (_, i) => dying.task({ pid: 10 + i, comm: `t${i}` }));
      for (const [i, task] of ring.entries()) {
        sleepsOn(dying, task, heldMutex(dying, ring[(i + 1) % count]!), 'frob[widget]');
      }
      const { panic, findings } = analysed(dying);
      const everyone = ring.map((_, i) => `t${i} \\(pid ${10 + i}\\)`).join(' and ');
      assert.match(
        panic.message,
        new RegExp(`^Deadlock: t0 .* blocked for more than 122 seconds .*; ${everyone} wait for each other\\.$`),
      );
      const deadlocks = findings.filter(({ title }) => title.startsWith('Deadlock'));
      assert.equal(deadlocks.length, 1);
      assert.equal(deadlocks[0]!.confidence, 'certain');
      assert.equal(deadlocks[0]!.evidence.length, 2 * count);
    });
  }

  test('a task that waits for itself', () => {
    const dying = hung(hungLog('own', 10, 'frob'));
    const task = dying.task({ pid: 10, comm: 'own' });
    sleepsOn(dying, task, heldMutex(dying, task), 'frob[widget]');
    assert.match(
      analysed(dying).panic.message,
      /^Deadlock: own \(pid 10\) was blocked .*; own \(pid 10\) holds it itself\.$/,
    );
  });

  test('that waits for no lock, while others have locked each other out: those are told of', () => {
    const dying = hung(hungLog('dozer', 9, 'doze'));
    const dozer = dying.task({ pid: 9, comm: 'dozer' });
    dying.sleeps(dozer, ['schedule', 'doze[widget]', 'kthread', 'ret_from_fork_asm']);
    const [a, b] = [dying.task({ pid: 10, comm: 'a' }), dying.task({ pid: 11, comm: 'b' })];
    sleepsOn(dying, a, heldMutex(dying, b), 'frob[widget]');
    sleepsOn(dying, b, heldMutex(dying, a), 'frob[widget]');
    const { panic } = analysed(dying);
    assert.match(
      panic.message,
      /^Deadlock: a .* wait for each other\. The kernel panicked because dozer \(pid 9\) was blocked for more than 122 seconds, too\.$/,
    );
    assert.deepEqual([panic.rip?.symbol, panic.culprit?.comm], ['frob', 'a']);
  });

  test('that waits for no lock, while others wait for one: both are told', () => {
    const dying = hung(hungLog('dozer', 9, 'doze'));
    dying.sleeps(dying.task({ pid: 9, comm: 'dozer' }), ['schedule', 'doze[widget]', 'kthread', 'ret_from_fork_asm']);
    const [holder, waiter] = [dying.task({ pid: 10, comm: 'holder' }), dying.task({ pid: 11, comm: 'waiter' })];
    sleepsOn(dying, waiter, heldMutex(dying, holder), 'frob[widget]');
    dying.sleeps(holder, ['schedule', 'nap[widget]', 'kthread', 'ret_from_fork_asm'], 1);
    const { panic } = analysed(dying);
    assert.match(
      panic.message,
      /^dozer \(pid 9\) .* is no lock that can be told\. Meanwhile 1 task waited for a mutex at 0x[0-9a-f]+, held by holder \(pid 10\), which sleeps in nap/,
    );
    assert.equal(panic.rip?.symbol, 'doze');
  });

  test('another task that has its number by now is not taken for it', () => {
    const dying = hung(hungLog('gone', 11, 'frob'));
    dying.sleeps(
      dying.task({ pid: 11, comm: 'newcomer' }),
      ['schedule', 'elsewhere', 'kthread', 'ret_from_fork_asm'],
      1,
    );
    const { panic } = analysed(dying);
    assert.equal(panic.culprit, null);
    assert.match(panic.message, /^gone \(pid 11\) was blocked for more than 122 seconds/);
  });

  test('of hundreds, the report shows the stacks of a few', () => {
    const dying = hung();
    const holder = dying.task({ pid: 10, comm: 'holder' });
    dying.sleeps(holder, ['schedule', 'nap[widget]', 'kthread', 'ret_from_fork_asm'], 1);
    for (let pid = 100; pid < 140; pid++)
      sleepsOn(dying, dying.task({ pid }), heldMutex(dying, holder), 'frob[widget]');
    const { tasks, findings } = analysed(dying);
    assert.ok(tasks.length <= 12, `${tasks.length}`);
    assert.ok(findings.length < 10, `${findings.length}`);
  });
});
