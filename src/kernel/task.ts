// The tasks of the dead machine, as data: what `sched.ts` reads, and what a kernel gives.
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';

/** States as ps(1) and crash(8) shorten them. */
export type TaskState = 'RU' | 'IN' | 'UN' | 'ID' | 'ST' | 'TR' | 'ZO' | 'DE' | 'SW' | 'WA' | 'PA' | 'NE' | '??';

/** One thread. `pid` is the thread's id as the kernel has it; `tgid` the process's. */
export interface Task {
  /** The `struct task_struct`. */
  readonly object: KernelObject;
  /** Virtual address of the task_struct. */
  readonly address: VirtAddr;
  readonly pid: number;
  readonly tgid: number;
  /** Name, at most 15 characters, as it is in memory: escape it before printing. */
  readonly comm: string;
  /** CPU that it runs on or last ran on. */
  readonly cpu: number;
  readonly state: TaskState;
  /** `__state | exit_state`, as the kernel had it. */
  readonly stateBits: number;
  /** PF_* (include/linux/sched.h). */
  readonly flags: number;
  /** True when it was the task that its CPU ran at the crash. */
  readonly active: boolean;
  /** True for a CPU's idle task. */
  readonly idle: boolean;
  /** True for a task without a user address space of its own (PF_KTHREAD, and idle tasks). */
  readonly kernelThread: boolean;
}

export interface TaskTable {
  /** Idle tasks by CPU, then all others by pid. */
  readonly all: readonly Task[];
  byPid(pid: number): Task | null;
  byAddress(address: VirtAddr): Task | null;
  /** The threads of a process, its leader among them; idle tasks are of no process. */
  threads(tgid: number): readonly Task[];
  /** The task that a CPU ran at the crash; null if it cannot be told. */
  active(cpu: number): Task | null;
  /** Virtual address of that task's task_struct, which may be known where the task itself cannot be read. */
  activeAddress(cpu: number): VirtAddr | null;
}

/**
 * A table in which other tasks are taken for those that CPUs ran: for dumps whose runqueues cannot be trusted.
 * @param chosen addresses of tasks by CPU
 */
export function withActive(table: TaskTable, chosen: ReadonlyMap<number, VirtAddr>): TaskTable {
  const changed = new Map<VirtAddr, Task>();
  for (const cpu of chosen.keys()) {
    const before = table.active(cpu);
    if (before !== null) changed.set(before.address, { ...before, active: false });
  }
  for (const address of chosen.values()) {
    const task = table.byAddress(address);
    if (task !== null) changed.set(address, { ...task, active: true });
  }
  const now = <T extends Task | null>(task: T): T | Task =>
    task === null ? task : (changed.get(task.address) ?? task);
  const activeAddress = (cpu: number): VirtAddr | null => chosen.get(cpu) ?? table.activeAddress(cpu);
  return {
    all: table.all.map(now),
    byPid: (pid) => now(table.byPid(pid)),
    byAddress: (address) => now(table.byAddress(address)),
    threads: (tgid) => table.threads(tgid).map(now),
    active(cpu) {
      const address = activeAddress(cpu);
      return address === null ? null : now(table.byAddress(address));
    },
    activeAddress,
  };
}
