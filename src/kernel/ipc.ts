// include/linux/ipc_namespace.h, ipc/util.h, shm.c, sem.c, msg.c: System V shared memory, semaphores and message queues.
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { inodeAt, openFile } from './fs.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { xarrayEntries } from './xarray.ts';

/** What all three kinds have: who they belong to. */
interface IpcObject {
  /** Virtual address of the `struct shmid_kernel`, `struct sem_array` or `struct msg_queue`. */
  readonly address: VirtAddr;
  /** What its users find it by; 0 for a private one. */
  readonly key: number;
  /** What its system calls are given. */
  readonly id: number;
  /** In the first user namespace. */
  readonly uid: number;
  /** Permissions; of shared memory also SHM_DEST (0o1000) and SHM_LOCKED (0o2000). */
  readonly mode: number;
}

export interface SharedMemory extends IpcObject {
  readonly kind: 'shm';
  /** Bytes asked for. */
  readonly bytes: number;
  readonly attached: number;
  /** Pages in memory; null where they cannot be counted. */
  readonly resident: number | null;
  /** Pages on a swap device; null where they cannot be counted. */
  readonly swapped: number | null;
  /** Virtual address of the inode that holds it; 0 where it cannot be read. */
  readonly inode: VirtAddr;
}

export interface SemaphoreArray extends IpcObject {
  readonly kind: 'sem';
  readonly semaphores: number;
}

export interface MessageQueue extends IpcObject {
  readonly kind: 'msg';
  /** Bytes of the messages in it. */
  readonly bytes: number;
  readonly messages: number;
}

/** IPC_*_IDS (ipc/util.h): the three tables of a namespace. */
const tables = { sem: 0, msg: 1, shm: 2 } as const;

/** SHM_DEST and SHM_LOCKED (include/linux/shm.h). */
export const shmDestroyed = 0o1000;
export const shmLocked = 0o2000;

/** The `struct ipc_namespace` of a task; of the first namespace for a task that has left its own, as the dead have. @throws NotFoundError, MemoryFault */
export function ipcNamespaceOf(kernel: Kernel, task: Task): KernelObject {
  const proxy = task.object.member('nsproxy');
  return proxy.isNull ? kernel.variable('init_ipc_ns') : proxy.member('ipc_ns').deref();
}

/** Shared memory of a namespace, by index. Segments that cannot be read are faults; deleted ones are left out. */
export function sharedMemory(kernel: Kernel, namespace: KernelObject): SharedMemory[] {
  return objects(kernel, namespace, 'shm', 'struct shmid_kernel', 'shm_perm', (segment, common) => ({
    kind: 'shm',
    ...common,
    bytes: segment.member('shm_segsz').number(),
    attached: segment.member('shm_nattch').number(),
    ...pagesOf(kernel, segment),
  }));
}

/** Arrays of semaphores of a namespace; as `sharedMemory`. */
export function semaphoreArrays(kernel: Kernel, namespace: KernelObject): SemaphoreArray[] {
  return objects(kernel, namespace, 'sem', 'struct sem_array', 'sem_perm', (array, common) => ({
    kind: 'sem',
    ...common,
    semaphores: array.member('sem_nsems').number(),
  }));
}

/** Message queues of a namespace; as `sharedMemory`. */
export function messageQueues(kernel: Kernel, namespace: KernelObject): MessageQueue[] {
  return objects(kernel, namespace, 'msg', 'struct msg_queue', 'q_perm', (queue, common) => ({
    kind: 'msg',
    ...common,
    bytes: queue.member('q_cbytes').number(),
    messages: queue.member('q_qnum').number(),
  }));
}

function objects<T>(
  kernel: Kernel,
  namespace: KernelObject,
  table: keyof typeof tables,
  type: string,
  permission: string,
  read: (object: KernelObject, common: IpcObject) => T,
): T[] {
  const found: T[] = [];
  const what = `System V IPC (${table})`;
  kernel.faults.attempt(
    what,
    () => {
      // an IDR: a radix tree, or an xarray, since 0a835c4f090a (4.11)
      const ids = namespace.member('ids').index(tables[table]).member('ipcs_idr.idr_rt');
      for (const { entry } of xarrayEntries(ids, kernel.faults)) {
        kernel.faults.attempt(
          what,
          () => {
            const held = kernel.object('struct kern_ipc_perm', entry);
            if (held.member('deleted').bool()) return;
            const object = held.containerOf(type, permission);
            const common: IpcObject = {
              address: object.address,
              key: held.member('key').number(),
              id: held.member('id').number(),
              uid: held.memberAmong('uid.val', 'uid').number(),
              mode: held.member('mode').number(),
            };
            found.push(read(object, common));
          },
          undefined,
        );
      }
    },
    undefined,
  );
  return found;
}

function pagesOf(
  kernel: Kernel,
  segment: KernelObject,
): { resident: number | null; swapped: number | null; inode: VirtAddr } {
  const none = { resident: null, swapped: null, inode: 0n as VirtAddr };
  return kernel.faults.attempt(
    'shared memory',
    () => {
      const file = openFile(kernel, segment.member('shm_file').pointer());
      if (file.path === null) return none;
      const { address, pages } = inodeAt(kernel, file.path.inode);
      const inode = kernel.object('struct inode', address);
      const kind = inode.member('i_sb').member('s_type').member('name').string(32);
      if (kind === 'hugetlbfs') {
        const held = inode.member('i_sb').member('s_fs_info');
        const info = held.cast({ kind: 'pointer', size: 8, target: kernel.type('struct hugetlbfs_sb_info') });
        const order = info.member('hstate').member('order').number();
        return { resident: pages === null ? null : pages * 2 ** order, swapped: 0, inode: address };
      }
      const swapped = kernel.faults.attempt(
        'swapped pages of shared memory',
        () => inode.containerOf('struct shmem_inode_info', 'vfs_inode').member('swapped').number(),
        null,
      );
      return { resident: pages, swapped, inode: address };
    },
    none,
  );
}
