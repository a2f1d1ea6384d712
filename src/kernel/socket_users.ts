// Which processes have which sockets open: file.f_inode of every open file (include/linux/fs.h), where it is a socket's
// (struct socket_alloc, include/net/sock.h).
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { offsetOf } from '../debuginfo/type.ts';
import { openDescriptors } from './fdtable.ts';
import { fileKind } from './fs.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';

/** A process that has a socket open. */
export interface SocketUser {
  readonly pid: number;
  readonly comm: string;
  readonly fd: number;
}

/** Users of every `struct socket` that a process has open, by its virtual address. What cannot be read is a fault. */
export function socketUsers(kernel: Kernel): ReadonlyMap<bigint, readonly SocketUser[]> {
  const found = new Map<bigint, SocketUser[]>();
  for (const task of kernel.tasks.all) {
    // threads share their process's files
    if (task.pid !== task.tgid || task.idle) continue;
    kernel.work.charge('nodes', 1);
    for (const { fd, socket } of openSockets(kernel, task)?.sockets ?? []) {
      const users = found.get(socket) ?? [];
      users.push({ pid: task.pid, comm: task.comm, fd });
      found.set(socket, users);
    }
  }
  return found;
}

/** The sockets that a task has open. */
export interface OpenSockets {
  readonly sockets: readonly {
    readonly fd: number;
    /** Virtual address of the `struct socket`. */
    readonly socket: VirtAddr;
  }[];
  /** Open files of which it cannot be read what they are. */
  readonly unreadable: number;
}

/** Null where the task's table of files cannot be read, a fault; what of it cannot be read is one, too. */
export function openSockets(kernel: Kernel, task: Task): OpenSockets | null {
  const { faults, space } = kernel;
  const inodeAt = offsetOf(kernel.type('struct file'), 'f_inode');
  const modeAt = offsetOf(kernel.type('struct inode'), 'i_mode');
  const alloc = kernel.type('struct socket_alloc');
  const toSocket = offsetOf(alloc, 'socket') - offsetOf(alloc, 'vfs_inode');
  return faults.attempt(
    'open files',
    () => {
      const sockets: { fd: number; socket: VirtAddr }[] = [];
      let unreadable = 0;
      for (const { fd, file } of openDescriptors(kernel, task) ?? []) {
        const inode = faults.attempt('open file', () => space.pointer(offsetBy(file, inodeAt)), null);
        const mode = inode === null ? null : faults.attempt('inode', () => space.u16(offsetBy(inode, modeAt)), null);
        if (mode === null) unreadable++;
        else if (fileKind(mode) === 'socket') sockets.push({ fd, socket: offsetBy(inode!, toSocket) });
      }
      return { sockets, unreadable };
    },
    null,
  );
}
