// Files as a test needs them: dentries, inodes, mounts and the tables of tasks.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import type { SyntheticKernel } from './synthetic_kernel.ts';
import type { MoreTypes } from './task_writer.ts';

/** @param mounts how a namespace keeps its mounts: in a tree (6.8), or on a list */
export function fileTypes(mounts: 'tree' | 'list' = 'tree'): Required<Pick<MoreTypes, 'task' | 'types'>> {
  const [held, node] =
    mounts === 'tree'
      ? ['struct rb_root mounts;', 'struct rb_node mnt_node;']
      : ['struct list_head list;', 'struct list_head mnt_list;'];
  return {
    task: 'struct fs_struct *fs; struct files_struct *files; struct nsproxy *nsproxy;',
    types: `
      struct list_head { struct list_head *next, *prev; };
      struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right, *rb_left; };
      struct rb_root { struct rb_node *rb_node; };
      struct hlist_bl_node { void *next; void **pprev; };
      struct xarray { int xa_lock; int xa_flags; void *xa_head; };
      struct qstr { u32 hash; u32 len; const char *name; };
      struct dentry_operations { void *d_revalidate; void *d_dname; };
      struct file_system_type { const char *name; };
      struct super_block { struct file_system_type *s_type; };
      struct address_space { struct inode *host; struct xarray i_pages; unsigned long nrpages; };
      struct inode { u16 i_mode; struct super_block *i_sb; struct address_space *i_mapping; unsigned long i_ino;
        void *i_private; };
      struct dentry { struct hlist_bl_node d_hash; struct dentry *d_parent; struct qstr d_name; struct inode *d_inode;
        struct dentry_operations *d_op; };
      struct vfsmount { struct dentry *mnt_root; struct super_block *mnt_sb; };
      struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; ${node}
        const char *mnt_devname; int mnt_id; };
      struct mnt_namespace { int count; ${held} };
      struct nsproxy { struct mnt_namespace *mnt_ns; };
      struct path { struct vfsmount *mnt; struct dentry *dentry; };
      struct fs_struct { int users; struct path root; struct path pwd; };
      struct file { void *f_op; struct path f_path; };
      struct fdtable { unsigned int max_fds; struct file **fd; unsigned long *open_fds; };
      struct files_struct { int count; struct fdtable *fdt; struct fdtable fdtab; };
    `,
  };
}

export const modes = { fifo: 0o010600, character: 0o020600, directory: 0o040755, regular: 0o100644, socket: 0o140777 };

export class FileWriter {
  readonly kernel: SyntheticKernel;
  private inodes = 100;
  private mounts = 20;

  constructor(kernel: SyntheticKernel) {
    this.kernel = kernel;
  }

  text(value: string): bigint {
    const address = this.kernel.reserve(value.length + 1);
    this.kernel.space.write(address, Buffer.from(`${value}\0`, 'latin1'));
    return address;
  }

  filesystem(type: string): KernelObject {
    const kind = this.kernel.allocate('struct file_system_type');
    this.kernel.set(kind, 'name', this.text(type));
    const superblock = this.kernel.allocate('struct super_block');
    this.kernel.set(superblock, 's_type', kind);
    return superblock;
  }

  inode(mode: number, superblock?: KernelObject): KernelObject {
    const inode = this.kernel.allocate('struct inode');
    const mapping = this.kernel.allocate('struct address_space');
    this.kernel.set(mapping, 'host', inode);
    this.kernel.set(inode, 'i_mode', mode);
    this.kernel.set(inode, 'i_ino', this.inodes++);
    this.kernel.set(inode, 'i_mapping', mapping);
    if (superblock !== undefined) this.kernel.set(inode, 'i_sb', superblock);
    return inode;
  }

  /** @param parent null for one that is its own: the root of a file system, or in no directory */
  dentry(name: string, parent: KernelObject | null, mode: number = modes.directory): KernelObject {
    const dentry = this.kernel.allocate('struct dentry');
    this.kernel.set(dentry, 'd_name.name', this.text(name));
    this.kernel.set(dentry, 'd_name.len', name.length);
    this.kernel.set(dentry, 'd_parent', parent ?? dentry);
    this.kernel.set(dentry, 'd_inode', this.inode(mode));
    if (parent !== null) this.kernel.set(dentry, 'd_hash.pprev', parent);
    return dentry;
  }

  /** Gives a dentry the operations that make up its name. */
  namedBy(dentry: KernelObject, namer: string): KernelObject {
    const operations = this.kernel.allocate('struct dentry_operations');
    this.kernel.define(namer, this.kernel.reserve(16), 16);
    this.kernel.set(operations, 'd_dname', this.kernel.address(namer));
    this.kernel.set(dentry, 'd_op', operations);
    return dentry;
  }

  /** @param on the mount and the dentry that it is mounted on; null for the root of a namespace, or a mount in none */
  mount(
    superblock: KernelObject,
    root: KernelObject,
    device: string,
    on: readonly [KernelObject, KernelObject] | null,
  ): KernelObject {
    const mount = this.kernel.allocate('struct mount');
    this.kernel.set(mount, 'mnt.mnt_root', root);
    this.kernel.set(mount, 'mnt.mnt_sb', superblock);
    this.kernel.set(mount, 'mnt_devname', this.text(device));
    this.kernel.set(mount, 'mnt_id', this.mounts++);
    this.kernel.set(mount, 'mnt_parent', on?.[0] ?? mount);
    this.kernel.set(mount, 'mnt_mountpoint', on?.[1] ?? root);
    return mount;
  }

  namespace(mounts: readonly KernelObject[]): KernelObject {
    const namespace = this.kernel.allocate('struct mnt_namespace');
    if (namespace.has('list')) {
      const nodes = mounts.map((mount) => mount.member('mnt_list').address);
      this.kernel.link(namespace.member('list').address, ...nodes);
    } else {
      // a chain to the right is a tree, too
      for (const [i, mount] of mounts.entries()) {
        const node = mount.member('mnt_node');
        if (i === 0) this.kernel.set(namespace, 'mounts.rb_node', node);
        else this.kernel.set(mounts[i - 1]!, 'mnt_node.rb_right', node);
      }
    }
    return namespace;
  }

  /** Writes a `struct path`. */
  path(holder: KernelObject, member: string, mount: KernelObject | null, dentry: KernelObject): void {
    this.kernel.set(holder, `${member}.mnt`, mount === null ? 0 : mount.member('mnt'));
    this.kernel.set(holder, `${member}.dentry`, dentry);
  }

  file(mount: KernelObject | null, dentry: KernelObject): KernelObject {
    const file = this.kernel.allocate('struct file');
    this.path(file, 'f_path', mount, dentry);
    return file;
  }

  /** Gives a task open files by descriptor. */
  open(task: KernelObject, files: Readonly<Record<number, KernelObject | null>>, room = 64): KernelObject {
    const { kernel } = this;
    const held = kernel.allocate('struct files_struct');
    const table = held.member('fdtab');
    const pointers = kernel.reserve(room * 8);
    const open = kernel.reserve(room / 8);
    kernel.set(table, 'max_fds', room);
    kernel.set(table, 'fd', pointers);
    kernel.set(table, 'open_fds', open);
    kernel.set(held, 'fdt', table);
    const bits = new Uint8Array(room / 8);
    for (const [fd, file] of Object.entries(files)) {
      bits[Number(fd) >> 3]! |= 1 << (Number(fd) & 7);
      kernel.space.words(pointers + BigInt(fd) * 8n, file?.address ?? 0n);
    }
    kernel.space.write(open, bits);
    kernel.set(task, 'files', held);
    return held;
  }

  directories(task: KernelObject, root: readonly [KernelObject, KernelObject], cwd = root): void {
    const fs = this.kernel.allocate('struct fs_struct');
    this.path(fs, 'root', ...root);
    this.path(fs, 'pwd', ...cwd);
    this.kernel.set(task, 'fs', fs);
  }
}

/** A kernel with a root file system and a tmpfs on /tmp. */
export class FileWorld extends FileWriter {
  readonly top = this.dentry('/', null);
  readonly tmp = this.dentry('tmp', this.top);
  readonly tmpTop = this.dentry('/', null);
  readonly root = this.mount(this.filesystem('ext4'), this.top, '/dev/vda1', null);
  readonly onTmp = this.mount(this.filesystem('tmpfs'), this.tmpTop, 'tmp', [this.root, this.tmp]);
}
