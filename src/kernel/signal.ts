// include/linux/signal_types.h, sched/signal.h: what signals a task has pending, blocks and handles.
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { strip } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import type { Task } from './task.ts';

/** What a process does on one signal: a `struct k_sigaction`. */
export interface SignalAction {
  readonly signal: number;
  /** Virtual address of the k_sigaction. */
  readonly address: VirtAddr;
  /** User address of the handler; 0 for SIG_DFL, 1 for SIG_IGN. */
  readonly handler: VirtAddr;
  /** Signals blocked while it runs: bit n - 1 for signal n. */
  readonly mask: bigint;
  /** SA_*. */
  readonly flags: bigint;
}

/** A signal with what was told of it: a `struct sigqueue`. */
export interface QueuedSignal {
  readonly signal: number;
  /** Virtual address of its `siginfo`. */
  readonly info: VirtAddr;
}

/** A `struct sigpending`. */
export interface PendingSignals {
  /** Bit n - 1 for signal n. */
  readonly signals: bigint;
  readonly queue: readonly QueuedSignal[];
}

/** What is a process's own, shared by its threads. Null members cannot be read (a fault). */
export interface ProcessSignals {
  /** Virtual address of the `struct signal_struct`. */
  readonly signalStruct: VirtAddr;
  readonly threads: number | null;
  readonly actions: readonly SignalAction[] | null;
  readonly pending: PendingSignals | null;
}

/** What is a thread's own. */
export interface ThreadSignals {
  readonly blocked: bigint | null;
  readonly pending: PendingSignals | null;
}

/** Null for a task that has given its signals up, as the dead have. @throws MemoryFault */
export function processSignals(kernel: Kernel, task: Task): ProcessSignals | null {
  const { faults } = kernel;
  const signal = task.object.member('signal');
  const handlers = task.object.member('sighand');
  if (signal.isNull || handlers.isNull) return null;
  return {
    signalStruct: signal.pointer(),
    threads: faults.attempt('signal_struct', () => signal.memberAmong('nr_threads', 'live.counter').number(), null),
    actions: faults.attempt('signal actions', () => actions(handlers.member('action')), null),
    pending: faults.attempt('shared pending signals', () => pending(kernel, signal.member('shared_pending')), null),
  };
}

export function threadSignals(kernel: Kernel, task: Task): ThreadSignals {
  const { faults } = kernel;
  return {
    blocked: faults.attempt('blocked signals', () => signalSet(task.object.member('blocked')), null),
    pending: faults.attempt('pending signals', () => pending(kernel, task.object.member('pending')), null),
  };
}

/** Signals of a `sigset_t`: bit n - 1 for signal n. @throws MemoryFault */
function signalSet(set: KernelObject): bigint {
  // an array of words, or one word where those have 64 bits (alpha)
  const inner = set.optional('sig');
  return (inner === null ? set : strip(inner.type).kind === 'array' ? inner.index(0) : inner).bigint();
}

function actions(table: KernelObject): SignalAction[] {
  return Array.from(table.elements(1024), (entry, i) => {
    const action = entry.member('sa');
    return {
      signal: i + 1,
      address: entry.address,
      handler: action.member('sa_handler').pointer(),
      mask: signalSet(action.member('sa_mask')),
      flags: action.member('sa_flags').bigint(),
    };
  });
}

function pending(kernel: Kernel, held: KernelObject): PendingSignals {
  const signals = signalSet(held.member('signal'));
  const queue: QueuedSignal[] = [];
  kernel.faults.attempt(
    'queued signals',
    () => {
      for (const entry of listEntries(held.member('list'), 'struct sigqueue', 'list')) {
        const info = entry.member('info');
        queue.push({ signal: info.member('si_signo').number(), info: info.address });
      }
    },
    undefined,
  );
  return { signals, queue };
}
