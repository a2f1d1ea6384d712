// What a task waits for. Every way to sleep that the kernel has leads to one of these; a task on a CPU may wait, too, by
// spinning. Who is to end the wait is told where the kernel notes it, or where it follows from what is waited for.
import type { VirtAddr } from '../../base/address.ts';
import { backtracer, type Frame } from '../backtrace.ts';
import { lockWait } from '../blocked_on.ts';
import type { Kernel } from '../kernel.ts';
import type { LockWait } from '../lock_wait.ts';
import { perKernel } from '../per_kernel.ts';
import type { Task } from '../task.ts';
import { type BlockWait, blockWait } from './block_wait.ts';
import { awaitedCompletion, type CompletionSubject, completionSubject } from './completion.ts';
import { type FutexWait, futexWait } from './futex_wait.ts';
import { type GracePeriodWait, gracePeriodWait } from './grace_period_wait.ts';
import { type JournalWait, journalWait } from './journal_wait.ts';
import { type BitWait, bitWait, type PageWait, pageWait } from './page_wait.ts';
import { type FrozenFileSystem, frozenFileSystem, percpuRwsemWait } from './percpu_rwsem.ts';
import { queueEntries } from './queue_entry.ts';
import { Sleeper } from './sleeper.ts';
import { type SpinWait, spinningFrame, spinWait } from './spin_wait.ts';
import { type Deadline, wakeTime } from './timed_wait.ts';
import { type WorkWait, workWait } from './work_flush.ts';

/** What is waited for, by kind. */
export type WaitedFor =
  /** A lock that sleeps; `fileSystem` for the locks that freeze one. */
  | { readonly kind: 'lock'; readonly lock: LockWait; readonly fileSystem: FrozenFileSystem | null }
  /** A spinlock, on a CPU. */
  | ({ readonly kind: 'spin' } & SpinWait)
  /** Other CPUs, on a CPU. */
  | { readonly kind: 'cpus' }
  /** A page of memory or of a file. `swap`: that it is read from a swap device. */
  | ({ readonly kind: 'page'; readonly swap: boolean } & PageWait)
  /** A bit, or the change of a variable. */
  | ({ readonly kind: 'bit' } & BitWait)
  /** A block device. */
  | ({ readonly kind: 'device' } & BlockWait)
  /** I/O of which nothing more can be told. */
  | { readonly kind: 'io' }
  /** A file system's journal. */
  | ({ readonly kind: 'journal' } & JournalWait)
  | ({ readonly kind: 'grace-period' } & GracePeriodWait)
  | ({ readonly kind: 'work' } & WorkWait)
  /** A completion; `subject` where it is known what it is about. */
  | { readonly kind: 'completion'; readonly completion: VirtAddr | null; readonly subject: CompletionSubject | null }
  | ({ readonly kind: 'futex' } & FutexWait)
  /** The other end of a pipe. */
  | { readonly kind: 'pipe'; readonly pipe: VirtAddr | null; readonly direction: 'read' | 'write' }
  /** Files: poll(), select(), epoll_wait(). */
  | { readonly kind: 'files'; readonly call: 'poll' | 'select' | 'epoll'; readonly epoll: VirtAddr | null }
  /** The other end of a socket. */
  | { readonly kind: 'socket' }
  /** Input of a terminal. */
  | { readonly kind: 'terminal' }
  /** A child that ends or stops. */
  | { readonly kind: 'child' }
  /** A signal. */
  | { readonly kind: 'signal' }
  /** To be continued: stopped by a signal or by a debugger, frozen for suspend or by a cgroup, parked with its CPU. */
  | { readonly kind: 'stopped'; readonly by: 'signal' | 'tracer' | 'freezer' | 'park' }
  /** Time. */
  | { readonly kind: 'time' }
  /** A wait queue: that something becomes true, which only the code knows. */
  | { readonly kind: 'event'; readonly queue: VirtAddr | null }
  /** Something to do: a kernel thread in its own loop. */
  | { readonly kind: 'idle' }
  /** Nothing that can be told. */
  | { readonly kind: 'unknown' };

export type Wait = WaitedFor & {
  readonly task: Task;
  /** The kernel's function that it sleeps or spins in: `mutex_lock`, `folio_wait_bit_common`. Empty where unknown. */
  readonly primitive: string;
  /** Who waits: the innermost function that is no means of waiting; null where there is none. */
  readonly caller: Frame | null;
  /** When its own timer wakes it, if nothing else does; null where it has none. */
  readonly until: Deadline | null;
  /** Whether the kernel counts it as waiting for I/O (task_struct.in_iowait). */
  readonly ioWait: boolean;
};

export type WaitKind = WaitedFor['kind'];

/** By task; of one that a user declared to be active, apart. */
const waits = perKernel(() => ({ active: new Map<bigint, Wait | null>(), asleep: new Map<bigint, Wait | null>() }));

/**
 * What a task waits for; null for one that runs or could run, for one that is dead, and for one whose stack cannot be
 * read. What cannot be read of the thing itself is a fault.
 */
export function waitOf(kernel: Kernel, task: Task): Wait | null {
  const known = task.active ? waits(kernel).active : waits(kernel).asleep;
  let wait = known.get(task.address);
  if (wait === undefined) {
    wait = readWait(kernel, task);
    known.set(task.address, wait);
  }
  return wait;
}

function readWait(kernel: Kernel, task: Task): Wait | null {
  if (task.state === 'ZO' || task.state === 'DE' || task.idle) return null;
  if (task.state === 'RU' && !task.active) return null;
  const { frames } = backtracer(kernel).of(task);
  if (frames.length === 0) return null;
  const sleeper = new Sleeper(kernel, task, frames);
  return task.active ? onCpu(sleeper) : { ...asleep(sleeper), ...circumstances(sleeper), until: wakeTime(sleeper) };
}

function circumstances(sleeper: Sleeper): Omit<Wait, keyof WaitedFor | 'until'> {
  const { kernel, task, primitive, caller } = sleeper;
  const ioWait = kernel.faults.attempt('I/O wait', () => task.object.optional('in_iowait')?.bool() ?? false, false);
  return { task, primitive, caller, ioWait };
}

function onCpu(sleeper: Sleeper): Wait | null {
  const frame = spinningFrame(sleeper.frames);
  if (frame === null) return null;
  const spin = frame.for === 'lock' ? spinWait(sleeper.kernel, sleeper.frames, frame.at) : null;
  if (spin === null && frame.for === 'lock') return null;
  const found: WaitedFor = spin === null ? { kind: 'cpus' } : { kind: 'spin', ...spin };
  // what came to the CPU while it waited stands before that on its stack
  const waiting = new Sleeper(sleeper.kernel, sleeper.task, sleeper.frames.slice(frame.at));
  return { ...found, ...circumstances(waiting), until: null };
}

/** The functions on the stack say what kind of wait it is; the outermost of them that tells says the most. */
function asleep(sleeper: Sleeper): WaitedFor {
  const { kernel, task } = sleeper;
  const lock = lockWait(kernel, task, sleeper.frames) ?? percpuRwsemWait(sleeper);
  if (lock !== null) {
    return {
      kind: 'lock',
      lock,
      fileSystem: lock.kind === 'percpu-rwsem' ? frozenFileSystem(kernel, lock.lock) : null,
    };
  }
  const stopped = stoppedBy(sleeper);
  if (stopped !== null) return { kind: 'stopped', by: stopped };

  const page = pageWait(sleeper);
  if (page !== null) {
    return {
      kind: 'page',
      swap: sleeper.in(/^(do_swap_page|swapin_|swap_cluster_readahead|swap_vma_readahead)/),
      ...page,
    };
  }
  const work = workWait(sleeper);
  if (work !== null) return { kind: 'work', ...work };
  const period = gracePeriodWait(sleeper);
  if (period !== null) return { kind: 'grace-period', ...period };
  const completion = sleeper.in(/^_*(wait_for_(common|completion)|do_wait_for_common)/)
    ? awaitedCompletion(sleeper)
    : null;
  const device = blockWait(sleeper, completion);
  if (device !== null) return { kind: 'device', ...device };
  if (completion !== null || sleeper.in(/^_*wait_for_(common|completion)/)) {
    return {
      kind: 'completion',
      completion,
      subject: completion === null ? null : completionSubject(sleeper, completion),
    };
  }
  const journal = journalWait(sleeper);
  if (journal !== null) return { kind: 'journal', ...journal };
  const bit = bitWait(sleeper);
  if (bit !== null) return { kind: 'bit', ...bit };
  const futex = futexWait(sleeper);
  if (futex !== null) return { kind: 'futex', ...futex };
  return byFunction(sleeper);
}

function stoppedBy(sleeper: Sleeper): 'signal' | 'tracer' | 'freezer' | 'park' | null {
  if (sleeper.in(/^_*kthread_parkme$/)) return 'park';
  if (sleeper.in(/^(_*refrigerator|do_freezer_trap|cgroup_enter_frozen)$/)) return 'freezer';
  if (sleeper.in(/^ptrace_(stop|do_notify|notify)$/)) return 'tracer';
  if (sleeper.in(/^do_signal_stop$/)) return 'signal';
  return null;
}

/** System calls and threads that wait for what is outside the kernel, or for something to do. */
const bySystemCall: readonly (readonly [RegExp, (sleeper: Sleeper) => WaitedFor])[] = [
  [/^(anon_|fifo_)?pipe_(read|write)$|^(pipe_)?wait_for_partner$/, pipeWait],
  [/^(ep_poll|do_epoll_wait)$/, epollWait],
  [/^(do_sys_poll|do_poll|core_sys_select|do_select)$/, pollWait],
  [
    /^(sk_wait_\w+|_*sk_stream_wait\w*|inet_csk_(accept|wait\w*)|_*skb_wait\w*|sock_wait\w*|unix_(accept|wait\w*|stream_(data_wait|read_generic))|vsock_\w+|tcp_recvmsg\w*|udp_recvmsg|wait_for_connect|netlink_\w{0,32}wait\w{0,32})$/,
    () => ({ kind: 'socket' }),
  ],
  [/^(n_tty_read|n_tty_write|tty_wait\w*|tty_port_block\w*)$/, () => ({ kind: 'terminal' })],
  [/^(do_wait|kernel_wait4|do_wait_pid|kernel_waitid)$/, () => ({ kind: 'child' })],
  [
    /^(sigsuspend|_*do_sys_pause|_*sys_pause|do_sigtimedwait|_*(do|se)_sys_(rt_)?sigtimedwait)$/,
    () => ({ kind: 'signal' }),
  ],
];

function byFunction(sleeper: Sleeper): WaitedFor {
  const call = bySystemCall.find(([pattern]) => sleeper.in(pattern));
  if (call !== undefined) return call[1](sleeper);
  if (sleeper.in(/^io_schedule/)) return { kind: 'io' };
  // TASK_IDLE: it waits without an end in sight, and nobody is to worry
  if (sleeper.task.state === 'ID' && sleeper.task.kernelThread) return { kind: 'idle' };
  if (sleeper.in(/^(hrtimer_nanosleep|do_nanosleep|_*msleep\w*|usleep_range\w*|schedule_hrtimeout\w*)$/))
    return { kind: 'time' };
  if (sleeper.inOwnLoop && sleeper.task.state !== 'UN') return { kind: 'idle' };
  const queue = queueEntries(sleeper)[0];
  if (queue !== undefined) return { kind: 'event', queue: queue.head };
  if (sleeper.in(/^schedule_timeout/)) return { kind: 'time' };
  return sleeper.primitive === '' ? { kind: 'unknown' } : { kind: 'event', queue: null };
}

function pipeWait(sleeper: Sleeper): WaitedFor {
  const { kernel } = sleeper;
  const direction = sleeper.in(/pipe_write$/) ? 'write' : 'read';
  const head = queueEntries(sleeper)[0]?.head ?? null;
  const pipe = kernel.faults.attempt(
    'pipe',
    () => {
      if (head === null) return null;
      // one queue for both ends until 0ddad21d3e99 (5.5)
      const member = ['rd_wait', 'wr_wait', 'wait'].filter((name) =>
        kernel.object('struct pipe_inode_info', head).has(name),
      );
      const name = member.includes('wait') ? 'wait' : direction === 'read' ? 'rd_wait' : 'wr_wait';
      return kernel.object('struct wait_queue_head', head).containerOf('struct pipe_inode_info', name).address;
    },
    null,
  );
  return { kind: 'pipe', pipe, direction };
}

function epollWait(sleeper: Sleeper): WaitedFor {
  const { kernel } = sleeper;
  const head = queueEntries(sleeper)[0]?.head ?? null;
  const epoll =
    head === null
      ? null
      : kernel.faults.attempt(
          'epoll',
          () => kernel.object('struct wait_queue_head', head).containerOf('struct eventpoll', 'wq').address,
          null,
        );
  return { kind: 'files', call: 'epoll', epoll };
}

function pollWait(sleeper: Sleeper): WaitedFor {
  return { kind: 'files', call: sleeper.in(/select/) ? 'select' : 'poll', epoll: null };
}
