// Locks that a task notes in pi_blocked_on: rt_mutexes, and what PREEMPT_RT makes of them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import type { Frame } from '../../src/kernel/backtrace.ts';
import { lockWait } from '../../src/kernel/blocked_on.ts';
import type { LockWait } from '../../src/kernel/lock_wait.ts';
import { DyingKernel } from '../support/dying_kernel.ts';

const taskTypes = `
  struct rt_mutex_base { int wait_lock; struct task_struct *owner; };
  struct rt_mutex_waiter { struct task_struct *task; struct rt_mutex_base *lock; };
  struct thread_info { unsigned long flags; u32 cpu; };
  struct task_struct {
    struct thread_info thread_info; unsigned int __state; void *stack; unsigned int flags; int prio; unsigned int policy;
    struct sched_entity se; struct sched_info sched_info;
    struct list_head tasks; struct mm_struct *mm; int exit_state; pid_t pid; pid_t tgid;
    struct task_struct *real_parent; struct list_head children; struct list_head sibling;
    struct hlist_node pid_links[4]; struct list_head thread_node; u64 utime; u64 stime; u64 start_time;
    char comm[16]; struct signal_struct *signal; struct thread_struct thread; struct rt_mutex_waiter *pi_blocked_on;
  };`;
/** Locks of PREEMPT_RT (include/linux/mutex.h, rwsem.h, rwbase_rt.h, spinlock_types.h). */
const preemptRt = `
  struct rwbase_rt { struct atomic readers; struct rt_mutex_base rtmutex; };
  struct mutex { struct rt_mutex_base rtmutex; };
  struct rw_semaphore { struct rwbase_rt rwbase; };
  struct spinlock { struct rt_mutex_base lock; };
  typedef struct { struct rwbase_rt rwbase; } rwlock_t;`;

/** Makes a task block on an rt_mutex. */
function block(kernel: DyingKernel, pid: number, lock: KernelObject, prio = 120): void {
  const task = kernel.task({ pid });
  const waiter = kernel.allocate('struct rt_mutex_waiter');
  kernel.set(waiter, 'lock', lock.address);
  kernel.set(task, 'pi_blocked_on', waiter);
  kernel.set(task, 'prio', prio);
  kernel.set(task, '__state', 2);
}

const waitOf = (kernel: DyingKernel, pid: number, ...functions: readonly string[]): LockWait =>
  lockWait(
    kernel,
    kernel.tasks.byPid(pid)!,
    functions.map((name) => ({ place: { symbol: { name } } }) as Frame),
  )!;

test('an rt_mutex is told by the task itself; its waiters are those that block on it', () => {
  const kernel = DyingKernel.make({ types: taskTypes });
  const lock = kernel.allocate('struct rt_mutex_base');
  kernel.set(lock, 'owner', kernel.task({ pid: 10, comm: 'holder' }).address | 1n);
  block(kernel, 11, lock);
  block(kernel, 12, lock, 50);
  const wait = waitOf(kernel, 11);
  assert.deepEqual([wait.kind, wait.owner?.comm, wait.lock], ['rtmutex', 'holder', lock.address]);
  // the more urgent one is served first
  assert.deepEqual(
    wait.waiters.map(({ pid }) => pid),
    [12, 11],
  );
});

describe('a lock of PREEMPT_RT', () => {
  const writer = 0x4000_0000n;
  const readers = (n: bigint): bigint => n; // a writer wants it: READER_BIAS is gone

  /** What a task that sleeps in these functions is said to wait for. */
  function told(
    type: string,
    rtMutex: string,
    functions: readonly string[],
    count?: bigint,
  ): LockWait & { at: boolean } {
    const kernel = DyingKernel.make({ types: taskTypes + preemptRt });
    const lock = kernel.allocate(type);
    kernel.set(lock, `${rtMutex}.owner`, kernel.task({ pid: 10, comm: 'holder' }).address | 1n);
    if (count !== undefined) kernel.set(lock, 'rwbase.readers.counter', count);
    block(kernel, 11, lock.member(rtMutex));
    const wait = waitOf(kernel, 11, '__schedule', 'rt_mutex_schedule', ...functions, 'frob');
    return { ...wait, at: wait.lock === lock.address };
  }

  for (const [what, type, rtMutex, functions, kind] of [
    ['a mutex', 'struct mutex', 'rtmutex', ['rt_mutex_slowlock.constprop.0', 'mutex_lock'], 'mutex'],
    ['a mutex whose function was left by a tail call', 'struct mutex', 'rtmutex', ['rt_mutex_slowlock'], 'mutex'],
    ['a spinlock', 'struct spinlock', 'lock', ['rtlock_slowlock_locked', 'rt_spin_lock'], 'spinlock'],
    ["a futex's rt_mutex", 'struct rt_mutex_base', 'self', ['rt_mutex_slowlock', 'futex_lock_pi'], 'rtmutex'],
    ["a driver's rt_mutex", 'struct rt_mutex_base', 'self', ['rt_mutex_slowlock', 'rt_mutex_lock'], 'rtmutex'],
  ] as const) {
    test(`${what} is called so, by its own address`, () => {
      if (rtMutex === 'self') {
        const kernel = DyingKernel.make({ types: taskTypes + preemptRt });
        const lock = kernel.allocate(type);
        block(kernel, 11, lock);
        const wait = waitOf(kernel, 11, '__schedule', ...functions);
        assert.deepEqual([wait.kind, wait.lock, wait.ownerMember], [kind, lock.address, 'owner']);
        return;
      }
      const wait = told(type, rtMutex, functions);
      assert.deepEqual(
        [wait.kind, wait.at, wait.lockType, wait.ownerMember, wait.owner?.comm, wait.wants],
        [kind, true, type.replace('struct ', ''), `${rtMutex}.owner`, 'holder', null],
      );
    });
  }

  for (const [type, kind, slow, lockName] of [
    ['struct rw_semaphore', 'rwsem', '', 'down'],
    ['rwlock_t', 'rwlock', 'rtlock_slowlock_locked', 'rt'],
  ] as const) {
    const path = (way: 'read' | 'write') =>
      [slow, `__rwbase_${way}_lock`, lockName === 'rt' ? `rt_${way}_lock` : `down_${way}`].filter(Boolean);

    test(`a reader that waits for the writer of an ${kind}`, () => {
      const wait = told(type, 'rwbase.rtmutex', path('read'), writer);
      assert.deepEqual(
        [wait.kind, wait.at, wait.wants, wait.held, wait.owner?.comm, wait.ownerIsCertain],
        [kind, true, 'read', 'for writing', 'holder', true],
      );
    });

    test(`readers hold an ${kind}: the owner of its rt_mutex is only the next writer`, () => {
      const wait = told(type, 'rwbase.rtmutex', path('write'), readers(3n));
      assert.deepEqual(
        [wait.kind, wait.at, wait.wants, wait.held, wait.owner?.comm, wait.ownerIsCertain],
        [kind, true, 'write', 'for reading, by 3 readers', undefined, false],
      );
    });
  }
});
