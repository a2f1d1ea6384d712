// What a task waits for, as data and in words: for `lock`, `stacks`, `io`, `wq`.
import type { VirtAddr } from '../../base/address.ts';
import { assertNever } from '../../base/errors.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { identify } from '../../kernel/identify.ts';
import { ticks } from '../../kernel/jiffies.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { offCpuFor } from '../../kernel/sched_times.ts';
import { slabCacheOf } from '../../kernel/slab.ts';
import type { Task, TaskState } from '../../kernel/task.ts';
import type { PageFile } from '../../kernel/wait/page_wait.ts';
import type { RpcWait } from '../../kernel/wait/rpc_wait.ts';
import type { Wait, WaitKind } from '../../kernel/wait/wait.ts';
import type { WorkItem } from '../../kernel/workqueue.ts';
import { type TaskLabel, taskLabel } from '../context.ts';
import { addressName } from '../system/address_name.ts';

/** Tasks named in one line. */
const mostTold = 3;

/** A task that waits. */
export interface WaiterData {
  readonly task: TaskLabel;
  readonly state: TaskState;
  /** How long it has been off its CPU, nanoseconds, decimal; null where that cannot be told. */
  readonly waiting: string | null;
  /** The function that waits, with its offset: the innermost that is no means of waiting. */
  readonly function: string | null;
}

/** What a task waits for. */
export interface WaitData {
  readonly kind: WaitKind;
  /** Virtual address of what is waited for; null where it is nothing in memory, or was not found. */
  readonly object: VirtAddr | null;
  /** Who is to end the wait; null where nobody is noted. */
  readonly owner: TaskLabel | null;
  /** All that is known, in words. */
  readonly words: string;
}

export function waiterData(kernel: Kernel, task: Task, wait: Wait | null): WaiterData {
  const caller = wait?.caller ?? null;
  return {
    task: taskLabel(task),
    state: task.state,
    waiting: offCpuFor(kernel, task)?.toString() ?? null,
    function: caller === null ? null : addressName(kernel, kernel.arch.shownAddress(caller)),
  };
}

export function waitData(kernel: Kernel, wait: Wait): WaitData {
  const { object, owner } = subjectOf(wait);
  return { kind: wait.kind, object, owner: owner === null ? null : taskLabel(owner), words: waitWords(kernel, wait) };
}

function subjectOf(wait: Wait): { readonly object: VirtAddr | null; readonly owner: Task | null } {
  switch (wait.kind) {
    case 'lock':
      return { object: wait.lock.lock, owner: wait.lock.owner };
    case 'spin':
      return { object: wait.lock, owner: wait.owner };
    case 'page':
      return { object: wait.page, owner: null };
    case 'bit':
      return { object: wait.word, owner: null };
    case 'device':
      return { object: wait.address, owner: null };
    case 'journal':
      return { object: wait.journal, owner: wait.users[0] ?? (wait.thread === wait.task ? null : wait.thread) };
    case 'grace-period':
      return { object: wait.srcu, owner: null };
    case 'work':
      return { object: wait.work?.address ?? null, owner: wait.workers[0]?.task ?? null };
    case 'completion':
      return { object: wait.completion, owner: completer(wait) };
    case 'futex':
      return { object: wait.address, owner: wait.owner };
    case 'pipe':
      return { object: wait.pipe, owner: null };
    case 'files':
      return { object: wait.epoll, owner: null };
    case 'event':
      return { object: wait.queue, owner: null };
    case 'cpus':
    case 'io':
    case 'socket':
    case 'terminal':
    case 'child':
    case 'signal':
    case 'stopped':
    case 'time':
    case 'idle':
    case 'unknown':
      return { object: null, owner: null };
    default:
      return assertNever(wait);
  }
}

function completer(wait: Extract<Wait, { readonly kind: 'completion' }>): Task | null {
  switch (wait.subject?.kind) {
    case 'thread':
      return wait.subject.thread;
    case 'child':
      return wait.subject.child;
    default:
      return null;
  }
}

/**
 * What a task waits for, in words.
 * @param name what something in memory is called
 */
export function waitWords(
  kernel: Kernel,
  wait: Wait,
  name: (address: VirtAddr) => string = (address) => placeName(kernel, address),
): string {
  switch (wait.kind) {
    case 'lock': {
      const { lock, fileSystem } = wait;
      const wants = lock.wants === null ? '' : ` for ${lock.wants === 'read' ? 'reading' : 'writing'}`;
      const frozen =
        fileSystem === null
          ? ''
          : `; it is of the file system on ${escapeLine(fileSystem.device)}${fileSystem.level > 0 ? ', which is frozen' : ''}`;
      return `${lock.kind} ${name(lock.lock)}${wants}, held ${holderText(lock.held, lock.owner)}${frozen}`;
    }
    case 'spin':
      return `${wait.mode === 'spin' ? 'spinlock' : 'rwlock'} ${name(wait.lock)}${wait.owner === null ? '' : `, held by ${taskText(wait.owner)}`}`;
    case 'cpus':
      return 'other CPUs that are to answer an interrupt';
    case 'page':
      return `${wait.flag === 'writeback' ? 'writeback' : wait.flag === 'locked' ? 'the lock' : `the flag ${escapeLine(wait.flag)}`} of ${wait.swap ? 'a page that is read from swap' : 'page'} ${hex16(wait.page)}${wait.file === null ? '' : ` of ${fileText(wait.file)}`}`;
    case 'bit': {
      if (wait.of?.kind === 'rpc') return rpcWords(wait.of);
      const of =
        wait.of === null
          ? ''
          : wait.of.kind === 'inode'
            ? ` of ${fileText(wait.of.file)}`
            : ` of the buffer of block ${wait.of.block} on ${escapeLine(wait.of.device)}`;
      return wait.bit === null
        ? `a change of the variable ${name(wait.word)}`
        : `bit ${wait.bit} of ${name(wait.word)}${of}`;
    }
    case 'device':
      return deviceWords(wait);
    case 'io':
      return 'I/O';
    case 'journal':
      return journalWords(wait);
    case 'grace-period':
      return graceWords(kernel, wait, name);
    case 'work':
      return workWords(kernel, wait);
    case 'completion':
      return completionWords(wait, name);
    case 'futex':
      return `futex ${wait.address === null ? 'in shared memory' : `0x${wait.address.toString(16)}`}${wait.owner === null ? '' : `, held by ${taskText(wait.owner)}`}`;
    case 'pipe':
      return `${wait.direction === 'read' ? 'data in' : 'room in'} pipe${wait.pipe === null ? '' : ` ${hex16(wait.pipe)}`}`;
    case 'files':
      return `files (${wait.call})`;
    case 'socket':
      return 'the other end of a socket';
    case 'terminal':
      return 'a terminal';
    case 'child':
      return 'a child';
    case 'signal':
      return 'a signal';
    case 'stopped':
      return { signal: 'to be continued', tracer: 'its tracer', freezer: 'to be thawed', park: 'to be unparked' }[
        wait.by
      ];
    case 'time':
      return 'time to pass';
    case 'event':
      return wait.queue === null ? 'an event' : `an event of wait queue ${name(wait.queue)}`;
    case 'idle':
      return 'something to do';
    case 'unknown':
      return '(unknown)';
    default:
      return assertNever(wait);
  }
}

function deviceWords({ what, device, address }: Extract<Wait, { readonly kind: 'device' }>): string {
  const on = device === null ? 'a device' : escapeLine(device);
  const at = address === null ? '' : ` ${hex16(address)}`;
  switch (what) {
    case 'bio':
      return `bio${at} on ${on}`;
    case 'request':
      return `request${at} on ${on}`;
    case 'direct':
      return `direct I/O${at} on ${on}`;
    case 'tag':
      return `a free tag of ${on}`;
    case 'throttle':
      return `its share of ${on}`;
    case 'frozen':
      return `the request queue of ${on}, which is frozen`;
    default:
      return assertNever(what);
  }
}

function rpcWords({ server, program, procedure }: RpcWait): string {
  const call = [program, procedure].filter((text) => text !== null).map(escapeLine);
  return `the answer of ${server === null ? 'a server' : `the server ${escapeLine(server)}`} to ${call.length === 0 ? 'a remote call' : call.join(' ')}`;
}

function journalWords({ what, device, thread, users, task }: Extract<Wait, { readonly kind: 'journal' }>): string {
  const journal = `the journal of ${escapeLine(device)}`;
  switch (what) {
    case 'commit':
      return `${journal} to be committed${thread === null || thread === task ? '' : `, by ${taskText(thread)}`}`;
    case 'room':
      return `room in ${journal}`;
    case 'handles':
      return `those who change something under ${journal}${users.length === 0 ? '' : `: ${users.slice(0, mostTold).map(taskText).join(', ')}${users.length > mostTold ? `, and ${users.length - mostTold} more` : ''}`}`;
    default:
      return assertNever(what);
  }
}

function graceWords(
  kernel: Kernel,
  { flavour, period, srcu }: Extract<Wait, { readonly kind: 'grace-period' }>,
  name: (address: VirtAddr) => string,
): string {
  const names = {
    rcu: 'an RCU grace period',
    expedited: 'an expedited RCU grace period',
    tasks: 'a grace period of RCU-tasks',
    barrier: 'all RCU callbacks to run',
    srcu: 'an SRCU grace period',
  };
  if (srcu !== null) return `${names[flavour]} of ${name(srcu)}`;
  if (period === null || !period.running) return names[flavour];
  const tick = kernel.faults.attempt('jiffies', () => ticks(kernel), null);
  const age =
    tick === null || period.started === null
      ? ''
      : `, begun ${(Number(tick.jiffies - period.started) / tick.rate).toFixed(1)}s ago`;
  const cpus = period.cpus.length === 0 ? '' : `, which waits for CPU ${period.cpus.join(', ')}`;
  const tasks = period.tasks.length === 0 ? '' : `, held up by ${period.tasks.map(taskText).join(', ')}`;
  return `${names[flavour]}${age}${cpus}${tasks}`;
}

function workWords(kernel: Kernel, wait: Extract<Wait, { readonly kind: 'work' }>): string {
  const { work, workqueue, workers, behind, deadlock } = wait;
  const functionText = ({ function: called }: WorkItem): string =>
    escapeLine(addressName(kernel, called) ?? hex16(called));
  const queue = workqueue === null ? '' : ` of workqueue ${escapeLine(workqueue)}`;
  const by = workers.map(({ task }) => task).filter((task) => task !== null);
  const [first] = behind.filter(({ current }) => current !== null);
  const doing =
    by.length > 0
      ? `, done by ${by.map(taskText).join(', ')}`
      : deadlock
        ? ', which may not begin before its own work is done: a deadlock'
        : first !== undefined
          ? `, which may not begin before ${functionText(first.current!)} is done${first.task === null ? '' : `, by ${taskText(first.task)}`}`
          : ', which nobody does';
  return work === null
    ? `all works${queue}${by.length === 0 ? '' : doing}`
    : `work ${functionText(work)}${queue}${doing}`;
}

function completionWords(
  { completion, subject }: Extract<Wait, { readonly kind: 'completion' }>,
  name: (address: VirtAddr) => string,
): string {
  const at = completion === null ? 'a completion' : `completion ${name(completion)}`;
  switch (subject?.kind) {
    case 'thread':
      return `${subject.thread === null ? 'a thread' : `thread ${taskText(subject.thread)}`} to ${subject.what === 'exit' ? 'end' : 'park'}`;
    case 'child':
      return `its child ${taskText(subject.child)}, which has its memory (vfork)`;
    case 'helper':
      return `the program ${escapeLine(subject.path)}, which the kernel started`;
    case undefined:
      return at;
    default:
      return assertNever(subject!);
  }
}

function holderText(held: string, owner: Task | null): string {
  if (owner === null) return held;
  return held === 'by its owner' ? `by ${taskText(owner)}` : `${held} by ${taskText(owner)}`;
}

function fileText({ number, fileSystem, device }: PageFile): string {
  return fileSystem === 'bdev'
    ? escapeLine(device)
    : `inode ${number} (${escapeLine(fileSystem)} on ${escapeLine(device)})`;
}

/** A task as words have it: `1411 "sh"`. */
export function taskText({ pid, comm }: Pick<Task, 'pid' | 'comm'>): string {
  return `${pid} "${escapeLine(comm)}"`;
}

/** What something in memory is called: its symbol, or its address with where that is. */
export function placeName(kernel: Kernel, address: VirtAddr): string {
  const name = addressName(kernel, address);
  if (name !== null) return `${escapeLine(name)} (${hex16(address)})`;
  if (!kernel.arch.isKernelAddress(address)) return hex16(address);
  const cache = slabCacheOf(kernel, address);
  if (cache !== null) return `${hex16(address)} (in ${escapeLine(cache)})`;
  const { stack } = identify(kernel, address);
  if (stack === null) return hex16(address);
  return `${hex16(address)} (on the stack of ${stack.task === null ? `CPU ${stack.cpu}` : taskText(stack.task)})`;
}
