// files: the open files of tasks.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { escapeLine, hex, hex16 } from '../../base/text.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { sizeOf } from '../../debuginfo/type.ts';
import { openDescriptors } from '../../kernel/fdtable.ts';
import { cachedPages, type FileKind, inodeAt, openFile } from '../../kernel/fs.ts';
import { taskDirectories } from '../../kernel/fs_struct.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { memoryNodes } from '../../kernel/mmzone.ts';
import { mountNamespaceOf, mountsOf } from '../../kernel/mount.ts';
import { pageFlagNames, pageRow } from '../../kernel/page.ts';
import { pathNames } from '../../kernel/path.ts';
import { firstMountOf } from '../../kernel/super_block.ts';
import type { Task } from '../../kernel/task.ts';
import { centerRight } from '../columns.ts';
import { type Answer, defineStream, noItems } from '../command.ts';
import { type CommandContext, parseHex, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { type NamedPageRow, pageRowsHeader, pageRowText } from '../memory/page_rows.ts';
import { flag, type Options, rest, valued, values } from '../params.ts';
import { fileTypes } from './file_types.ts';

/** An open file. Members that cannot be read are null. */
export interface FileRow {
  readonly fd: number;
  /** Virtual address of the `struct file`. */
  readonly file: VirtAddr;
  readonly dentry: VirtAddr | null;
  readonly inode: VirtAddr | null;
  readonly kind: FileKind | null;
  /** As in /proc/PID/fd: `/dev/null`, `socket:[123]`, `pipe:[5]`. */
  readonly path: string | null;
  /** The dentry's own name: `null`, `TCP`; empty for a pipe. */
  readonly name: string | null;
  readonly deleted: boolean;
  /** False for what is in no directory: sockets, pipes, memfds. */
  readonly placed: boolean;
  /** Virtual address of the `struct address_space` of its pages. */
  readonly mapping: VirtAddr | null;
  /** Pages in the page cache. */
  readonly pages: number | null;
}

/** The open files of a task. */
export interface TaskFiles {
  readonly task: TaskLabel;
  /** Null where they cannot be read, or the task has none any more. */
  readonly root: string | null;
  readonly cwd: string | null;
  /** Null where the table cannot be read; with -R those alone that were looked for. */
  readonly files: readonly FileRow[] | null;
  /** With -R: whether root or working directory are what was looked for. */
  readonly directoryMatches: boolean;
}

/** -d: a dentry. */
export interface DentryRow {
  readonly dentry: VirtAddr;
  readonly inode: VirtAddr;
  readonly superblock: VirtAddr;
  readonly kind: FileKind | null;
  readonly path: string | null;
}

/** -p, -n: what of an inode is cached. */
export interface InodePages {
  readonly inode: VirtAddr;
  /** Pages, as the inode counts them. */
  readonly pages: number;
}

export interface FilesHead {
  readonly dentry: DentryRow | null;
  readonly inode: InodePages | null;
  /** Hexadecimal digits of the highest physical address. */
  readonly physicalDigits: number;
}

/** One of the list: a task with its files; with -p a page. */
export type FilesItem =
  | ({ readonly kind: 'task' } & TaskFiles)
  | ({ readonly kind: 'page'; readonly fileIndex: number } & NamedPageRow);

/** At the end: with -p and -n the pages that were found, with -n by memory node. */
export interface FilesTail {
  readonly found: number | null;
  readonly nodes: readonly { readonly node: number; readonly pages: number }[] | null;
}

const params = {
  dentry: valued('d', 'dentry', values.address, 'a dentry: its inode, super_block, type and path', {
    excludes: ['p', 'n', 'c', 'R'],
  }),
  pagesOf: valued('p', 'inode', values.address, "an inode's pages in the page cache", { excludes: ['n', 'R'] }),
  nodesOf: valued('n', 'inode', values.address, "how many of an inode's cached pages each memory node has", {
    excludes: ['c', 'R'],
  }),
  counts: flag('c', 'inode, address_space and the number of cached pages of each, for the file and its dentry'),
  reference: valued(
    'R',
    'reference',
    values.word,
    'only files of this number, path or part of one, type, or with this file, dentry, inode or address_space',
  ),
  tasks: rest('pid|task', values.task),
};

type FilesOptions = Options<typeof params>;

export const files = defineStream({
  name: 'files',
  help: {
    summary: 'open files of tasks',
    usage: ['[-c] [-R reference] [pid|task]...', '-d dentry | -p inode | -n inode'],
    description: `Prints the root and the working directory of the current task or of those named, and its open files: the descriptor,
the struct file, its dentry and inode, the type, and the path from the root of the mount namespace. A socket is shown by
its protocol, an anonymous inode by its name.`,
    examples: [
      ['files 1', 'of PID 1'],
      ['foreach files -R /var/log', 'who has files below /var/log open'],
      ['files -c', 'how much of each is cached'],
    ],
  },
  params,
  items: 'entries',
  collect: collectFiles,
  text: {
    head: headText,
    item: (item, view, head) =>
      item.kind === 'task' ? taskText(item, view.options) : pageRowText(item, head.physicalDigits),
    tail: ({ found, nodes }, _view, head) =>
      (nodes === null ? '' : nodesText(nodes)) +
      (found === null || found === head.inode?.pages
        ? ''
        : `files: ${found} pages were found, the inode counts ${head.inode?.pages}\n`),
  },
});

function collectFiles(context: CommandContext, options: FilesOptions): Answer<FilesHead, FilesItem, FilesTail> {
  const { kernel } = context;
  const { maxPfn, pageSize } = kernel.dump.memory;
  const head: FilesHead = { dentry: null, inode: null, physicalDigits: hex(maxPfn * pageSize).length };
  const nothing: FilesTail = { found: null, nodes: null };
  if (options.dentry !== null) {
    return { head: { ...head, dentry: dentryRow(kernel, options.dentry) }, items: noItems(nothing) };
  }
  const inode = options.pagesOf ?? options.nodesOf;
  if (inode !== null) {
    const mapping = kernel.object('struct inode', inode).member('i_mapping').deref();
    const pages = mapping.member('nrpages').number();
    const items = options.pagesOf === null ? nodePages(kernel, mapping) : pageItems(kernel, mapping);
    return { head: { ...head, inode: { inode, pages } }, items };
  }
  const tasks = options.tasks.length === 0 ? [context.task] : options.tasks;
  function* items(): Generator<FilesItem, FilesTail> {
    for (const task of tasks) {
      kernel.work.charge('nodes', 1);
      yield { kind: 'task', ...taskFiles(kernel, task, options.reference) };
    }
    return nothing;
  }
  return { head, items: items() };
}

function taskFiles(kernel: Kernel, task: Task, reference: string | null): TaskFiles {
  const directories = kernel.faults.attempt('fs_struct', () => taskDirectories(kernel, task), null);
  const root = directories?.root?.path ?? null;
  const cwd = directories?.cwd?.path ?? null;
  const rows = kernel.faults.attempt(
    'open files',
    () => Array.from(openDescriptors(kernel, task) ?? [], ({ fd, file }) => fileRow(kernel, fd, file)),
    null,
  );
  return {
    task: taskLabel(task),
    root,
    cwd,
    files: reference === null ? rows : (rows?.filter((row) => refersTo(row, reference)) ?? null),
    directoryMatches: reference !== null && [root, cwd].some((path) => path !== null && pathHas(path, reference)),
  };
}

function fileRow(kernel: Kernel, fd: number, address: VirtAddr): FileRow {
  const file = kernel.faults.attempt('open file', () => openFile(kernel, address), null);
  return {
    fd,
    file: address,
    dentry: file?.dentry ?? null,
    inode: file?.path?.inode ?? null,
    kind: file?.inode?.kind ?? null,
    path: file?.path?.path ?? null,
    name: file?.path?.name ?? null,
    deleted: file?.path?.deleted ?? false,
    placed: file?.path?.placed ?? true,
    mapping: file?.inode?.mapping ?? null,
    pages: file?.inode?.pages ?? null,
  };
}

/** What `-R` looks for: a descriptor or an address by its number, a type, or a part of a path. */
function refersTo(row: FileRow, reference: string): boolean {
  const { fd, file, dentry, inode, kind, mapping } = row;
  if (/^\d{1,7}$/.test(reference) && fd === Number(reference)) return true;
  const address = parseHex(reference);
  if (address !== null && address !== 0n && [file, dentry, inode, mapping].includes(address)) return true;
  if (kind !== null && fileTypes[kind].trimEnd() === reference) return true;
  const path = shownPath(row);
  return path !== null && pathHas(path, reference);
}

function pathHas(path: string, part: string): boolean {
  return part === '/' ? path === '/' : path.includes(part);
}

/** A path as crash(8) shows it: what is in no directory by its dentry's name. */
function shownPath({ path, name, placed }: FileRow): string | null {
  return path === null || placed ? path : name;
}

function dentryRow(kernel: Kernel, dentry: VirtAddr): DentryRow {
  const object = kernel.object('struct dentry', dentry);
  const inode = object.member('d_inode').pointer();
  const superblock = object.member('d_sb');
  const kind = inode === 0n ? null : kernel.faults.attempt('inode', () => inodeAt(kernel, inode).kind, null);
  const mount = kernel.faults.attempt('mount of a dentry', () => mountFor(kernel, superblock.deref()), 0n as VirtAddr);
  return {
    dentry,
    inode,
    superblock: superblock.pointer(),
    kind,
    path: kernel.faults.attempt('dentry', () => pathNames(kernel).of(mount, dentry).path, null),
  };
}

/** A vfsmount of a file system: in the first process's namespace if it is mounted there; 0 if it is mounted nowhere. */
function mountFor(kernel: Kernel, superblock: KernelObject): VirtAddr {
  const namespace = kernel.faults.attempt('mount namespace', () => mountNamespaceOf(kernel, null), null);
  for (const one of namespace === null ? [] : mountsOf(kernel, namespace)) {
    if (one.superblock === superblock.address) return one.vfsmount;
  }
  const first = firstMountOf(kernel, superblock);
  return first === null ? (0n as VirtAddr) : kernel.object('struct mount', first).member('mnt').address;
}

/** Every page frame of a mapping. */
function* framesOf(kernel: Kernel, mapping: KernelObject): Generator<{ fileIndex: number; page: VirtAddr }> {
  const size = sizeOf(kernel.type('struct page'));
  for (const { index, page, pages } of cachedPages(kernel, mapping)) {
    if (page === null) continue;
    for (let i = 0; i < pages; i++) {
      kernel.work.charge('nodes', 1);
      yield { fileIndex: index + i, page: offsetBy(page, i * size) };
    }
  }
}

function* pageItems(kernel: Kernel, mapping: KernelObject): Generator<FilesItem, FilesTail> {
  let found = 0;
  for (const { fileIndex, page } of framesOf(kernel, mapping)) {
    found++;
    const row = kernel.faults.attempt('struct page', () => pageRow(kernel, page), null);
    if (row !== null) yield { kind: 'page', fileIndex, ...row, flagNames: pageFlagNames(kernel, row.flags) };
  }
  return { found, nodes: null };
}

function* nodePages(kernel: Kernel, mapping: KernelObject): Generator<FilesItem, FilesTail> {
  const nodes = memoryNodes(kernel);
  const counts = new Map<number, number>(nodes.map(({ id }) => [id, 0]));
  let found = 0;
  for (const { page } of framesOf(kernel, mapping)) {
    found++;
    const row = kernel.faults.attempt('struct page', () => pageRow(kernel, page), null);
    if (row === null) continue;
    const frame = Math.floor(row.physical / kernel.dump.memory.pageSize);
    const node = nodes.find(({ startPfn, spanned }) => frame >= startPfn && frame < startPfn + spanned);
    if (node !== undefined) counts.set(node.id, counts.get(node.id)! + 1);
  }
  return { found, nodes: [...counts].map(([node, pages]) => ({ node, pages })) };
}

function headText(
  { dentry, inode, physicalDigits }: FilesHead,
  { options }: { readonly options: FilesOptions },
): string {
  if (dentry !== null) {
    const columns = [dentry.dentry, dentry.inode].map(hex16).join(' ');
    const type = dentry.kind === null ? 'N/A' : fileTypes[dentry.kind];
    const line = `${columns} ${centerRight(hex(dentry.superblock), 16)} ${type} ${escapeLine(dentry.path ?? '')}\n`;
    return `     DENTRY           INODE           SUPERBLK     TYPE PATH\n${line}`;
  }
  if (inode === null) return '';
  const row = `${hex16(inode.inode)}  ${String(inode.pages).padStart(7)}\n\n`;
  const title = options.pagesOf !== null && inode.pages > 0 ? pageRowsHeader(physicalDigits) : '';
  return `     INODE        NRPAGES\n${row}${title}`;
}

function nodesText(nodes: readonly { readonly node: number; readonly pages: number }[]): string {
  return `NODE     PAGES\n${nodes.map(({ node, pages }) => `${String(node).padStart(4)}  ${String(pages).padStart(8)}\n`).join('')}`;
}

function taskText(item: TaskFiles, { counts, reference, tasks }: FilesOptions): string {
  const { task, root, cwd, files: rows, directoryMatches } = item;
  const isSearch = reference !== null;
  if (isSearch && !directoryMatches && (rows?.length ?? 0) === 0) return '';
  const directories = `ROOT: ${escapeLine(root ?? '?')}    CWD: ${escapeLine(cwd ?? '?')}${isSearch ? ' ' : ''}\n`;
  const lines = [`${taskHeader(task)}\n`, root === null && cwd === null ? '' : directories];
  if (rows === null) lines.push(isSearch ? '' : 'open files cannot be read\n');
  else if (rows.length === 0) lines.push(isSearch ? '' : 'No open files\n');
  else {
    lines.push(counts ? countsHeader : filesHeader);
    for (const row of rows) lines.push(counts ? countsText(row) : fileText(row));
  }
  // as crash has it: an empty line behind each task that was asked for or found, none behind the current one
  return lines.join('') + (isSearch || tasks.length > 0 ? '\n' : '');
}

const filesHeader = ' FD       FILE            DENTRY           INODE       TYPE PATH\n';
const countsHeader = ' FD      INODE          I_MAPPING     NRPAGES TYPE PATH\n';

function fileText(row: FileRow): string {
  return line(row, [hex16(row.file), address(row.dentry), address(row.inode)]);
}

function countsText(row: FileRow): string {
  const pages = row.pages === null ? '?' : String(row.pages);
  return line(row, [address(row.inode), address(row.mapping), pages.padStart(7)]);
}

function line(row: FileRow, columns: readonly string[]): string {
  const type = row.kind === null ? '?   ' : fileTypes[row.kind];
  return `${String(row.fd).padStart(3)} ${columns.join(' ')} ${type} ${escapeLine(shownPath(row) ?? '?')}\n`;
}

function address(value: VirtAddr | null): string {
  return value === null ? centerRight('?', 16) : hex16(value);
}
