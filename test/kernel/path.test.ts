// Names of dentries through mounts, as /proc/PID/fd has them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { pathNames } from '../../src/kernel/path.ts';
import { FileWorld, fileTypes, modes } from '../support/file_writer.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

class World extends FileWorld {
  constructor() {
    super(new SyntheticKernel(fileTypes().types));
  }

  name(mount: KernelObject | null, dentry: KernelObject) {
    const { kernel } = this;
    const vfsmount = mount?.member('mnt').address ?? (0n as never);
    const { value, faults } = kernel.faults.collect(() => pathNames(kernel).of(vfsmount, dentry.address));
    return { ...value, faults: faults.length };
  }
}

describe('paths', () => {
  test('a circle of mounts ends with a fault', () => {
    const world = new World();
    world.kernel.set(world.root, 'mnt_parent', world.onTmp);
    world.kernel.set(world.root, 'mnt_mountpoint', world.tmpTop);
    const { path, faults } = world.name(world.onTmp, world.tmpTop);
    assert.match(path, /^\?\/tmp/);
    assert.equal(faults, 1);
  });

  test('dentries that are their own ancestors end with a fault', () => {
    const world = new World();
    const a = world.dentry('a', world.top);
    const b = world.dentry('b', a);
    world.kernel.set(a, 'd_parent', b);
    assert.equal(world.name(world.root, b).faults, 1);
  });

  test('a directory on the way that is missing leaves the rest of the name', () => {
    const world = new World();
    const gone = world.dentry('gone', world.tmpTop);
    const file = world.dentry('data.txt', gone, modes.regular);
    world.kernel.space.exclude(gone.address);
    assert.deepEqual(world.name(world.onTmp, file), {
      path: '?/data.txt',
      name: 'data.txt',
      deleted: false,
      placed: true,
      faults: 1,
    });
  });

  test('a file under a mount, the root of a mount, the root of all', () => {
    const world = new World();
    const file = world.dentry('data.txt', world.dentry('sub', world.tmpTop), modes.regular);
    assert.equal(world.name(world.onTmp, file).path, '/tmp/sub/data.txt');
    assert.equal(world.name(world.onTmp, world.tmpTop).path, '/tmp');
    assert.equal(world.name(world.root, world.top).path, '/');
  });

  test('a bind mount shows its files where it is mounted', () => {
    const world = new World();
    const sub = world.dentry('sub', world.tmpTop);
    const bound = world.mount(world.filesystem('tmpfs'), sub, 'tmp', [world.root, world.dentry('srv', world.top)]);
    assert.equal(world.name(bound, world.dentry('x', sub)).path, '/srv/x');
  });

  test('without a mount the name ends at the root of its file system', () => {
    const world = new World();
    assert.equal(world.name(null, world.dentry('x', world.tmpTop)).path, '/x');
  });

  test('an unlinked file is told', () => {
    const world = new World();
    const file = world.dentry('data.txt', world.tmpTop, modes.regular);
    world.kernel.set(file, 'd_hash.pprev', 0);
    const { path, deleted } = world.name(world.onTmp, file);
    assert.deepEqual([path, deleted], ['/tmp/data.txt', true]);
  });

  test('names that the kernel makes up', () => {
    const world = new World();
    const made = (name: string, namer: string, mode: number) => {
      const inner = world.mount(world.filesystem('none'), world.dentry('/', null), 'none', null);
      return world.name(inner, world.namedBy(world.dentry(name, null, mode), namer));
    };
    assert.match(made('', 'pipefs_dname', modes.fifo).path, /^pipe:\[\d+\]$/);
    const socket = made('TCPv6', 'sockfs_dname', modes.socket);
    assert.match(socket.path, /^socket:\[\d+\]$/);
    assert.equal(socket.name, 'TCPv6');
    assert.equal(made('[eventfd]', 'anon_inodefs_dname', 0o600).path, 'anon_inode:[eventfd]');
    assert.deepEqual(made('memfd:buffer', 'simple_dname', modes.regular), {
      path: '/memfd:buffer',
      name: 'memfd:buffer',
      deleted: true,
      placed: false,
      faults: 0,
    });
  });
});
