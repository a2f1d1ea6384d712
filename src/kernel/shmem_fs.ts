// include/linux/shmem_fs.h: tmpfs mounts and the memory that their files take.
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { pathNames } from './path.ts';
import { percpuCounter } from './sched.ts';
import { firstMountOf } from './super_block.ts';

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
            if (name !== 'tmpfs' && name !== 'devtmpfs') return;
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

/** Path of a superblock's first mount, in its namespace; empty if it is mounted nowhere. */
function mountPoint(kernel: Kernel, sb: KernelObject): string {
  const mount = firstMountOf(sb);
  return mount === null ? '' : pathNames(kernel).ofMount(mount);
}
