// fs/jbd2/: tasks that wait for a journal (ext4, ocfs2), by which of its wait queues they are on.
//
//   j_wait_transaction_locked, j_wait_done_commit, j_fc_wait   the journal's thread is to commit a transaction
//   j_wait_reserved                                            there is too little room in the running one
//   j_wait_updates                                             the thread itself: handles on the transaction are still open
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { findMember, offsetOf } from '../../debuginfo/type.ts';
import type { Kernel } from '../kernel.ts';
import type { Task } from '../task.ts';
import { queueEntries } from './queue_entry.ts';
import type { Sleeper } from './sleeper.ts';

export interface JournalWait {
  /**
   * - `commit`: that a transaction is committed
   * - `room`: that there is room in the running transaction
   * - `handles`: that those who change something under the transaction are done
   */
  readonly what: 'commit' | 'room' | 'handles';
  /** Virtual address of the `journal_t`. */
  readonly journal: VirtAddr;
  /** The disk or partition that the journal is for: `vda1`. */
  readonly device: string;
  /** The journal's thread; null where it has none. */
  readonly thread: Task | null;
  /** Of `handles`: tasks with a handle on the transaction that is to be committed. */
  readonly users: readonly Task[];
}

const queues = [
  ['j_wait_transaction_locked', 'commit'],
  ['j_wait_done_commit', 'commit'],
  // fast commits: ff780b91efe9 (5.10)
  ['j_fc_wait', 'commit'],
  // 8f7d89f36829 (3.11)
  ['j_wait_reserved', 'room'],
  ['j_wait_updates', 'handles'],
] as const;

/** The journal that a task waits for; null where it waits for none. */
export function journalWait(sleeper: Sleeper): JournalWait | null {
  const { kernel } = sleeper;
  // `j_wait_commit`, by which the thread waits for something to do, is none of them
  if (!sleeper.in(/^_*(jbd2_\w+|kjournald2|wait_transaction_\w+|add_transaction_credits|start_this_handle)$/))
    return null;
  const type = kernel.types.find('struct journal_s');
  const head = queueEntries(sleeper)[0]?.head ?? null;
  if (type === null || head === null) return null;
  return kernel.faults.attempt(
    'wait for a journal',
    () => {
      for (const [member, what] of queues) {
        if (findMember(type, member) === null) continue;
        const journal = kernel.object(type, offsetBy(head, -offsetOf(type, member)));
        // its name is the device's, and `-` with the inode's number, or `:`, behind it; `/` in it is a `!`
        const name = /^([\w.!/-]+?)(?:[-:]\d*)?$/.exec(journal.member('j_devname').string())?.[1];
        const thread = kernel.tasks.byAddress(journal.member('j_task').pointer());
        if (name === undefined || thread?.comm.startsWith('jbd2/') !== true) continue;
        const users = what === 'handles' ? usersOf(kernel, journal.member('j_committing_transaction').pointer()) : [];
        return { what, journal: journal.address, device: name, thread, users };
      }
      return null;
    },
    null,
  );
}

/** Tasks with a handle on a transaction (`current->journal_info`, which other file systems use for something else). */
function usersOf(kernel: Kernel, transaction: VirtAddr): readonly Task[] {
  const type = kernel.types.find('struct jbd2_journal_handle');
  if (type === null || transaction === 0n) return [];
  return kernel.tasks.all.filter((task) => {
    const handle = task.object.optional('journal_info')?.pointer() ?? 0n;
    if (!kernel.arch.isKernelAddress(handle)) return false;
    // it may be another file system's, and end anywhere
    const { bytes } = kernel.space.readUpTo(offsetBy(handle as VirtAddr, offsetOf(type, 'h_transaction')), 8);
    return bytes.length === 8 && new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) === transaction;
  });
}
