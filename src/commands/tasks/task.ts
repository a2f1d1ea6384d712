// task: the task_struct and thread_info of tasks.

import type { VirtAddr } from '../../base/address.ts';
import { messageOf } from '../../base/errors.ts';
import { escapeTerminal } from '../../base/text.ts';
import { type CValue, readValue, type ValueReading } from '../../debuginfo/c_value.ts';
import { type ValueData, valueData } from '../../debuginfo/c_value_data.ts';
import { memberText, type ValueStyle, valueText } from '../../debuginfo/c_value_text.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { findMember, type Type } from '../../debuginfo/type.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Task } from '../../kernel/task.ts';
import { defineStream } from '../command.ts';
import { type CommandContext, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { radixOf, radixParamsOrH, repeated, rest, values } from '../params.ts';
import { drawing } from '../types/struct_value.ts';
import { valueReading } from '../types/value_reading.ts';

export interface TaskStruct {
  /** `task_struct` or `thread_info`. */
  readonly type: string;
  readonly address: VirtAddr;
  /** null if it cannot be read. */
  readonly value: ValueData;
  readonly [drawing]: CValue | null;
}

export interface TaskMember {
  readonly path: string;
  /** null if neither struct has such a member, or it cannot be read: `problem` says which. */
  readonly value: ValueData;
  readonly problem: string | null;
  /** The struct that has it. */
  readonly [drawing]: { readonly holder: Type; readonly value: CValue } | null;
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
    ...radixParamsOrH,
    tasks: rest('pid|task', values.task),
  },
  items: 'tasks',
  collect: (context, options) => ({
    head: null,
    items: reports(
      context,
      options.tasks.length === 0 ? [context.task] : options.tasks,
      options.members.flatMap(({ value }) => value.split(',').filter((path) => path !== '')),
    ),
  }),
  text: {
    item: (report, view, _head, index) =>
      `${index > 0 ? '\n' : ''}${renderReport(report, { radix: radixOf(view, view.options) })}`,
  },
});

function* reports(
  context: CommandContext,
  tasks: readonly Task[],
  members: readonly string[],
): Generator<TaskReport, null> {
  const { kernel } = context;
  const reading = valueReading(context);
  for (const task of tasks) {
    yield {
      task: taskLabel(task),
      structs: members.length > 0 ? [] : structsOf(kernel, task, reading),
      members: members.flatMap((path) => membersOf(kernel, task, path, reading)),
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

function structsOf(kernel: Kernel, task: Task, reading: ValueReading): TaskStruct[] {
  return taskObjects(kernel, task).map((object, i) => {
    const type = i === 0 ? 'task_struct' : 'thread_info';
    const value = kernel.faults.attempt(type, () => readValue(object, reading), null);
    return {
      type,
      address: object.address,
      get value() {
        return value === null ? null : valueData(value);
      },
      [drawing]: value,
    };
  });
}

/** A member of each struct that has one of this name: `flags` are in both. */
function membersOf(kernel: Kernel, task: Task, path: string, reading: ValueReading): TaskMember[] {
  const objects = taskObjects(kernel, task).filter(({ type }) => findMember(type, path) !== null);
  if (objects.length > 0) return objects.map((object) => memberOf(kernel, object, path, reading));
  return [{ path, value: null, problem: `invalid data structure member reference: ${path}`, [drawing]: null }];
}

function memberOf(kernel: Kernel, object: KernelObject, path: string, reading: ValueReading): TaskMember {
  try {
    const value = readValue(object.member(path), reading);
    return { path, value: valueData(value), problem: null, [drawing]: { holder: object.type, value } };
  } catch (error) {
    kernel.faults.record(path, error);
    return { path, value: null, problem: messageOf(error), [drawing]: null };
  }
}

function renderReport({ task, structs, members }: TaskReport, style: ValueStyle): string {
  const texts = structs.map(({ type, [drawing]: value }) => {
    const text = value === null ? '(cannot be read)' : escapeTerminal(valueText(value, style));
    return `struct ${type} ${text}\n`;
  });
  const lines = members.map(({ path, problem, [drawing]: drawn }) =>
    escapeTerminal(
      drawn === null
        ? `task: ${problem ?? 'cannot be read'}\n`
        : `${memberText(drawn.holder, path, drawn.value, style)}\n`,
    ),
  );
  return `${taskHeader(task)}\n${texts.join('\n')}${lines.join('')}`;
}
