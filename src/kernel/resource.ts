// include/uapi/asm-generic/resource.h: resource limits of a process.
import type { Task } from './task.ts';

/** RLIMIT_* in order of their numbers, without the prefix; the same on x86_64 and arm64. */
const limitNames = [
  'CPU',
  'FSIZE',
  'DATA',
  'STACK',
  'CORE',
  'RSS',
  'NPROC',
  'NOFILE',
  'MEMLOCK',
  'AS',
  'LOCKS',
  'SIGPENDING',
  'MSGQUEUE',
  'NICE',
  'RTPRIO',
  'RTTIME',
] as const;

const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

export interface ResourceLimit {
  readonly name: string;
  /** null: unlimited. */
  readonly current: bigint | null;
  /** null: unlimited. */
  readonly maximum: bigint | null;
}

/** The limits of the task's process. @throws NotFoundError; MemoryFault where the process has given up its signal_struct */
export function resourceLimits(task: Task): ResourceLimit[] {
  const limits = task.object.member('signal').member('rlim');
  const limit = (value: bigint): bigint | null => (value === RLIM_INFINITY ? null : value);
  return [...limits.elements(limitNames.length)].map((entry, i) => ({
    name: limitNames[i]!,
    current: limit(entry.member('rlim_cur').bigint()),
    maximum: limit(entry.member('rlim_max').bigint()),
  }));
}
