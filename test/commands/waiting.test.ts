// lock, stacks, wq, cpu, io: what people look at first when a machine hangs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { cpu } from '../../src/commands/system/cpu.ts';
import { io } from '../../src/commands/system/io.ts';
import { wq } from '../../src/commands/system/wq.ts';
import { lock } from '../../src/commands/tasks/lock.ts';
import { stacks } from '../../src/commands/tasks/stacks.ts';
import { heldMutex, mutexTypes, sleepsOn } from '../support/blocked_tasks.ts';
import { DyingKernel, exception } from '../support/dying_kernel.ts';
import { run } from '../support/run_command.ts';
import { SleepingKernel } from '../support/sleeper_writer.ts';
import { workqueueMachine } from '../support/workqueue_writer.ts';

function output(kernel: DyingKernel, command: Parameters<typeof run>[0], line = ''): string {
  kernel.writeTables();
  return run(
    command,
    kernel.context,
    line.split(' ').filter((word) => word !== ''),
  ).text;
}

describe('lock', () => {
  /** Two tasks that wait for each other, and a third that waits for one of them. */
  function deadlock() {
    const kernel = DyingKernel.make({ types: mutexTypes });
    const [first, second, third] = [11, 12, 13].map((pid) =>
      kernel.task({ pid, comm: pid === 13 ? 'bad\x1bname' : `task${pid}` }),
    );
    const [a, b] = [heldMutex(kernel, first!, 'lock_a'), heldMutex(kernel, second!, 'lock_b')];
    sleepsOn(kernel, first!, b!, 'frob');
    sleepsOn(kernel, second!, a!, 'knob');
    const c = heldMutex(kernel, second!);
    sleepsOn(kernel, third!, c!, 'hub');
    return { kernel, a: a!, b: b!, c: c! };
  }

  test('who holds what, what holders wait for, who waits where; then the circle, once', () => {
    const { kernel, a, c } = deadlock();
    const text = output(kernel, lock);
    assert.match(
      text,
      new RegExp(
        `^MUTEX lock_a \\(${a.address.toString(16)}\\)\n  held by 11 "task11" [0-9a-f]{16} \\(UN.*it waits for mutex lock_b`,
        'm',
      ),
    );
    assert.match(text, /^ +12 {2}[0-9a-f]{16} {2}UN .*"task12" +knob\+80$/m);
    assert.match(text, new RegExp(`^MUTEX ${c.address.toString(16)}$`, 'm'));
    assert.match(text, /"bad\\x1bname"/);
    assert.equal(text.split('DEADLOCK\n').length, 2);
    assert.match(
      text,
      /DEADLOCK\n {2}11 "task11" waits for mutex lock_b, which 12 "task12" holds\n {2}12 .* lock_a, which 11 /,
    );
  });

  test('one lock by its address or symbol; an address of none is refused', () => {
    const { kernel } = deadlock();
    assert.equal(output(kernel, lock, 'lock_b').match(/^MUTEX/gm)?.length, 1);
    assert.throws(() => output(kernel, lock, 'init_task'), NotFoundError);
  });

  test('a machine where nobody waits says so', () => {
    assert.equal(output(DyingKernel.make({ types: mutexTypes }), lock), 'no task waits for a lock\n');
  });
});

describe('stacks', () => {
  function machine(): DyingKernel {
    const kernel = DyingKernel.make({});
    for (const pid of [11, 12, 13]) kernel.sleeps(kernel.task({ pid }), ['schedule', 'do_wait', 'do_syscall_64'], 1);
    kernel.sleeps(kernel.task({ pid: 14, comm: 'stuck' }), ['schedule', 'frob', 'do_syscall_64'], 2);
    return kernel;
  }
  test('equal stacks together, the most frequent first, with what they wait for', () => {
    const [first, second] = output(machine(), stacks).split('\n\n');
    assert.match(
      first!,
      /^3 tasks \(IN 3\).*: 11 "task11", 12 "task12", 13 "task13"\n {2}wait for a child\n {4}#0 __schedule/,
    );
    assert.match(second!, /^1 task \(UN 1\)/);
  });
  test('tasks chosen by state, and nonsense refused', () => {
    assert.match(output(machine(), stacks, 'UN'), /^1 task \(UN 1\).*14 "stuck"/);
    assert.throws(() => output(machine(), stacks, 'NOSUCH'), UsageError);
  });
  test('folded: outermost first, with the count', () => {
    assert.deepEqual(output(machine(), stacks, '--folded').split('\n'), [
      'do_syscall_64;do_wait;schedule;__schedule 3',
      'do_syscall_64;frob;schedule;__schedule 1',
      '',
    ]);
  });
});

describe('wq', () => {
  test('what a worker does and what waits behind it', () => {
    const { kernel, worker, pool, work, flushes } = workqueueMachine();
    kernel.link(worker.member('scheduled').address, flushes().node);
    kernel.link(pool.member('worklist').address, work('paint_widgets').member('entry').address);
    const text = output(kernel, wq);
    assert.match(text, /^POOL 0 [0-9a-f]{16} {2}CPU 0 /m);
    assert.match(
      text,
      /COMMAND: "kworker\/0:1" \(UN\)\n {6}does [0-9a-f]{16} {2}polish_widgets {2}\(widgets\)\n {6}waits for time/,
    );
    assert.match(text, /^ {6}then [0-9a-f]{16} {2}wq_barrier_func/m);
    assert.match(text, /PENDING: 1\n {4}[0-9a-f]{16} {2}paint_widgets {2}\(widgets\)/);
    assert.match(text, /^busy workers: 1 {2}works waiting: 1$/m);
  });
});

describe('io', () => {
  test('nothing outstanding', () => {
    assert.equal(output(new SleepingKernel().kernel, io), 'no I/O is outstanding\n');
  });
});

describe('cpu', () => {
  test('what was interrupted, how deep, and with interrupts off', () => {
    const kernel = DyingKernel.make({
      types: 'struct kernel_stat { unsigned long irqs_sum; unsigned int softirqs[10]; };',
    });
    kernel.define('__preempt_count', 0xffff_8881_0000_9000n, 4, kernel.type('int'));
    for (const one of [0, 1]) kernel.space.map(kernel.perCpuAddress('__preempt_count', one), 8);
    kernel.space.write(kernel.perCpuAddress('__preempt_count', 0), Buffer.from([2, 1, 1, 0x80]));
    const task = kernel.task({ pid: 7, comm: 'sh' });
    kernel.panicOn(0, task, [
      'machine_kexec',
      'panic',
      exception('asm_exc_page_fault', 'frob+0x10', { rflags: 0x46n }),
      'vfs_write',
    ]);
    const [head, first, second] = output(kernel, cpu).split('\n');
    assert.match(head!, /^ CPU +PID {2}COMMAND/);
    assert.match(first!, /^\* {2}0 +7 {2}"sh" .* 2\+S\+H +off .* frob\+16$/);
    assert.match(second!, /^ {3}1 +0 {2}"swapper\/1"/);
    assert.equal(output(kernel, cpu, '1').split('\n').length, 3);
    assert.throws(() => output(kernel, cpu, '9'), UsageError);
  });
});
