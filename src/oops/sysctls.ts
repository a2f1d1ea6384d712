// The settings that decide whether the kernel reports something, and whether it panics on it.

/** A setting, and where a dump has its value. */
export interface Sysctl {
  /** As in /proc/sys: `kernel.panic_on_oops`. */
  name: string;
  /** The kernel variables that hold the value, newest first: a dump can be asked for it. */
  variables: readonly string[];
  meaning: string;
}

export const panicOnOops: Sysctl = {
  name: 'kernel.panic_on_oops',
  variables: ['panic_on_oops'],
  meaning: '1: every oops and BUG() panics; 0: the task is killed and the kernel goes on, damaged',
};
export const panicOnWarn: Sysctl = {
  name: 'kernel.panic_on_warn',
  variables: ['panic_on_warn'],
  meaning: '1: every WARN() panics',
};
export const panicTimeout: Sysctl = {
  name: 'kernel.panic',
  variables: ['panic_timeout'],
  meaning: 'seconds until a reboot after a panic; 0: never',
};
const oopsLimit: Sysctl = {
  name: 'kernel.oops_limit',
  variables: ['oops_limit'],
  meaning: 'number of oopses after which the kernel panics',
};
const warnLimit: Sysctl = {
  name: 'kernel.warn_limit',
  variables: ['warn_limit'],
  meaning: 'number of warnings after which the kernel panics; 0: never',
};
export const softPanic: Sysctl = {
  name: 'kernel.softlockup_panic',
  variables: ['softlockup_panic'],
  meaning: '1 (newer kernels: number of thresholds): a soft lockup panics',
};
export const hardPanic: Sysctl = {
  name: 'kernel.hardlockup_panic',
  variables: ['hardlockup_panic'],
  meaning: '1: a hard lockup panics',
};
export const watchdogThresh: Sysctl = {
  name: 'kernel.watchdog_thresh',
  variables: ['watchdog_thresh'],
  meaning: 'seconds until a hard lockup is reported; a soft lockup takes twice as long; 0: off',
};
export const hungPanic: Sysctl = {
  name: 'kernel.hung_task_panic',
  variables: ['sysctl_hung_task_panic'],
  meaning: '1: a hung task panics',
};
export const hungTimeout: Sysctl = {
  name: 'kernel.hung_task_timeout_secs',
  variables: ['sysctl_hung_task_timeout_secs'],
  meaning: 'seconds in uninterruptible sleep until a task counts as hung; 0: off',
};
export const rcuPanic: Sysctl = {
  name: 'kernel.panic_on_rcu_stall',
  variables: ['sysctl_panic_on_rcu_stall'],
  meaning: '1: an RCU stall panics',
};
export const rcuTimeout: Sysctl = {
  name: 'rcupdate.rcu_cpu_stall_timeout',
  variables: ['rcu_cpu_stall_timeout'],
  meaning: 'seconds until a grace period that does not end is reported (boot or module parameter)',
};
export const oomPanic: Sysctl = {
  name: 'vm.panic_on_oom',
  variables: ['sysctl_panic_on_oom'],
  meaning: '0: kill a task; 1: panic unless a cpuset or memory policy is the limit; 2: always panic',
};
export const nmiUnrecovered: Sysctl = {
  name: 'kernel.panic_on_unrecovered_nmi',
  variables: ['panic_on_unrecovered_nmi'],
  meaning: '1: an unrecoverable NMI panics',
};
export const nmiUnknown: Sysctl = {
  name: 'kernel.unknown_nmi_panic',
  variables: ['unknown_nmi_panic'],
  meaning: '1: an NMI of unknown reason panics',
};
export const nmiIo: Sysctl = {
  name: 'kernel.panic_on_io_nmi',
  variables: ['panic_on_io_nmi'],
  meaning: '1: an NMI for an I/O error panics',
};
export const memoryFailureRecovery: Sysctl = {
  name: 'vm.memory_failure_recovery',
  variables: ['sysctl_memory_failure_recovery'],
  meaning: '1: go on after an uncorrected memory error where possible; 0: panic',
};

export const oopsSysctls: readonly Sysctl[] = [panicOnOops, oopsLimit, panicTimeout];
export const warnSysctls: readonly Sysctl[] = [panicOnWarn, warnLimit, panicTimeout];
