// kernel/locking/: which lock a sleeping task waits for, who holds it, and who else waits.
//
// Kernels built with CONFIG_DETECT_HUNG_TASK_BLOCKER (6.16) or proxy execution note it in the task. On
// others the waiter lies on the task's stack, linked to the lock:
//
//   stack of the task                           the lock
//   | ...                 |                     | owner            |
//   | waiter: list  <---------------------------> wait_list        |   before 7.1: the lock is on the ring
//   |         task = us   |      <--------------- first_waiter     |   since 7.1: the lock points into it
//   | ...                 |
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import { findMember, offsetOf } from '../debuginfo/type.ts';
import { type Frame, frameName } from './backtrace.ts';
import type { Kernel } from './kernel.ts';
import { heldForReading, type LockWait, namedOwner } from './lock_wait.ts';
import { rtMutexWait } from './rtmutex.ts';
import { taskStack } from './sched.ts';
import type { Task } from './task.ts';

/** Longest queue on one lock that is followed. */
const maxWaiters = 100_000;

interface LockShape {
  readonly kind: 'mutex' | 'rwsem' | 'semaphore';
  readonly lockType: string;
  readonly waiterType: string;
}

const shapes: readonly LockShape[] = [
  { kind: 'mutex', lockType: 'mutex', waiterType: 'struct mutex_waiter' },
  { kind: 'rwsem', lockType: 'rw_semaphore', waiterType: 'struct rwsem_waiter' },
  { kind: 'semaphore', lockType: 'semaphore', waiterType: 'struct semaphore_waiter' },
];

/** Functions in which a task waits for each kind of lock. */
const slowPaths: readonly (readonly [RegExp, LockShape['kind']])[] = [
  [/^(__)?(ww_)?mutex_lock/, 'mutex'],
  [/^(rwsem_down_|down_(read|write)|__down_(read|write))/, 'rwsem'],
  [/^(__down|down)(_common|_interruptible|_killable|_timeout)?$/, 'semaphore'],
];

/**
 * The lock that a task sleeps on, or null when it sleeps on none that can be told.
 * @param frames its backtrace: which lock function it sleeps in
 */
export function lockWait(kernel: Kernel, task: Task, frames: readonly Frame[]): LockWait | null {
  if (task.active || task.state === 'RU') return null;
  return rtMutexWait(kernel, task, frames) ?? waitOnStack(kernel, task, frames);
}

function waitOnStack(kernel: Kernel, task: Task, frames: readonly Frame[]): LockWait | null {
  const names = frames.map(frameName);
  const kinds = slowPaths.filter(([pattern]) => names.some((name) => pattern.test(name))).map(([, kind]) => kind);
  if (kinds.length === 0) return null;
  const stack = taskStack(kernel, task);
  if (stack === null) return null;
  const from = frames[0]?.frameAddress ?? stack.start;
  const start = from > stack.start && from < stack.start + BigInt(stack.size) ? from & ~7n : stack.start;
  const { bytes } = kernel.space.readUpTo(virtAddr(start), Number(stack.start + BigInt(stack.size) - start));
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3);

  for (const shape of shapes) {
    if (!kinds.includes(shape.kind)) continue;
    const waiterType = kernel.types.find(shape.waiterType);
    if (waiterType === null || findMember(waiterType, 'task') === null) continue;
    const taskOffset = offsetOf(waiterType, 'task');
    for (let i = 0; i < words.length; i++) {
      if (words[i] !== task.address) continue;
      const waiter = offsetBy(virtAddr(start), i * 8 - taskOffset);
      const found = kernel.faults.attempt('lock waiter', () => lockOfWaiter(kernel, task, shape, waiter, words), null);
      if (found !== null) return found;
    }
  }
  return null;
}

/** The lock that a waiter is queued on, if what lies at `waiter` is one. */
function lockOfWaiter(
  kernel: Kernel,
  task: Task,
  shape: LockShape,
  waiter: VirtAddr,
  stackWords: BigUint64Array,
): LockWait | null {
  const { space } = kernel;
  const lockType = kernel.type(shape.lockType);
  const listOffset = offsetOf(kernel.type(shape.waiterType), 'list');
  const taskOffset = offsetOf(kernel.type(shape.waiterType), 'task');
  const node = offsetBy(waiter, listOffset);
  const next = space.pointer(node);
  if (!space.isReadable(next) || space.pointer(offsetBy(next, 8)) !== node) return null;

  // walk the ring once: its nodes are waiters of tasks, and on older kernels one of them is the lock's head
  const ring: VirtAddr[] = [node];
  for (let at = next; at !== node; at = space.pointer(at)) {
    if (ring.length > maxWaiters) throw new FormatError(`waiters at ${node.toString(16)}`, 'the list has no end');
    ring.push(at);
  }
  // a waiter lies on the stack of its task: what follows the head of the list may be a task's address, too
  const taskAt = (at: VirtAddr): Task | null => {
    const waiting = kernel.tasks.byAddress(space.pointer(offsetBy(at, taskOffset - listOffset)));
    const stack = waiting === null ? null : taskStack(kernel, waiting);
    return stack !== null && at >= stack.start && at < stack.start + BigInt(stack.size) ? waiting : null;
  };

  let lock: VirtAddr | null = null;
  let queue: VirtAddr[] = [];
  const head = findMember(lockType, 'wait_list');
  if (head !== null) {
    // the head is no waiter; neither seem waiters whose tasks are missing, but their address is not on this stack
    const lockAt = (at: number): VirtAddr => offsetBy(ring[at]!, -(head.bitOffset / 8));
    const heads = [...ring.keys()].filter(
      (i) => taskAt(ring[i]!) === null && isPlausibleLock(kernel, shape.kind, lockAt(i)),
    );
    const at =
      heads.find((i) => stackWords.includes(lockAt(i))) ??
      heads.find((i) => kernel.place(lockAt(i)) !== null) ??
      heads[0];
    if (at === undefined) return null;
    lock = lockAt(at);
    queue = [...ring.slice(at + 1), ...ring.slice(0, at)];
  } else {
    // the lock's address is somewhere on the stack of who waits for it
    const firstOffset = offsetOf(lockType, 'first_waiter');
    const candidates = new Set(
      [...notedBlocker(task), ...stackWords].filter((word) => kernel.arch.isKernelAddress(word)),
    );
    for (const word of candidates) {
      const candidate = virtAddr(word);
      const { bytes } = space.readUpTo(offsetBy(candidate, firstOffset), 8);
      if (bytes.length < 8) continue;
      const first = space.pointer(offsetBy(candidate, firstOffset));
      const at = ring.indexOf(offsetBy(first, listOffset));
      // the waiter itself, and stack slots that hold waiters, must not pass for locks
      if (at < 0 || ring.some((n) => n === candidate) || !isPlausibleLock(kernel, shape.kind, candidate)) continue;
      lock = candidate;
      queue = [...ring.slice(at), ...ring.slice(0, at)];
      break;
    }
  }
  if (lock === null || !isPlausibleLock(kernel, shape.kind, lock)) return null;
  const holder = lockHolder(kernel, shape.kind, lock);
  const waiters = queue.map(taskAt).filter((t) => t !== null);
  return {
    task,
    kind: shape.kind,
    lock,
    lockType: shape.lockType,
    ownerMember: shape.kind === 'semaphore' ? null : 'owner',
    wants: shape.kind === 'rwsem' ? rwsemWants(kernel, waiter) : null,
    ...holder,
    waiters,
  };
}

/** What the task itself notes: `blocked_on` (6.17, a mutex) and `blocker` (e711faaafbe5, 6.16: address with the kind in its low 2 bits). */
function notedBlocker(task: Task): bigint[] {
  return ['blocked_on', 'blocker']
    .map((name) => task.object.optional(name))
    .filter((member) => member !== null)
    .map((member) => member.bigint() & ~3n)
    .filter((address) => address !== 0n);
}

function isPlausibleLock(kernel: Kernel, kind: LockShape['kind'], lock: VirtAddr): boolean {
  if (kind !== 'mutex') return true;
  // its owner is a task, which may be missing from the dump, but is nothing of user space
  const address = ownerWord(kernel, 'struct mutex', lock) & ~7n;
  return address === 0n || kernel.arch.isKernelAddress(address);
}

/** The lock's owner with the flags in its low bits: an atomic (mutex: 3ca0ff571b09, 4.10; rwsem: 94a9717b3c40, 5.3), a plain pointer before. */
function ownerWord(kernel: Kernel, type: string, lock: VirtAddr): bigint {
  const owner = kernel.object(type, lock).member('owner');
  return BigInt.asUintN(64, (owner.optional('counter') ?? owner).bigint());
}

/** Who holds a lock, from the lock itself. */
function lockHolder(
  kernel: Kernel,
  kind: LockShape['kind'],
  lock: VirtAddr,
): Pick<LockWait, 'owner' | 'held' | 'ownerIsCertain'> {
  switch (kind) {
    case 'mutex':
      // low bits: waiters, handoff, pickup (kernel/locking/mutex.c)
      return namedOwner(kernel, ownerWord(kernel, 'struct mutex', lock) & ~7n);
    case 'rwsem': {
      // count: bit 0 writer, readers from bit 8; owner: bit 0 reader-owned, bit 1 not spinnable (kernel/locking/rwsem.c, 5.3)
      const object = kernel.object('struct rw_semaphore', lock);
      const word = ownerWord(kernel, 'struct rw_semaphore', lock);
      const owner = kernel.tasks.byAddress(virtAddr(word & ~7n));
      const writer = { ...namedOwner(kernel, word & ~7n), ...(owner === null ? {} : { held: 'for writing' }) };
      if (!object.member('owner').has('counter')) {
        // before 5.3 the count tells readers and writers together; a reader leaves bit 0 in the owner
        return (word & 1n) === 0n ? writer : { owner: null, held: 'for reading', ownerIsCertain: false };
      }
      const count = BigInt.asUintN(64, object.member('count.counter').bigint());
      if (count & 1n) return writer;
      // 55 bits, of which the highest only says that there were too many
      const readers = Number((count >> 8n) & 0x3f_ffff_ffff_ffffn);
      if (readers > 0) {
        const held = heldForReading(readers);
        return { owner, held: owner === null ? held : `${held} (the last that came is noted)`, ownerIsCertain: false };
      }
      return {
        owner: null,
        held: 'by nobody: it is being handed over, or was given back once too often',
        ownerIsCertain: true,
      };
    }
    case 'semaphore': {
      // last_holder: 194a9b9e843b (6.16); before, a semaphore knows nobody
      const holder = kernel.object('struct semaphore', lock).optional('last_holder');
      const owner = holder === null ? null : kernel.tasks.byAddress(virtAddr(holder.bigint()));
      const held = owner === null ? 'by a task that semaphores do not name' : 'by the last that took it';
      return { owner, held, ownerIsCertain: false };
    }
  }
}

/** rwsem_waiter.type: RWSEM_WAITING_FOR_WRITE is 0 (enum rwsem_waiter_type). */
function rwsemWants(kernel: Kernel, waiter: VirtAddr): 'read' | 'write' {
  const type = kernel.object('struct rwsem_waiter', waiter).member('type');
  const name = type.enumName();
  return (name === null ? type.bigint() !== 0n : name.includes('READ')) ? 'read' : 'write';
}
