// A task that waits for a lock, as all kinds of locks tell it.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';

/** `spinlock` and `rwlock` are those of PREEMPT_RT, which sleep. */
export type LockKind = 'mutex' | 'rwsem' | 'semaphore' | 'rtmutex' | 'spinlock' | 'rwlock' | 'percpu-rwsem';

export interface LockWait {
  readonly task: Task;
  readonly kind: LockKind;
  /** Virtual address. */
  readonly lock: VirtAddr;
  /** The name of the lock's C type: the tag of a struct, or `rwlock_t`. */
  readonly lockType: string;
  /** The member that names the holder, by its path in the lock; null where there is none. */
  readonly ownerMember: string | null;
  /** How an rwsem or rwlock is wanted; null for other locks. */
  readonly wants: 'read' | 'write' | null;
  /** The holder; null where the lock does not say, or says a task that there is not. */
  readonly owner: Task | null;
  /** Whether the lock itself names its holder. False where it only remembers who took it last, and others may hold it. */
  readonly ownerIsCertain: boolean;
  /** How the lock is held, in words. */
  readonly held: string;
  /** Tasks that wait for the lock, this one among them, first come first. */
  readonly waiters: readonly Task[];
}

/** What a lock says of its holder by the address of a task_struct. */
export function namedOwner(kernel: Kernel, address: bigint): Pick<LockWait, 'owner' | 'held' | 'ownerIsCertain'> {
  if (address === 0n)
    return {
      owner: null,
      held: 'by nobody: it is being handed over, or was given back once too often',
      ownerIsCertain: true,
    };
  const owner = kernel.tasks.byAddress(virtAddr(address));
  return {
    owner,
    held:
      owner === null
        ? `by the task at ${address.toString(16)}, which has exited or is not in the dump`
        : 'by its owner',
    ownerIsCertain: true,
  };
}

/** How readers hold a lock, in words. @param count at least 1 */
export function heldForReading(count: number): string {
  return `for reading, by ${count === 1 ? 'one reader' : `${count} readers`}`;
}

/**
 * Follows owners from one wait to the next. Ends with a task that waits for no lock, or, in a deadlock,
 * with the first wait again: `deadlocked` is then true.
 */
export function lockChain(
  first: LockWait,
  waitOf: (task: Task) => LockWait | null,
): { waits: LockWait[]; deadlocked: boolean } {
  const waits = [first];
  const places = new Map([[first.task.address, 0]]);
  for (;;) {
    const owner = waits.at(-1)!.owner;
    const next = owner === null ? null : waitOf(owner);
    if (next === null) return { waits, deadlocked: false };
    const seen = places.get(next.task.address);
    if (seen !== undefined) return { waits: waits.slice(seen), deadlocked: true };
    places.set(next.task.address, waits.length);
    waits.push(next);
  }
}
