// Machines whose processes have sockets and pipes open that hold something.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { modes } from './file_writer.ts';
import { linkTasks, machine, newTask } from './task_writer.ts';

const rings = {
  new: 'struct pipe_inode_info { union { u64 head_tail; struct { unsigned int head; unsigned int tail; }; }; unsigned int ring_size; };',
  old: 'struct pipe_inode_info { unsigned int nrbufs, curbuf, buffers; };',
};

export class HoldingMachine {
  readonly kernel;
  readonly tasks: KernelObject[] = [];

  /** @param types further C declarations */
  constructor(ring: keyof typeof rings = 'new', types = '') {
    this.kernel = machine({
      more: {
        task: 'struct files_struct *files;',
        types: `${rings[ring]} ${types}
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

  /** Makes the processes the machine's tasks. */
  linked() {
    linkTasks(this.kernel, this.tasks);
    return this.kernel;
  }
}
