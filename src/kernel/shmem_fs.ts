// include/linux/shmem_fs.h: tmpfs mounts and the memory that their files take.
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { pathNames } from './path.ts';
import { percpuCounter } from './sched.ts';
import { mountsOf } from './super_block.ts';

/** TMPFS_MAGIC (include/uapi/linux/magic.h). */
const tmpfsMagic = 0x0102_1994n;

/** One tmpfs instance. */
export interface TmpfsUse {
  /** Where it is mounted; empty for the kernel's own (System V shared memory, memfd). */
  readonly mountedOn: string;
  /** Virtual address of its `struct shmem_sb_info`. */
  readonly info: bigint;
  /** Pages of its files. */
  readonly usedPages: number;
  /** Largest number of pages that it may take; 0 for no limit. */
  readonly maxPages: number;
}

/** Every tmpfs that counts its blocks, largest first. The kernel's internal mount has no limit and is not counted. */
export function readTmpfs(kernel: Kernel): TmpfsUse[] {
  const found: TmpfsUse[] = [];
  kernel.faults.attempt(
    'superblocks',
    () => {
      for (const sb of listEntries(kernel.variable('super_blocks'), 'struct super_block', 's_list')) {
        kernel.faults.attempt(
          'tmpfs',
          () => {
            const name = sb.member('s_type').member('name').string(32);
            if (!/^(tmpfs|devtmpfs|rootfs)$/.test(name)) return;
            // the first root file system is a tmpfs, or a ramfs, which counts nothing
            if (name === 'rootfs' && sb.optional('s_magic')?.bigint() !== tmpfsMagic) return;
            const info = sb
              .member('s_fs_info')
              .cast({ kind: 'pointer', size: 8, target: kernel.type('struct shmem_sb_info') });
            if (info.isNull) return;
            const maxPages = info.member('max_blocks').number();
            if (maxPages === 0) return;
            const mountedOn = kernel.faults.attempt('mount point', () => mountPoint(kernel, sb), '');
            found.push({
              mountedOn,
              info: info.pointer(),
              usedPages: percpuCounter(kernel, info.member('used_blocks')),
              maxPages,
            });
          },
          undefined,
        );
      }
    },
    undefined,
  );
  return found.sort((a, b) => b.usedPages - a.usedPages);
}

/**
 * Path of a superblock's first mount that is mounted upon another (what the kernel mounted for itself is not), in its
 * namespace; else of its first. Empty if it is mounted nowhere.
 */
function mountPoint(kernel: Kernel, sb: KernelObject): string {
  let first: VirtAddr | null = null;
  for (const mount of mountsOf(kernel, sb)) {
    first ??= mount;
    if (kernel.object('struct mount', mount).member('mnt_parent').pointer() !== mount)
      return pathNames(kernel).ofMount(mount);
  }
  return first === null ? '' : pathNames(kernel).ofMount(first);
}
