// kernel/futex/: tasks that wait for a word of user memory to be changed, and to be woken.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import type { Task } from '../task.ts';
import { ring } from './queue_entry.ts';
import type { Sleeper } from './sleeper.ts';

export interface FutexWait {
  /** Virtual address of the word in the process's memory; null for one in shared memory. */
  readonly address: VirtAddr | null;
  /** The thread that holds a priority-inheritance futex; null for others: there only user space knows. */
  readonly owner: Task | null;
}

/** FUT_OFF_INODE: the key is a page of a file; FUT_OFF_MMSHARED is the other bit below a word's offset. */
const ofFile = 1;
const flags = 3;

/** The futex that a task waits for; null where it waits for none. */
export function futexWait(sleeper: Sleeper): FutexWait | null {
  const { kernel, task } = sleeper;
  if (!sleeper.in(/^(_*futex_(do_)?wait|futex_lock_pi|futex_unqueue|futex_wait_queue)/)) return null;
  const type = kernel.types.find('struct futex_q');
  if (type === null) return null;
  for (const address of sleeper.structsWith(type, 'task', task.address)) {
    const found = kernel.faults.attempt(
      'futex',
      () => {
        const queued = kernel.object(type, address);
        // the task's address stands elsewhere on the stack, too
        if (ring(kernel, queued.member('list.node_list').address) === null) return null;
        const offset = queued.member('key.both.offset').number();
        const page = queued.member('key.both.word').bigint();
        const process = queued.member('key.both.ptr').bigint();
        const isUsers = (offset & ofFile) === 0;
        // a key of a process's own memory has that process
        if (isUsers && BigInt.asUintN(64, process) !== task.object.member('mm').pointer()) return null;
        const pi = queued.member('pi_state');
        const owner = pi.isNull ? null : kernel.tasks.byAddress(pi.member('owner').pointer());
        return {
          address: isUsers ? virtAddr(BigInt.asUintN(64, page) + BigInt(offset & ~flags)) : null,
          owner,
        };
      },
      null,
    );
    if (found !== null) return found;
  }
  return null;
}
