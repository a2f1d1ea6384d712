// ipcs: System V shared memory, semaphores and message queues.
import { UsageError } from '../../base/errors.ts';
import { escapeLine, hex, hex16 } from '../../base/text.ts';
import {
  ipcNamespaceOf,
  type MessageQueue,
  messageQueues,
  type SemaphoreArray,
  type SharedMemory,
  semaphoreArrays,
  sharedMemory,
  shmDestroyed,
  shmLocked,
} from '../../kernel/ipc.ts';
import { defineCommand } from '../command.ts';
import { parseHex } from '../context.ts';
import { flag, rest, valued, values } from '../params.ts';

export interface IpcsData {
  /** Null for a kind that was not asked for. */
  readonly sharedMemory: readonly SharedMemory[] | null;
  readonly semaphores: readonly SemaphoreArray[] | null;
  readonly queues: readonly MessageQueue[] | null;
  /** True where single objects were asked for: each has a header of its own. */
  readonly chosen: boolean;
  /** Words that are no id and no address of one. */
  readonly unknown: readonly string[];
  /** Bytes. */
  readonly pageSize: number;
}

export const ipcs = defineCommand({
  name: 'ipcs',
  help: {
    summary: 'System V shared memory, semaphores and message queues',
    description: `Lists the System V IPC objects of the first namespace or of a task's: all three kinds, or those asked for. Single ones
are chosen by id (decimal) or by the address of their shmid_kernel, sem_array or msg_queue.`,
    examples: [
      ['ipcs -M', 'shared memory, with its pages in memory and on swap'],
      ['ipcs -n 1234', 'of a container, by one of its processes'],
    ],
  },
  params: {
    semaphores: flag('s', 'arrays of semaphores'),
    memory: flag('m', 'shared memory'),
    pages: flag('M', 'shared memory, with the pages of each'),
    queues: flag('q', 'message queues'),
    task: valued('n', 'pid|task', values.task, 'the namespace of this task'),
    words: rest('id|address', values.word),
  },
  collect({ kernel }, { semaphores, memory, pages, queues, task, words }): IpcsData {
    const all = !semaphores && !memory && !pages && !queues;
    const inside = task ?? kernel.tasks.byPid(1) ?? kernel.tasks.all[0];
    if (inside === undefined) throw new UsageError('no task to tell the namespace by');
    const namespace = ipcNamespaceOf(kernel, inside);
    const wanted = words.map((word) => ({
      word,
      id: /^\d{1,10}$/.test(word) ? Number(word) : null,
      at: parseHex(word),
    }));
    const found = new Set<string>();
    const chosen = <T extends { readonly id: number; readonly address: bigint }>(list: readonly T[]): readonly T[] =>
      words.length === 0
        ? list
        : list.filter(({ id, address }) => {
            const match = wanted.find((one) => one.id === id || one.at === address);
            if (match !== undefined) found.add(match.word);
            return match !== undefined;
          });
    const data = {
      sharedMemory: all || memory || pages ? chosen(sharedMemory(kernel, namespace)) : null,
      semaphores: all || semaphores ? chosen(semaphoreArrays(kernel, namespace)) : null,
      queues: all || queues ? chosen(messageQueues(kernel, namespace)) : null,
    };
    const unknown = words.filter((word) => !found.has(word));
    return { ...data, chosen: words.length > 0, unknown, pageSize: kernel.dump.memory.pageSize };
  },
  render({ sharedMemory: segments, semaphores, queues, chosen, unknown, pageSize }, { options }) {
    const section = (header: string, rows: readonly string[], alone: boolean): string => {
      if (alone && rows.length > 0) return rows.map((row) => `${header}${row}\n`).join('');
      return chosen ? '' : `${header}${rows.length === 0 ? '(none allocated)\n' : rows.join('')}\n`;
    };
    const parts = [
      segments === null
        ? ''
        : section(
            shmHeader,
            segments.map((one) => shmText(one) + (options.pages ? pagesText(one, pageSize) : '')),
            chosen || options.pages,
          ),
      semaphores === null ? '' : section(semHeader, semaphores.map(semText), chosen),
      queues === null ? '' : section(msgHeader, queues.map(msgText), chosen),
    ];
    return parts.join('') + unknown.map((word) => `invalid id or address: ${escapeLine(word)}\n\n`).join('');
  },
  failed: ({ unknown }) => unknown.length > 0,
});

const shmHeader = 'SHMID_KERNEL     KEY      SHMID      UID   PERMS BYTES      NATTCH STATUS\n';
const semHeader = 'SEM_ARRAY        KEY      SEMID      UID   PERMS NSEMS     \n';
const msgHeader = 'MSG_QUEUE        KEY      MSQID      UID   PERMS USED-BYTES   MESSAGES    \n';

function commonText({ address, key, id, uid, mode }: SharedMemory | SemaphoreArray | MessageQueue): string {
  const columns = [
    hex16(address),
    hex(key >>> 0).padStart(8, '0'),
    String(id).padEnd(10),
    String(uid).padEnd(5),
    (mode & 0o777).toString(8).padEnd(5),
  ];
  return columns.join(' ');
}

function shmText(one: SharedMemory): string {
  const { bytes, attached, mode } = one;
  const status = `${(mode & shmDestroyed) !== 0 ? 'dest' : ''} ${(mode & shmLocked) !== 0 ? 'locked' : ''}`;
  return `${commonText(one)} ${String(bytes).padEnd(10)} ${String(attached).padEnd(6)} ${status}\n`;
}

function pagesText({ bytes, resident, swapped, inode }: SharedMemory, pageSize: number): string {
  const counts = [Math.ceil(bytes / pageSize), resident ?? '?', swapped ?? '?'].join('/');
  return `PAGES ALLOCATED/RESIDENT/SWAPPED: ${counts}\nINODE: ${hex(inode)}\n`;
}

function semText(one: SemaphoreArray): string {
  return `${commonText(one)} ${String(one.semaphores).padEnd(10)}\n`;
}

function msgText(one: MessageQueue): string {
  return `${commonText(one)} ${String(one.bytes).padEnd(12)} ${String(one.messages).padEnd(12)}\n`;
}
