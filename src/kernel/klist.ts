// include/linux/klist.h, drivers/base/base.h: the lists by which buses and classes know their devices.
//
//   class --> subsys_private.klist_devices --> device_private.knode_class --> device
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';

/** The structs on a `struct klist`, each found from its `member`, without those that are being taken off. Throws as `listEntries`. */
export function* klistEntries(klist: KernelObject, type: string, member: string): Generator<KernelObject> {
  for (const node of listEntries(klist.member('k_list'), 'struct klist_node', 'n_node')) {
    // KNODE_DEAD is bit 0
    if ((node.member('n_klist').bigint() & 1n) === 0n) yield node.containerOf(type, member);
  }
}

/**
 * The devices of a class.
 * @param name of the variable: `block_class`
 * @throws NotFoundError, MemoryFault; FormatError for a broken list, after the devices before
 */
export function* classDevices(kernel: Kernel, name: string): Generator<KernelObject> {
  const own = subsystem(kernel, name);
  if (own === null) return;
  const devices = own.member('klist_devices');
  // the node moved from device to device_private with 570d0200123f (5.1)
  if (findMember(kernel.type('struct device'), 'knode_class') !== null) {
    yield* klistEntries(devices, 'struct device', 'knode_class');
    return;
  }
  for (const entry of klistEntries(devices, 'struct device_private', 'knode_class')) {
    yield entry.member('device').deref();
  }
}

/** What a class keeps for itself: a member of it, and since 7b884b7f24b4 (6.4) found by the list of all classes. */
function subsystem(kernel: Kernel, name: string): KernelObject | null {
  const owner = kernel.variable(name);
  const own = owner.optional('p');
  if (own !== null) return own.isNull ? null : own.deref();
  for (const kobject of listEntries(kernel.variable('class_kset').member('list'), 'struct kobject', 'entry')) {
    const candidate = kobject.containerOf('struct subsys_private', 'subsys.kobj');
    if (candidate.member('class').pointer() === owner.address) return candidate;
  }
  return null;
}
