// Finding every task_struct (include/linux/sched.h), also where links between them are broken:
//
//   init_task.tasks   list of processes, followed from both ends
//     .signal         list of a process's threads
//   init_pid_ns.idr   table of pids; each leads to its task
//     .children       list of a task's children, followed from both ends
//   task_struct_cachep  slabs of task_structs
//
// The first is enough where nothing is missing.
import type { VirtAddr } from '../base/address.ts';
import { AddressSet } from '../base/address_set.ts';
import { FormatError, InquestError } from '../base/errors.ts';
import { KernelObject } from '../debuginfo/object.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { hlistEntries, listEntries, listNodes } from './list.ts';
import { tasksInSlabs } from './task_slab.ts';
import { xarrayEntries } from './xarray.ts';

/**
 * Calls `add` with every task_struct that can be found, except for the idle tasks; with some more than once.
 * What cannot be read, or what `add` throws, costs that task alone, and is recorded as a fault.
 * @param add takes a task, and throws when it cannot be read
 * @param found how many tasks `add` has taken
 */
export function findTasks(kernel: Kernel, add: (task: KernelObject) => void, found: () => number): void {
  const type = kernel.type('struct task_struct');
  const seen: KernelObject[] = [];
  const known = new AddressSet();
  // one excluded page breaks many links: the first of each kind is told, with the number of the others
  const failures = new Map<string, { error: unknown; count: number }>();
  const tolerate = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      const known = failures.get(what);
      if (known === undefined) failures.set(what, { error, count: 1 });
      else known.count++;
    }
  };
  const take = (task: KernelObject): void => {
    if (!known.add(task.address)) return;
    tolerate('task', () => {
      add(task);
      seen.push(task);
    });
  };
  const followList = (what: string, head: KernelObject, member: string, direction: 'next' | 'prev'): void => {
    tolerate(what, () => {
      for (const node of listNodes(head, direction)) {
        const task = taskAround(kernel, type, node, member);
        take(task);
        if (member !== 'tasks') continue;
        tolerate('threads of a process', () => {
          for (const thread of threadsOf(task)) take(thread);
        });
      }
    });
  };

  const processes = kernel.variable('init_task').member('tasks');
  followList('task list', processes, 'tasks', 'next');
  // nr_threads counts what fork() made and exit() has not taken away
  const expected = kernel.faults.attempt(
    'nr_threads',
    () => kernel.optionalVariable('nr_threads')?.number() ?? null,
    null,
  );
  if (failures.size === 0 && (expected === null || expected === found())) return;

  if (failures.size > 0) followList('task list, backwards', processes, 'tasks', 'prev');
  tolerate('tasks by pid', () => {
    for (const pid of pids(kernel, type)) {
      tolerate('task of a pid', () => {
        for (const task of pid.tasks()) take(task);
      });
    }
  });
  if (failures.size > 0) {
    for (let i = 0; i < seen.length; i++) {
      const children = seen[i]!.member('children');
      followList('children of a task', children, 'sibling', 'next');
      followList('children of a task, backwards', children, 'sibling', 'prev');
    }
  }
  const example = seen[0];
  if (failures.size > 0 && expected !== null && expected > found() && example !== undefined) {
    tolerate('slabs of task_struct', () => {
      for (const task of tasksInSlabs(kernel, example)) take(task);
    });
  }
  for (const [what, { error, count }] of failures) {
    kernel.faults.record(count === 1 ? what : `${what} (and ${count - 1} more)`, error);
  }
  if (failures.size > 0 && expected !== null && expected > found()) {
    const problem = `found ${found()} of the ${expected} that nr_threads counts`;
    kernel.faults.record('task list', new FormatError('tasks', problem));
  }
}

function taskAround(kernel: Kernel, type: KernelObject['type'], node: VirtAddr, member: string): KernelObject {
  return KernelObject.at(kernel, 'struct list_head', node).containerOf(type, member);
}

/** Threads of a process beside its leader. */
function* threadsOf(leader: KernelObject): Generator<KernelObject> {
  // thread_group left task_struct with 8e1f385104ac (6.7); thread_node is there since 0c740d0afc3b (3.14)
  if (!leader.has('thread_node')) return;
  const head = leader.member('signal').member('thread_head');
  const first = leader.member('thread_node');
  // most processes have one thread: its node is alone on the list
  if (head.member('next').pointer() === first.address && head.member('prev').pointer() === first.address) return;
  for (const thread of listEntries(head, leader.type, 'thread_node')) {
    if (thread.address !== leader.address) yield thread;
  }
}

/** Every `struct pid` of the first pid namespace, which has one for every task (95846ecf9dac, 4.15: in an IDR). */
function* pids(kernel: Kernel, type: KernelObject['type']): Generator<{ tasks(): Iterable<KernelObject> }> {
  const namespace = kernel.variable('init_pid_ns');
  if (!namespace.has('idr.idr_rt')) return;
  // pid_links since 2c4704756cab (4.19), before: pids[].node
  const link = findMember(type, 'pid_links') !== null ? 'pid_links[0]' : 'pids[0].node';
  for (const { entry } of xarrayEntries(namespace.member('idr.idr_rt'), kernel.faults)) {
    yield { tasks: () => hlistEntries(kernel.object('struct pid', entry).member('tasks').index(0), type, link) };
  }
}
