// mount: what is mounted where.
import type { VirtAddr } from '../../base/address.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { openDescriptors } from '../../kernel/fdtable.ts';
import { type FileKind, openFile } from '../../kernel/fs.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type Mount, mountNamespaceOf, mountsOf } from '../../kernel/mount.ts';
import { pathNames } from '../../kernel/path.ts';
import { dirtyInodes } from '../../kernel/super_block.ts';
import type { Task } from '../../kernel/task.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { flag, rest, valued, values } from '../params.ts';
import { fileTypes } from './file_types.ts';

/** A file that a process has open. */
export interface OpenedFile {
  readonly dentry: VirtAddr;
  readonly inode: VirtAddr;
  readonly kind: FileKind;
  /** From the root of its file system. */
  readonly path: string;
}

export interface MountRow extends Mount {
  /** With -f: each file once, by dentry. */
  readonly files: readonly OpenedFile[] | null;
  /** With -i: virtual addresses of the inodes that are still to be written. */
  readonly dirtyInodes: readonly VirtAddr[] | null;
}

export interface MountData {
  readonly mounts: readonly MountRow[];
  /** Words for which nothing is mounted. */
  readonly unknown: readonly string[];
}

export const mount = defineCommand({
  name: 'mount',
  help: {
    summary: 'mounted file systems',
    description: `Lists the mounts of a namespace: the struct mount, its super_block, type and device, and where it is mounted. The
namespace is that of PID 1, or of the task given.

Only some mounts are listed when words choose them: the address of a mount, vfsmount, super_block, or of a dentry or inode
in a file system; a device; a directory.`,
    examples: [
      ['mount', 'every mount of the first process'],
      ['mount -n 1234 /', 'the root of a container, by one of its processes'],
      ['mount -f /data', 'what keeps /data busy'],
    ],
  },
  params: {
    task: valued('n', 'pid|task', values.task, 'the namespace of this task'),
    files: flag('f', 'with the files that processes have open on each'),
    inodes: flag('i', 'with the inodes of each that are still to be written'),
    words: rest('address|device|directory', values.word),
  },
  collect(context, { task, files, inodes, words }): MountData {
    const { kernel } = context;
    const all = [...mountsOf(kernel, mountNamespaceOf(kernel, task))];
    const unknown: string[] = [];
    const chosen = words.length === 0 ? all : words.flatMap((word) => chooseMounts(kernel, all, word, unknown));
    const opened = files ? openedFiles(context) : null;
    return {
      mounts: chosen.map((one) => ({
        ...one,
        files: opened === null ? null : (opened.get(one.superblock) ?? []),
        dirtyInodes: inodes ? [...dirtyInodes(kernel, kernel.object('struct super_block', one.superblock))] : null,
      })),
      unknown,
    };
  },
  render: ({ mounts, unknown }, { options }) =>
    (options.files || options.inodes
      ? mounts.map((row) => header + rowText(row) + detailsText(row)).join('')
      : plainText(mounts)) + unknown.map((word) => `mount: ${escapeLine(word)}: nothing is mounted there\n`).join(''),
  failed: ({ mounts, unknown }) => mounts.length === 0 && unknown.length > 0,
});

/** The mounts that a word means; it is noted where there is none. */
function chooseMounts(kernel: Kernel, all: readonly Mount[], word: string, unknown: string[]): Mount[] {
  const address = parseHex(word);
  const named = all.filter(({ device, directory }) => device === word || directory === withoutSlash(word));
  const found = named.length > 0 || address === null ? named : byAddress(kernel, all, address);
  if (found.length === 0) unknown.push(word);
  return found;
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function byAddress(kernel: Kernel, all: readonly Mount[], address: VirtAddr): Mount[] {
  const own = all.filter((one) => [one.address, one.vfsmount, one.superblock, one.root].includes(address));
  if (own.length > 0) return own;
  // a dentry or an inode is one if it leads to a superblock that is mounted
  const superblocks = new Set<bigint>(all.map(({ superblock }) => superblock));
  for (const [type, member] of [
    ['struct dentry', 'd_sb'],
    ['struct inode', 'i_sb'],
  ] as const) {
    const superblock = kernel.faults.attempt(type, () => kernel.object(type, address).member(member).pointer(), null);
    if (superblock !== null && superblocks.has(superblock)) return all.filter((one) => one.superblock === superblock);
  }
  return [];
}

/** Files that processes have open, by superblock. */
function openedFiles({ kernel }: CommandContext): Map<bigint, OpenedFile[]> {
  const found = new Map<bigint, OpenedFile[]>();
  const seen = new Set<bigint>();
  for (const task of kernel.tasks.all) {
    kernel.work.charge('nodes', 1);
    for (const file of filesOf(kernel, task)) {
      if (seen.has(file.dentry)) continue;
      seen.add(file.dentry);
      const { superblock, ...rest } = file;
      const others = found.get(superblock);
      if (others === undefined) found.set(superblock, [rest]);
      else others.push(rest);
    }
  }
  return found;
}

function* filesOf(kernel: Kernel, task: Task): Generator<OpenedFile & { readonly superblock: VirtAddr }> {
  const open = kernel.faults.attempt('open files', () => openDescriptors(kernel, task), null);
  for (const { file } of open ?? []) {
    const held = kernel.faults.attempt('open file', () => openFile(kernel, file), null);
    if (held === null || held.inode === null) continue;
    const { inode, dentry } = held;
    const name = kernel.faults.attempt('dentry', () => pathNames(kernel).of(0n as VirtAddr, dentry), null);
    if (name === null) continue;
    const path = name.path.replace(/^\//, '');
    yield { dentry, inode: inode.address, kind: inode.kind, path, superblock: inode.superblock };
  }
}

const header = '     MOUNT           SUPERBLK     TYPE   DEVNAME   DIRNAME\n';

function plainText(mounts: readonly MountRow[]): string {
  return mounts.length === 0 ? '' : header + mounts.map(rowText).join('');
}

function rowText({ address, superblock, type, device, directory }: Mount): string {
  // long names push what follows, as far as the blanks of the next column reach
  let names = `${escapeLine(type ?? 'unknown').padEnd(6)} ${escapeLine(device ?? '(unknown)').padEnd(9)} `;
  while (names.length > 17 && names.endsWith('  ')) names = names.slice(0, -1);
  return `${hex16(address)} ${hex16(superblock)} ${names}${escapeLine(directory).padEnd(10)}\n`;
}

function detailsText({ files, dirtyInodes }: MountRow): string {
  const parts: string[] = [];
  if (files !== null) {
    parts.push('   OPEN FILES   \n');
    if (files.length === 0) parts.push('No open files found\n');
    else parts.push('     DENTRY           INODE       TYPE PATH\n');
    for (const { dentry, inode, kind, path } of files) {
      parts.push(`${hex16(dentry)} ${hex16(inode)} ${fileTypes[kind]} ${escapeLine(path)}\n`);
    }
  }
  if (dirtyInodes !== null) {
    parts.push('DIRTY INODES\n');
    parts.push(...(dirtyInodes.length === 0 ? ['No dirty inodes found\n'] : dirtyInodes.map((at) => `${hex16(at)}\n`)));
  }
  return `${parts.join('')}\n`;
}
