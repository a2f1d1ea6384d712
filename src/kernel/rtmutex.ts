// include/linux/rtmutex.h: the lock that a task notes in task_struct.pi_blocked_on. On PREEMPT_RT kernels mutexes, rwsems,
// spinlocks and rwlocks are made of an rt_mutex, too:
//
//   struct mutex { rtmutex }      struct rw_semaphore { rwbase { readers; rtmutex } }      struct spinlock { lock }

import { offsetBy } from '../base/address.ts';
import { findMember } from '../debuginfo/type.ts';
import { type Frame, frameName } from './backtrace.ts';
import type { Kernel } from './kernel.ts';
import { heldForReading, type LockKind, type LockWait, namedOwner } from './lock_wait.ts';
import { perKernel } from './per_kernel.ts';
import type { Task } from './task.ts';

/** A lock of PREEMPT_RT, and where in it the rt_mutex is. */
interface RtLock {
  readonly kind: LockKind;
  readonly lockType: string;
  readonly rtMutex: string;
}

/**
 * What the task that sleeps in these functions wanted. rwsems and rwlocks have the same slow path (`rwbase_...`), but
 * spinlocks and rwlocks sleep in `rtlock_...` (kernel/locking/spinlock_rt.c). What is left is a mutex, unless the frames
 * name an rt_mutex of its own: those of futexes, and those of drivers.
 */
function wanted(names: readonly string[]): RtLock | null {
  const any = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  const rwbase = any(/^_*rwbase_|^_*rt_(read|write)_lock|^_*down_(read|write)/);
  if (any(/^_*rtlock_|^_*rt_(spin|read|write)_lock/))
    return rwbase
      ? { kind: 'rwlock', lockType: 'rwlock_t', rtMutex: 'rwbase.rtmutex' }
      : { kind: 'spinlock', lockType: 'spinlock', rtMutex: 'lock' };
  if (rwbase) return { kind: 'rwsem', lockType: 'rw_semaphore', rtMutex: 'rwbase.rtmutex' };
  if (!any(/./) || any(/futex|^_*rt_mutex_(lock|trylock|wait_proxy|start_proxy)/)) return null;
  return { kind: 'mutex', lockType: 'mutex', rtMutex: 'rtmutex' };
}

/**
 * The rt_mutex that a task notes it is blocked on, or the lock of PREEMPT_RT that is made of it; null if it notes none.
 * @param frames its backtrace
 */
export function rtMutexWait(kernel: Kernel, task: Task, frames: readonly Frame[]): LockWait | null {
  const waiter = task.object.optional('pi_blocked_on');
  if (waiter === null || waiter.isNull || !waiter.has('lock')) return null;
  const lock = waiter.member('lock');
  if (lock.isNull || !lock.has('owner')) return null;
  // bit 0 of the owner says that there are waiters (RT_MUTEX_HAS_WAITERS)
  const holder = namedOwner(kernel, lock.member('owner').bigint() & ~1n);
  const base = {
    task,
    kind: 'rtmutex',
    lock: lock.pointer(),
    lockType: 'rt_mutex_base',
    ownerMember: 'owner',
    wants: null,
    ...holder,
    waiters: rtMutexWaiters(kernel).get(lock.pointer()) ?? [task],
  } satisfies LockWait;
  const names = frames.map(frameName);
  const around = wanted(names);
  const type = around === null ? null : kernel.types.find(around.lockType);
  const place = around === null || type === null ? null : findMember(type, around.rtMutex);
  if (around === null || place === null) return base;
  const whole = {
    ...base,
    kind: around.kind,
    lock: offsetBy(base.lock, -(place.bitOffset / 8)),
    lockType: around.lockType,
    ownerMember: `${around.rtMutex}.owner`,
  };
  if (around.kind !== 'rwsem' && around.kind !== 'rwlock') return whole;
  const readers = kernel.object(around.lockType, whole.lock).member('rwbase.readers.counter').number();
  return {
    ...whole,
    wants: names.some((name) => /read_lock|down_read/.test(name)) ? 'read' : 'write',
    ...rwHolder(readers, holder),
  };
}

/** Set while a writer has the lock (kernel/locking/rwbase_rt.c). */
const writerBias = 0x4000_0000;

/**
 * Who holds a reader-writer lock. A writer takes the rt_mutex first and then waits for the readers to leave.
 * @param readers `rwbase_rt.readers`, signed: its highest bit (READER_BIAS) is set until a writer wants the lock
 * @param holder of the rt_mutex
 */
function rwHolder(
  readers: number,
  holder: ReturnType<typeof namedOwner>,
): Pick<LockWait, 'owner' | 'held' | 'ownerIsCertain'> {
  const count = readers & 0x3fff_ffff;
  if ((readers & writerBias) === 0 && count > 0) {
    return { owner: null, held: heldForReading(count), ownerIsCertain: false };
  }
  return { ...holder, ...(holder.owner === null ? {} : { held: 'for writing' }) };
}

/** The tasks that wait for each RT mutex, most urgent first, as they are served. */
const rtMutexWaiters = perKernel((kernel): ReadonlyMap<bigint, readonly Task[]> => {
  const byLock = new Map<bigint, Task[]>();
  for (const task of kernel.tasks.all) {
    const waiter = task.object.optional('pi_blocked_on');
    if (waiter === null || waiter.isNull) continue;
    const lock = kernel.faults.attempt('lock waiter', () => waiter.member('lock').pointer(), null);
    if (lock !== null) byLock.set(lock, [...(byLock.get(lock) ?? []), task]);
  }
  const priority = (task: Task): number => task.object.optional('prio')?.number() ?? 0;
  for (const tasks of byLock.values()) tasks.sort((a, b) => priority(a) - priority(b));
  return byLock;
});
