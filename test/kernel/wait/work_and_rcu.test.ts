// Tasks that wait for works and grace periods, and those that hold a CPU while they wait.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { waitOf } from '../../../src/kernel/wait/wait.ts';
import { DyingKernel, exception } from '../../support/dying_kernel.ts';
import { SleepingKernel } from '../../support/sleeper_writer.ts';
import { workqueueMachine } from '../../support/workqueue_writer.ts';

describe('a work that is waited for', () => {
  test('is what the worker does that has the barrier next', () => {
    const { world, kernel, worker, flushes, workerTask } = workqueueMachine();
    const { task, node } = flushes();
    kernel.link(worker.member('scheduled').address, node);
    const wait = world.wait(task)!;
    assert.ok(wait.kind === 'work');
    assert.equal(kernel.place(wait.work!.function)?.symbol.name, 'polish_widgets');
    assert.equal(wait.workqueue, 'widgets');
    assert.equal(wait.workers[0]!.task!.address, workerTask.address);
    assert.equal(wait.caller?.place?.symbol.name, 'frob');
  });

  test('is the pending one before the barrier, past other barriers', () => {
    const { world, kernel, pool, work, flushes } = workqueueMachine();
    const pending = work('paint_widgets');
    const [first, second] = [flushes(), flushes()];
    kernel.link(pool.member('worklist').address, pending.member('entry').address, first!.node, second!.node);
    const wait = world.wait(second!.task)!;
    assert.ok(wait.kind === 'work');
    assert.equal(wait.work!.address, pending.address);
    assert.deepEqual(wait.workers, []);
  });

  test('waits behind the others of a queue that does one at a time: behind the one that waits for it, for ever', () => {
    const { world, kernel, pwq, worker, work, flushes, workerTask } = workqueueMachine();
    const pending = work('paint_widgets');
    const [other, own] = [flushes(), flushes()];
    kernel.link(pwq.member('inactive_works').address, pending.member('entry').address, other.node, own.node);
    const wait = world.wait(other.task)!;
    assert.ok(wait.kind === 'work');
    assert.equal(wait.work!.address, pending.address);
    assert.deepEqual(
      wait.behind.map(({ taskAddress }) => taskAddress),
      [workerTask.address],
    );
    assert.equal(wait.deadlock, false);
    kernel.set(worker, 'task', own.task);
    const itself = world.wait(own.task)!;
    assert.ok(itself.kind === 'work' && itself.deadlock);
  });

  test('may be all of a queue’s', () => {
    const { world, kernel, queue, workerTask } = workqueueMachine();
    const { task, keeps } = world.sleeps(['__wait_for_common', '__flush_workqueue', 'frob']);
    // the flusher lies somewhere on the stack of who flushes
    keeps(0n);
    kernel.set(queue, 'first_flusher', task.member('stack').bigint() + 0x3f00n);
    const wait = world.wait(task)!;
    assert.ok(wait.kind === 'work');
    assert.deepEqual([wait.work, wait.workqueue], [null, 'widgets']);
    assert.deepEqual(
      wait.workers.map((worker) => worker.task!.address),
      [workerTask.address],
    );
  });

  test('is nobody’s where the barrier is on no list', () => {
    const { world, flushes } = workqueueMachine();
    assert.equal(world.wait(flushes().task)!.kind, 'completion');
  });
});

describe('grace periods', () => {
  const types = `
    struct rcu_node { unsigned long qsmask; int grplo; struct list_head blkd_tasks; struct list_head *gp_tasks; };
    struct rcu_data { struct rcu_node *mynode; };
    struct rcu_state { unsigned long gp_seq; unsigned long gp_start; struct task_struct *gp_kthread; };
    struct srcu_struct { int srcu_idx; void *sda; };
    struct srcu_data { int lock; struct srcu_struct *ssp; };
  `;

  test('of RCU: since when, and which CPUs it waits for', () => {
    const world = new SleepingKernel(types);
    const { kernel } = world;
    const state = kernel.allocate('struct rcu_state', 'rcu_state');
    kernel.set(state, 'gp_seq', (7 << 2) | 1);
    kernel.set(state, 'gp_start', 4_294_890_000);
    const node = kernel.allocate('struct rcu_node');
    kernel.set(node, 'qsmask', 0b10);
    kernel.link(node.member('blkd_tasks').address);
    kernel.define('rcu_data', 0xffff_8881_0000_8000n, 64, kernel.type('struct rcu_data'));
    for (const cpu of [0, 1]) {
      kernel.space.map(kernel.perCpuAddress('rcu_data', cpu), 64);
      kernel.set(kernel.perCpu('rcu_data', cpu), 'mynode', node);
    }
    const { task } = world.sleeps(['__wait_for_common', '__wait_rcu_gp', 'synchronize_rcu', 'frob']);
    const wait = world.wait(task)!;
    assert.ok(wait.kind === 'grace-period');
    assert.equal(wait.flavour, 'rcu');
    const { sequence, running, started, cpus, tasks } = wait.period!;
    assert.deepEqual(
      { sequence, running, started, cpus, tasks },
      { sequence: 7n, running: true, started: 4_294_890_000n, cpus: [1], tasks: [] },
    );
    assert.equal(wait.caller?.place?.symbol.name, 'frob');
  });

  test('of SRCU: the structure, found by what its per-CPU data point back to; other pointers leave no faults', () => {
    const world = new SleepingKernel(types);
    const { kernel } = world;
    const srcu = kernel.allocate('struct srcu_struct');
    const data = kernel.allocate('struct srcu_data');
    kernel.set(srcu, 'sda', data);
    kernel.set(data, 'ssp', srcu);
    const { task, keeps } = world.sleeps(['__wait_for_common', '__synchronize_srcu', 'synchronize_srcu', 'frob']);
    keeps(0xffff_dead_0000_0000n, 8);
    keeps(srcu.address, 16);
    const { value: wait, faults } = kernel.faults.collect(() => world.wait(task)!);
    assert.ok(wait.kind === 'grace-period');
    assert.deepEqual([wait.flavour, wait.srcu, wait.period], ['srcu', srcu.address, null]);
    assert.deepEqual(faults, []);
  });
});

describe('on a CPU', () => {
  function spins(value: number, registers: Record<string, bigint>) {
    const kernel = DyingKernel.make({});
    const lock = kernel.reserve(8);
    kernel.space.write(lock, Buffer.from(Uint32Array.of(value).buffer));
    const task = kernel.task({ pid: 7, comm: 'spinner' });
    const saved = Object.fromEntries(Object.entries(registers).map(([name, at]) => [name, at === 0n ? lock : at]));
    kernel.panicOn(0, task, [
      'machine_kexec',
      'panic',
      'watchdog_timer_fn',
      exception('asm_sysvec_apic_timer_interrupt', 'native_queued_spin_lock_slowpath+0x20', saved),
      '_raw_spin_lock',
      'frob',
    ]);
    kernel.writeTables();
    return { wait: waitOf(kernel, kernel.tasks.byPid(7)!), lock };
  }

  test('a spinlock that is held and waited for, in the register of the first argument or another', () => {
    for (const register of ['rdi', 'rbx']) {
      const { wait, lock } = spins(0x101, { [register]: 0n });
      assert.ok(wait?.kind === 'spin', register);
      assert.deepEqual([wait.lock, wait.value, wait.owner], [lock, 0x101, null]);
      assert.equal(wait.caller?.place?.symbol.name, 'frob');
    }
  });

  test('what is no contended lock is not taken for one', () => {
    for (const value of [0, 0x1234_5678, 0xff]) assert.equal(spins(value, { rdi: 0n }).wait, null, String(value));
  });
});
