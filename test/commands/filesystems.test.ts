// mount, files, fuser: what people look for when a file system is busy, or a process holds what it should not.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CommandContext } from '../../src/commands/context.ts';
import { files } from '../../src/commands/filesystems/files.ts';
import { fuser } from '../../src/commands/filesystems/fuser.ts';
import { mount } from '../../src/commands/filesystems/mount.ts';
import { commandTable } from '../../src/commands/registry.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { FileWorld, fileTypes, modes } from '../support/file_writer.ts';
import { run as runCommand } from '../support/run_command.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const { task, types } = fileTypes();

/** init (1) with its root; tail (5) that has /tmp/data.txt and a socket open; both in one mount namespace. */
class World extends FileWorld {
  readonly init: KernelObject;
  readonly tail: KernelObject;
  readonly data = this.dentry('data.txt', this.tmpTop, modes.regular);
  readonly context: CommandContext;

  constructor() {
    super(
      machine({
        more: {
          task,
          types: types
            .replace('struct super_block {', 'struct super_block { struct mount *s_mounts; struct list_head s_inodes;')
            .replace('struct inode {', 'struct inode { struct list_head i_sb_list; unsigned long i_state;')
            .replace('struct dentry {', 'struct dentry { struct super_block *d_sb;'),
        },
      }),
    );
    const { kernel } = this;
    this.init = newTask(kernel, { pid: 1, comm: 'init' });
    this.tail = newTask(kernel, { pid: 5, comm: 'tail' });
    const proxy = kernel.allocate('struct nsproxy');
    kernel.set(proxy, 'mnt_ns', this.namespace([this.root, this.onTmp]));
    for (const one of [this.init, this.tail]) {
      kernel.set(one, 'nsproxy', proxy);
      this.directories(one, [this.root, this.top]);
    }
    this.open(this.init, {});
    const inner = this.mount(this.filesystem('sockfs'), this.dentry('/', null), 'none', null);
    const socket = this.namedBy(this.dentry('TCPv6', null, modes.socket), 'sockfs_dname');
    this.open(this.tail, { 0: this.file(this.onTmp, this.data), 3: this.file(inner, socket) });
    linkTasks(kernel, [this.init, this.tail]);
    this.context = new CommandContext(kernel);
    const superblock = this.onTmp.member('mnt.mnt_sb').deref();
    kernel.link(superblock.member('s_inodes').address);
    kernel.set(this.data.member('d_inode').deref(), 'i_sb', superblock);
    kernel.set(this.data, 'd_sb', superblock);
  }

  run(command: Parameters<typeof runCommand>[0], ...words: string[]): string {
    return runCommand(command, this.context, words).text;
  }
}

/** Addresses differ with how a test allocates: they are not what is looked at. */
const masked = (text: string): string => text.replace(/ffff8[0-9a-f]{11}/g, 'ADDRESS'.padEnd(16));

describe('files', () => {
  test('a task that is none is refused', () => {
    assert.throws(() => new World().run(files, '77'), /invalid task or pid/);
  });

  test('root, directory and open files, a socket by its protocol', () => {
    assert.equal(
      masked(new World().run(files, '5')),
      [
        'PID: 5        TASK: ADDRESS           CPU: 0    COMMAND: "tail"',
        'ROOT: /    CWD: /',
        ' FD       FILE            DENTRY           INODE       TYPE PATH',
        '  0 ADDRESS          ADDRESS          ADDRESS          REG  /tmp/data.txt',
        '  3 ADDRESS          ADDRESS          ADDRESS          SOCK TCPv6',
        '\n',
      ].join('\n'),
    );
  });

  test('none', () => {
    assert.match(new World().run(files, '1'), /No open files/);
  });

  test('a file that is missing keeps its line', () => {
    const world = new World();
    world.kernel.space.exclude(world.data.address);
    assert.match(masked(world.run(files, '5')), /^ {2}0 ADDRESS {10}ADDRESS {18}\? {8}\? {4}\?$/m);
  });

  test('a table that is missing is not told to be empty', () => {
    const world = new World();
    world.kernel.space.exclude(world.tail.member('files').pointer());
    const text = world.run(files, '5');
    assert.doesNotMatch(text, /No open files/);
    assert.match(text, /cannot be read/);
  });

  test('-c: mapping and cached pages', () => {
    const world = new World();
    world.kernel.set(world.data.member('d_inode').member('i_mapping').deref(), 'nrpages', 12);
    assert.match(masked(world.run(files, '-c', '5')), /^ {2}0 ADDRESS {10}ADDRESS {15}12 REG {2}\/tmp\/data\.txt$/m);
  });

  test('-R: by number, path, type and address, in every task that has it and no other', () => {
    const world = new World();
    const foreach = commandTable().get('foreach')!;
    const find = (reference: string) => world.run(foreach, 'files', '-R', reference);
    for (const reference of ['data', '/tmp', 'REG', world.data.address.toString(16)]) {
      const text = find(reference);
      assert.match(text, /^PID: 5 /m, reference);
      assert.match(text, /\/tmp\/data\.txt/, reference);
      assert.doesNotMatch(text, /PID: 1 |TCPv6/, reference);
    }
    assert.match(find('3'), /TCPv6/);
    assert.equal(find('nothing'), '');
  });

  test('-d: a dentry', () => {
    const world = new World();
    assert.match(
      masked(world.run(files, '-d', world.data.address.toString(16))),
      /^ADDRESS +ADDRESS +ADDRESS +REG {2}\/tmp\/data\.txt$/m,
    );
  });
});

describe('mount', () => {
  test('the table that scripts read', () => {
    assert.equal(
      masked(new World().run(mount)),
      [
        '     MOUNT           SUPERBLK     TYPE   DEVNAME   DIRNAME',
        'ADDRESS          ADDRESS          ext4   /dev/vda1 /         ',
        'ADDRESS          ADDRESS          tmpfs  tmp       /tmp      ',
        '',
      ].join('\n'),
    );
  });

  test('chosen by directory, device, and addresses of all sorts', () => {
    const world = new World();
    const words = [
      '/tmp',
      '/tmp/',
      'tmp',
      ...[world.onTmp, world.onTmp.member('mnt'), world.data, world.data.member('d_inode').deref()].map((at) =>
        at.address.toString(16),
      ),
    ];
    for (const word of words) {
      const rows = world.run(mount, word).trimEnd().split('\n');
      assert.equal(rows.length, 2, word);
      assert.match(rows[1]!, /tmpfs/, word);
    }
  });

  test('nothing is mounted there', () => {
    const world = new World();
    assert.match(world.run(mount, '/nowhere'), /\/nowhere: nothing is mounted there/);
  });

  test('-f and -i: what is open, and what is still to be written', () => {
    const world = new World();
    const { kernel } = world;
    const inode = world.data.member('d_inode').deref();
    kernel.set(inode, 'i_state', 2);
    kernel.link(inode.member('i_sb').deref().member('s_inodes').address, inode.member('i_sb_list').address);
    const text = world.run(mount, '-f', '-i', '/tmp');
    assert.match(text, /OPEN FILES/);
    assert.match(text, /REG {2}data\.txt\n/);
    assert.match(text, new RegExp(`DIRTY INODES\\n${inode.address.toString(16)}\\n`));
    assert.match(world.run(mount, '-f', '/'), /No open files found/);
  });
});

describe('fuser', () => {
  test('who has a file open, by path, by its end and by inode', () => {
    const world = new World();
    const inode = world.data.member('d_inode').pointer();
    for (const word of ['/tmp/data.txt', 'data.txt', inode.toString(16)]) {
      const text = world.run(fuser, word);
      assert.match(text, /^ PID {9}TASK/);
      assert.match(text, /^ {4}5 {2}[0-9a-f]{16} {2}"tail" {11}fd $/m, word);
      assert.doesNotMatch(text, /"init"/);
    }
  });

  test('whose root and directory it is', () => {
    assert.match(new World().run(fuser, '/'), /"init" +root cwd $/m);
  });

  test('nobody', () => {
    assert.equal(new World().run(fuser, '/tmp/other'), 'No users of /tmp/other found\n');
  });
});
