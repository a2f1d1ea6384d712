// fuser: who uses a file.
import type { VirtAddr } from '../../base/address.ts';
import { UsageError } from '../../base/errors.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { openDescriptors } from '../../kernel/fdtable.ts';
import { openFile } from '../../kernel/fs.ts';
import { type NamedPath, taskDirectories } from '../../kernel/fs_struct.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { vmAreas } from '../../kernel/mm_types.ts';
import type { Task } from '../../kernel/task.ts';
import { defineStream } from '../command.ts';
import { parseHex, type TaskLabel, taskLabel } from '../context.ts';
import { rest, values } from '../params.ts';

/** What a task uses a file for. */
export type FileUse = 'root' | 'cwd' | 'fd' | 'mmap';

export interface FileUser {
  /** As it was asked for. */
  readonly file: string;
  readonly task: TaskLabel;
  readonly uses: readonly FileUse[];
  /** Descriptors that it is open as. */
  readonly descriptors: readonly number[];
}

export const fuser = defineStream({
  name: 'fuser',
  help: {
    summary: 'the tasks that use a file',
    description: `Lists the tasks that have a file open (fd) or mapped (mmap), or whose root or working directory (cwd) it is. The file is
given by its path, as the files command shows it, or by the end of that, or by the address of its inode or dentry.`,
    examples: [
      ['fuser /var/log/messages', 'who has it open'],
      ['fuser ff27ec8141208f58', 'by its inode, whatever its name'],
    ],
  },
  params: { files: rest('path|inode', values.word) },
  items: 'users',
  collect({ kernel }, { files }) {
    if (files.length === 0) throw new UsageError('');
    return { head: null, items: users(kernel, files) };
  },
  text: {
    item: (item, _view, _head, index) => (index === 0 ? header : '') + rowText(item),
    tail: ({ unused }) => unused.map((file) => `No users of ${escapeLine(file)} found\n`).join(''),
  },
});

const header = ' PID         TASK        COMM             USAGE\n';

function rowText({ task, uses }: FileUser): string {
  const name = `"${escapeLine(task.command)}"`.padEnd(16);
  return `${String(task.pid).padStart(5)}  ${hex16(task.task)}  ${name} ${uses.join(' ')} \n`;
}

function* users(kernel: Kernel, files: readonly string[]): Generator<FileUser, { readonly unused: readonly string[] }> {
  const unused: string[] = [];
  for (const file of files) {
    const address = file.includes('/') ? null : parseHex(file);
    const isIt = (path: NamedPath | null): boolean =>
      path !== null &&
      (path.path === file ||
        (!file.startsWith('/') && path.path.endsWith(`/${file}`)) ||
        (address !== null && (path.inode === address || path.dentry === address)));
    let isUsed = false;
    for (const task of kernel.tasks.all) {
      kernel.work.charge('nodes', 1);
      const found = usesOf(kernel, task, isIt);
      if (found.uses.length === 0) continue;
      isUsed = true;
      yield { file, task: taskLabel(task), ...found };
    }
    if (!isUsed) unused.push(file);
  }
  return { unused };
}

function usesOf(
  kernel: Kernel,
  task: Task,
  isIt: (path: NamedPath | null) => boolean,
): { uses: FileUse[]; descriptors: number[] } {
  const { faults } = kernel;
  const pathOf = (file: VirtAddr) => faults.attempt('open file', () => openFile(kernel, file).path, null);
  const directories = faults.attempt('fs_struct', () => taskDirectories(kernel, task), null);
  const descriptors: number[] = [];
  faults.attempt(
    'open files',
    () => {
      for (const { fd, file } of openDescriptors(kernel, task) ?? []) if (isIt(pathOf(file))) descriptors.push(fd);
    },
    undefined,
  );
  const mapped = faults.attempt(
    'VMAs',
    () => {
      const mm = task.object.member('mm');
      const seen = new Set<bigint>();
      for (const { file } of mm.isNull ? [] : vmAreas(kernel, mm.deref())) {
        if (file === 0n || seen.has(file)) continue;
        seen.add(file);
        if (isIt(pathOf(file))) return true;
      }
      return false;
    },
    false,
  );
  const uses: FileUse[] = [];
  if (isIt(directories?.root ?? null)) uses.push('root');
  if (isIt(directories?.cwd ?? null)) uses.push('cwd');
  if (descriptors.length > 0) uses.push('fd');
  if (mapped) uses.push('mmap');
  return { uses, descriptors };
}
