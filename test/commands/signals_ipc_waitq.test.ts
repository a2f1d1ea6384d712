// sig, ipcs, waitq: their tables, and what they say where there is nothing or something is missing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CommandContext } from '../../src/commands/context.ts';
import { ipcs } from '../../src/commands/tasks/ipcs.ts';
import { sig } from '../../src/commands/tasks/sig.ts';
import { waitq } from '../../src/commands/tasks/waitq.ts';
import { run } from '../support/run_command.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const more = {
  types: `
    struct list_head { struct list_head *next, *prev; };
    struct xarray { int xa_lock; int xa_flags; void *xa_head; };
    struct idr { struct xarray idr_rt; };
    struct sigset { unsigned long sig[1]; };
    struct sigpending { struct list_head list; struct sigset signal; };
    struct siginfo { int si_signo; };
    struct sigqueue { struct list_head list; int flags; struct siginfo info; };
    struct sigaction { void *sa_handler; unsigned long sa_flags; void *sa_restorer; struct sigset sa_mask; };
    struct k_sigaction { struct sigaction sa; };
    struct sighand_struct { struct k_sigaction action[64]; };
    struct wait_queue_entry { unsigned int flags; void *private; void *func; struct list_head entry; };
    struct wait_queue_head { int lock; struct list_head head; };
    struct completion { int done; struct wait_queue_head wait; };
    struct holder { struct holder *self; struct completion *done; };
    struct kern_ipc_perm { bool deleted; int id; int key; u32 uid; u16 mode; };
    struct ipc_ids { int in_use; struct idr ipcs_idr; };
    struct ipc_namespace { struct ipc_ids ids[3]; };
    struct msg_queue { struct kern_ipc_perm q_perm; unsigned long q_cbytes; unsigned long q_qnum; };
    struct nsproxy { struct ipc_namespace *ipc_ns; };
  `,
  task: 'struct sigset blocked; struct sigpending pending; struct sighand_struct *sighand; struct nsproxy *nsproxy;',
  signal: 'int nr_threads; struct sigpending shared_pending;',
};

function world() {
  const kernel = machine({ more });
  const task = newTask(kernel, { pid: 5, comm: 'sh' });
  kernel.set(task, 'sighand', kernel.allocate('struct sighand_struct'));
  const signal = task.member('signal').deref();
  kernel.set(signal, 'nr_threads', 1);
  kernel.link(signal.member('shared_pending.list').address);
  kernel.link(task.member('pending.list').address);
  const namespace = kernel.allocate('struct ipc_namespace', 'init_ipc_ns');
  linkTasks(kernel, [task]);
  const context = new CommandContext(kernel);
  context.task = kernel.tasks.byPid(5)!;
  const text = (command: Parameters<typeof run>[0], line = '') =>
    run(command, context, line.split(' ').filter(Boolean)).text;
  return { kernel, task, signal, namespace, text };
}

/** Addresses differ with how a test allocates: they are not what is looked at. */
const masked = (text: string): string => text.replace(/ffff8[0-9a-f]{11}/g, 'ADDRESS'.padEnd(16));

describe('sig', () => {
  test('-s of something that is no set is refused', () => {
    assert.throws(() => world().text(sig, '-s zz'), /not a set/);
  });

  test('handlers, and what is pending', () => {
    const { kernel, task, signal, text } = world();
    const handlers = task.member('sighand').deref();
    kernel.set(handlers, 'action[10].sa.sa_handler', 0x534b5c);
    kernel.set(handlers, 'action[10].sa.sa_flags', 0x0400_0000);
    kernel.set(handlers, 'action[11].sa.sa_handler', 1);
    kernel.set(signal, 'shared_pending.signal.sig[0]', 0x4000);
    const queued = kernel.allocate('struct sigqueue');
    kernel.set(queued, 'info.si_signo', 15);
    kernel.link(signal.member('shared_pending.list').address, queued.member('list').address);
    const shown = masked(text(sig)).split('\n');
    assert.deepEqual(shown.slice(0, 4), [
      'PID: 5        TASK: ADDRESS           CPU: 0    COMMAND: "sh"',
      'SIGNAL_STRUCT: ADDRESS           NR_THREADS: 1',
      ' SIG    SIGACTION        HANDLER       MASK       FLAGS           ',
      ' [1] ADDRESS             SIG_DFL 0000000000000000 0 ',
    ]);
    assert.equal(shown[13], '[11] ADDRESS              534b5c 0000000000000000 4000000 (SA_RESTORER)');
    assert.match(shown[14]!, /SIG_IGN/);
    assert.deepEqual(shown.slice(67), [
      'SIGPENDING: yes',
      '   BLOCKED: 0000000000000000',
      'PRIVATE_PENDING',
      '    SIGNAL: 0000000000000000',
      '  SIGQUEUE: (empty)',
      'SHARED_PENDING',
      '    SIGNAL: 0000000000004000',
      '  SIGQUEUE:  SIG      SIGINFO     ',
      '              15  ADDRESS         ',
      '',
    ]);
  });

  test('a signal that is blocked does not count as pending', () => {
    const { kernel, task, text } = world();
    kernel.set(task, 'pending.signal.sig[0]', 0x4000);
    kernel.set(task, 'blocked.sig[0]', 0x4000);
    assert.match(text(sig), /SIGPENDING: no/);
  });

  test('-g: a process with its threads further in', () => {
    const shown = masked(world().text(sig, '-g 5'));
    assert.match(shown, /^SHARED_PENDING$/m);
    assert.match(shown, /^ {2}PID: 5 [\s\S]*^ {2}SIGPENDING: no$/m);
  });

  test('-l and -s: names', () => {
    const { text } = world();
    const names = text(sig, '-l').trimEnd().split('\n');
    assert.deepEqual(
      [names[0], names[16], names[48], names[63]],
      [' [1] SIGHUP', '[17] SIGCHLD/SIGCLD', '[49] SIGRTMAX-15', '[64] SIGRTMAX'],
    );
    assert.equal(text(sig, '-s 4100'), 'SIGKILL SIGTERM\n');
    const wide = text(sig, '-s ffffffffffffffff').split('\n');
    assert.match(wide[6]!, /^SIGRTMAX-13 .* SIGRTMAX-7$/);
    assert.equal(wide[6]!.length, 80);
  });
});

describe('ipcs', () => {
  test('nothing, of all three kinds', () => {
    const text = world().text(ipcs);
    assert.equal(text.match(/\(none allocated\)/g)?.length, 3);
    assert.match(text, /^SHMID_KERNEL {5}KEY {6}SHMID {6}UID {3}PERMS BYTES {6}NATTCH STATUS$/m);
  });

  test('a queue: in the list, by id, by address; and one that there is not', () => {
    const { kernel, namespace, text } = world();
    const queue = kernel.allocate('struct msg_queue');
    for (const [path, value] of Object.entries({
      'q_perm.id': 32769,
      'q_perm.key': -2,
      'q_perm.uid': 1000,
      'q_perm.mode': 0o666,
      q_cbytes: 300,
      q_qnum: 3,
    })) {
      kernel.set(queue, path, value);
    }
    const node = kernel.allocate('struct xa_node');
    kernel.set(node, 'slots[1]', queue.member('q_perm'));
    kernel.set(namespace, 'ids[1].ipcs_idr.idr_rt.xa_head', node.address | 2n);
    const row = 'ADDRESS          fffffffe 32769      1000  666   300          3           ';
    for (const line of ['-q', '32769', queue.address.toString(16)]) {
      assert.ok(masked(text(ipcs, line)).split('\n').includes(row), line);
    }
    assert.match(text(ipcs, '5'), /invalid id or address: 5/);
  });
});

describe('waitq', () => {
  const queueWith = () => {
    const at = world();
    const { kernel } = at;
    const completion = kernel.allocate('struct completion', 'kthreadd_done');
    const queue = completion.member('wait');
    kernel.define('kswapd_wait', queue.address, queue.size, kernel.type('struct wait_queue_head'));
    const entries = [at.task.address, 0x1234n].map((held) => {
      const entry = kernel.allocate('struct wait_queue_entry');
      kernel.set(entry, 'private', held);
      return entry;
    });
    return { ...at, completion, queue, entries };
  };

  test('an empty queue', () => {
    const { kernel, queue, text } = queueWith();
    kernel.link(queue.member('head').address);
    assert.equal(masked(text(waitq, 'kswapd_wait')), 'wait queue "kswapd_wait" (ADDRESS         ) is empty\n');
  });

  test('by symbol, by address, by member, and of a completion: who waits', () => {
    const { kernel, completion, queue, entries, text } = queueWith();
    kernel.link(queue.member('head').address, ...entries.map((entry) => entry.member('entry').address));
    for (const line of [
      'kswapd_wait',
      queue.address.toString(16),
      `completion.wait ${completion.address.toString(16)}`,
      'kthreadd_done',
    ]) {
      assert.equal(
        masked(text(waitq, line)),
        'PID: 5        TASK: ADDRESS           CPU: 0    COMMAND: "sh"\n(no task) entry: ADDRESS           wakes: ?\n',
        line,
      );
    }
  });

  test('a member behind pointers; one that is NULL is no empty queue', () => {
    const { kernel, completion, queue, entries, text } = queueWith();
    kernel.link(queue.member('head').address, ...entries.map((entry) => entry.member('entry').address));
    const holder = kernel.allocate('struct holder');
    const address = holder.address.toString(16);
    assert.throws(() => text(waitq, `holder.done ${address}`), /NULL/);
    kernel.set(holder, 'done', completion);
    kernel.set(holder, 'self', holder);
    for (const path of ['done', 'done.wait', 'self.done.wait'])
      assert.match(text(waitq, `holder.${path} ${address}`), /^PID: 5 /, path);
  });

  test('a queue whose list cannot be read is not said to be empty; one that was never set up is', () => {
    const { kernel, queue, text } = queueWith();
    assert.match(text(waitq, 'kswapd_wait'), / is empty\n$/);
    kernel.space.exclude(queue.address);
    assert.equal(text(waitq, 'kswapd_wait'), '');
  });

  test('what is no wait queue is refused', () => {
    const { text } = queueWith();
    assert.throws(() => text(waitq, 'init_ipc_ns'), /no wait queue/);
    assert.throws(() => text(waitq, 'completion.nosuch ffff888000000000'), /nosuch/);
  });
});
