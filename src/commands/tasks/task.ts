// task: the task_struct and thread_info of tasks.

import type { VirtAddr } from '../../base/address.ts';
import { messageOf } from '../../base/errors.ts';
import { escapeTerminal } from '../../base/text.ts';
import { memberText, type ValueStyle, valueText } from '../../debuginfo/c_value.ts';
import { findMember } from '../../debuginfo/type.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Task } from '../../kernel/task.ts';
import { defineStream } from '../command.ts';
import { type CommandContext, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { flag, repeated, rest, values } from '../params.ts';

export interface TaskStruct {
  /** `task_struct` or `thread_info`. */
  readonly type: string;
  readonly address: VirtAddr;
  /** Its value as C; null if it cannot be read. */
  readonly value: string | null;
}

export interface TaskMember {
  readonly path: string;
  /** `  pid = 1,`; null if neither struct has such a member, or it cannot be read. */
  readonly text: string | null;
  readonly problem: string | null;
}

export interface TaskReport {
  readonly task: TaskLabel;
  /** Without -R. */
  readonly structs: readonly TaskStruct[];
  /** With -R. */
  readonly members: readonly TaskMember[];
}

export const task = defineStream({
  name: 'task',
  help: {
    summary: "a task's task_struct and thread_info",
    description: `Prints the task_struct and the thread_info of the current task, or of the tasks named by pid or by the address
of their task_struct.`,
    examples: [
      ['task -R pid,comm,flags -x', 'some members of the current task'],
      ['task 1 | grep -n on_cpu', 'all of it, searched'],
    ],
  },
  params: {
    members: repeated(
      'R',
      'members',
      values.member,
      `only these members of either struct: names, dotted paths, elements of arrays (comm,se.vruntime,rt.run_list);
may be given more than once`,
    ),
    hex: flag('x', 'numbers in hexadecimal', { excludes: ['d'] }),
    decimal: flag('d', 'numbers in decimal', { excludes: ['x'] }),
    tasks: rest('pid|task', values.task),
  },
  items: 'tasks',
  collect: (context, options) => ({
    head: null,
    items: reports(
      context,
      options.tasks.length === 0 ? [context.task] : options.tasks,
      options.members.flatMap(({ value }) => value.split(',').filter((path) => path !== '')),
      options.hex ? 16 : options.decimal ? 10 : context.radix,
    ),
  }),
  text: { item: (report, _view, _head, index) => `${index > 0 ? '\n' : ''}${renderReport(report)}` },
});

function* reports(
  { kernel }: CommandContext,
  tasks: readonly Task[],
  members: readonly string[],
  radix: 10 | 16,
): Generator<TaskReport, null> {
  const style: ValueStyle = {
    radix,
    symbolize: (address) => symbolic(kernel, address),
    onFault: (fault) => kernel.faults.record('task', fault),
  };
  for (const task of tasks) {
    yield {
      task: taskLabel(task),
      structs: members.length > 0 ? [] : structsOf(kernel, task, style),
      members: members.map((path) => memberOf(kernel, task, path, style)),
    };
  }
  return null;
}

/** task_struct, and thread_info unless the task has none that is told apart. */
function taskObjects(kernel: Kernel, task: Task) {
  const info =
    task.object.optional('thread_info') ??
    // at the lowest address of the stack before c65eacbe290b (4.9), and where CONFIG_THREAD_INFO_IN_TASK is not set
    kernel.faults.attempt(
      'thread_info',
      () => kernel.object('struct thread_info', task.object.member('stack').pointer()),
      null,
    );
  return info === null ? [task.object] : [task.object, info];
}

function structsOf(kernel: Kernel, task: Task, style: ValueStyle): TaskStruct[] {
  return taskObjects(kernel, task).map((object, i) => {
    const type = i === 0 ? 'task_struct' : 'thread_info';
    const value = kernel.faults.attempt(type, () => valueText(object, style), null);
    return { type, address: object.address, value };
  });
}

function memberOf(kernel: Kernel, task: Task, path: string, style: ValueStyle): TaskMember {
  const object = taskObjects(kernel, task).find(({ type }) => findMember(type, path) !== null);
  if (object === undefined) {
    return { path, text: null, problem: `invalid data structure member reference: ${path}` };
  }
  const problems: string[] = [];
  const text = kernel.faults.attempt(
    path,
    () => {
      try {
        return memberText(object, path, style);
      } catch (error) {
        problems.push(messageOf(error));
        throw error;
      }
    },
    null,
  );
  return { path, text, problem: problems[0] ?? null };
}

/** `symbol` or `symbol+offset`, decimal as gdb has it. */
function symbolic(kernel: Kernel, address: VirtAddr): string | null {
  const place = kernel.place(address);
  return place === null ? null : `${place.symbol.name}${place.offset === 0 ? '' : `+${place.offset}`}`;
}

function renderReport({ task, structs, members }: TaskReport): string {
  const texts = structs.map(({ type, value }) => `struct ${type} ${escapeTerminal(value ?? '(cannot be read)')}\n`);
  const lines = members.map(({ text, problem }) =>
    escapeTerminal(text === null ? `task: ${problem ?? 'cannot be read'}\n` : `${text}\n`),
  );
  return `${taskHeader(task)}\n${texts.join('\n')}${lines.join('')}`;
}
