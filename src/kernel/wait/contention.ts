// Every lock that somebody waits for, with all who do, and the circles in which tasks wait for each other.
import type { VirtAddr } from '../../base/address.ts';
import type { Kernel } from '../kernel.ts';
import { type LockKind, type LockWait, lockChain } from '../lock_wait.ts';
import { perKernel } from '../per_kernel.ts';
import { offCpuFor } from '../sched_times.ts';
import type { Task } from '../task.ts';
import { type Wait, waitOf } from './wait.ts';

/** Locks that sleep, spinlocks, and the bits of pages and other words that are used as locks. */
export type ContendedKind = LockKind | 'page' | 'bit';

export interface ContendedLock {
  readonly kind: ContendedKind;
  /** Virtual address: of the page or word for bits. */
  readonly address: VirtAddr;
  /** Who holds it; null where the lock does not say. */
  readonly owner: Task | null;
  /** Whether the lock itself names its holder. */
  readonly ownerIsCertain: boolean;
  /** How it is held, in words. */
  readonly held: string;
  /** Those that wait, each with its wait where that could be told; in the order of the queue where there is one. */
  readonly waiters: readonly { readonly task: Task; readonly wait: Wait | null }[];
}

/** Tasks that wait for each other, each for what the next one holds. */
export type LockCycle = readonly LockWait[];

export interface Contention {
  /** Those with most waiters first. */
  readonly locks: readonly ContendedLock[];
  readonly cycles: readonly LockCycle[];
}

/** All that tasks wait for each other for. */
export const contention = perKernel(readContention);

function readContention(kernel: Kernel): Contention {
  const groups = new Map<string, Wait[]>();
  for (const task of kernel.tasks.all) {
    const wait = waitOf(kernel, task);
    const key = wait === null ? null : keyOf(wait);
    if (key !== null) groups.set(key, [...(groups.get(key) ?? []), wait!]);
  }
  const locks = [...groups.values()].map((waits) => lockOf(kernel, waits));
  const longest = ({ waiters }: ContendedLock): bigint =>
    waiters.reduce((most, { task }) => {
      const time = offCpuFor(kernel, task) ?? 0n;
      return time > most ? time : most;
    }, 0n);
  locks.sort((a, b) => b.waiters.length - a.waiters.length || Number(longest(b) - longest(a)));
  return { locks, cycles: cyclesAmong(kernel, [...groups.values()].flat()) };
}

/** What tells a lock from others; null for waits that are for no lock. */
function keyOf(wait: Wait): string | null {
  switch (wait.kind) {
    case 'lock':
      return `${wait.lock.kind} ${wait.lock.lock}`;
    case 'spin':
      return `spinlock ${wait.lock}`;
    case 'page':
      return `page ${wait.page} ${wait.flag}`;
    case 'bit':
      return wait.bit === null ? null : `bit ${wait.word} ${wait.bit}`;
    default:
      return null;
  }
}

function lockOf(kernel: Kernel, waits: readonly Wait[]): ContendedLock {
  const first = waits[0]!;
  const byTask = new Map(waits.map((wait) => [wait.task.address, wait]));
  // the lock's own queue may have tasks whose stacks do not tell
  const queue = first.kind === 'lock' ? first.lock.waiters : [];
  const inQueue = new Set(queue.map(({ address }) => address));
  const tasks = [...queue, ...waits.map(({ task }) => task).filter(({ address }) => !inQueue.has(address))];
  const waiters = tasks.map((task) => ({ task, wait: byTask.get(task.address) ?? null }));
  switch (first.kind) {
    case 'lock': {
      const { kind, lock, owner, ownerIsCertain, held } = first.lock;
      return { kind, address: lock, owner, ownerIsCertain, held, waiters };
    }
    case 'spin': {
      const { lock, owner, value } = first;
      const held =
        owner !== null ? 'by its owner' : `by a task that it does not name (its value is 0x${value.toString(16)})`;
      return { kind: 'spinlock', address: lock, owner, ownerIsCertain: owner !== null, held, waiters };
    }
    case 'page': {
      const held = first.flag === 'writeback' ? 'by writeback' : 'by somebody whom pages do not name';
      return { kind: 'page', address: first.page, owner: null, ownerIsCertain: false, held, waiters };
    }
    default: {
      const address = first.kind === 'bit' ? first.word : (0n as VirtAddr);
      void kernel;
      return {
        kind: 'bit',
        address,
        owner: null,
        ownerIsCertain: false,
        held: 'by somebody whom bits do not name',
        waiters,
      };
    }
  }
}

/** The circles, each once, from whichever of its tasks is met first. */
function cyclesAmong(kernel: Kernel, waits: readonly Wait[]): LockCycle[] {
  const lockOfTask = (task: Task): LockWait | null => {
    const wait = waitOf(kernel, task);
    return wait?.kind === 'lock' ? wait.lock : null;
  };
  const told = new Set<bigint>();
  const cycles: LockCycle[] = [];
  for (const wait of waits) {
    if (wait.kind !== 'lock') continue;
    const { waits: chain, deadlocked } = lockChain(wait.lock, lockOfTask);
    if (!deadlocked || chain.some(({ task }) => told.has(task.address))) continue;
    for (const { task } of chain) told.add(task.address);
    cycles.push(chain);
  }
  return cycles;
}
