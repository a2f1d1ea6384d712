// tmpfs instances: how much is in each, and where they are mounted.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { readTmpfs } from '../../src/kernel/shmem_fs.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = (mounts: string, instance: string): string => `
  struct list_head { struct list_head *next, *prev; };
  struct percpu_counter { int lock; s64 count; int *counters; };
  struct file_system_type { const char *name; };
  struct qstr { u32 hash; u32 len; const char *name; };
  struct dentry { struct dentry *d_parent; struct qstr d_name; };
  struct vfsmount { struct dentry *mnt_root; };
  struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; ${instance} };
  struct shmem_sb_info { unsigned long max_blocks; struct percpu_counter used_blocks; };
  struct super_block { struct list_head s_list; struct file_system_type *s_type; void *s_fs_info; ${mounts} };
`;

class World {
  readonly kernel: SyntheticKernel;
  private readonly heads: bigint[] = [];
  private readonly list: KernelObject;
  private readonly chained: boolean;

  /** @param chained whether a superblock's mounts are a plain chain (6.18) or a list */
  constructor(chained: boolean) {
    this.chained = chained;
    this.kernel = new SyntheticKernel(
      chained
        ? types('struct mount *s_mounts;', '')
        : types('struct list_head s_mounts;', 'struct list_head mnt_instance;'),
    );
    this.list = this.kernel.allocate('struct list_head', 'super_blocks');
    this.kernel.link(this.list.address);
  }

  text(value: string): bigint {
    const address = this.kernel.reserve(value.length + 1);
    this.kernel.space.write(address, Buffer.from(`${value}\0`, 'latin1'));
    return address;
  }

  dentry(name: string, parent: KernelObject | null): KernelObject {
    const dentry = this.kernel.allocate('struct dentry');
    this.kernel.set(dentry, 'd_name.name', this.text(name));
    this.kernel.set(dentry, 'd_name.len', name.length);
    this.kernel.set(dentry, 'd_parent', parent ?? dentry);
    return dentry;
  }

  mount(parent: KernelObject | null, at: KernelObject, root: KernelObject): KernelObject {
    const mount = this.kernel.allocate('struct mount');
    this.kernel.set(mount, 'mnt_parent', parent ?? mount);
    this.kernel.set(mount, 'mnt_mountpoint', at);
    this.kernel.set(mount, 'mnt.mnt_root', root);
    return mount;
  }

  filesystem(type: string, max: number, used: number, mount: KernelObject | null): KernelObject {
    const { kernel } = this;
    const sb = kernel.allocate('struct super_block');
    const kind = kernel.allocate('struct file_system_type');
    kernel.set(kind, 'name', this.text(type));
    kernel.set(sb, 's_type', kind);
    const info = kernel.allocate('struct shmem_sb_info');
    kernel.set(info, 'max_blocks', max);
    kernel.set(info, 'used_blocks.count', used);
    kernel.set(sb, 's_fs_info', info);
    if (this.chained) kernel.set(sb, 's_mounts', mount ?? 0);
    else if (mount === null) kernel.link(sb.member('s_mounts').address);
    else kernel.link(sb.member('s_mounts').address, mount.member('mnt_instance').address);
    this.heads.push(sb.member('s_list').address);
    kernel.link(this.list.address, ...this.heads);
    return sb;
  }

  read() {
    const { value, faults } = this.kernel.faults.collect(() => readTmpfs(this.kernel));
    return { uses: value.map(({ mountedOn, usedPages, maxPages }) => [mountedOn, usedPages, maxPages]), faults };
  }
}

for (const chained of [false, true]) {
  describe(`tmpfs, mounts in a ${chained ? 'chain' : 'list'}`, () => {
    test('each with its path through the mounts above it, largest first', () => {
      const world = new World(chained);
      const top = world.dentry('/', null);
      const root = world.mount(null, top, top);
      const run = world.dentry('run', top);
      const tmpfsRoot = world.dentry('/', null);
      const first = world.mount(root, run, tmpfsRoot);
      const inner = world.mount(first, world.dentry('user', tmpfsRoot), world.dentry('/', null));
      world.filesystem('tmpfs', 100, 20, first);
      world.filesystem('ext4', 100, 90, root);
      world.filesystem('tmpfs', 50, 40, inner);
      const { uses, faults } = world.read();
      assert.deepEqual(uses, [
        ['/run/user', 40, 50],
        ['/run', 20, 100],
      ]);
      assert.deepEqual(faults, []);
    });

    test('one that is mounted nowhere, and one without a limit, which counts nothing', () => {
      const world = new World(chained);
      world.filesystem('tmpfs', 100, 20, null);
      world.filesystem('tmpfs', 0, 999, null);
      assert.deepEqual(world.read().uses, [['', 20, 100]]);
    });

    test('mounts that are their own parents in a circle end', () => {
      const world = new World(chained);
      const [a, b] = [world.dentry('a', null), world.dentry('b', null)];
      const first = world.mount(null, a, a);
      const second = world.mount(first, a, b);
      world.kernel.set(first, 'mnt_parent', second);
      world.kernel.set(first, 'mnt_mountpoint', b);
      world.filesystem('tmpfs', 100, 20, first);
      assert.equal(world.read().uses.length, 1);
    });

    test('a dentry that is missing costs the path, not the size', () => {
      const world = new World(chained);
      const top = world.dentry('/', null);
      const root = world.mount(null, top, top);
      const at = world.dentry('run', top);
      const mount = world.mount(root, at, world.dentry('/', null));
      world.filesystem('tmpfs', 100, 20, mount);
      world.kernel.space.exclude(at.address);
      const { uses, faults } = world.read();
      assert.deepEqual(uses, [['?/', 20, 100]]);
      assert.equal(faults.length, 1);
    });
  });
}
