// System V IPC: shared memory, semaphores and message queues of a namespace.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { ipcNamespaceOf, messageQueues, semaphoreArrays, sharedMemory } from '../../src/kernel/ipc.ts';
import { FileWorld, fileTypes, modes } from '../support/file_writer.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const { task, types } = fileTypes();
const more = {
  task,
  types: `${types.replace('struct nsproxy {', 'struct nsproxy { struct ipc_namespace *ipc_ns;')}
    struct kuid { u32 val; };
    struct kern_ipc_perm { bool deleted; int id; int key; struct kuid uid; u16 mode; };
    struct idr { struct xarray idr_rt; };
    struct ipc_ids { int in_use; struct idr ipcs_idr; };
    struct ipc_namespace { struct ipc_ids ids[3]; };
    struct shmid_kernel { struct kern_ipc_perm shm_perm; struct file *shm_file; unsigned long shm_nattch;
      unsigned long shm_segsz; };
    struct sem_array { struct kern_ipc_perm sem_perm; int sem_nsems; };
    struct msg_queue { struct kern_ipc_perm q_perm; unsigned long q_cbytes; unsigned long q_qnum; };
    struct shmem_inode_info { unsigned long swapped; struct inode vfs_inode; };
  `,
};

class World extends FileWorld {
  readonly namespaceObject: KernelObject;

  constructor() {
    super(machine({ more }));
    this.namespaceObject = this.kernel.allocate('struct ipc_namespace', 'init_ipc_ns');
  }

  /** Puts objects into a table of the namespace. @param table 0 semaphores, 1 queues, 2 shared memory */
  hold(
    table: number,
    type: string,
    permission: string,
    all: readonly Record<string, number | bigint | KernelObject>[],
  ) {
    const { kernel } = this;
    const node = kernel.allocate('struct xa_node');
    kernel.set(this.namespaceObject, `ids[${table}].ipcs_idr.idr_rt.xa_head`, node.address | 2n);
    return all.map((members, i) => {
      const object = kernel.allocate(type);
      for (const [path, value] of Object.entries(members)) kernel.set(object, path, value);
      kernel.set(node, `slots[${i}]`, object.member(permission));
      return object;
    });
  }

  shmFile(pages: number, swapped: number): KernelObject {
    const { kernel } = this;
    const info = kernel.allocate('struct shmem_inode_info');
    const inode = info.member('vfs_inode');
    const mapping = kernel.allocate('struct address_space');
    kernel.set(mapping, 'nrpages', pages);
    kernel.set(info, 'swapped', swapped);
    kernel.set(inode, 'i_mode', modes.regular);
    kernel.set(inode, 'i_mapping', mapping);
    kernel.set(inode, 'i_sb', this.filesystem('tmpfs'));
    const dentry = this.dentry('SYSV00000000', null);
    kernel.set(dentry, 'd_inode', inode);
    return this.file(null, dentry);
  }
}

describe('System V IPC', () => {
  test('shared memory with its pages', () => {
    const world = new World();
    world.hold(2, 'struct shmid_kernel', 'shm_perm', [
      {
        'shm_perm.key': 7,
        'shm_perm.id': 32769,
        'shm_perm.uid.val': 1000,
        'shm_perm.mode': 0o2600,
        shm_segsz: 90000,
        shm_nattch: 2,
        shm_file: world.shmFile(3, 5),
      },
    ]);
    const [segment] = sharedMemory(world.kernel, world.namespaceObject);
    assert.deepEqual(
      [segment?.key, segment?.id, segment?.uid, segment?.mode, segment?.bytes, segment?.attached],
      [7, 32769, 1000, 0o2600, 90000, 2],
    );
    assert.deepEqual([segment?.resident, segment?.swapped], [3, 5]);
  });

  test('a segment whose file is missing keeps the rest', () => {
    const world = new World();
    const file = world.shmFile(3, 5);
    world.hold(2, 'struct shmid_kernel', 'shm_perm', [{ shm_segsz: 4096, shm_file: file }]);
    world.kernel.space.exclude(file.address);
    const { value, faults } = world.kernel.faults.collect(() => sharedMemory(world.kernel, world.namespaceObject));
    assert.deepEqual([value[0]?.bytes, value[0]?.resident, faults.length], [4096, null, 1]);
  });

  test('semaphores and queues; what is being deleted is left out, what is missing is told', () => {
    const world = new World();
    world.hold(0, 'struct sem_array', 'sem_perm', [
      { 'sem_perm.id': 1, sem_nsems: 4 },
      { 'sem_perm.deleted': 1, sem_nsems: 9 },
    ]);
    const queues = world.hold(1, 'struct msg_queue', 'q_perm', [
      { 'q_perm.id': 1 },
      { 'q_perm.id': 2, q_cbytes: 300, q_qnum: 3 },
    ]);
    world.kernel.space.exclude(queues[0]!.address);
    const { value, faults } = world.kernel.faults.collect(() => ({
      semaphores: semaphoreArrays(world.kernel, world.namespaceObject).map(({ semaphores }) => semaphores),
      queues: messageQueues(world.kernel, world.namespaceObject).map(({ bytes, messages }) => [bytes, messages]),
    }));
    assert.deepEqual(value, { semaphores: [4], queues: [[300, 3]] });
    assert.equal(faults.length, 1);
  });

  test("a task's namespace; the first one for a task that has left its own", () => {
    const world = new World();
    const { kernel } = world;
    const [inside, dead] = [newTask(kernel, { pid: 5 }), newTask(kernel, { pid: 6 })];
    const [proxy, namespace] = [kernel.allocate('struct nsproxy'), kernel.allocate('struct ipc_namespace')];
    kernel.set(proxy, 'ipc_ns', namespace);
    kernel.set(inside, 'nsproxy', proxy);
    linkTasks(kernel, [inside, dead]);
    const of = (pid: number) => ipcNamespaceOf(kernel, kernel.tasks.byPid(pid)!).address;
    assert.deepEqual([of(5), of(6)], [namespace.address, world.namespaceObject.address]);
  });
});
