// include/linux/fs/super_types.h (fs.h before 6.19): what of a file system is held in memory.
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { strip } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';

/** I_DIRTY_SYNC, I_DIRTY_DATASYNC and I_DIRTY_PAGES (include/linux/fs.h), the lowest bits of i_state ever since 2.6. */
const dirty = 7n;

/** Virtual addresses of the inodes of a `struct super_block` that are still to be written. A list that breaks off is a fault. */
export function* dirtyInodes(kernel: Kernel, superblock: KernelObject): Generator<VirtAddr> {
  const inodes = listEntries(superblock.member('s_inodes'), 'struct inode', 'i_sb_list');
  for (;;) {
    kernel.work.charge('nodes', 1);
    const next = kernel.faults.attempt('inodes', () => inodes.next(), null);
    if (next === null || next.done) return;
    const state = kernel.faults.attempt('inode', () => stateOf(next.value), 0n);
    if ((state & dirty) !== 0n) yield next.value.address;
  }
}

/** Most mounts of one superblock that are looked at. */
const maxMounts = 10_000;

/** The mounts of a superblock: virtual addresses of each `struct mount`. @throws MemoryFault */
export function* mountsOf(kernel: Kernel, superblock: KernelObject): Generator<VirtAddr> {
  const mounts = superblock.member('s_mounts');
  if (strip(mounts.type).kind !== 'pointer') {
    for (const mount of listEntries(mounts, 'struct mount', 'mnt_instance')) yield mount.address;
    return;
  }
  // a plain chain since 6.18, a list_head before
  let next = mounts;
  for (let i = 0; i < maxMounts && !next.isNull; i++) {
    const mount = next.deref();
    yield mount.address;
    kernel.work.charge('nodes', 1);
    const following = mount.optional('mnt_next_for_sb');
    if (following === null) return;
    next = following;
  }
}

/** The first mount of a superblock: virtual address of its `struct mount`; null if it is mounted nowhere. @throws MemoryFault */
export function firstMountOf(kernel: Kernel, superblock: KernelObject): VirtAddr | null {
  for (const mount of mountsOf(kernel, superblock)) return mount;
  return null;
}

/** i_state: within a struct of its own since 6.19. */
function stateOf(inode: KernelObject): bigint {
  const state = inode.member('i_state');
  return strip(state.type).kind === 'struct' ? state.member('__state').bigint() : state.bigint();
}
