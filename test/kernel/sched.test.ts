import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { parentPid, taskMemory } from '../../src/kernel/sched.ts';
import type { TaskTable } from '../../src/kernel/task.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';
import { linkTasks, machine, newTask, taskTypes } from '../support/task_writer.ts';

function tasksOf(kernel: SyntheticKernel): { tasks: TaskTable; pids: number[]; problems: string[] } {
  const { value, faults } = kernel.faults.collect(() => kernel.tasks);
  const pids = value.all.filter(({ idle }) => !idle).map(({ pid }) => pid);
  return { tasks: value, pids, problems: faults.map(({ what, message }) => `${what}: ${message}`) };
}

test('idle tasks come first, by CPU; the others by pid; what a CPU ran is active', () => {
  const kernel = machine({ cpus: 2 });
  const [b, a] = [newTask(kernel, { pid: 20, cpu: 1 }), newTask(kernel, { pid: 3 })];
  linkTasks(kernel, [b, a]);
  kernel.set(kernel.perCpu('runqueues', 1), 'curr', b);
  const { tasks, problems } = tasksOf(kernel);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    tasks.all.map(({ pid, cpu, active, idle }) => [pid, cpu, active, idle]),
    [
      [0, 0, true, true],
      [0, 1, false, true],
      [3, 0, false, false],
      [20, 1, true, false],
    ],
  );
  assert.equal(tasks.active(1)?.pid, 20);
  assert.equal(tasks.byAddress(a.address)?.pid, 3);
  assert.equal(tasks.byPid(4), null);
});

test('threads are found with their process', () => {
  const kernel = machine({});
  const leader = newTask(kernel, { pid: 10 });
  const thread = newTask(kernel, { pid: 11, tgid: 10 });
  linkTasks(kernel, [leader]);
  const signal = kernel.object('struct signal_struct', leader.member('signal').pointer());
  kernel.link(
    signal.member('thread_head').address,
    leader.member('thread_node').address,
    thread.member('thread_node').address,
  );
  const { tasks, pids } = tasksOf(kernel);
  assert.deepEqual(pids, [10, 11]);
  assert.deepEqual(
    tasks.threads(10).map(({ pid }) => pid),
    [10, 11],
  );
});

test('states are those of ps(1)', () => {
  const kernel = machine({});
  const states: [bits: number, exit: number, state: string][] = [
    [0, 0, 'RU'],
    [1, 0, 'IN'],
    [2, 0, 'UN'],
    [0x102, 0, 'UN'], // TASK_KILLABLE
    [0x402, 0, 'ID'],
    [0x2001, 0, 'IN'], // with TASK_FREEZABLE
    [0x8000, 0, 'UN'], // TASK_FROZEN
    [0x1000, 0, 'UN'], // TASK_RTLOCK_WAIT
    [4, 0, 'ST'],
    [8, 0, 'TR'],
    [0x40, 0, 'PA'],
    [0x200, 0, 'WA'],
    [0x800, 0, 'NE'],
    [0, 0x20, 'ZO'],
    [0x80, 0x10, 'DE'],
  ];
  linkTasks(
    kernel,
    states.map(([bits, exit], i) => {
      const task = newTask(kernel, { pid: i + 1, state: bits });
      kernel.set(task, 'exit_state', exit);
      return task;
    }),
  );
  assert.deepEqual(
    tasksOf(kernel)
      .tasks.all.filter(({ idle }) => !idle)
      .map(({ state }) => state),
    states.map(([, , state]) => state),
  );
});

test('an excluded task costs itself: those behind it are reached from the other end', () => {
  const kernel = machine({});
  const tasks = [1, 2, 3, 4, 5].map((pid) => newTask(kernel, { pid }));
  linkTasks(kernel, tasks);
  kernel.space.exclude(tasks[2]!.address);
  const { pids, problems } = tasksOf(kernel);
  assert.deepEqual(pids, [1, 2, 4, 5]);
  assert.match(problems.join('\n'), /task list: .*excluded by the dump's filter/);
  assert.match(problems.join('\n'), /found 4 of the 5/);
});

test('two excluded tasks: the pids lead to those between them', () => {
  const kernel = machine({});
  const tasks = [1, 2, 3, 4, 5].map((pid) => newTask(kernel, { pid }));
  linkTasks(kernel, tasks);
  kernel.space.exclude(tasks[1]!.address);
  kernel.space.exclude(tasks[3]!.address);
  assert.deepEqual(tasksOf(kernel).pids, [1, 3, 5]);
});

test('without pids, children lead on', () => {
  const kernel = machine({ pids: false });
  const tasks = [1, 2, 3, 4, 5].map((pid) => newTask(kernel, { pid }));
  linkTasks(kernel, tasks);
  kernel.space.exclude(tasks[1]!.address);
  kernel.space.exclude(tasks[3]!.address);
  kernel.link(tasks[0]!.member('children').address, tasks[2]!.member('sibling').address);
  assert.deepEqual(tasksOf(kernel).pids, [1, 3, 5]);
});

test('a list that was cut short without a trace is noticed by its count', () => {
  const kernel = machine({});
  const tasks = [1, 2, 3].map((pid) => newTask(kernel, { pid }));
  linkTasks(kernel, tasks);
  const head = kernel.variable('init_task').member('tasks').address;
  kernel.link(head, tasks[0]!.member('tasks').address); // the others have fallen off
  assert.deepEqual(tasksOf(kernel).pids, [1, 2, 3]);
});

test('a list that loops ends, with a fault', () => {
  const kernel = machine({});
  const tasks = [1, 2, 3].map((pid) => newTask(kernel, { pid }));
  linkTasks(kernel, tasks);
  kernel.set(tasks[2]!, 'tasks.next', tasks[1]!.member('tasks').address);
  const { pids, problems } = tasksOf(kernel);
  assert.deepEqual(pids, [1, 2, 3]);
  assert.match(problems.join(), /loops back/);
});

test('what is no task is not shown as one', () => {
  const kernel = machine({});
  const good = newTask(kernel, { pid: 1 });
  const garbage = newTask(kernel, { pid: 0x7fff_ffff });
  linkTasks(kernel, [good, garbage]);
  const { pids, problems } = tasksOf(kernel);
  assert.deepEqual(pids, [1]);
  assert.match(problems.join(), /pid 2147483647 .* out of range/);
});

test('a task that runs is shown even when it is on no list any more', () => {
  const kernel = machine({});
  const exiting = newTask(kernel, { pid: 77, state: 0x80 });
  linkTasks(kernel, []);
  kernel.set(kernel.perCpu('runqueues', 0), 'curr', exiting);
  assert.equal(tasksOf(kernel).tasks.active(0)?.pid, 77);
});

test('no symbols at all: no tasks, and a fault', () => {
  const kernel = new SyntheticKernel(taskTypes());
  const { tasks, problems } = tasksOf(kernel);
  assert.deepEqual(tasks.all, []);
  assert.match(problems.join(), /symbol not found: init_task/);
});

test('the parent is the process, not the thread, that made a task; nobody made the idle tasks', () => {
  const kernel = machine({});
  const thread = newTask(kernel, { pid: 12, tgid: 10 });
  const child = newTask(kernel, { pid: 13, parent: thread });
  linkTasks(kernel, [child]);
  const { tasks } = tasksOf(kernel);
  assert.equal(parentPid(tasks.byPid(13)!), 10);
  assert.equal(parentPid(tasks.all[0]!), 0);
});

const memoryOf = (kernel: SyntheticKernel, task: KernelObject) =>
  taskMemory(kernel, tasksOf(kernel).tasks.byAddress(task.address)!);

test('resident memory is what all CPUs counted together (6.2 and later)', () => {
  const kernel = machine({ cpus: 2 });
  const task = newTask(kernel, { pid: 5 });
  linkTasks(kernel, [task]);
  const mm = kernel.allocate('struct mm_struct');
  kernel.set(task, 'mm', mm);
  kernel.set(mm, 'total_vm', 1000);
  const counters = kernel.reserve(3 * 4096);
  kernel.set(mm, 'rss_stat[0].count', 100);
  kernel.set(mm, 'rss_stat[0].counters', counters - kernel.perCpuOffset(0));
  kernel.set(mm, 'rss_stat[3].count', 7);
  kernel.space.words(counters, 5n);
  const second = counters - kernel.perCpuOffset(0) + kernel.perCpuOffset(1);
  kernel.space.words(second, BigInt.asUintN(32, -3n));
  assert.deepEqual(memoryOf(kernel, task), { totalVm: 1000, rss: 109 });
});

test('resident memory counts what threads have not handed in yet (before 6.2)', () => {
  const kernel = machine({ threadCounters: true });
  const task = newTask(kernel, { pid: 5 });
  linkTasks(kernel, [task]);
  const mm = kernel.allocate('struct mm_struct');
  kernel.set(task, 'mm', mm);
  kernel.set(mm, 'rss_stat.count[0].counter', 100);
  kernel.set(mm, 'rss_stat.count[2].counter', 1000); // swapped out: not resident
  kernel.set(task, 'rss_stat.count[1]', 11);
  assert.deepEqual(memoryOf(kernel, task), { totalVm: 0, rss: 111 });
});
