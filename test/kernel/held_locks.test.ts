// Locks that a stuck task holds: those that name it, and nothing that merely has a task in it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { heldLocks } from '../../src/kernel/held_locks.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const shapes = {
  lists: `struct mutex { struct { long counter; } owner; int wait_lock; struct list_head wait_list; };
    struct rw_semaphore { struct { long counter; } count; struct { long counter; } owner; struct list_head wait_list; };`,
  first: `struct mutex { struct { long counter; } owner; int wait_lock; int osq; void *first_waiter; };
    struct rw_semaphore { struct { long counter; } count; struct { long counter; } owner; int osq; void *first_waiter; };`,
};

function world(shape: keyof typeof shapes) {
  const kernel = machine({ more: { types: shapes[shape] } });
  const task = newTask(kernel, { pid: 5 });
  linkTasks(kernel, [task]);
  const owned = (lock: KernelObject, flags = 0n): bigint => {
    kernel.set(lock, 'owner.counter', BigInt.asIntN(64, task.address | flags));
    if (lock.has('wait_list')) kernel.link(lock.member('wait_list').address);
    return lock.address;
  };
  const held = (...words: bigint[]) =>
    heldLocks(kernel, kernel.tasks.byPid(5)!, words).map(({ kind, lock }) => `${kind} ${lock.toString(16)}`);
  return { kernel, task, owned, held };
}

describe('locks that a task holds', () => {
  for (const shape of ['lists', 'first'] as const) {
    test(`a mutex with waiters, an rwsem held for writing, each once (${shape})`, () => {
      const { kernel, owned, held } = world(shape);
      const mutex = owned(kernel.allocate('struct mutex', 'm1'), 1n);
      const rwsem = owned(kernel.allocate('struct rw_semaphore', 'gate'));
      assert.deepEqual(held(5n, mutex, rwsem, mutex, 0xdead_0000_0000n), [
        `mutex ${mutex.toString(16)}`,
        `rwsem ${rwsem.toString(16)}`,
      ]);
    });

    test(`not one that readers have, nor one of another task (${shape})`, () => {
      const { kernel, owned, held } = world(shape);
      const readers = owned(kernel.allocate('struct rw_semaphore', 'gate'), 1n);
      const other = kernel.allocate('struct mutex', 'm1');
      kernel.set(other, 'owner.counter', 0x1000);
      assert.deepEqual(held(readers, other.address), []);
    });
  }

  test('a struct that has the task in it is no lock', () => {
    const { kernel, task, held } = world('lists');
    const node = kernel.reserve(64);
    kernel.space.words(node, task.address, 0n, 0n, 0n);
    assert.deepEqual(held(node, task.address), []);
  });

  test('a variable that points to the task is too small for a lock', () => {
    const { kernel, task, held } = world('first');
    const pointer = kernel.reserve(64);
    kernel.define('my_thread', pointer, 8);
    kernel.space.words(pointer, task.address, 0n, 0n, 0n);
    assert.deepEqual(held(pointer), []);
  });
});
