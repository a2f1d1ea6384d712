// Dumps from elsewhere that the lab's facts judge: what neither the dump nor the picture of its /proc tells, by the folder's name.
import type { ExpectedVerdict } from './scenario.ts';

export interface Given {
  readonly verdict: ExpectedVerdict;
  /** Why memory and processes at the crash differ much from the picture. */
  readonly moves?: string;
  /** makedumpfile's dump level. */
  readonly level: number;
  /** What went between the picture and the crash, and why; null if nothing did. */
  readonly gone: Change | null;
  /** Slab caches that have more objects than the picture says, and why; null if none has. */
  readonly made: Change | null;
}

export interface Change {
  /** Of what went: names of tasks, of devices of mounts, and of modules that have fewer users than they had. */
  readonly names: RegExp;
  readonly why: string;
}

const unmounted: Change = {
  names: /^(?:\/dev\/vda|jbd2\/vda|ext4-rsv-conver|ext4lazyinit|kworker\/R-ext4-|virtio_blk)/,
  why: 'the file system that the picture was written to was unmounted',
};

/** Inodes and names of /proc's files, and memory of as many buffers as files were read. */
const pictured: Change = {
  names: /^(?:proc_inode_cache|dentry|lsm_inode_cache|numa_policy|vmap_area)$/,
  why: 'the picture read the counts first, and then the files of every process',
};

export const givenDumps: Readonly<Record<string, Given>> = {
  '6.1-deadlock': {
    verdict: { kind: 'hung-task', at: 'crashme_write', task: 'khungtaskd' },
    level: 31,
    gone: unmounted,
    made: pictured,
  },
  '6.1-null': {
    verdict: { kind: 'null-pointer', at: 'crashme_update_stats', task: 'sh' },
    level: 31,
    gone: unmounted,
    made: pictured,
  },
  '6.1-oom': {
    verdict: { kind: 'out-of-memory', at: 'shmem_write_begin', task: 'dd' },
    moves: 'memory was used up',
    level: 31,
    gone: unmounted,
    made: pictured,
  },
  '6.1-softlockup': {
    verdict: { kind: 'soft-lockup', at: 'crashme_write', task: 'sh' },
    level: 31,
    gone: unmounted,
    made: pictured,
  },
  '6.12-null': {
    verdict: { kind: 'null-pointer', at: 'crashme_update_stats', task: 'sh' },
    level: 31,
    gone: unmounted,
    made: pictured,
  },
  '6.12-whole-null': {
    verdict: { kind: 'null-pointer', at: 'crashme_update_stats', task: 'sh' },
    level: 31,
    gone: unmounted,
    made: pictured,
  },
  'arm64-6.1-sysrq': {
    verdict: { kind: 'sysrq', at: 'sysrq_handle_crash', task: 'init' },
    level: 1,
    gone: unmounted,
    made: pictured,
  },
};
