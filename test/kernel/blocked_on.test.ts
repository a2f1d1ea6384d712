// Which lock a task sleeps on, who holds it, who else waits: in every form that kernels keep it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { backtracer } from '../../src/kernel/backtrace.ts';
import { lockWait } from '../../src/kernel/blocked_on.ts';
import { type LockWait, lockChain } from '../../src/kernel/lock_wait.ts';
import type { Task } from '../../src/kernel/task.ts';
import { DyingKernel, type StackItem } from '../support/dying_kernel.ts';

/** Locks whose list of waiters has its head in the lock: before 7.1. */
const listTypes = `
  struct rw_semaphore { struct atomic_long count; struct atomic_long owner; int wait_lock; struct list_head wait_list; };
  struct semaphore { int lock; unsigned int count; struct list_head wait_list; };
  struct mutex_waiter { struct list_head list; struct task_struct *task; void *ww_ctx; };
  enum rwsem_waiter_type { RWSEM_WAITING_FOR_WRITE, RWSEM_WAITING_FOR_READ };
  struct rwsem_waiter { struct list_head list; struct task_struct *task; enum rwsem_waiter_type type; };
  struct semaphore_waiter { struct list_head list; struct task_struct *task; bool up; };
`;
/** Locks that point to their first waiter, whose list holds waiters alone: since 7.1. */
const firstTypes = `
  struct mutex { struct atomic_long owner; int wait_lock; struct mutex_waiter *first_waiter; };
  struct mutex_waiter { struct list_head list; struct task_struct *task; void *ww_ctx; };
`;

type Shape = 'list' | 'first';

class World {
  readonly kernel: DyingKernel;
  private readonly queues = new Map<bigint, bigint[]>();
  private readonly shape: Shape;

  constructor(shape: Shape = 'list', types = '') {
    this.shape = shape;
    this.kernel = DyingKernel.make({ types: `${shape === 'list' ? listTypes : firstTypes} ${types}` });
  }

  lock(type: string, symbol?: string): KernelObject {
    const lock = this.kernel.allocate(`struct ${type}`, symbol);
    if (this.shape === 'list') {
      const head = lock.member('wait_list').address;
      this.kernel.link(head);
    }
    return lock;
  }

  task(pid: number, comm = `task${pid}`): KernelObject {
    return this.kernel.task({ pid, comm });
  }

  /** Makes a task wait for a lock, last in the queue. @param extra further words of the waiter */
  waits(task: KernelObject, lock: KernelObject, slow: readonly string[], extra: readonly bigint[] = [0n]): void {
    const waiter = [0n, 0n, task.address, ...extra];
    // the lock's address is among what the slow path saved
    const items: StackItem[] = [
      ...slow,
      { words: [lock.address, 0x1234n, ...waiter] },
      'frob[widget]',
      'kthread',
      'ret_from_fork_asm',
    ];
    this.kernel.sleeps(task, items);
    const sp = this.find(task, lock.address);
    const node = sp + 16n;
    const queue = this.queues.get(lock.address) ?? [];
    queue.push(node);
    this.queues.set(lock.address, queue);
    if (this.shape === 'list') this.kernel.link(lock.member('wait_list').address, ...queue);
    else {
      this.kernel.link(queue[0]!, ...queue.slice(1));
      this.kernel.set(lock, 'first_waiter', queue[0]!);
    }
  }

  wait(pid: number): LockWait | null {
    const { kernel } = this;
    this.kernel.writeTables();
    const task = kernel.tasks.byPid(pid)!;
    return lockWait(kernel, task, backtracer(kernel).of(task).frames);
  }

  /** Where a word lies on a task's stack. */
  private find(task: KernelObject, word: bigint): bigint {
    const base = task.member('stack').bigint();
    for (let at = base; at < base + 0x4000n; at += 8n) {
      if (this.kernel.space.u64(at as never) === word) return at;
    }
    throw new Error('the word is not on the stack');
  }
}

const mutexPath = ['schedule', '__mutex_lock.constprop.0'];
const names = (tasks: readonly Task[]): string[] => tasks.map(({ comm }) => comm);

for (const shape of ['list', 'first'] as const) {
  describe(`a mutex, ${shape === 'list' ? 'with the head of its waiters in it' : 'that points to its first waiter'}`, () => {
    test('its owner, whatever flags are in the low bits, and its waiters in order', () => {
      for (const flags of [0n, 1n, 7n]) {
        const world = new World(shape);
        const lock = world.lock('mutex');
        const [a, b, c] = [world.task(10, 'holder'), world.task(11, 'first'), world.task(12, 'second')];
        world.kernel.set(lock, 'owner.counter', a.address | flags);
        world.waits(b, lock, mutexPath);
        world.waits(c, lock, mutexPath);
        for (const pid of [11, 12]) {
          const wait = world.wait(pid)!;
          assert.deepEqual([wait.kind, wait.lock, wait.owner?.comm], ['mutex', lock.address, 'holder']);
          assert.deepEqual(names(wait.waiters), ['first', 'second']);
        }
        assert.equal(world.wait(10), null);
      }
    });

    test('nobody holds it while it is handed over', () => {
      const world = new World(shape);
      const lock = world.lock('mutex');
      world.waits(world.task(11), lock, mutexPath);
      world.kernel.set(lock, 'owner.counter', 1);
      const wait = world.wait(11)!;
      assert.deepEqual(
        [wait.owner, wait.held],
        [null, 'by nobody: it is being handed over, or was given back once too often'],
      );
    });

    test('an owner that is missing from the dump, or has exited, is told by its address', () => {
      const world = new World(shape);
      const lock = world.lock('mutex');
      world.waits(world.task(11), lock, mutexPath);
      world.kernel.set(lock, 'owner.counter', 0xffff_8880_9999_0000n | 1n);
      const wait = world.wait(11)!;
      assert.equal(wait.lock, lock.address);
      assert.match(wait.held, /the task at ffff888099990000, which has exited or is not in the dump/);
    });

    test('a waiter that is gone from its stack by the time of the dump is not taken for one', () => {
      const world = new World(shape);
      const lock = world.lock('mutex');
      const task = world.task(11);
      world.kernel.set(lock, 'owner.counter', task.address);
      // task pointers on the stack, but nothing is linked to them
      world.kernel.sleeps(task, [
        ...mutexPath,
        {
          words: [
            lock.address,
            0n,
            0n,
            task.address,
            0xdead_0000_0000_0100n,
            0xdead_0000_0000_0122n,
            task.address,
            5n,
            6n,
            task.address,
          ],
        },
        'kthread',
        'ret_from_fork_asm',
      ]);
      assert.equal(world.wait(11), null);
    });

    test('dozens of waiters', () => {
      const world = new World(shape);
      const lock = world.lock('mutex');
      for (let pid = 20; pid < 60; pid++) world.waits(world.task(pid), lock, mutexPath);
      assert.equal(world.wait(59)!.waiters.length, 40);
      assert.equal(world.wait(59)!.waiters[0]!.pid, 20);
    });
  });
}

test('a task that waits for no lock has none, though its stack once held a waiter', () => {
  const world = new World();
  const lock = world.lock('mutex');
  const task = world.task(11);
  world.waits(task, lock, ['schedule_timeout', 'msleep']);
  assert.equal(world.wait(11), null);
});

test('other waiters whose tasks are missing from the dump do not pass for the lock', () => {
  const world = new World();
  const lock = world.lock('mutex');
  const [owner, known, unknown] = [world.task(10), world.task(11), world.task(12)];
  world.kernel.set(lock, 'owner.counter', owner.address);
  // it is first in the queue: behind our waiter comes the head, before it the stranger
  world.waits(unknown, lock, mutexPath);
  world.waits(known, lock, mutexPath);
  world.kernel.space.exclude(unknown.address);
  assert.equal(world.wait(11)!.lock, lock.address);
  assert.equal(world.wait(11)!.owner?.pid, 10);
});

describe('a reader-writer semaphore', () => {
  const path = ['schedule', 'rwsem_down_read_slowpath', 'down_read'];

  function held(count: bigint, owner: (task: KernelObject) => bigint, type: bigint): LockWait {
    const world = new World();
    const lock = world.lock('rw_semaphore');
    const holder = world.task(10, 'holder');
    world.kernel.set(lock, 'count.counter', count);
    world.kernel.set(lock, 'owner.counter', owner(holder));
    world.waits(world.task(11), lock, path, [type]);
    return world.wait(11)!;
  }

  test('held by a writer', () => {
    const wait = held(0x3n, (task) => task.address, 1n);
    assert.deepEqual(
      [wait.wants, wait.held, wait.owner?.comm, wait.ownerIsCertain],
      ['read', 'for writing', 'holder', true],
    );
  });

  test('held by readers: the one that is noted may have left', () => {
    const wait = held(0x302n, (task) => task.address | 1n, 0n);
    assert.deepEqual([wait.wants, wait.owner?.comm, wait.ownerIsCertain], ['write', 'holder', false]);
    assert.match(wait.held, /^for reading, by 3 readers/);
  });

  test('held by nobody', () => {
    assert.equal(held(0x2n, () => 0n, 1n).owner, null);
  });
});

test('a semaphore knows no holder; one that remembers who took it last says no more than that', () => {
  const path = ['schedule_timeout', '___down_common', '__down', 'down'];
  const old = new World();
  const lock = old.lock('semaphore');
  old.waits(old.task(11), lock, path);
  const wait = old.wait(11)!;
  assert.deepEqual([wait.kind, wait.owner, wait.ownerIsCertain], ['semaphore', null, false]);

  const newer = new World(
    'list',
    'struct semaphore { int lock; unsigned int count; struct list_head wait_list; unsigned long last_holder; };',
  );
  const second = newer.lock('semaphore');
  newer.kernel.set(second, 'last_holder', newer.task(10, 'taker'));
  newer.waits(newer.task(11), second, path);
  const told = newer.wait(11)!;
  assert.deepEqual([told.owner?.comm, told.held, told.ownerIsCertain], ['taker', 'by the last that took it', false]);
});

describe('chains of waits', () => {
  const task = (pid: number): Task => ({ pid, address: BigInt(pid) }) as unknown as Task;
  /** Who waits for whom: `{1: 2}` is 1 waiting for a lock of 2. */
  const waiting = (owners: Readonly<Record<number, number | null>>) => {
    const waitOf = (t: Task): LockWait | null => {
      const owner = owners[t.pid];
      return owner === undefined
        ? null
        : ({ task: t, owner: owner === null ? null : task(owner) } as unknown as LockWait);
    };
    const { waits, deadlocked } = lockChain(waitOf(task(1))!, waitOf);
    return [waits.map((wait) => wait.task.pid), deadlocked];
  };

  for (const [what, owners, pids, deadlocked] of [
    ['ends with a holder that waits for nothing', { 1: 2, 2: 3 }, [1, 2], false],
    ['ends with a lock that nobody holds', { 1: 2, 2: null }, [1, 2], false],
    ['two lock each other out', { 1: 2, 2: 1 }, [1, 2], true],
    ['three lock each other out', { 1: 2, 2: 3, 3: 1 }, [1, 2, 3], true],
    ['one waits for itself', { 1: 1 }, [1], true],
    ['leads into a deadlock that it has no part in', { 1: 2, 2: 3, 3: 2 }, [2, 3], true],
  ] as const) {
    test(what, () => assert.deepEqual(waiting(owners), [pids, deadlocked]));
  }
});
