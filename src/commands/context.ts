// What commands of one session share: the kernel, the current task, and how numbers are shown.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { NotFoundError, UsageError } from '../base/errors.ts';
import { escapeLine, hex16 } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { crashedTask } from '../kernel/panic.ts';
import { type Task, type TaskTable, withActive } from '../kernel/task.ts';
import { SessionVariables } from './session/variables.ts';
import type { Style } from './style.ts';

export class CommandContext {
  readonly kernel: Kernel;
  readonly variables = new SessionVariables();
  /** Folder of the kernel's source; null where none was named. */
  src: string | null = null;
  private chosen: VirtAddr | null = null;
  /** Tasks that the user declared to be what their CPUs ran: addresses by CPU. */
  private readonly declared = new Map<number, VirtAddr>();
  private declaredTasks: { readonly base: TaskTable; readonly tasks: TaskTable } | null = null;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.variables.assign('dumpfile', kernel.dump.info.files.join(' '));
  }

  /** Radix of values that commands print without `-x` or `-d`: `set radix`. */
  get radix(): 10 | 16 {
    return /^(16|hex)/.test(this.variables.get('radix')) ? 16 : 10;
  }

  /** How commands show values. */
  get style(): Style {
    return { radix: this.radix };
  }

  /** The task that task commands use when none is named: at first the one that crashed. @throws NotFoundError */
  get task(): Task {
    const { tasks } = this;
    const chosen = this.chosen === null ? null : tasks.byAddress(this.chosen);
    const task = chosen ?? crashedTask(this.kernel, tasks)?.task ?? tasks.all[0];
    if (task === undefined) throw new NotFoundError('task', 'any', 'the task list cannot be read');
    return task;
  }

  /** Whether `set` has chosen the current task. */
  get hasChosenTask(): boolean {
    return this.chosen !== null;
  }

  set task(task: Task) {
    this.chosen = task.address;
  }

  /** The kernel's tasks, with those active that the user declared to be: commands ask this, not the kernel. */
  get tasks(): TaskTable {
    const base = this.kernel.tasks;
    if (this.declared.size === 0) return base;
    if (this.declaredTasks?.base !== base) this.declaredTasks = { base, tasks: withActive(base, this.declared) };
    return this.declaredTasks.tasks;
  }

  /** Takes a task for the one that its CPU ran, in this context alone. */
  declareActive(task: Task): void {
    this.declared.set(task.cpu, task.address);
    this.declaredTasks = null;
  }

  /**
   * Tasks by what the user wrote: a pid (decimal), or a task_struct's address (hexadecimal, `0x` optional).
   * A pid that is also a valid address is a pid, as in crash(8).
   * @throws UsageError if it is neither
   */
  taskByWord(word: string): Task {
    const { tasks } = this;
    if (/^\d{1,10}$/.test(word)) {
      const task = tasks.byPid(Number(word));
      if (task !== null) return task;
    }
    const address = parseHex(word);
    const task = address === null ? null : tasks.byAddress(address);
    if (task === null) throw new UsageError(`invalid task or pid value: ${escapeLine(word)}`);
    return task;
  }
}

/** A hexadecimal address with or without `0x`; null if the word is no such thing. */
export function parseHex(word: string): VirtAddr | null {
  return /^(0x)?[0-9a-fA-F]{1,16}$/.test(word) ? virtAddr(BigInt(word.startsWith('0x') ? word : `0x${word}`)) : null;
}

/** A count or value as crash(8) reads it: `0x` hexadecimal, or decimal, or (with letters) hexadecimal. */
export function parseNumber(word: string): bigint | null {
  if (/^0x[0-9a-fA-F]{1,16}$/.test(word) || /^\d{1,20}$/.test(word)) return BigInt(word);
  return /^[0-9a-fA-F]{1,16}$/.test(word) ? BigInt(`0x${word}`) : null;
}

/** CPU numbers of a cpuspec: `1,3,5-7`, `a` or `all`. @throws UsageError for a CPU that there is not */
export function parseCpus(context: CommandContext, spec: string): number[] {
  const { possible } = context.kernel.cpus;
  if (spec === 'a' || spec === 'all') return [...possible];
  const cpus = new Set<number>();
  for (const part of spec.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) throw new UsageError(`invalid cpu specification: ${escapeLine(spec)}`);
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first) throw new UsageError(`invalid cpu specification: ${escapeLine(spec)}`);
    for (let cpu = first; cpu <= last; cpu++) {
      if (!possible.includes(cpu)) throw new UsageError(`invalid cpu number: ${cpu}`);
      cpus.add(cpu);
    }
  }
  return [...cpus].sort((a, b) => a - b);
}

/** The task as data, in every command's output. */
export interface TaskLabel {
  /** -1 where the task cannot be read. */
  readonly pid: number;
  readonly task: VirtAddr;
  readonly cpu: number;
  readonly command: string;
}

export function taskLabel(task: Task): TaskLabel {
  return { pid: task.pid, task: task.address, cpu: task.cpu, command: task.comm };
}

/** The line that comes before every task's output. */
export function taskHeader(task: TaskLabel): string {
  const { pid, cpu, command } = task;
  return `PID: ${(pid < 0 ? '?' : String(pid)).padEnd(8)} TASK: ${hex16(task.task)}  CPU: ${String(cpu).padEnd(4)} COMMAND: "${escapeLine(command)}"`;
}
