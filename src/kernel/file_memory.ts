// What open files hold of memory that no process's size tells of: the queues of sockets (include/net/sock.h) and the
// buffers of pipes (include/linux/pipe_fs_i.h).
import { offsetBy, type VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember, offsetOf } from '../debuginfo/type.ts';
import { openDescriptors } from './fdtable.ts';
import { fileKind } from './fs.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';
import { socketOfInode } from './sock.ts';
import type { Task } from './task.ts';

/** Memory of all sockets, or of all pipes, that processes have open. */
export interface HeldByFiles {
  /** How many of them hold any. */
  readonly count: number;
  /** Bytes, all of them together. */
  readonly bytes: number;
  /** The process that has most of it open, of those that share it the first; null for none. */
  readonly most: { readonly task: Task; readonly bytes: number } | null;
  /** Virtual address of the `struct sock` or `struct pipe_inode_info` that holds most; null for none. */
  readonly fullest: VirtAddr | null;
}

export interface FileMemory {
  readonly sockets: HeldByFiles;
  readonly pipes: HeldByFiles;
}

/** What open files hold, once for each socket and pipe however many processes have it open. What cannot be read is a fault. */
export const fileMemory = perKernel(readFileMemory);

function readFileMemory(kernel: Kernel): FileMemory {
  const { faults, space } = kernel;
  const sockets = new Sum();
  const pipes = new Sum();
  const inodeAt = offsetOf(kernel.type('struct file'), 'f_inode');
  const modeAt = offsetOf(kernel.type('struct inode'), 'i_mode');
  const seen = new Set<VirtAddr>();
  for (const task of kernel.tasks.all) {
    // threads share their process's files
    if (task.pid !== task.tgid || task.kernelThread) continue;
    faults.attempt(
      `open files of pid ${task.pid}`,
      () => {
        for (const { file } of openDescriptors(kernel, task) ?? []) {
          kernel.work.charge('nodes', 1);
          const inode = faults.attempt('open file', () => space.pointer(offsetBy(file, inodeAt)), null);
          if (inode === null || inode === 0n || seen.has(inode)) continue;
          seen.add(inode);
          const kind = faults.attempt('inode', () => fileKind(space.u16(offsetBy(inode, modeAt))), null);
          if (kind === 'socket')
            faults.attempt('socket', () => sockets.add(task, ofSocket(socketOfInode(kernel, inode).sock)), undefined);
          if (kind === 'fifo') faults.attempt('pipe', () => pipes.add(task, ofPipe(kernel, inode)), undefined);
        }
      },
      undefined,
    );
  }
  return { sockets: sockets.held, pipes: pipes.held };
}

/**
 * Bytes in a socket's queues, with what each packet takes besides its data (`truesize`): received and not yet read, sent and
 * not yet given back by whoever has it. What a datagram socket sent is the sender's until it is read.
 */
function ofSocket(pointer: KernelObject): Held {
  const sock = pointer.deref();
  const received = sock.member('sk_backlog.rmem_alloc.counter').number();
  const sent = sock.member('sk_wmem_alloc.refs.counter').number();
  // one reference is the socket's own
  const bytes = Math.max(0, received) + Math.max(0, sent - 1, sock.member('sk_wmem_queued').number());
  return { bytes, address: sock.address };
}

/** Bytes of the pages in a pipe's ring. */
function ofPipe(kernel: Kernel, inode: VirtAddr): Held {
  const info = kernel.object('struct inode', inode).member('i_pipe').deref();
  // a ring since 8cefc107ca54 (5.5), within a union since 3d252160b818 (6.14)
  const used =
    findMember(info.type, 'head') === null
      ? info.member('nrbufs').number()
      : (info.member('head').number() - info.member('tail').number()) >>> 0;
  const slots = info.optional('ring_size') ?? info.member('buffers');
  return { bytes: Math.min(used, slots.number()) * kernel.dump.memory.pageSize, address: info.address };
}

interface Held {
  readonly bytes: number;
  /** Virtual address of what holds them. */
  readonly address: VirtAddr;
}

/** Sums by task. */
class Sum {
  private count = 0;
  private bytes = 0;
  private fullest: Held | null = null;
  private readonly tasks = new Map<Task, number>();

  add(task: Task, held: Held): void {
    const { bytes } = held;
    if (bytes <= 0) return;
    if (bytes > (this.fullest?.bytes ?? 0)) this.fullest = held;
    this.count++;
    this.bytes += bytes;
    this.tasks.set(task, (this.tasks.get(task) ?? 0) + bytes);
  }

  get held(): HeldByFiles {
    const [most] = [...this.tasks].sort((a, b) => b[1] - a[1]);
    return {
      count: this.count,
      bytes: this.bytes,
      fullest: this.fullest?.address ?? null,
      most: most === undefined ? null : { task: most[0], bytes: most[1] },
    };
  }
}
