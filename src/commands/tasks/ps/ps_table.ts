// The table of `ps`, and its count of states.
//
//       PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM
// >    1408       1   0  ff1459ed1bd920c0  RU   0.3     2260     1576  sh
import type { VirtAddr } from '../../../base/address.ts';
import { escapeLine, hex16 } from '../../../base/text.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { presentPages } from '../../../kernel/mmzone.ts';
import { parentPid, taskMemory } from '../../../kernel/sched.ts';
import type { Task, TaskState } from '../../../kernel/task.ts';
import { policyName } from './ps_select.ts';

export interface TaskRow {
  readonly active: boolean;
  readonly pid: number;
  readonly tgid: number;
  /** null if the parent cannot be read. */
  readonly parentPid: number | null;
  readonly cpu: number;
  readonly task: VirtAddr;
  /** Stack pointer of a task that does not run; null for one that does, or unless asked for. */
  readonly kernelStackPointer: VirtAddr | null;
  readonly state: TaskState;
  /** Percent of RAM, one decimal. */
  readonly memoryPercent: number;
  /** KiB. */
  readonly virtualSize: number;
  /** KiB. */
  readonly residentSize: number;
  readonly command: string;
  readonly kernelThread: boolean;
  readonly policy: string | null;
  readonly priority: number | null;
}

export interface TaskColumns {
  readonly stackPointer: boolean;
  readonly policy: boolean;
}

export function taskRows(kernel: Kernel, tasks: readonly Task[], columns: TaskColumns): TaskRow[] {
  const { faults } = kernel;
  const pages = faults.attempt('memory size', () => presentPages(kernel), 0);
  const kilobytes = kernel.dump.memory.pageSize / 1024;
  return tasks.map((task) => {
    const memory = faults.attempt(`memory of pid ${task.pid}`, () => taskMemory(kernel, task), null);
    const rss = memory?.rss ?? 0;
    return {
      active: task.active,
      pid: task.pid,
      tgid: task.tgid,
      parentPid: faults.attempt(`parent of pid ${task.pid}`, () => parentPid(task), null),
      cpu: task.cpu,
      task: task.address,
      kernelStackPointer: columns.stackPointer && !task.active ? stackPointer(kernel, task) : null,
      state: task.state,
      memoryPercent: pages === 0 ? 0 : Math.round((rss * 1000) / pages) / 10,
      virtualSize: (memory?.totalVm ?? 0) * kilobytes,
      residentSize: rss * kilobytes,
      command: task.comm,
      kernelThread: task.kernelThread,
      policy: columns.policy
        ? faults.attempt('policy', () => policyName(task.object.member('policy').number()), null)
        : null,
      priority: columns.policy ? faults.attempt('priority', () => task.object.member('prio').number(), null) : null,
    };
  });
}

/** thread.sp, where the task was switched out (arm64: thread.cpu_context.sp). */
function stackPointer(kernel: Kernel, task: Task): VirtAddr | null {
  return kernel.faults.attempt(
    `stack pointer of pid ${task.pid}`,
    () => task.object.memberAmong('thread.sp', 'thread.cpu_context.sp').pointer(),
    null,
  );
}

export function renderTable(rows: readonly TaskRow[], columns: TaskColumns, header: boolean): string {
  const title = columns.stackPointer ? '     KSTACKP     ' : '      TASK       ';
  const policyTitle = columns.policy ? '  POLICY    PRIO' : '';
  const head = `      PID    PPID  CPU ${title} ST  %MEM      VSZ      RSS${policyTitle}  COMM\n`;
  return (header ? head : '') + rows.map((row) => renderRow(row, columns)).join('');
}

function renderRow(row: TaskRow, columns: TaskColumns): string {
  const address = columns.stackPointer ? row.kernelStackPointer : row.task;
  const cells = [
    row.active ? '>' : ' ',
    String(row.pid).padStart(8),
    String(row.parentPid ?? '-').padStart(8),
    String(row.cpu).padStart(4),
    '  ',
    address === null ? '       --       ' : hex16(address),
    `  ${row.state}`,
    row.memoryPercent.toFixed(1).padStart(6),
    String(row.virtualSize).padStart(9),
    String(row.residentSize).padStart(9),
    columns.policy ? `  ${(row.policy ?? '-').padEnd(8)}  ${String(row.priority ?? '-').padStart(4)}` : '',
    '  ',
    row.kernelThread ? `[${escapeLine(row.command)}]` : escapeLine(row.command),
  ];
  return `${cells.join('')}\n`;
}

export interface StateCount {
  readonly state: TaskState;
  readonly count: number;
}

/** How many tasks are in each state, in the order in which the states are first met. */
export function countStates(tasks: readonly Task[]): StateCount[] {
  const counts = new Map<TaskState, number>();
  for (const { state } of tasks) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => ({ state, count }));
}

export function renderStates(counts: readonly StateCount[]): string {
  return counts.map(({ state, count }) => `  ${state}: ${count}\n`).join('');
}
