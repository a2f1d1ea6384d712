// What neither a dump from elsewhere nor the picture of its /proc tells.
import type { ExpectedVerdict } from './scenario.ts';

export interface Given {
  readonly verdict: ExpectedVerdict;
  /** Why memory and processes at the crash differ much from the picture. */
  readonly moves?: string;
}

/** What such a dump's kernel died of, by the folder's name: of any other, all but its verdict is judged. */
export const givenDumps: Readonly<Record<string, Given>> = {
  '6.1-deadlock': { verdict: { kind: 'hung-task', at: 'crashme_write', task: 'khungtaskd' } },
  '6.1-null': { verdict: { kind: 'null-pointer', at: 'crashme_update_stats', task: 'sh' } },
  '6.1-oom': {
    verdict: { kind: 'out-of-memory', at: 'shmem_write_begin', task: 'dd' },
    moves: 'memory was used up',
  },
  '6.1-softlockup': { verdict: { kind: 'soft-lockup', at: 'crashme_write', task: 'sh' } },
  '6.12-null': { verdict: { kind: 'null-pointer', at: 'crashme_update_stats', task: 'sh' } },
  '6.12-whole-null': { verdict: { kind: 'null-pointer', at: 'crashme_update_stats', task: 'sh' } },
  'arm64-6.1-sysrq': { verdict: { kind: 'sysrq', at: 'sysrq_handle_crash', task: 'init' } },
};

/** What the making of such a picture itself changed before the crash. */
export interface Change {
  /** Of what changed: names of tasks, of devices of mounts, of modules, of slab caches. */
  readonly names: RegExp;
  readonly why: string;
}

/** What went: tasks, mounts, and users of modules. */
export const unmounted: Change = {
  names: /^(?:\/dev\/vda|jbd2\/vda|ext4-rsv-conver|kworker\/R-ext4-|virtio_blk)/,
  why: 'the file system that the picture was written to was unmounted',
};

/** What became more: inodes and names of /proc's files, and memory of as many buffers as files were read. */
export const pictured: Change = {
  names: /^(?:proc_inode_cache|dentry|lsm_inode_cache|numa_policy|vmap_area)$/,
  why: 'the picture read the counts first, and then the files of every process',
};
