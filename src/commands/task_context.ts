// A task as crash(8) shows it where a task is the answer: `set`, `sys`, `kmem ADDRESS`.
import type { VirtAddr } from '../base/address.ts';
import { escapeLine, hex16 } from '../base/text.ts';
import { crashedTask } from '../kernel/panic.ts';
import type { Task, TaskState } from '../kernel/task.ts';
import type { CommandContext } from './context.ts';

export interface ContextTask {
  readonly pid: number;
  readonly command: string;
  readonly task: VirtAddr;
  /** Its struct thread_info: within the task_struct, or at the bottom of the stack on older kernels. */
  readonly threadInfo: VirtAddr | null;
  readonly cpu: number;
  readonly state: TaskState;
  /** `__state | exit_state`, as the kernel had it. */
  readonly stateBits: number;
  readonly active: boolean;
  readonly panicked: boolean;
  /** Tasks of this pid: more than one for pid 0, of which each CPU has its own. */
  readonly ofPid: number;
}

export function contextTask(context: CommandContext, task: Task): ContextTask {
  const { kernel } = context;
  return {
    pid: task.pid,
    command: task.comm,
    task: task.address,
    threadInfo: kernel.faults.attempt('thread_info', () => threadInfo(task), null),
    cpu: task.cpu,
    state: task.state,
    stateBits: task.stateBits,
    active: task.active,
    ofPid: task.idle ? context.tasks.all.filter(({ idle }) => idle).length : 1,
    panicked: crashedTask(kernel, context.tasks)?.task.address === task.address,
  };
}

function threadInfo(task: Task): VirtAddr {
  // in the task since c65eacbe290b (4.9) where CONFIG_THREAD_INFO_IN_TASK; else at the lowest address of its stack
  return task.object.optional('thread_info')?.address ?? task.object.member('stack').pointer();
}

/** Bits of `__state | exit_state` (include/linux/sched.h) by crash(8)'s names, in its order; those behind it has no names for. */
const stateNames: readonly (readonly [bits: number, name: string])[] = [
  [0x1, 'TASK_INTERRUPTIBLE'],
  [0x2, 'TASK_UNINTERRUPTIBLE'],
  [0x4, 'TASK_STOPPED'],
  [0x8, 'TASK_TRACED'],
  [0x40, 'TASK_PARKED'],
  [0x90, 'EXIT_DEAD'], // TASK_DEAD, too
  [0x20, 'EXIT_ZOMBIE'],
  [0x100, 'TASK_WAKEKILL'],
  [0x200, 'TASK_WAKING'],
  [0x400, 'TASK_NOLOAD'],
  [0x800, 'TASK_NEW'],
  [0x1000, 'TASK_RTLOCK_WAIT'],
  [0x8000, 'TASK_FROZEN'],
];

function stateText({ state, stateBits }: ContextTask): string {
  const names = stateNames.filter(([bits]) => (stateBits & bits) !== 0).map(([, name]) => name);
  return names.length > 0 ? names.join('|') : state === 'RU' ? 'TASK_RUNNING' : '(unknown)';
}

export function contextTaskText(task: ContextTask): string {
  const mark = task.panicked ? '(PANIC)' : task.active ? '(ACTIVE)' : '';
  const others = task.ofPid > 1 ? `  (1 of ${task.ofPid})` : '';
  const info = task.threadInfo === null ? '' : `  [THREAD_INFO: ${hex16(task.threadInfo)}]`;
  return (
    `    PID: ${task.pid}\nCOMMAND: "${escapeLine(task.command)}"\n   TASK: ${hex16(task.task)}${others}${info}\n` +
    `    CPU: ${task.cpu}\n  STATE: ${stateText(task)} ${mark}\n`
  );
}
