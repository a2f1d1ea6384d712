// Signals of a process and of a thread.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { processSignals, threadSignals } from '../../src/kernel/signal.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const more = {
  types: `
    struct list_head { struct list_head *next, *prev; };
    struct sigset { unsigned long sig[1]; };
    struct sigpending { struct list_head list; struct sigset signal; };
    struct siginfo { int si_signo; };
    struct sigqueue { struct list_head list; int flags; struct siginfo info; };
    struct sigaction { void *sa_handler; unsigned long sa_flags; void *sa_restorer; struct sigset sa_mask; };
    struct k_sigaction { struct sigaction sa; };
    struct sighand_struct { struct k_sigaction action[64]; };
  `,
  task: 'struct sigset blocked; struct sigpending pending; struct sighand_struct *sighand;',
  signal: 'int nr_threads; struct sigpending shared_pending;',
};

function world() {
  const kernel = machine({ more });
  const task = newTask(kernel, { pid: 5 });
  const handlers = kernel.allocate('struct sighand_struct');
  kernel.set(task, 'sighand', handlers);
  const signal = task.member('signal').deref();
  kernel.link(signal.member('shared_pending.list').address);
  kernel.link(task.member('pending.list').address);
  linkTasks(kernel, [task]);
  return { kernel, task, handlers, signal, of: () => kernel.tasks.byPid(5)! };
}

describe('signals', () => {
  test('handlers, by signal', () => {
    const { kernel, handlers, of } = world();
    kernel.set(handlers, 'action[10].sa.sa_handler', 0x534b5c);
    kernel.set(handlers, 'action[10].sa.sa_mask.sig[0]', 0x4000);
    kernel.set(handlers, 'action[12].sa.sa_handler', 1);
    const actions = processSignals(kernel, of())!.actions!;
    assert.equal(actions.length, 64);
    assert.deepEqual([actions[10]!.signal, actions[10]!.handler, actions[10]!.mask], [11, 0x534b5cn, 0x4000n]);
    assert.equal(actions[12]!.handler, 1n);
  });

  test('what is pending for the process and for the thread, with what was told of it', () => {
    const { kernel, task, signal, of } = world();
    kernel.set(signal, 'shared_pending.signal.sig[0]', 0x4000);
    const queued = kernel.allocate('struct sigqueue');
    kernel.set(queued, 'info.si_signo', 15);
    kernel.link(signal.member('shared_pending.list').address, queued.member('list').address);
    kernel.set(task, 'pending.signal.sig[0]', 0x100);
    kernel.set(task, 'blocked.sig[0]', 1n << 63n);
    assert.deepEqual(processSignals(kernel, of())!.pending, {
      signals: 0x4000n,
      queue: [{ signal: 15, info: queued.member('info').address }],
    });
    const thread = threadSignals(kernel, of());
    assert.deepEqual([thread.blocked, thread.pending?.signals, thread.pending?.queue], [1n << 63n, 0x100n, []]);
  });

  test('a queue that leads back ends with a fault, and the set stands', () => {
    const { kernel, signal, of } = world();
    kernel.set(signal, 'shared_pending.signal.sig[0]', 0x4000);
    const queued = kernel.allocate('struct sigqueue');
    kernel.link(signal.member('shared_pending.list').address, queued.member('list').address);
    kernel.link(queued.member('list').address);
    const { value, faults } = kernel.faults.collect(() => processSignals(kernel, of())!.pending);
    assert.deepEqual([value?.signals, value?.queue.length, faults.length], [0x4000n, 1, 1]);
  });

  test('handlers on a page that is missing leave what is pending', () => {
    const { kernel, handlers, of } = world();
    kernel.space.exclude(handlers.address);
    const { value, faults } = kernel.faults.collect(() => processSignals(kernel, of())!);
    assert.deepEqual([value.actions, value.pending?.signals, faults.length], [null, 0n, 1]);
  });

  test('a task that has given its signals up', () => {
    const { kernel, task, of } = world();
    kernel.set(task, 'sighand', 0);
    assert.equal(processSignals(kernel, of()), null);
  });
});
