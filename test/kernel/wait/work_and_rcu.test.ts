// Tasks that wait for works and grace periods, and those that hold a CPU while they wait.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../../src/debuginfo/object.ts';
import { waitOf } from '../../../src/kernel/wait/wait.ts';
import { DyingKernel, exception } from '../../support/dying_kernel.ts';
import { SleepingKernel } from '../../support/sleeper_writer.ts';

const workTypes = `
  struct work_struct { struct atomic_long data; struct list_head entry; void *func; };
  struct wq_barrier { struct work_struct work; struct completion done; struct task_struct *task; };
  struct workqueue_attrs { int nice; };
  struct worker_pool {
    int cpu; int id; unsigned int flags; unsigned long watchdog_ts; struct list_head worklist;
    int nr_idle; struct list_head workers; struct workqueue_attrs *attrs;
  };
  struct pool_workqueue { struct workqueue_struct *wq; int nr_active; struct list_head inactive_works; struct list_head pwqs_node; };
  struct worker {
    struct work_struct *current_work; void *current_func; struct pool_workqueue *current_pwq;
    struct list_head scheduled; struct task_struct *task; struct list_head node; struct workqueue_struct *rescue_wq;
  };
  struct workqueue_struct {
    struct list_head pwqs; struct list_head list; void *first_flusher; struct list_head flusher_queue;
    struct list_head flusher_overflow; struct worker *rescuer; char name[24]; unsigned int flags;
  };
`;

/** A machine with a workqueue `widgets`, whose pool's one worker does a work of it. */
function machine() {
  const world = new SleepingKernel(workTypes);
  const { kernel } = world;
  kernel.at('schedule'); // where text begins has a symbol of its own
  const queue = kernel.allocate('struct workqueue_struct');
  kernel.set(queue, 'name', 'widgets');
  for (const list of ['flusher_queue', 'flusher_overflow']) kernel.link(queue.member(list).address);
  kernel.link(kernel.allocate('struct list_head', 'workqueues').address, queue.member('list').address);
  const pool = kernel.allocate('struct worker_pool');
  const pwq = kernel.allocate('struct pool_workqueue');
  kernel.set(pwq, 'wq', queue);
  kernel.link(queue.member('pwqs').address, pwq.member('pwqs_node').address);
  const work = (func: string): KernelObject => {
    const made = kernel.allocate('struct work_struct');
    kernel.set(made, 'func', kernel.at(func));
    kernel.set(made, 'data.counter', pwq.address | 5n);
    return made;
  };
  const current = work('polish_widgets[widget]');
  const worker = kernel.allocate('struct worker');
  const { task } = world.sleeps(['msleep', 'polish_widgets[widget]', 'process_one_work', 'worker_thread'], {
    comm: 'kworker/0:1',
  });
  for (const [member, value] of Object.entries({ current_work: current, current_pwq: pwq, task }))
    kernel.set(worker, member, value);
  kernel.set(worker, 'current_func', kernel.at('polish_widgets'));
  kernel.link(worker.member('scheduled').address);
  kernel.link(pool.member('workers').address, worker.member('node').address);
  for (const list of [pool.member('worklist'), pwq.member('inactive_works')]) kernel.link(list.address);
  const node = kernel.allocate('struct xa_node');
  kernel.set(node, 'slots[0]', pool);
  kernel.set(kernel.allocate('struct idr', 'worker_pool_idr'), 'idr_rt.xa_head', node.address | 2n);
  /** A task that flushes, with its barrier. */
  const flushes = () => {
    const { task, record } = world.sleeps(['__wait_for_common', '__flush_work', 'cancel_work_sync', 'frob']);
    const barrier = record('struct wq_barrier');
    kernel.set(barrier, 'task', task);
    kernel.set(barrier, 'work.func', kernel.at('wq_barrier_func'));
    return { task, node: barrier.member('work.entry').address };
  };
  return { world, kernel, queue, pool, worker, work, flushes, workerTask: task };
}

describe('a work that is waited for', () => {
  test('is what the worker does that has the barrier next', () => {
    const { world, kernel, worker, flushes, workerTask } = machine();
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
    const { world, kernel, pool, work, flushes } = machine();
    const pending = work('paint_widgets');
    const [first, second] = [flushes(), flushes()];
    kernel.link(pool.member('worklist').address, pending.member('entry').address, first!.node, second!.node);
    const wait = world.wait(second!.task)!;
    assert.ok(wait.kind === 'work');
    assert.equal(wait.work!.address, pending.address);
    assert.deepEqual(wait.workers, []);
  });

  test('may be all of a queue’s', () => {
    const { world, kernel, queue, workerTask } = machine();
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
    const { world, flushes } = machine();
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
