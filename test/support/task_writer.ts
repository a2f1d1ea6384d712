// A machine with CPUs and tasks, as a test needs them: links between tasks, pids and runqueues.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { SyntheticKernel } from './synthetic_kernel.ts';

/** What a test's kernel has besides: members of tasks, of their memory and their signals, and types for them. */
export interface MoreTypes {
  readonly task?: string;
  readonly mm?: string;
  readonly signal?: string;
  readonly types?: string;
}

/**
 * @param threadCounters memory counters of before 6.2, cached in each thread
 * @param thread declaration of the machine's thread_struct
 */
export function taskTypes(
  threadCounters = false,
  thread = 'struct thread_struct { unsigned long sp; };',
  more: MoreTypes = {},
): string {
  return `
    struct list_head { struct list_head *next, *prev; };
    ${more.types ?? ''}
    struct hlist_node { struct hlist_node *next; struct hlist_node **pprev; };
    struct hlist_head { struct hlist_node *first; };
    struct cpumask { unsigned long bits[1]; };
    struct atomic { int counter; };
    struct atomic_long { long counter; };
    struct percpu_counter { int lock; s64 count; struct list_head list; int *counters; };
    struct task_rss_stat { int events; int count[4]; };
    struct mm_rss_stat { struct atomic_long count[4]; };
    struct mm_struct {
      unsigned long total_vm; unsigned long arg_start, arg_end, env_start, env_end; void *pgd;
      ${threadCounters ? 'struct mm_rss_stat rss_stat;' : 'struct percpu_counter rss_stat[4];'}
      ${more.mm ?? ''}
    };
    struct rlimit { unsigned long rlim_cur; unsigned long rlim_max; };
    struct signal_struct { struct list_head thread_head; struct rlimit rlim[16]; ${more.signal ?? ''} };
    struct pid { int count; struct hlist_head tasks[4]; };
    struct xa_node {
      u8 shift; u8 offset; u8 count; u8 nr_values; struct xa_node *parent; void *array; struct list_head private_list;
      void *slots[64];
    };
    struct xarray { int xa_lock; int xa_flags; void *xa_head; };
    struct idr { struct xarray idr_rt; unsigned int idr_base; unsigned int idr_next; };
    struct pid_namespace { struct idr idr; };
    struct thread_info { unsigned long flags; u32 cpu; };
    struct sched_entity { u64 exec_start; u64 vruntime; };
    struct sched_info { u64 last_arrival; };
    ${thread}
    struct task_struct {
      struct thread_info thread_info; unsigned int __state; void *stack; unsigned int flags; int prio; unsigned int policy;
      struct sched_entity se; struct sched_info sched_info;
      struct list_head tasks; struct mm_struct *mm; int exit_state; pid_t pid; pid_t tgid;
      struct task_struct *real_parent; struct list_head children; struct list_head sibling;
      struct hlist_node pid_links[4]; struct list_head thread_node; u64 utime; u64 stime; u64 start_time;
      char comm[16]; struct signal_struct *signal; struct thread_struct thread;
      ${threadCounters ? 'struct task_rss_stat rss_stat;' : ''}
      ${more.task ?? ''}
    };
    struct pglist_data { unsigned long node_present_pages; };
    struct rq { struct task_struct *curr; struct task_struct *idle; u64 clock; };
  `;
}

export interface MachineOptions {
  readonly cpus?: number;
  /** False: no table of pids that could lead to tasks. */
  readonly pids?: boolean;
  readonly threadCounters?: boolean;
  /** Declaration of thread_struct, where it is another machine's than x86_64's. */
  readonly thread?: string;
  readonly more?: MoreTypes;
  /** Makes the kernel from the declarations of its types, where it is more than a plain one. */
  readonly make?: (declarations: string) => SyntheticKernel;
}

/** A machine whose CPUs are idle, and that has no other tasks. */
export function machine({
  cpus = 1,
  pids = true,
  threadCounters = false,
  thread,
  more = {},
  make = (declarations) => new SyntheticKernel(declarations),
}: MachineOptions): SyntheticKernel {
  const kernel = make(taskTypes(threadCounters, thread, more));
  for (const mask of ['__cpu_possible_mask', '__cpu_present_mask', '__cpu_online_mask']) {
    kernel.set(kernel.allocate('struct cpumask', mask), 'bits[0]', 2 ** cpus - 1);
  }
  kernel.space.words(kernel.allocate('unsigned int', 'nr_cpu_ids').address, BigInt(cpus));
  kernel.space.words(kernel.allocate('int', 'nr_threads').address, 0n);
  if (pids) kernel.allocate('struct pid_namespace', 'init_pid_ns');

  const offsets = kernel.reserve(cpus * 8);
  kernel.define('__per_cpu_offset', offsets, cpus * 8);
  for (let cpu = 0; cpu < cpus; cpu++) kernel.space.words(offsets + BigInt(cpu * 8), BigInt(cpu) * 0x10_0000n);
  // a per-CPU variable's symbol is its place on CPU 0 here; the other CPUs' copies lie at fixed distances
  kernel.define('runqueues', 0xffff_8881_0000_0000n, 64, kernel.type('struct rq'));
  for (let cpu = 0; cpu < cpus; cpu++) {
    const idle = cpu === 0 ? kernel.allocate('struct task_struct', 'init_task') : kernel.allocate('struct task_struct');
    kernel.set(idle, 'comm', `swapper/${cpu}`);
    kernel.set(idle, 'flags', 0x20_0000);
    kernel.set(idle, 'thread_info.cpu', cpu);
    const rq = kernel.perCpu('runqueues', cpu);
    kernel.space.map(rq.address, 64);
    kernel.set(rq, 'curr', idle);
    kernel.set(rq, 'idle', idle);
  }
  const init = kernel.variable('init_task');
  kernel.set(init, 'real_parent', init);
  kernel.link(init.member('tasks').address);
  kernel.link(init.member('children').address);
  return kernel;
}

export interface TaskOptions {
  readonly pid: number;
  readonly tgid?: number;
  readonly cpu?: number;
  readonly comm?: string;
  readonly state?: number;
  readonly flags?: number;
  readonly parent?: KernelObject;
}

/** A process with one thread, on no list yet. */
export function newTask(kernel: SyntheticKernel, options: TaskOptions): KernelObject {
  const task = kernel.allocate('struct task_struct');
  const signal = kernel.allocate('struct signal_struct');
  kernel.set(task, 'pid', options.pid);
  kernel.set(task, 'tgid', options.tgid ?? options.pid);
  kernel.set(task, 'thread_info.cpu', options.cpu ?? 0);
  kernel.set(task, 'comm', options.comm ?? `task${options.pid}`);
  kernel.set(task, '__state', options.state ?? 1);
  kernel.set(task, 'flags', options.flags ?? 0x40_0000);
  kernel.set(task, 'signal', signal);
  kernel.set(task, 'real_parent', options.parent ?? kernel.variable('init_task'));
  kernel.set(task, 'stack', kernel.reserve(16));
  kernel.link(signal.member('thread_head').address, task.member('thread_node').address);
  kernel.link(task.member('children').address);
  kernel.link(task.member('sibling').address);
  return task;
}

/** Puts processes on the list of tasks, and into the table of pids if there is one. */
export function linkTasks(kernel: SyntheticKernel, tasks: readonly KernelObject[]): void {
  const head = kernel.variable('init_task').member('tasks').address;
  kernel.link(head, ...tasks.map((task) => task.member('tasks').address));
  kernel.space.words(kernel.address('nr_threads'), BigInt(tasks.length));
  const namespace = kernel.optionalVariable('init_pid_ns');
  if (namespace === null || tasks.length === 0) return;
  const node = kernel.allocate('struct xa_node');
  kernel.set(namespace, 'idr.idr_rt.xa_head', node.address | 2n);
  for (const [i, task] of tasks.entries()) {
    const pid = kernel.allocate('struct pid');
    kernel.set(pid, 'tasks[0].first', task.member('pid_links[0]').address);
    kernel.set(node, `slots[${i + 1}]`, pid);
  }
}
