// Wait queues: entries of tasks, and entries that wake by a function alone.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { waiters } from '../../src/kernel/wait.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const shapes = {
  'wait_queue_entry (4.13)': {
    head: 'struct wait_queue_head',
    list: 'head',
    entry: 'struct wait_queue_entry',
    node: 'entry',
    types: `
      struct wait_queue_entry { unsigned int flags; void *private; void *func; struct list_head entry; };
      struct wait_queue_head { int lock; struct list_head head; };`,
  },
  __wait_queue: {
    head: 'struct __wait_queue_head',
    list: 'task_list',
    entry: 'struct __wait_queue',
    node: 'task_list',
    types: `
      struct __wait_queue { unsigned int flags; void *private; void *func; struct list_head task_list; };
      struct __wait_queue_head { int lock; struct list_head task_list; };`,
  },
  swait_queue: {
    head: 'struct swait_queue_head',
    list: 'task_list',
    entry: 'struct swait_queue',
    node: 'task_list',
    types: `
      struct swait_queue { struct task_struct *task; struct list_head task_list; };
      struct swait_queue_head { int lock; struct list_head task_list; };`,
  },
} as const;

for (const [name, shape] of Object.entries(shapes)) {
  describe(`wait queue of ${name}`, () => {
    const world = () => {
      const kernel = machine({
        more: { types: shape.types },
      });
      const task = newTask(kernel, { pid: 5 });
      linkTasks(kernel, [task]);
      const head = kernel.allocate(shape.head);
      const entry = (held: KernelObject | number) => {
        const made = kernel.allocate(shape.entry);
        kernel.set(made, made.has('private') ? 'private' : 'task', held);
        return made;
      };
      const link = (...entries: KernelObject[]) =>
        kernel.link(head.member(shape.list).address, ...entries.map((made) => made.member(shape.node).address));
      return { kernel, task, head, entry, link };
    };

    test('nobody', () => {
      const { kernel, head, link } = world();
      link();
      assert.deepEqual([...waiters(kernel, head)], []);
    });

    test('the tasks that wait, in order, and an entry of no task', () => {
      const { kernel, task, head, entry, link } = world();
      link(entry(task), entry(0x1234));
      assert.deepEqual(
        [...waiters(kernel, head)].map((waiter) => waiter.task),
        [task.address, 0n],
      );
    });

    test('a list that breaks off gives what came before', () => {
      const { kernel, task, head, entry, link } = world();
      const [first, second] = [entry(task), entry(task)];
      link(first, second);
      kernel.space.exclude(second.address);
      const found: bigint[] = [];
      assert.throws(() => {
        for (const waiter of waiters(kernel, head)) found.push(waiter.task);
      }, /excluded/);
      assert.deepEqual(found, [task.address]);
    });
  });
}

test('what is no wait queue is told', () => {
  const kernel = machine({});
  assert.throws(() => [...waiters(kernel, kernel.allocate('struct rlimit'))], /no wait queue/);
});
