// include/linux/nsproxy.h: the namespaces that a task lives in.
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';

export const namespaceKinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const;
export type NamespaceKind = (typeof namespaceKinds)[number];

/** A namespace. */
export interface Namespace {
  readonly kind: NamespaceKind;
  /** Virtual address of its struct: `uts_namespace`, `net`, ... */
  readonly address: VirtAddr;
  /** The number that /proc/PID/ns shows: `net:[4026531840]`; null where it cannot be read. */
  readonly number: number | null;
}

/**
 * The namespaces of a task, those that the kernel has. A task that has left them, as the dead have, is in its user
 * namespace alone. What cannot be read is a fault.
 */
export function namespacesOf(kernel: Kernel, task: Task): Namespace[] {
  const found: Namespace[] = [];
  for (const kind of namespaceKinds) {
    kernel.faults.attempt(
      `${kind} namespace`,
      () => {
        const namespace = namespaceOf(task, kind);
        if (namespace === null || namespace.isNull) return;
        const number = kernel.faults.attempt(
          `${kind} namespace`,
          () => namespace.memberAmong('ns.inum', 'proc_inum').number(),
          null,
        );
        found.push({ kind, address: namespace.pointer(), number });
      },
      undefined,
    );
  }
  return found;
}

function namespaceOf(task: Task, kind: NamespaceKind): KernelObject | null {
  switch (kind) {
    case 'user':
      return task.object.member('cred').member('user_ns');
    case 'pid': {
      // of its own number: the one in nsproxy is its children's. thread_pid since 2c4704756cab (4.19)
      const pid = task.object.memberAmong('thread_pid', 'pids[0].pid');
      return pid.isNull ? null : pid.member('numbers').index(pid.member('level').number()).member('ns');
    }
    default: {
      const proxy = task.object.member('nsproxy');
      return proxy.isNull ? null : proxy.optional(`${kind}_ns`);
    }
  }
}
