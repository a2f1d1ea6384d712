// What a CPU runs and what waits to run there: every scheduling class, groups, and broken queues.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { type QueueEntry, queuedTasks, readRunqueue } from '../../src/kernel/runqueue.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right; struct rb_node *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
  struct rb_root_cached { struct rb_root rb_root; struct rb_node *rb_leftmost; };
  struct kernfs_node { const char *name; };
  struct cgroup { struct kernfs_node *kn; };
  struct css { struct cgroup *cgroup; };
  struct autogroup { unsigned long id; };
  struct task_group { struct css css; struct autogroup *autogroup; };
  struct sched_entity { struct rb_node run_node; u8 sched_delayed; struct cfs_rq *my_q; };
  struct cfs_rq { struct rb_root_cached tasks_timeline; struct sched_entity *curr; struct task_group *tg; bool throttled : 1; };
  struct sched_rt_entity { struct list_head run_list; struct rt_rq *my_q; };
  struct rt_prio_array { unsigned long bitmap[2]; struct list_head queue[100]; };
  struct rt_rq { struct rt_prio_array active; int rt_throttled; struct task_group *tg; };
  struct sched_dl_entity { struct rb_node rb_node; unsigned int dl_throttled : 1; unsigned int dl_server : 1; };
  struct dl_rq { struct rb_root_cached root; };
  struct sched_ext_entity { struct list_head runnable_node; };
  struct scx_rq { struct list_head runnable_list; };
  struct task_struct {
    int prio; int on_rq;
    struct sched_entity se; struct sched_rt_entity rt; struct sched_dl_entity dl; struct sched_ext_entity scx;
  };
  struct rq {
    unsigned int nr_running; struct cfs_rq cfs; struct rt_rq rt; struct dl_rq dl; struct scx_rq scx;
    struct task_struct *curr; struct task_struct *stop; u64 clock; int cpu;
  };
`;

interface Machine {
  readonly kernel: SyntheticKernel;
  readonly rq: KernelObject;
  task(priority: number): KernelObject;
}

function machine(): Machine {
  const kernel = new SyntheticKernel(types);
  const rq = kernel.allocate('struct rq', 'runqueues');
  const task = (priority: number): KernelObject => {
    const made = kernel.allocate('struct task_struct');
    kernel.set(made, 'prio', priority);
    return made;
  };
  kernel.set(rq, 'curr', task(120));
  kernel.set(rq, 'stop', task(0));
  clearRealtime(kernel, rq.member('rt'));
  kernel.link(rq.member('scx.runnable_list').address);
  return { kernel, rq, task };
}

function clearRealtime(kernel: SyntheticKernel, queue: KernelObject): void {
  for (const head of queue.member('active.queue').elements()) kernel.link(head.address);
}

/** What is queued, short: `p120` a task, with `*` if it runs and `d` if it is delayed; `name(...)` a group. */
function short(entries: readonly QueueEntry[]): string {
  const one = (entry: QueueEntry): string =>
    entry.kind === 'task'
      ? `p${entry.priority}${entry.current ? '*' : ''}${entry.delayed ? 'd' : ''}`
      : `${entry.name}${entry.throttled ? '!' : ''}(${short(entry.entries)})`;
  return entries.map(one).join(' ');
}

describe('run queue', () => {
  test('an idle CPU has nothing queued', () => {
    const { kernel, rq } = machine();
    const { value, faults } = kernel.faults.collect(() => readRunqueue(kernel, 0));
    assert.deepEqual(
      [value.fair, value.realtime, value.deadline, value.extensible, value.stopper],
      [[], [], [], [], null],
    );
    assert.equal(value.address, rq.address);
    assert.deepEqual(
      faults.filter(({ what }) => /run queue|of CPU/.test(what)),
      [],
    );
  });

  test('fair tasks: the one that runs first though it is in no tree, one that sleeps but is still queued marked', () => {
    const { kernel, rq, task } = machine();
    const [current, low, top] = [rq.member('curr').deref(), task(139), task(121)];
    kernel.set(rq, 'cfs.curr', current.member('se'));
    kernel.set(rq, 'cfs.tasks_timeline.rb_root.rb_node', top.member('se.run_node'));
    kernel.set(top, 'se.run_node.rb_right', low.member('se.run_node'));
    kernel.set(low, 'se.sched_delayed', 1);
    assert.equal(short(readRunqueue(kernel, 0).fair), 'p120* p121 p139d');
  });

  test('groups stand with what is queued in them, by name; a throttled one is marked', () => {
    const { kernel, rq, task } = machine();
    const group = kernel.allocate('struct task_group');
    kernel.set(group, 'css.cgroup', kernel.allocate('struct cgroup'));
    kernel.set(group.member('css.cgroup').deref(), 'kn', kernel.allocate('struct kernfs_node'));
    const name = kernel.reserve(16);
    kernel.space.write(name, Buffer.from('batch.slice\0'));
    kernel.set(group.member('css.cgroup').member('kn').deref(), 'name', name);
    const queue = kernel.allocate('struct cfs_rq');
    const entity = kernel.allocate('struct sched_entity');
    kernel.set(queue, 'tg', group);
    kernel.set(queue, 'throttled', 1);
    kernel.set(queue, 'tasks_timeline.rb_root.rb_node', task(125).member('se.run_node'));
    kernel.set(entity, 'my_q', queue);
    kernel.set(rq, 'cfs.tasks_timeline.rb_root.rb_node', entity.member('run_node'));
    const { fair } = readRunqueue(kernel, 0);
    assert.equal(short(fair), 'batch.slice!(p125)');
    assert.equal([...queuedTasks(fair)].length, 1);

    const auto = kernel.allocate('struct autogroup');
    kernel.set(auto, 'id', 7);
    kernel.set(group, 'autogroup', auto);
    assert.equal(short(readRunqueue(kernel, 0).fair), 'autogroup-7!(p125)');
  });

  test('a group that is queued in itself is not followed for ever', () => {
    const { kernel, rq } = machine();
    const entity = kernel.allocate('struct sched_entity');
    kernel.set(entity, 'my_q', rq.member('cfs'));
    kernel.set(rq, 'cfs.tasks_timeline.rb_root.rb_node', entity.member('run_node'));
    const { value, faults } = kernel.faults.collect(() => readRunqueue(kernel, 0));
    assert.equal(short(value.fair), 'null()');
    assert.ok(faults.some(({ message }) => message.includes('loop back')));
  });

  test('real-time tasks by priority, in groups too', () => {
    const { kernel, rq, task } = machine();
    const queue = kernel.allocate('struct rt_rq');
    clearRealtime(kernel, queue);
    const entity = kernel.allocate('struct sched_rt_entity');
    kernel.set(entity, 'my_q', queue);
    kernel.link(queue.member('active.queue').index(98).address, task(98).member('rt.run_list').address);
    const heads = rq.member('rt.active.queue');
    kernel.link(heads.index(50).address, task(50).member('rt.run_list').address, entity.address);
    kernel.link(heads.index(3).address, task(3).member('rt.run_list').address);
    assert.equal(short(readRunqueue(kernel, 0).realtime), 'p3 p50 null(p98)');
  });

  test('deadline tasks without the servers of other classes, sched_ext tasks, and a stopper that waits', () => {
    const { kernel, rq, task } = machine();
    const [server, deadline, ext] = [kernel.allocate('struct sched_dl_entity'), task(-1), task(120)];
    kernel.set(server, 'dl_server', 1);
    kernel.set(server, 'rb_node.rb_right', deadline.member('dl.rb_node'));
    kernel.set(rq, 'dl.root.rb_root.rb_node', server.member('rb_node'));
    kernel.link(rq.member('scx.runnable_list').address, ext.member('scx.runnable_node').address);
    kernel.set(rq.member('stop').deref(), 'on_rq', 1);
    const read = readRunqueue(kernel, 0);
    assert.equal(short(read.deadline), 'p-1');
    assert.equal(short(read.extensible!), 'p120');
    assert.equal(read.stopper!.address, rq.member('stop').pointer());
  });

  test('a queue that cannot be read costs its class alone', () => {
    const { kernel, rq, task } = machine();
    kernel.set(rq, 'cfs.tasks_timeline.rb_root.rb_node', virtAddr(0xdead_0000n));
    kernel.link(rq.member('rt.active.queue').index(3).address, task(3).member('rt.run_list').address);
    const { value, faults } = kernel.faults.collect(() => readRunqueue(kernel, 0));
    assert.equal(short(value.fair), '');
    assert.equal(short(value.realtime), 'p3');
    assert.ok(faults.some(({ code }) => code === 'memory-fault'));
  });
});
