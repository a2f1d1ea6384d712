// Workqueues: what each worker does, what waits, and what a broken list costs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { allWorkers, type WorkItem, workqueues } from '../../src/kernel/workqueue.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct xa_node { u8 shift; void *slots[64]; };
  struct xarray { void *xa_head; };
  struct idr { struct xarray idr_rt; };
  struct atomic_long { long counter; };
  enum worker_pool_flags { POOL_BH = 1, POOL_DISASSOCIATED = 4 };
  struct work_struct { struct atomic_long data; struct list_head entry; void *func; };
  struct workqueue_attrs { int nice; };
  struct worker_pool {
    int cpu; int id; unsigned int flags; unsigned long watchdog_ts; struct list_head worklist;
    int nr_idle; struct list_head workers; struct workqueue_attrs *attrs;
  };
  struct pool_workqueue {
    struct worker_pool *pool; struct workqueue_struct *wq; int nr_active;
    struct list_head inactive_works; struct list_head pwqs_node;
  };
  struct worker {
    struct work_struct *current_work; void *current_func; struct pool_workqueue *current_pwq; unsigned long current_start;
    struct list_head scheduled; void *task; struct list_head node; struct workqueue_struct *rescue_wq;
  };
  struct workqueue_struct { struct list_head pwqs; struct list_head list; struct worker *rescuer; char name[24]; unsigned int flags; };
`;

/** One workqueue, `events`, with a pool of CPU 1 that has one worker. */
function machine() {
  const kernel = new SyntheticKernel(types);
  const head = kernel.allocate('struct list_head', 'workqueues');
  const queue = kernel.allocate('struct workqueue_struct');
  kernel.set(queue, 'name', 'events');
  kernel.link(head.address, queue.member('list').address);
  const pool = kernel.allocate('struct worker_pool');
  kernel.set(pool, 'id', 2);
  kernel.set(pool, 'cpu', 1);
  kernel.set(pool, 'watchdog_ts', 77);
  const pwq = kernel.allocate('struct pool_workqueue');
  kernel.set(pwq, 'wq', queue);
  kernel.set(pwq, 'nr_active', 3);
  kernel.link(queue.member('pwqs').address, pwq.member('pwqs_node').address);
  const worker = makeWorker(kernel);
  kernel.link(pool.member('workers').address, worker.member('node').address);
  for (const list of [pool.member('worklist'), pwq.member('inactive_works')]) kernel.link(list.address);
  const node = kernel.allocate('struct xa_node');
  kernel.set(node, 'slots[2]', pool);
  kernel.set(kernel.allocate('struct idr', 'worker_pool_idr'), 'idr_rt.xa_head', node.address | 2n);
  const work = (func: number): KernelObject => {
    const made = kernel.allocate('struct work_struct');
    kernel.set(made, 'func', func);
    kernel.set(made, 'data.counter', pwq.address | 5n);
    return made;
  };
  return { kernel, queue, pool, pwq, worker, work };
}

function makeWorker(kernel: SyntheticKernel): KernelObject {
  const worker = kernel.allocate('struct worker');
  kernel.link(worker.member('scheduled').address);
  return worker;
}

const functions = (works: readonly WorkItem[]): string[] =>
  works.map(({ function: at, workqueue }) => `${workqueue}:${at.toString(16)}`);

describe('workqueues', () => {
  test('an idle machine', () => {
    const { kernel, pool } = machine();
    const { queues, pools } = workqueues(kernel);
    assert.deepEqual(
      queues.map(({ name, active, inactive, rescuer }) => [name, active, inactive, rescuer]),
      [['events', 3, [], null]],
    );
    assert.deepEqual([pools[0]!.id, pools[0]!.cpu, pools[0]!.nice, pools[0]!.lastProgress], [2, 1, null, 77n]);
    assert.equal(pools[0]!.address, pool.address);
    assert.equal(pools[0]!.workers[0]!.current, null);
    assert.equal(pools[0]!.workers[0]!.since, null);
  });

  test('what a worker does, since when, and what comes next', () => {
    const { kernel, pwq, pool, worker, work } = machine();
    const [current, next, later, much] = [work(0x100), work(0x200), work(0x300), work(0x400)];
    kernel.set(worker, 'current_work', current!);
    kernel.set(worker, 'current_func', 0x100);
    kernel.set(worker, 'current_pwq', pwq);
    kernel.set(worker, 'current_start', 50);
    kernel.link(worker.member('scheduled').address, next!.member('entry').address);
    kernel.link(pool.member('worklist').address, later!.member('entry').address);
    kernel.link(pwq.member('inactive_works').address, much!.member('entry').address);
    kernel.set(later!, 'data.counter', 0x1234_0000); // of no pool: what was never queued
    const { queues, pools } = workqueues(kernel);
    const [busy] = pools[0]!.workers;
    assert.deepEqual(functions([busy!.current!]), ['events:100']);
    assert.equal(busy!.since, 50n);
    assert.deepEqual(functions(busy!.scheduled), ['events:200']);
    assert.deepEqual(functions(pools[0]!.pending), ['null:300']);
    assert.deepEqual(functions(queues[0]!.inactive), ['events:400']);
  });

  test('pools of no CPU and of softirqs, and the rescuer of a queue', () => {
    const { kernel, queue, pool } = machine();
    const rescuer = makeWorker(kernel);
    kernel.set(rescuer, 'rescue_wq', queue);
    kernel.set(queue, 'rescuer', rescuer);
    kernel.set(pool, 'cpu', -1);
    kernel.set(pool, 'flags', 1);
    const all = workqueues(kernel);
    assert.deepEqual([all.pools[0]!.cpu, all.pools[0]!.bottomHalf], [null, true]);
    assert.equal(all.queues[0]!.rescuer!.rescuerOf, 'events');
    assert.equal(allWorkers(all).length, 2);
  });

  test('a list of works that loops or breaks keeps what came before, and is told', () => {
    const { kernel, pwq, pool, worker, work } = machine();
    const [first, second] = [work(0x100), work(0x200)];
    kernel.link(pool.member('worklist').address, first!.member('entry').address, second!.member('entry').address);
    kernel.set(second!, 'entry.next', first!.member('entry'));
    kernel.set(worker, 'scheduled.next', 0xdead_0000);
    kernel.set(pwq, 'inactive_works.next', 0);
    const { value, faults } = kernel.faults.collect(() => workqueues(kernel));
    assert.deepEqual(functions(value.pools[0]!.pending), ['events:100', 'events:200']);
    assert.equal(faults.filter(({ what }) => what === 'list of works').length, 3);
  });
});
