// include/linux/sched.h: the tasks of the dead machine, and who ran where.

import { threadSize as stackSize } from '../arch/stacks.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { kernelView } from './kernel_view.ts';
import { perKernel } from './per_kernel.ts';
import type { Task, TaskState, TaskTable } from './task.ts';
import { findTasks } from './task_list.ts';

const PF_KTHREAD = 0x0020_0000;
/** PID_MAX_LIMIT (include/linux/threads.h). */
const maxPid = 4 * 1024 * 1024;

/**
 * Every task: each CPU's idle task, the processes on init_task's list, and their threads. Each part that
 * cannot be read is a fault; the rest stands.
 */
export function readTasks(kernel: Kernel): TaskTable {
  const { faults } = kernel;
  const byAddress = new Map<bigint, Task>();
  const activeByCpu = new Map<number, bigint>();
  const idle: Task[] = [];
  const others: Task[] = [];

  for (const cpu of kernel.cpus.possible) {
    faults.attempt(
      `runqueue of CPU ${cpu}`,
      () => {
        if (!kernel.cpus.running.includes(cpu)) return;
        const rq = kernel.perCpu('runqueues', cpu);
        activeByCpu.set(cpu, rq.member('curr').pointer());
        addIdle(rq.member('idle').deref(), cpu);
      },
      undefined,
    );
  }
  function isActive(address: VirtAddr, cpu: number): boolean {
    return activeByCpu.get(cpu) === address;
  }
  const places = new Places();
  function addIdle(object: KernelObject, cpu: number): void {
    if (byAddress.has(object.address)) return;
    const task = { ...decodeTask(object), cpu, idle: true, kernelThread: true, active: isActive(object.address, cpu) };
    byAddress.set(task.address, task);
    idle.push(task);
  }
  function add(object: KernelObject): void {
    if (byAddress.has(object.address)) return;
    const task = decodeTask(object);
    places.take(object);
    kernel.work.charge('kept', keptPerTask);
    byAddress.set(task.address, { ...task, active: isActive(task.address, task.cpu) });
    others.push(byAddress.get(task.address)!);
  }

  faults.attempt(
    'task list',
    () => {
      if (idle.length === 0) addIdle(kernel.variable('init_task'), 0);
      // a part of its own: what was found stands, however the search ended
      kernel.work.within(kernel.work.part('task list'), () => findTasks(kernel, add, () => others.length));
    },
    undefined,
  );
  // a task that just exited is on no list any more, but may still be what a CPU runs
  for (const [cpu, address] of activeByCpu) {
    if (address === 0n || byAddress.has(address)) continue;
    faults.attempt(
      `current task of CPU ${cpu}`,
      () => add(kernel.object('struct task_struct', address as VirtAddr)),
      undefined,
    );
  }

  idle.sort((a, b) => a.cpu - b.cpu);
  others.sort((a, b) => a.pid - b.pid);
  const all = [...idle, ...others];
  const byPid = new Map(all.map((task) => [task.pid, task]));
  if (idle.length > 0) byPid.set(0, idle[0]!);
  let groups: Map<number, Task[]> | null = null;
  return {
    all,
    threads(tgid) {
      groups ??= groupByProcess(others);
      return groups.get(tgid) ?? [];
    },
    byPid: (pid) => byPid.get(pid) ?? null,
    byAddress: (address) => byAddress.get(address) ?? null,
    active: (cpu) => byAddress.get(activeByCpu.get(cpu) ?? 0n) ?? null,
    activeAddress: (cpu) => (activeByCpu.get(cpu) as VirtAddr | undefined) ?? null,
  };
}

function groupByProcess(tasks: readonly Task[]): Map<number, Task[]> {
  const groups = new Map<number, Task[]>();
  for (const task of tasks) {
    const group = groups.get(task.tgid);
    if (group === undefined) groups.set(task.tgid, [task]);
    else group.push(task);
  }
  return groups;
}

/** About what a task takes here, in bytes. */
const keptPerTask = 1024;

/** Where objects of one type are, which never overlap: those of a corrupt list do. */
class Places {
  /** By the address divided by the size: at most one object starts in each such range. */
  private readonly taken = new Map<bigint, bigint>();

  /** @throws FormatError if an object was at an address less than its size away */
  take(object: KernelObject): void {
    const { address } = object;
    // what follows `thread`, the last member, may be allocated shorter than the type says: registers that this machine has
    // not got are left out (arch_task_struct_size, 5aaeb5c01c5b, 4.2)
    const thread = findMember(object.type, 'thread')?.bitOffset ?? 0;
    const size = BigInt(Math.max(1, thread > 0 ? thread / 8 : object.size));
    const range = address / size;
    for (const near of [range - 1n, range, range + 1n]) {
      const other = this.taken.get(near);
      if (other !== undefined && address - other < size && other - address < size) {
        throw new FormatError(`task_struct at ${address.toString(16)}`, `overlaps the one at ${other.toString(16)}`);
      }
    }
    this.taken.set(range, address);
  }
}

type DecodedTask = Omit<Task, 'active'> & { active: false };

/** @throws MemoryFault; FormatError for what is no task_struct */
function decodeTask(object: KernelObject): DecodedTask {
  const flags = object.member('flags').number();
  const pid = object.member('pid').number();
  const tgid = object.member('tgid').number();
  if (pid < 0 || pid > maxPid || tgid < 0 || tgid > maxPid) {
    const problem = `pid ${pid} of process ${tgid} is out of range`;
    throw new FormatError(`task_struct at ${object.address.toString(16)}`, problem);
  }
  // renamed by 2f064a59a11f (5.14)
  const stateBits = Number(object.memberAmong('__state', 'state').bigint() & 0xffff_ffffn);
  const exitState = object.member('exit_state').number();
  return {
    object,
    address: object.address,
    pid,
    tgid,
    comm: object.member('comm').string(),
    cpu: taskCpu(object),
    state: stateOf(stateBits, exitState),
    stateBits: stateBits | exitState,
    flags,
    active: false,
    idle: false,
    kernelThread: (flags & PF_KTHREAD) !== 0,
  };
}

/** task_cpu(): in thread_info when that is part of the task (c65eacbe290b, 4.9); `recent_used_cpu` is no substitute. */
function taskCpu(object: KernelObject): number {
  const cpu = object.optional('thread_info.cpu') ?? object.optional('cpu');
  return cpu === null ? 0 : cpu.number();
}

/**
 * Bits of task_struct.__state and exit_state (include/linux/sched.h). TASK_PARKED took TASK_WAKEKILL's
 * neighbour bits in 4.14 (8ef9925b02c2): the layout below is that of 4.14 and later.
 */
function stateOf(state: number, exitState: number): TaskState {
  if (exitState & 0x20) return 'ZO';
  if (exitState & 0x10) return 'DE';
  if ((state & 0x402) === 0x402) return 'ID'; // TASK_IDLE = TASK_UNINTERRUPTIBLE | TASK_NOLOAD
  if (state & 0x1) return 'IN';
  if (state & 0x2) return 'UN';
  if (state & 0x4) return 'ST';
  if (state & 0x8) return 'TR';
  if (state & 0x40) return 'PA';
  if (state & 0x80) return 'DE';
  if (state & 0x200) return 'WA';
  if (state & 0x800) return 'NE';
  // TASK_RTLOCK_WAIT (sleeping on a lock of PREEMPT_RT) and TASK_FROZEN: /proc tells them as D, too
  if (state & 0x9000) return 'UN';
  if ((state & 0xff) === 0) return 'RU';
  return '??';
}

/** Lowest address and size in bytes of a task's kernel stack; null once the stack has been freed. */
export function taskStack(kernel: Kernel, task: Task): { start: VirtAddr; size: number } | null {
  const start = task.object.member('stack').pointer();
  return start === 0n ? null : { start, size: threadSize(kernel) };
}

/** THREAD_SIZE: bytes of a task's kernel stack. */
export const threadSize = perKernel((kernel) => stackSize(kernelView(kernel)));

/** The parent as getppid() tells it: real_parent's tgid. 0 where there is none. */
export function parentPid(task: Task): number {
  if (task.idle) return 0; // made by pid 1, but nobody's child
  return task.object.member('real_parent').member('tgid').number();
}

/** Memory of a process. Sizes in pages. */
export interface TaskMemory {
  readonly totalVm: number;
  readonly rss: number;
}

/** total_vm and resident pages of a process; null for a kernel thread (or where the process gave its memory up). */
export function taskMemory(kernel: Kernel, task: Task): TaskMemory | null {
  const mm = task.object.member('mm');
  if (mm.isNull || task.kernelThread) return null;
  const counters = residentCounters(kernel, mm.deref());
  let rss = counters.file + counters.anon + counters.shmem;
  // 34e55232e59f (2.6.34) to f1a7941243c1 (6.2): what each thread has not yet added to its mm's counters
  if (task.object.has('rss_stat.count')) {
    for (const thread of kernel.tasks.threads(task.tgid)) {
      const cached = thread.object.member('rss_stat.count');
      for (const kind of residentKinds) rss += cached.index(kind).number();
    }
  }
  return { totalVm: mm.member('total_vm').number(), rss: Math.max(0, rss) };
}

/** MM_FILEPAGES, MM_ANONPAGES, MM_SHMEMPAGES: the kinds that are resident. */
const residentKinds = [0, 1, 3];

/** Resident pages by kind (include/linux/mm_types_task.h: MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES). */
export function residentCounters(
  kernel: Kernel,
  mm: KernelObject,
): { file: number; anon: number; swap: number; shmem: number } {
  const counter = (index: number): number => {
    const stat = mm.member('rss_stat');
    // an array of percpu_counter since f1a7941243c1 (6.2); atomics within a struct before
    const atomics = stat.optional('count');
    if (atomics !== null) return Number(BigInt.asIntN(64, atomics.index(index).member('counter').bigint()));
    return percpuCounter(kernel, stat.index(index));
  };
  return { file: counter(0), anon: counter(1), swap: counter(2), shmem: counter(3) };
}

/** percpu_counter_sum() (lib/percpu_counter.c): the shared count with what each CPU has not yet added. */
export function percpuCounter(kernel: Kernel, counter: KernelObject): number {
  let sum = Number(BigInt.asIntN(64, counter.member('count').bigint()));
  const perCpu = counter.member('counters').pointer();
  if (perCpu === 0n) return sum;
  for (const cpu of kernel.cpus.running) {
    // what a CPU had not handed in is small: without it the sum is nearly right
    sum += kernel.faults.attempt(
      'per-CPU counter',
      () => kernel.space.i32(offsetBy(perCpu, kernel.perCpuOffset(cpu))),
      0,
    );
  }
  return sum;
}
