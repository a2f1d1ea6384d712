// lock: what tasks wait for each other for.
import type { VirtAddr } from '../../base/address.ts';
import { NotFoundError } from '../../base/errors.ts';
import { escapeLine, hex, hex16 } from '../../base/text.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type ContendedKind, type ContendedLock, contention, type LockCycle } from '../../kernel/wait/contention.ts';
import { waitOf } from '../../kernel/wait/wait.ts';
import { defineStream } from '../command.ts';
import { type TaskLabel, taskLabel } from '../context.ts';
import { optional, values } from '../params.ts';
import { addressName } from '../system/address_name.ts';
import { seconds } from '../system/outstanding.ts';
import { placeName, type WaitData, type WaiterData, waitData, waiterData } from './wait_data.ts';

/** A lock that somebody waits for. */
export interface LockRow {
  readonly kind: ContendedKind;
  /** Virtual address: of the page or word for bits. */
  readonly address: VirtAddr;
  /** What it is called, with where it is. */
  readonly name: string;
  /** All that is known of it, in words. */
  readonly words: string;
  readonly owner: (WaiterData & { readonly waits: WaitData | null }) | null;
  /** Whether the lock itself names its holder. */
  readonly ownerIsCertain: boolean;
  /** How it is held, in words. */
  readonly held: string;
  /** The file system that a percpu-rwsem is of, and how far that is frozen: 0 not, 4 completely; null for other locks. */
  readonly fileSystem: { readonly device: string; readonly level: number } | null;
  readonly waiters: readonly (WaiterData & { readonly wants: 'read' | 'write' | null })[];
}

/** One task of a circle: it waits for a lock that the next one holds, the last for one that the first holds. */
export interface CycleStep {
  readonly task: TaskLabel;
  readonly kind: ContendedKind;
  readonly lock: VirtAddr;
  readonly name: string;
}

export interface LockTail {
  /** How many locks somebody waits for. */
  readonly contended: number;
  readonly cycles: readonly (readonly CycleStep[])[];
}

export const lock = defineStream({
  name: 'lock',
  help: {
    summary: 'locks that tasks wait for, who holds them, and deadlocks',
    description: `Every mutex, rwsem, rt_mutex, percpu-rwsem, semaphore, spinlock, page and bit lock that somebody waits for, those with
most waiters first: who holds it, what the holder does, and who waits, since when and in which function. What holders
of rwsems, semaphores, percpu-rwsems and bits are is not always noted by the kernel. Circles of tasks that wait for each
other come last.`,
    examples: [
      ['lock', 'why does nothing go on?'],
      ['lock ffffffffc04b5080', 'who waits for this lock?'],
    ],
  },
  params: { address: optional('address', values.address, 'this lock alone') },
  items: 'locks',
  collect({ kernel }, { address }) {
    return { head: null, items: rows(kernel, address) };
  },
  text: {
    item: (row, _view, _head, index) => `${index === 0 ? '' : '\n'}${rowText(row)}`,
    tail: ({ contended, cycles }) =>
      contended === 0 ? 'no task waits for a lock\n' : cycles.map((cycle) => `\n${cycleText(cycle)}`).join(''),
  },
});

function* rows(kernel: Kernel, only: VirtAddr | null): Generator<LockRow, LockTail> {
  const { locks, cycles } = contention(kernel);
  const chosen = only === null ? locks : locks.filter(({ address }) => address === only);
  if (only !== null && chosen.length === 0) throw new NotFoundError('lock that a task waits for', `at ${hex(only)}`);
  for (const one of chosen) yield rowOf(kernel, one);
  const shown = cycles.filter((cycle) => only === null || cycle.some((wait) => wait.lock === only));
  return { contended: locks.length, cycles: shown.map((cycle) => cycleOf(kernel, cycle)) };
}

function rowOf(kernel: Kernel, found: ContendedLock): LockRow {
  const { kind, address, owner, ownerIsCertain, held, waiters } = found;
  const example = waiters.find(({ wait }) => wait !== null)?.wait ?? null;
  const ownerWait = owner === null ? null : waitOf(kernel, owner);
  return {
    kind,
    address,
    name: placeName(kernel, address),
    words: example === null ? '' : waitData(kernel, example).words,
    owner:
      owner === null
        ? null
        : {
            ...waiterData(kernel, owner, ownerWait),
            waits: ownerWait === null ? null : waitData(kernel, ownerWait),
          },
    ownerIsCertain,
    held,
    fileSystem:
      example?.kind === 'lock' && example.fileSystem !== null
        ? { device: example.fileSystem.device, level: example.fileSystem.level }
        : null,
    waiters: waiters.map(({ task, wait }) => ({
      ...waiterData(kernel, task, wait),
      wants: wait?.kind === 'lock' ? wait.lock.wants : null,
    })),
  };
}

function cycleOf(kernel: Kernel, cycle: LockCycle): CycleStep[] {
  return cycle.map((wait) => ({
    task: taskLabel(wait.task),
    kind: wait.kind,
    lock: wait.lock,
    name: addressName(kernel, wait.lock) ?? hex16(wait.lock),
  }));
}

function labelText({ pid, command }: TaskLabel): string {
  return `${pid} "${escapeLine(command)}"`;
}

function rowText({ kind, name, words, owner, held, fileSystem, waiters, ownerIsCertain }: LockRow): string {
  const extra =
    kind === 'page' || kind === 'bit'
      ? `  ${words}\n`
      : fileSystem === null
        ? ''
        : `  of the file system on ${escapeLine(fileSystem.device)}${fileSystem.level > 0 ? ', which is frozen' : ''}\n`;
  return [
    `${kind.toUpperCase()} ${name}\n${extra}`,
    owner === null ? `  held ${held}\n` : ownerText(owner, held, ownerIsCertain),
    '     PID  TASK              ST    WAITING  WANTS  COMMAND           FUNCTION\n',
    ...waiters.map(waiterText),
  ].join('');
}

function ownerText(owner: NonNullable<LockRow['owner']>, held: string, certain: boolean): string {
  const { task, state, waiting, waits } = owner;
  const how = held === 'by its owner' ? '' : `${held} `;
  const doing =
    waits !== null ? `; it waits for ${waits.words}` : state === 'RU' ? '; it runs, or waits for a CPU' : '';
  const since = waiting === null || waiting === '0' ? '' : ` ${seconds(waiting)}`;
  return `  held ${how}by ${labelText(task)} ${hex16(task.task)} (${state}${since})${certain ? '' : ', as far as is known'}${doing}\n`;
}

function waiterText({ task, state, waiting, wants, function: name }: LockRow['waiters'][number]): string {
  const columns = [
    String(task.pid).padStart(8),
    ` ${hex16(task.task)}`,
    ` ${state}`,
    (waiting === null ? '?' : seconds(waiting)).padStart(11),
    ` ${(wants ?? '').padEnd(5)}`,
    ` ${`"${escapeLine(task.command)}"`.padEnd(17)}`,
    escapeLine(name ?? '?'),
  ];
  return `${columns.join(' ')}\n`;
}

function cycleText(cycle: readonly CycleStep[]): string {
  const steps = cycle.map((step, i) => {
    const next = cycle[(i + 1) % cycle.length]!;
    return `  ${labelText(step.task)} waits for ${step.kind} ${escapeLine(step.name)}, which ${labelText(next.task)} holds\n`;
  });
  return `DEADLOCK\n${steps.join('')}`;
}
