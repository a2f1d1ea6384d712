// io: what devices have not answered, since when, and for whom.
import type { VirtAddr } from '../../base/address.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { offCpuFor } from '../../kernel/sched_times.ts';
import { type Wait, waitOf } from '../../kernel/wait/wait.ts';
import { defineStream } from '../command.ts';
import { type WaitData, type WaiterData, waitData, waiterData } from '../tasks/wait_data.ts';
import { type OutstandingRequest, outstanding, requestHead, requestLine, seconds } from './outstanding.ts';

/** A disk that has not answered, with its requests, the oldest first. */
export interface IoDisk {
  readonly kind: 'disk';
  readonly name: string;
  /** Virtual address of the `struct gendisk`. */
  readonly address: VirtAddr;
  readonly requests: readonly OutstandingRequest[];
}

/** A task that waits for I/O. */
export interface IoTask extends WaiterData {
  readonly kind: 'task';
  readonly first: boolean;
  readonly waits: WaitData;
}

export type IoItem = IoDisk | IoTask;

export const io = defineStream({
  name: 'io',
  help: {
    summary: 'I/O that is outstanding, since when, and for whom',
    description: `First the disks that have not answered, with each request's age (! for one that has passed its deadline) and the tasks
whose stacks hold what it is for. Then every task that waits for I/O: for a page, a buffer, a bio, direct I/O, or a
request of its own, the longest first.`,
    examples: [
      ['io', 'which disk hangs, and who waits for it?'],
      ['dev -d', 'all disks, idle ones too'],
    ],
  },
  params: {},
  items: 'outstanding',
  collect: ({ kernel }) => ({ head: null, items: items(kernel) }),
  text: {
    item: (item, _view, _head, index) => (item.kind === 'disk' ? diskText(item) : taskLine(item, index)),
    tail: ({ disks, tasks }) => (disks + tasks === 0 ? 'no I/O is outstanding\n' : ''),
  },
});

export interface IoTail {
  /** Disks that have not answered, and tasks that wait for I/O. */
  readonly disks: number;
  readonly tasks: number;
}

function* items(kernel: Kernel): Generator<IoItem, IoTail> {
  let disks = 0;
  for (const { disk, requests } of outstanding(kernel)) {
    if (requests.length === 0) continue;
    disks++;
    yield { kind: 'disk', name: disk.name, address: disk.address, requests };
  }
  const waits = kernel.tasks.all
    .map((task) => waitOf(kernel, task))
    .filter((wait) => wait !== null)
    .filter(isForIo)
    .map((wait) => ({ wait, time: offCpuFor(kernel, wait.task) ?? 0n }))
    .sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
  for (const [i, { wait }] of waits.entries()) {
    yield {
      kind: 'task',
      first: i === 0,
      ...waiterData(kernel, wait.task, wait),
      waits: waitData(kernel, wait),
    };
  }
  return { disks, tasks: waits.length };
}

function isForIo(wait: Wait): boolean {
  if (wait.kind === 'device' || wait.kind === 'io' || wait.ioWait) return true;
  return wait.kind === 'bit' && wait.of !== null;
}

function diskText({ name, address, requests }: IoDisk): string {
  return `${escapeLine(name)} ${hex16(address)}\n${requestHead}${requests.map(requestLine).join('')}\n`;
}

function taskLine({ first, task, state, waiting, function: name, waits }: IoTask, index: number): string {
  void index;
  const head = first ? '     PID  TASK              ST    WAITING  COMMAND           FOR\n' : '';
  const columns = [
    String(task.pid).padStart(8),
    ` ${hex16(task.task)}`,
    ` ${state}`,
    (waiting === null ? '?' : seconds(waiting)).padStart(11),
    ` ${`"${escapeLine(task.command)}"`.padEnd(17)}`,
    `${waits.words}${name === null ? '' : `, in ${escapeLine(name)}`}`,
  ];
  return `${head}${columns.join(' ')}\n`;
}
