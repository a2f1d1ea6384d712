// include/linux/percpu-rwsem.h: reader-writer locks that many read and few write: freezing a file system, CPU hotplug, cgroups.
// Neither readers nor a writer are noted in the lock.
//
//   percpu_rw_semaphore { read_count (per CPU), block, waiters: queue of readers and writers, writer: rcuwait }
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { findMember, offsetOf } from '../../debuginfo/type.ts';
import type { Kernel } from '../kernel.ts';
import { listEntries } from '../list.ts';
import type { LockWait } from '../lock_wait.ts';
import { pointersTo } from './completion.ts';
import { queueEntries } from './queue_entry.ts';
import type { Sleeper } from './sleeper.ts';

/** A file system whose percpu-rwsems keep writers out. */
export interface FrozenFileSystem {
  /** Virtual address of the `struct super_block`. */
  readonly address: VirtAddr;
  /** What it calls itself: most often the name of its device. */
  readonly device: string;
  /** How far it is frozen: no, for writes, for page faults, for its own threads, completely (SB_UNFROZEN to SB_FREEZE_COMPLETE). */
  readonly level: number;
}

/** What a task that sleeps on a percpu-rwsem waits for; null where it sleeps on none. */
export function percpuRwsemWait(sleeper: Sleeper): LockWait | null {
  const { kernel, task } = sleeper;
  if (!sleeper.in(/^_*percpu_(down_read|down_write|rwsem_wait)/)) return null;
  return kernel.faults.attempt(
    'percpu-rwsem',
    () => {
      const type = kernel.type('struct percpu_rw_semaphore');
      const found = bySemaphore(sleeper);
      if (found === null) return null;
      const lock = kernel.object(type, found);
      const readers = readerCount(kernel, lock.member('read_count').pointer());
      const blocked = lock.optional('block.counter')?.bool() ?? false;
      const writer = lock.member('writer').memberAmong('task').pointer();
      const owner = writer === 0n || writer === task.address ? null : kernel.tasks.byAddress(writer);
      return {
        task,
        kind: 'percpu-rwsem',
        lock: found,
        lockType: 'percpu_rw_semaphore',
        ownerMember: null,
        wants: sleeper.in(/down_write/) ? 'write' : 'read',
        owner,
        ownerIsCertain: owner !== null,
        held:
          owner !== null
            ? 'by a writer that waits for the readers to leave'
            : readers > 0
              ? `for reading, by ${readers} that it does not name`
              : blocked
                ? 'for writing, by a task that it does not name'
                : 'by nobody',
        waiters: [task],
      };
    },
    null,
  );
}

function bySemaphore(sleeper: Sleeper): VirtAddr | null {
  const { kernel, task } = sleeper;
  const type = kernel.type('struct percpu_rw_semaphore');
  // queued since 7f26482a872c (5.7); before, readers slept on the rw_semaphore within
  const waiters = findMember(type, 'waiters');
  const head = waiters === null ? null : queueEntries(sleeper).find((entry) => entry.head !== null)?.head;
  if (head != null) return offsetBy(head, -(waiters!.bitOffset / 8));
  // a writer that has the lock and waits for readers to leave
  for (const lock of pointersTo(sleeper, 'struct percpu_rw_semaphore', 'writer.task', task.address)) return lock;
  return null;
}

/** Readers that are in, of all CPUs: each adds and takes away on the CPU that it runs on. */
function readerCount(kernel: Kernel, counts: VirtAddr): number {
  let sum = 0;
  for (const cpu of kernel.cpus.possible)
    sum = (sum + kernel.space.i32(offsetBy(counts, kernel.perCpuOffset(cpu)))) | 0;
  return sum;
}

/** The file system whose lock a percpu-rwsem is; null for another's. */
export function frozenFileSystem(kernel: Kernel, lock: VirtAddr): FrozenFileSystem | null {
  return kernel.faults.attempt(
    'frozen file system',
    () => {
      const type = kernel.type('struct super_block');
      const first = offsetOf(type, 's_writers.rw_sem');
      const size = findMember(type, 's_writers')!;
      for (const superblock of listEntries(kernel.variable('super_blocks'), type, 's_list')) {
        const start = offsetBy(superblock.address, first);
        const end = offsetBy(superblock.address, size.bitOffset / 8 + superblock.member('s_writers').size);
        if (lock < start || lock >= end) continue;
        return {
          address: superblock.address,
          device: superblock.member('s_id').string(),
          level: superblock.member('s_writers.frozen').number(),
        };
      }
      return null;
    },
    null,
  );
}
