// Which struct the objects of a slab cache are: most caches are called after it, the others are told here.
import { sizeOf, type Type } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import type { SlabCache } from './slab_cache.ts';

/** Caches that are not called as their struct is, from where each is made (kmem_cache_create()). */
const structNames: Readonly<Record<string, string>> = {
  anon_vma_chain: 'anon_vma_chain',
  bdev_cache: 'bdev_inode',
  cred_jar: 'cred',
  dnotify_struct: 'dnotify_struct',
  eventpoll_epi: 'epitem',
  ext4_inode_cache: 'ext4_inode_info',
  fanotify_event: 'fanotify_event',
  file_lock_cache: 'file_lock',
  files_cache: 'files_struct',
  filp: 'file',
  fs_cache: 'fs_struct',
  hugetlbfs_inode_cache: 'hugetlbfs_inode_info',
  inode_cache: 'inode',
  inotify_inode_mark: 'inotify_inode_mark',
  iommu_iova: 'iova',
  kernfs_node_cache: 'kernfs_node',
  mnt_cache: 'mount',
  mqueue_inode_cache: 'mqueue_inode_info',
  nf_conntrack: 'nf_conn',
  numa_policy: 'mempolicy',
  posix_timers_cache: 'k_itimer',
  proc_inode_cache: 'proc_inode',
  radix_tree_node: 'xa_node',
  RAW: 'raw_sock',
  RAWv6: 'raw6_sock',
  shmem_inode_cache: 'shmem_inode_info',
  sighand_cache: 'sighand_struct',
  signal_cache: 'signal_struct',
  skbuff_fclone_cache: 'sk_buff_fclones',
  skbuff_head_cache: 'sk_buff',
  sock_inode_cache: 'socket_alloc',
  TCP: 'tcp_sock',
  TCPv6: 'tcp6_sock',
  tracefs_inode_cache: 'tracefs_inode',
  UDP: 'udp_sock',
  UDPv6: 'udp6_sock',
  UNIX: 'unix_sock',
  xfs_inode: 'xfs_inode',
};

/** The struct that a cache's objects are; null for caches of several kinds (kmalloc), and where the type does not fit. */
export function slabType(kernel: Kernel, cache: SlabCache): Type | null {
  const { name, objectSize } = cache;
  if (name === null) return null;
  const struct = Object.hasOwn(structNames, name) ? structNames[name]! : name;
  if (!/^\w+$/.test(struct)) return null;
  const type = kernel.types.find(`struct ${struct}`);
  const size = type === null ? 0 : sizeOf(type);
  // task_struct ends with room for registers that a machine may not have; others may be a little larger than their struct
  return type !== null && size > 0 && (size <= objectSize || struct === 'task_struct') ? type : null;
}
