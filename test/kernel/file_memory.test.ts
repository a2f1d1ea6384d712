// What sockets and pipes hold: told of whom, once however many processes share it, and whatever their kernel calls it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { fileMemory } from '../../src/kernel/file_memory.ts';
import { modes } from '../support/file_writer.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const rings = {
  new: 'struct pipe_inode_info { union { u64 head_tail; struct { unsigned int head; unsigned int tail; }; }; unsigned int ring_size; };',
  old: 'struct pipe_inode_info { unsigned int nrbufs, curbuf, buffers; };',
};

class Machine {
  readonly kernel;
  readonly tasks: KernelObject[] = [];

  constructor(ring: keyof typeof rings = 'new') {
    this.kernel = machine({
      more: {
        task: 'struct files_struct *files;',
        types: `${rings[ring]}
          struct refs { struct { int counter; } refs; };
          struct sock { struct { struct { int counter; } rmem_alloc; int len; } sk_backlog; struct refs sk_wmem_alloc; int sk_wmem_queued; };
          struct socket { short state; struct sock *sk; };
          struct inode { u16 i_mode; struct pipe_inode_info *i_pipe; };
          struct socket_alloc { struct socket socket; struct inode vfs_inode; };
          struct file { u64 more; struct inode *f_inode; };
          struct fdtable { unsigned int max_fds; struct file **fd; unsigned long *open_fds; };
          struct files_struct { int count; struct fdtable *fdt; struct fdtable fdtab; };`,
      },
    });
  }

  file(inode: KernelObject): KernelObject {
    const file = this.kernel.allocate('struct file');
    this.kernel.set(file, 'f_inode', inode);
    return file;
  }

  socket({ received = 0, sent = 0, queued = 0 }): KernelObject {
    const { kernel } = this;
    const alloc = kernel.allocate('struct socket_alloc');
    const sock = kernel.allocate('struct sock');
    kernel.set(sock, 'sk_backlog.rmem_alloc.counter', received);
    kernel.set(sock, 'sk_wmem_alloc.refs.counter', 1 + sent);
    kernel.set(sock, 'sk_wmem_queued', queued);
    kernel.set(alloc, 'socket.sk', sock);
    kernel.set(alloc, 'vfs_inode.i_mode', modes.socket);
    return alloc.member('vfs_inode');
  }

  pipe(fields: Readonly<Record<string, number>>): KernelObject {
    const { kernel } = this;
    const inode = kernel.allocate('struct inode');
    const pipe = kernel.allocate('struct pipe_inode_info');
    for (const [name, value] of Object.entries(fields)) kernel.set(pipe, name, value);
    kernel.set(inode, 'i_pipe', pipe);
    kernel.set(inode, 'i_mode', modes.fifo);
    return inode;
  }

  process(pid: number, inodes: readonly KernelObject[]): void {
    const { kernel } = this;
    const task = newTask(kernel, { pid, comm: `p${pid}`, flags: 0 });
    const held = kernel.allocate('struct files_struct');
    const pointers = kernel.reserve(64 * 8);
    kernel.space.words(pointers, ...inodes.map((inode) => this.file(inode).address));
    kernel.set(held, 'fdtab.max_fds', 64);
    kernel.set(held, 'fdtab.fd', pointers);
    const open = kernel.reserve(8);
    kernel.space.words(open, (1n << BigInt(inodes.length)) - 1n);
    kernel.set(held, 'fdtab.open_fds', open);
    kernel.set(held, 'fdt', held.member('fdtab'));
    kernel.set(task, 'files', held);
    this.tasks.push(task);
  }

  read() {
    linkTasks(this.kernel, this.tasks);
    const { value, faults } = this.kernel.faults.collect(() => fileMemory(this.kernel));
    const short = ({ count, bytes, most }: typeof value.sockets) =>
      `${count} with ${bytes}, ${most === null ? 'nobody' : `${most.task.comm} ${most.bytes}`}`;
    return { sockets: short(value.sockets), pipes: short(value.pipes), fullest: value.pipes.fullest, faults };
  }
}

describe('what open files hold', () => {
  test('sockets: what was received and what was sent, and a shared one once', () => {
    const world = new Machine();
    const shared = world.socket({ received: 1000 });
    world.process(5, [shared, world.socket({ sent: 300 }), world.socket({})]);
    // sk_wmem_queued has what sk_wmem_alloc has in flight, and more
    world.process(6, [shared, world.socket({ sent: 200, queued: 500 })]);
    assert.equal(world.read().sockets, '3 with 1800, p5 1300');
  });

  test('pipes: the pages in their rings, whose ends wrap around, and never more than the ring has', () => {
    const world = new Machine();
    world.process(5, [
      world.pipe({ head: 3, tail: 0xffff_fffe, ring_size: 16 }),
      world.pipe({ head: 900, tail: 0, ring_size: 16 }),
      world.pipe({ head: 7, tail: 7, ring_size: 16 }),
    ]);
    assert.equal(world.read().pipes, `2 with ${(5 + 16) * 4096}, p5 ${(5 + 16) * 4096}`);
  });

  test('pipes of before rings', () => {
    const world = new Machine('old');
    world.process(5, [world.pipe({ nrbufs: 3, curbuf: 1, buffers: 16 })]);
    assert.equal(world.read().pipes, `1 with ${3 * 4096}, p5 ${3 * 4096}`);
  });

  test('what cannot be read costs itself', () => {
    const world = new Machine();
    const broken = world.socket({ received: 5 });
    world.kernel.space.words(broken.containerOf('struct socket_alloc', 'vfs_inode').address + 8n, 0xdead_0000_0000n);
    world.process(5, [broken, world.socket({ received: 7 })]);
    const { sockets, pipes, faults } = world.read();
    assert.deepEqual([sockets, pipes], ['1 with 7, p5 7', '0 with 0, nobody']);
    assert.equal(faults.length, 1);
  });
});
