// include/net/net_namespace.h: network namespaces.
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import type { Task } from './task.ts';

/** The `struct net` of every network namespace, the first one first. A list that breaks off is a fault. */
export function networkNamespaces(kernel: Kernel): KernelObject[] {
  const found: KernelObject[] = [];
  kernel.faults.attempt(
    'network namespaces',
    () => {
      for (const net of listEntries(kernel.variable('net_namespace_list'), 'struct net', 'list')) found.push(net);
    },
    undefined,
  );
  const first = kernel.ownSymbol('init_net')?.address;
  return found.sort((a, b) => Number(b.address === first) - Number(a.address === first));
}

/** The `struct net` of the first namespace. @throws NotFoundError for kernels without networking */
export function initNet(kernel: Kernel): KernelObject {
  return kernel.variable('init_net');
}

/** The `struct net` of a task; null for one that has left its namespaces, as the dead have. @throws NotFoundError, MemoryFault */
export function networkOf(task: Task): KernelObject | null {
  const proxy = task.object.member('nsproxy');
  if (proxy.isNull) return null;
  return proxy.member('net_ns').deref();
}
