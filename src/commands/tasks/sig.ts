// sig: what signals tasks handle, block and have pending.
import { UsageError } from '../../base/errors.ts';
import { escapeLine, hex, hex16 } from '../../base/text.ts';
import {
  type PendingSignals,
  type ProcessSignals,
  processSignals,
  type SignalAction,
  type ThreadSignals,
  threadSignals,
} from '../../kernel/signal.ts';
import type { Task } from '../../kernel/task.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { flag, rest, valued, values } from '../params.ts';

/** A thread and what signals it has for itself. */
export interface SigThread extends ThreadSignals {
  readonly task: TaskLabel;
  /** Whether a signal is pending that it does not block; null where that cannot be told. */
  readonly isPending: boolean | null;
}

/** A task with what its process handles; with -g, with all its threads. */
export interface SigTask {
  readonly task: TaskLabel;
  /** Null for a task that has no signals any more, or whose they cannot be read. */
  readonly process: ProcessSignals | null;
  readonly threads: readonly SigThread[];
}

export type SigData =
  | { readonly kind: 'tasks'; readonly tasks: readonly SigTask[] }
  | { readonly kind: 'names' }
  | { readonly kind: 'set'; readonly signals: readonly number[] };

export const sig = defineCommand({
  name: 'sig',
  help: {
    summary: 'signals of tasks: handlers, blocked, pending',
    description: `Shows for the current task, or those named, what each signal does (SIG_DFL, SIG_IGN, or the user address of a handler
with the signals blocked while it runs and its SA_ flags), whether an unblocked signal is pending, the blocked ones, and
the pending ones of the thread and of its process, with the siginfo of each that is queued.`,
    examples: [
      ['sig -g 1234', 'a process with all its threads'],
      ['sig -s 4000', 'the signals of a set'],
    ],
  },
  params: {
    group: flag('g', 'the process, with each of its threads'),
    names: flag('l', 'the numbers and names of all signals', { excludes: ['g', 's'] }),
    set: valued('s', 'sigset', values.word, 'the names of the signals in a set, hexadecimal', { excludes: ['g'] }),
    tasks: rest('pid|task', values.task),
  },
  collect(context, { group, names, set, tasks }): SigData {
    if (names) return { kind: 'names' };
    if (set !== null) return { kind: 'set', signals: signalsOf(parseSet(set)) };
    const chosen = tasks.length === 0 ? [context.task] : tasks;
    return { kind: 'tasks', tasks: chosen.map((task) => sigTask(context, task, group)) };
  },
  render(data, { options }) {
    switch (data.kind) {
      case 'names':
        return signalNames.map((name, i) => `[${i + 1}]`.padStart(4).concat(` ${name}\n`)).join('');
      case 'set':
        return `${data.signals.length === 0 ? '(none)' : wrapped(data.signals.map(shortName))}\n`;
      case 'tasks':
        return data.tasks.map((one) => (options.group ? groupText(one) : taskText(one))).join('\n');
    }
  },
});

function sigTask({ kernel }: CommandContext, task: Task, group: boolean): SigTask {
  const process = kernel.faults.attempt('signals', () => processSignals(kernel, task), null);
  const threads = group && !task.idle ? kernel.tasks.threads(task.tgid) : [task];
  return {
    // a process is shown by its leader
    task: taskLabel(group ? (threads.find(({ pid }) => pid === task.tgid) ?? task) : task),
    process,
    threads: threads.map((thread) => {
      const own = threadSignals(kernel, thread);
      const pending =
        own.pending === null || process?.pending == null ? null : own.pending.signals | process.pending.signals;
      return {
        task: taskLabel(thread),
        ...own,
        // as recalc_sigpending_tsk in kernel/signal.c
        isPending: pending === null || own.blocked === null ? null : (pending & ~own.blocked) !== 0n,
      };
    }),
  };
}

function parseSet(word: string): bigint {
  const set = parseHex(word);
  if (set === null) throw new UsageError(`not a set of signals: ${escapeLine(word)}`);
  return set;
}

/** Words in lines of at most 80 characters. */
function wrapped(words: readonly string[]): string {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line.length + 1 + word.length > 80) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

/** The signals of a set: bit n - 1 for signal n. */
function signalsOf(set: bigint): number[] {
  return signalNames.flatMap((_, i) => (((set >> BigInt(i)) & 1n) === 1n ? [i + 1] : []));
}

/**
 * Names by number, the first at 0; of those with two names both (include/uapi/asm-generic/signal.h). SIGRTMIN is the
 * kernel's: the C library keeps the first two for itself.
 */
const signalNames: readonly string[] = [
  ...'HUP INT QUIT ILL TRAP ABRT/SIGIOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD/SIGCLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO/SIGPOLL PWR SYS/SIGUNUSED'
    .split(' ')
    .map((name) => `SIG${name}`),
  'SIGRTMIN',
  ...Array.from({ length: 16 }, (_, i) => `SIGRTMIN+${i + 1}`),
  ...Array.from({ length: 15 }, (_, i) => `SIGRTMAX-${15 - i}`),
  'SIGRTMAX',
];

function shortName(signal: number): string {
  return signalNames[signal - 1]!.split('/')[0]!;
}

/** SA_* by bit (include/uapi/asm-generic/signal-defs.h), in the order in which they are shown. */
const actionFlags: readonly (readonly [bit: bigint, name: string])[] = [
  [0x1n, 'SA_NOCLDSTOP'],
  [0x0400_0000n, 'SA_RESTORER'],
  [0x2n, 'SA_NOCLDWAIT'],
  [0x4n, 'SA_SIGINFO'],
  [0x800n, 'SA_EXPOSE_TAGBITS'],
  [0x0800_0000n, 'SA_ONSTACK'],
  [0x1000_0000n, 'SA_RESTART'],
  [0x4000_0000n, 'SA_NODEFER'],
  [0x8000_0000n, 'SA_RESETHAND'],
];

function actionsText(process: ProcessSignals | null): string {
  if (process === null) return '(no signals)\n';
  const { signalStruct, threads, actions } = process;
  const lines = [`SIGNAL_STRUCT: ${hex(signalStruct)}  NR_THREADS: ${threads ?? '?'}\n`];
  lines.push(' SIG    SIGACTION        HANDLER       MASK       FLAGS           \n');
  if (actions === null) lines.push('(handlers cannot be read)\n');
  else lines.push(...actions.map(actionText));
  return lines.join('');
}

function actionText({ signal, address, handler, mask, flags }: SignalAction): string {
  const what = handler === 0n ? 'SIG_DFL' : handler === 1n ? 'SIG_IGN' : hex(handler);
  const names = actionFlags.filter(([bit]) => (flags & bit) !== 0n).map(([, name]) => name);
  const columns = [`[${signal}]`.padStart(4), hex16(address), what.padStart(10), hex16(mask), hex(flags)];
  return `${columns.join(' ')} ${names.length === 0 ? '' : `(${names.join('|')})`}\n`;
}

function pendingText(title: string, pending: PendingSignals | null): string {
  if (pending === null) return `${title}\n    SIGNAL: ?\n  SIGQUEUE: ?\n`;
  const { signals, queue } = pending;
  const rows = queue.map(({ signal, info }) => `${String(signal).padStart(16)}  ${hex16(info)}\n`).join('');
  const queued = queue.length === 0 ? '(empty)\n' : ` SIG  ${'SIGINFO'.padStart(11).padEnd(16)}\n${rows}`;
  return `${title}\n    SIGNAL: ${hex16(signals)}\n  SIGQUEUE: ${queued}`;
}

function threadText({ isPending, blocked, pending }: SigThread): string {
  const state = isPending === null ? '?' : isPending ? 'yes' : 'no';
  return (
    `SIGPENDING: ${state}\n   BLOCKED: ${blocked === null ? '?' : hex16(blocked)}\n` +
    pendingText('PRIVATE_PENDING', pending)
  );
}

function taskText({ task, process, threads }: SigTask): string {
  const own = threads.map(threadText).join('');
  const shared = pendingText('SHARED_PENDING', process?.pending ?? null);
  return `${taskHeader(task)}\n${actionsText(process)}${own}${process === null ? '' : shared}`;
}

function groupText({ task, process, threads }: SigTask): string {
  const shared = process === null ? '' : pendingText('SHARED_PENDING', process.pending);
  const each = threads.map(
    (thread) => `\n${`${taskHeader(thread.task)}\n${threadText(thread)}`.replace(/^/gm, '  ').trimEnd()}\n`,
  );
  return `${taskHeader(task)}\n${actionsText(process)}${shared}${each.join('')}`;
}
