// include/linux/fs_struct.h: the root and the working directory of a process.

import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { type PathName, pathNames } from './path.ts';
import type { Task } from './task.ts';

/** A `struct path` with its name. */
export interface NamedPath extends PathName {
  /** Virtual address of the `struct vfsmount`. */
  readonly vfsmount: VirtAddr;
  readonly dentry: VirtAddr;
  readonly inode: VirtAddr;
}

/** Root and working directory; each null where it cannot be read (a fault). Null for a task that has none any more. */
export function taskDirectories(
  kernel: Kernel,
  task: Task,
): { readonly root: NamedPath | null; readonly cwd: NamedPath | null } | null {
  const fs = task.object.member('fs');
  if (fs.isNull) return null;
  return {
    root: kernel.faults.attempt('root directory', () => namedPath(kernel, fs.member('root')), null),
    cwd: kernel.faults.attempt('working directory', () => namedPath(kernel, fs.member('pwd')), null),
  };
}

/** What a `struct path` leads to. @throws MemoryFault when its dentry cannot be read */
export function namedPath(kernel: Kernel, path: KernelObject): NamedPath {
  const vfsmount = path.member('mnt').pointer();
  const dentry = path.member('dentry').pointer();
  const names = pathNames(kernel);
  return { vfsmount, dentry, inode: names.inodeOf(dentry), ...names.of(vfsmount, dentry) };
}
