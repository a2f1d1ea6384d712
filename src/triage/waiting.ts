// Tasks that wait, in words: for what, for how long, whose turn it is to end it, and what that one does instead.

import type { VirtAddr } from '../base/address.ts';
import { count, hex } from '../base/text.ts';
import { waitWords } from '../commands/tasks/wait_data.ts';
import { memberAt } from '../debuginfo/member_at.ts';
import { typeName } from '../debuginfo/type.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type LockWait, lockChain } from '../kernel/lock_wait.ts';
import { offCpuFor } from '../kernel/sched_times.ts';
import { slabObjectAt } from '../kernel/slab_object.ts';
import { slabType } from '../kernel/slab_types.ts';
import type { Task } from '../kernel/task.ts';
import type { Wait } from '../kernel/wait/wait.ts';
import type { Facts } from './facts.ts';
import { placeAt, shortPlace } from './place.ts';
import { interruptedFrames, ownFrame } from './subject.ts';
import { label } from './words.ts';

/** Most blocked tasks whose waits are looked for: each costs a backtrace. */
const maxBlocked = 2000;

/** Uninterruptible sleepers: what the hung-task detector counts. */
export function blockedTasks(facts: Facts): Task[] {
  return facts.kernel.tasks.all.filter((task) => task.state === 'UN').slice(0, maxBlocked);
}

/** Seconds that a task has been off its CPU; null where that cannot be told. */
function secondsOff({ kernel }: Facts, task: Task): number | null {
  const off = offCpuFor(kernel, task);
  return off === null || off <= 0n ? null : Number(off / 1_000_000n) / 1000;
}

/**
 * ` for 9.3 seconds`, by the task's own clock; where that cannot be told, what the log says, which is only how long
 * it must have been at least.
 */
export function blockedFor(facts: Facts, task: Task | null): string {
  const { death } = facts;
  const isTold = death?.task != null && (task === null || death.task.pid === task.pid);
  const atLeast = isTold ? /more than (\d{1,9}) seconds/.exec(death!.message)?.[1] : undefined;
  const seconds = task === null ? null : secondsOff(facts, task);
  if (seconds !== null && seconds >= Number(atLeast ?? 0)) return ` for ${seconds.toFixed(1)} seconds`;
  return atLeast === undefined ? '' : ` for more than ${atLeast} seconds`;
}

/** What is waited for, where it is no lock: `completion widget_done`. */
export function waitedFor(facts: Facts, wait: Wait): string {
  const words = waitWords(facts.kernel, wait, (at) => thingName(facts.kernel, at));
  if (wait.kind !== 'journal') return words;
  // whose turn it is, and what that one does instead: not in a circle, where each waits for the other
  const [next] = wait.users.length > 0 ? wait.users : wait.thread === null ? [] : [wait.thread];
  if (next === undefined || next === wait.task) return words;
  const then = facts.waiting(next);
  return then?.kind === 'journal' && then.users.length === 0 ? words : `${words}, ${doing(facts, next)}`;
}

/** Whether a wait says anything: not only that somebody sleeps. */
export function tells(wait: Wait | null): wait is Wait {
  return (
    wait !== null &&
    !(wait.kind === 'unknown' || wait.kind === 'idle' || (wait.kind === 'event' && wait.queue === null))
  );
}

/** The name of a variable, or an address. */
function thingName(kernel: Kernel, address: VirtAddr): string {
  const place = kernel.place(address);
  if (place === null) return `at 0x${hex(address)}`;
  return `${place.symbol.name}${place.offset === 0 ? '' : `+0x${place.offset.toString(16)}`}`;
}

export function lockName(facts: Facts, { kind, lock }: LockWait): string {
  const place = facts.kernel.place(lock);
  if (place === null) {
    const member = memberOfObject(facts.kernel, lock);
    return member === null ? `a ${kind} at 0x${hex(lock)}` : `the ${kind} ${member} at 0x${hex(lock)}`;
  }
  return `the ${kind} ${thingName(facts.kernel, lock)}`;
}

/** What of a lock itself a path ends in: `vfs_inode.i_rwsem.count.counter` is the lock `vfs_inode.i_rwsem`. */
const ownMembers = /(?:\.(?:count|counter|owner|rlock|raw_lock|wait_lock|val|locked|cnts|rtmutex))+$/;

/** A lock in a slab object of a known type: `vfs_inode.i_rwsem of a struct ext4_inode_info`; null for any other. */
function memberOfObject(kernel: Kernel, lock: VirtAddr): string | null {
  const slab = kernel.faults.attempt('slabs', () => slabObjectAt(kernel, lock), null);
  const type = slab === null ? null : slabType(kernel, slab.object.cache);
  const path = type === null ? null : memberAt(type, slab!.offset);
  return path === null || path === '' ? null : `${path.replace(ownMembers, '')} of a ${typeName(type!)}`;
}

/** What a lock's wait is about, with the file system that it freezes. */
export function lockWords(facts: Facts, lock: LockWait): string {
  const wait = facts.waiting(lock.task);
  const frozen = wait?.kind === 'lock' ? wait.fileSystem : null;
  const name = lockName(facts, lock);
  if (frozen === null) return name;
  return `${name}, by which the file system on ${frozen.device} ${frozen.level > 0 ? 'is frozen' : 'keeps writers out'}`;
}

/** What keeps a frozen file system's writers waiting: nobody, until it is thawed; null for other locks. */
function frozenWords(facts: Facts, lock: LockWait): string | null {
  const wait = facts.waiting(lock.task);
  if (wait?.kind !== 'lock' || wait.fileSystem === null || wait.fileSystem.level === 0) return null;
  return 'until somebody thaws it (fsfreeze -u)';
}

/** Tasks that may hold a lock which does not name its holder: most told of. */
const maxSuspects = 3;

/**
 * Who may hold a lock that does not say: tasks that do not wait for it, and sleep in code of the module whose variable the
 * lock is.
 */
function suspectsOf(facts: Facts, { lock, waiters }: LockWait): Task[] {
  const { kernel } = facts;
  const module = kernel.place(lock)?.symbol.module ?? null;
  const waiting = new Set(waiters.map(({ address }) => address));
  const found: Task[] = [];
  for (const task of kernel.tasks.all.slice(0, maxBlocked)) {
    if (found.length > maxSuspects) break;
    if (waiting.has(task.address) || task.active || task.idle) continue;
    const wait = facts.waiting(task);
    if (wait?.kind === 'lock' && wait.lock.lock === lock) continue;
    const inModule =
      module !== null &&
      facts.trace(task).frames.some(({ reliable, place }) => reliable && place?.symbol.module === module);
    if (inModule) found.push(task);
  }
  return found;
}

/** Who holds the lock at the start of a chain, and what is at the chain's end. */
export function holderWords(facts: Facts, waits: readonly LockWait[]): string {
  const { owner, held } = waits[0]!;
  if (owner === null) {
    const frozen = frozenWords(facts, waits[0]!);
    if (frozen !== null) return frozen;
    const suspects = suspectsOf(facts, waits[0]!);
    if (suspects.length === 0 || suspects.length > maxSuspects) return `held ${held}`;
    const who = suspects.map((task) => `${label(task)}, ${doing(facts, task)}`).join('; ');
    return `held ${held}; in the same module's code ${suspects.length === 1 ? 'is' : 'are'} ${who}`;
  }
  const last = waits.at(-1)!;
  if (waits.length === 1 || last.owner === null) return `held by ${label(owner)}, ${doing(facts, owner)}`;
  return `held by ${label(owner)}, which waits in turn (through ${count(waits.length - 1, 'more lock')}) for ${label(last.owner)}, ${doing(facts, last.owner)}`;
}

/** What a task was doing: `which sleeps in foo_wait+0x12 [foo]`. */
export function doing(facts: Facts, task: Task): string {
  if (task.state === 'ZO' || task.state === 'DE') return 'which exited with the lock held';
  const { frames } = facts.trace(task);
  // the CPU that it ran on was stopped by an interrupt, too
  const frame = task.active ? ownFrame(interruptedFrames(facts, frames), 'soft-lockup') : ownFrame(frames, 'hung-task');
  const where = frame === undefined ? '' : ` in ${shortPlace(placeAt(facts, frame.address))}`;
  if (task.active) return `which ran on CPU ${task.cpu}${where}`;
  if (task.state === 'RU') return `which waits for CPU ${task.cpu}${where}`;
  const wait = facts.waiting(task);
  if (tells(wait) && wait.kind !== 'lock' && wait.kind !== 'time' && wait.kind !== 'event')
    return `which waits for ${waitedFor(facts, wait)}${where}`;
  return `which sleeps${where}`;
}

/** Blocked tasks that wait for one lock, those with the most first. */
function groupsByLock(facts: Facts): LockWait[][] {
  const waits = new Map<bigint, LockWait[]>();
  for (const task of blockedTasks(facts)) {
    const wait = facts.waitOf(task);
    if (wait !== null) waits.set(wait.lock, [...(waits.get(wait.lock) ?? []), wait]);
  }
  return [...waits.values()].sort((a, b) => b.length - a.length);
}

/** The lock that most of the blocked tasks wait for, and who holds it: `3 tasks waited for ...`; null where none does. */
export function mostWaited(facts: Facts): string | null {
  const [most] = groupsByLock(facts);
  if (most === undefined) return null;
  const { waits, deadlocked } = lockChain(most[0]!, (task) => facts.waitOf(task));
  const holder = deadlocked
    ? `in a deadlock of ${waits.map(({ task }) => label(task)).join(' and ')}`
    : holderWords(facts, waits);
  return `${count(most.length, 'task')} waited for ${lockName(facts, most[0]!)}, ${holder}`;
}

/** Tasks that wait for one lock, from which on that is no passing matter; and seconds, for any. */
const manyWaiters = 2;
const longWait = 1;
const veryLong = 10;

/** What was stuck when somebody asked for the crash; null where nothing seems to have been. */
export function stuckTasksWords(facts: Facts): string | null {
  const long = (task: Task, least: number): boolean => (secondsOff(facts, task) ?? 0) >= least;
  const groups = groupsByLock(facts)
    .map((group) => group.filter(({ task }) => long(task, longWait)))
    .filter((group) => group.length >= manyWaiters || group.some(({ task }) => long(task, veryLong)))
    .sort((a, b) => b.length - a.length);
  const [most] = groups;
  if (most !== undefined) {
    const { waits, deadlocked } = lockChain(most[0]!, (task) => facts.waitOf(task));
    const holder = deadlocked
      ? `in a deadlock of ${waits.map(({ task }) => label(task)).join(' and ')}`
      : holderWords(facts, waits);
    return `${count(most.length, 'task')} had been blocked on ${lockName(facts, most[0]!)}, ${holder}`;
  }
  const sleepers = blockedTasks(facts).filter((task) => long(task, veryLong));
  const [first] = sleepers.filter((task) => tells(facts.waiting(task)));
  if (first === undefined) return null;
  return `${count(sleepers.length, 'task')} had been blocked for more than ${veryLong} seconds, ${label(first)} waiting for ${waitedFor(facts, facts.waiting(first)!)}`;
}
