// fs/mount.h, include/linux/mnt_namespace.h: what is mounted where.
import type { VirtAddr } from '../base/address.ts';
import { NotFoundError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { pathNames } from './path.ts';
import { rbEntries } from './rbtree.ts';
import type { Task } from './task.ts';

/** One mount. Texts are as in memory: escape them before printing. */
export interface Mount {
  /** Virtual address of the `struct mount`. */
  readonly address: VirtAddr;
  /** Virtual address of the `struct vfsmount` in it. */
  readonly vfsmount: VirtAddr;
  /** As in /proc/PID/mountinfo. */
  readonly id: number;
  /** Virtual address of the `struct mount` that it is mounted in; itself for the root of a namespace. */
  readonly parent: VirtAddr;
  readonly superblock: VirtAddr;
  /** Virtual address of the dentry that is its root. */
  readonly root: VirtAddr;
  /** `ext4`, `tmpfs`; null where the superblock cannot be read. */
  readonly type: string | null;
  /** What was mounted, as mount(2) was told; null where it cannot be read. */
  readonly device: string | null;
  /** Where, from the root of the namespace; begins with `?` where it cannot be read. */
  readonly directory: string;
}

/**
 * The mounts of a namespace in the kernel's order, which is that of /proc/PID/mounts. Mounts that cannot be read are
 * faults; one on a list that cannot be read ends the list.
 * @param namespace a `struct mnt_namespace`
 * @throws NotFoundError when the types do not tell how mounts are kept
 */
export function* mountsOf(kernel: Kernel, namespace: KernelObject): Generator<Mount> {
  // a tree since 2eea9ce4310d (6.8), a list before
  const tree = namespace.optional('mounts.rb_node') === null ? null : namespace.member('mounts');
  const entries =
    tree !== null
      ? rbEntries(tree, 'struct mount', 'mnt_node', kernel.faults)
      : listEntries(namespace.member('list'), 'struct mount', 'mnt_list');
  for (;;) {
    const next = kernel.faults.attempt('mounts', () => entries.next(), null);
    if (next === null || next.done) return;
    // a cursor of a reader of /proc/mounts (before 6.8) stands on the list as a mount, and is none
    const read = () => (next.value.member('mnt.mnt_root').isNull ? null : mountAt(kernel, next.value));
    const mount = kernel.faults.attempt('mounts', read, null);
    if (mount !== null) yield mount;
  }
}

/**
 * The `struct mnt_namespace` of a task; without one, of PID 1 or of the first task that has one.
 * @throws NotFoundError for a task that has left its namespaces, as the dead have
 */
export function mountNamespaceOf(kernel: Kernel, task: Task | null): KernelObject {
  const { all } = kernel.tasks;
  const tasks = task !== null ? [task] : [...all.filter(({ pid }) => pid === 1), ...all];
  for (const { object } of tasks) {
    const proxy = kernel.faults.attempt('nsproxy', () => object.member('nsproxy'), null);
    if (proxy !== null && !proxy.isNull) return proxy.member('mnt_ns').deref();
  }
  throw new NotFoundError('mount namespace', task === null ? 'any' : `of PID ${task.pid}`);
}

/** @throws NotFoundError, MemoryFault */
export function mountAt(kernel: Kernel, mount: KernelObject): Mount {
  const { faults } = kernel;
  const superblock = mount.member('mnt.mnt_sb');
  const text = (what: string, read: () => string) => faults.attempt(what, read, null);
  return {
    address: mount.address,
    vfsmount: mount.member('mnt').address,
    id: mount.member('mnt_id').number(),
    parent: mount.member('mnt_parent').pointer(),
    superblock: superblock.pointer(),
    root: mount.member('mnt.mnt_root').pointer(),
    type: text('file system type', () => superblock.member('s_type').member('name').string(64)),
    device: text('device of a mount', () => {
      const name = mount.member('mnt_devname');
      return name.isNull ? 'none' : name.string();
    }),
    directory: pathNames(kernel).ofMount(mount.address),
  };
}
