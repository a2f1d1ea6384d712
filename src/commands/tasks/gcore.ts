// gcore: the core file of a process, for a debugger of processes.
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { messageOf, UsageError } from '../../base/errors.ts';
import { count, escapeTerminal } from '../../base/text.ts';
import { processCore } from '../../kernel/process_core.ts';
import type { Task } from '../../kernel/task.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, type TaskLabel, taskLabel } from '../context.ts';
import { rest, valued, values } from '../params.ts';

/** A core file that was written. */
export interface GcoreFile {
  readonly task: TaskLabel;
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  readonly threads: number;
  /** Threads whose registers are not known: zeroes stand for them. */
  readonly withoutRegisters: number;
  /** Pages of the process that are in it. */
  readonly pages: number;
  /** Pages that the process had and that the dump has not. */
  readonly missing: number;
}

export const gcore = defineCommand({
  name: 'gcore',
  help: {
    summary: "a process's core file, for gdb",
    description: `Writes the core file of a process as it would have dumped core itself: registers of each thread, its memory, the files
that it had mapped. Pages that the dump has not are no part of the file's content, so that a debugger says that they
cannot be read, and does not show zeroes; pages on compressed swap and in the page cache are read from there.

The file is core.PID.COMMAND in the current directory; one that is there already is not overwritten.`,
    examples: [
      ['gcore 1234', 'then: gdb PROGRAM core.1234.NAME'],
      ['gcore -o /tmp/core 1234', 'to another file'],
    ],
  },
  unlimited: true,
  params: {
    file: valued('o', 'file', values.file, 'the file to write; only for one process'),
    tasks: rest('pid|task', values.task, 'the current task unless given'),
  },
  collect(context, { file, tasks }): readonly GcoreFile[] {
    const chosen = tasks.length === 0 ? [context.task] : tasks;
    if (file !== null && chosen.length > 1) throw new UsageError('-o is for one process');
    return chosen.map((task) => write(context, task, file));
  },
  render: (files) => files.map(fileText).join(''),
});

function write(context: CommandContext, task: Task, given: string | null): GcoreFile {
  const { kernel } = context;
  // the thread that was asked for comes first: it is the one that a debugger shows
  const threads = [task, ...context.tasks.threads(task.tgid).filter(({ address }) => address !== task.address)];
  const core = processCore(kernel, threads);
  const file = given ?? `core.${task.pid}.${task.comm.replace(/[^\w.+-]/g, '_')}`;
  let fd: number;
  try {
    fd = openSync(file, 'wx');
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${messageOf(error)}`);
  }
  try {
    for (const piece of core.pieces) writeSync(fd, piece);
  } catch (error) {
    // half a core file looks like a whole one
    unlinkSync(file);
    throw error instanceof Error && 'syscall' in error
      ? new UsageError(`${file} cannot be written: ${messageOf(error)}`)
      : error;
  } finally {
    closeSync(fd);
  }
  const { size, withoutRegisters, pages, missing } = core;
  return { task: taskLabel(task), file, size, threads: threads.length, withoutRegisters, pages, missing };
}

function fileText({ file, threads, withoutRegisters, pages, missing }: GcoreFile): string {
  const parts = [`${count(threads, 'thread')}`, `${count(pages, 'page')}`];
  if (missing > 0) parts.push(`${missing} not in the dump`);
  if (withoutRegisters > 0) parts.push(`registers of ${count(withoutRegisters, 'thread')} not known`);
  return `Saved ${escapeTerminal(file)}: ${parts.join(', ')}\n`;
}
