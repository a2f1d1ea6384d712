// Explanations of what does not end.
import type { IncidentKind } from '../kinds.ts';
import {
  hardPanic,
  hungPanic,
  hungTimeout,
  panicTimeout,
  rcuPanic,
  rcuTimeout,
  softPanic,
  watchdogThresh,
} from '../sysctls.ts';
import type { Explanation } from './explanation.ts';

export const hangs = {
  'soft-lockup': {
    meaning: 'A CPU ran kernel code for longer than twice kernel.watchdog_thresh without letting anything else run.',
    causes: [
      'a loop that does not end or does not reschedule',
      'a spinlock whose holder is gone or waits for this CPU',
      'very long lists or a flood of work',
      'a virtual CPU that its host did not run',
    ],
    next: [
      'bt -c %CPU',
      'bt -a: who holds what the CPU spins on',
      'dis -lr of the function: what ends the loop',
      'runq',
    ],
    sysctls: [
      softPanic,
      watchdogThresh,
      {
        name: 'kernel.softlockup_all_cpu_backtrace',
        variables: ['sysctl_softlockup_all_cpu_backtrace'],
        meaning: '1: show all CPUs on a soft lockup',
      },
      panicTimeout,
    ],
  },
  'hard-lockup': {
    meaning:
      'A CPU did not take timer interrupts for kernel.watchdog_thresh seconds: it runs with interrupts off, or not at all.',
    causes: [
      'a spinlock taken with interrupts off, whose holder does not let go',
      'a loop with interrupts off',
      'firmware (SMI) or a host that keeps the CPU',
      'hardware that hangs on a read',
    ],
    next: ['bt -c %CPU', 'bt -a: find the holder of the lock', 'dis -lr of the function', 'irq; runq'],
    sysctls: [
      hardPanic,
      watchdogThresh,
      {
        name: 'kernel.nmi_watchdog',
        variables: ['watchdog_hardlockup_user_enabled', 'nmi_watchdog_user_enabled'],
        meaning: '1: the detector is on',
      },
      panicTimeout,
    ],
  },
  'rcu-stall': {
    meaning:
      'An RCU grace period does not end: a CPU or task stays in a read-side section, or the RCU threads do not get to run.',
    causes: [
      'a loop in the kernel with preemption or interrupts off',
      'a task preempted inside rcu_read_lock() by real-time load',
      'a starved rcu_preempt/rcu_sched thread',
      'a very slow console',
      'a virtual CPU that its host did not run',
    ],
    next: ['bt -c %CPU', 'bt -a', 'ps -m | grep rcu: when did the RCU threads run', 'runq'],
    sysctls: [
      rcuPanic,
      rcuTimeout,
      {
        name: 'kernel.max_rcu_stall_to_panic',
        variables: ['sysctl_max_rcu_stall_to_panic'],
        meaning: 'number of stalls after which the kernel panics',
      },
      panicTimeout,
    ],
  },
  'hung-task': {
    meaning: 'A task has slept uninterruptibly for longer than kernel.hung_task_timeout_secs.',
    causes: [
      'a lock whose holder waits itself (deadlock) or died',
      'storage or a network file system that does not answer',
      'a missed wake-up',
      'plain overload',
    ],
    next: [
      'bt %PID',
      'foreach UN bt: all blocked tasks; the one that waits for none of them is the culprit',
      'struct mutex.owner / struct rw_semaphore.owner of the lock',
      'ps -m: since when',
      'dev -d: I/O in flight',
    ],
    sysctls: [
      hungPanic,
      hungTimeout,
      {
        name: 'kernel.hung_task_warnings',
        variables: ['sysctl_hung_task_warnings'],
        meaning: 'how many more reports will be printed; 0: none',
      },
      panicTimeout,
    ],
  },
  'workqueue-lockup': {
    meaning: 'Work items of a pool have been waiting for long while no worker made progress.',
    causes: [
      'a work item that does not end or does not sleep',
      'a CPU kept busy by something else',
      'all workers blocked on one lock',
    ],
    next: ['foreach kworker bt', 'bt -a', 'runq', 'the message lists pending and in-flight items'],
    sysctls: [
      {
        name: 'workqueue.watchdog_thresh',
        variables: ['wq_watchdog_thresh'],
        meaning: 'seconds until a pool counts as stuck (module parameter)',
      },
      {
        name: 'workqueue.panic_on_stall',
        variables: ['wq_panic_on_stall'],
        meaning: 'number of stalls after which the kernel panics',
      },
    ],
  },
  'netdev-unregister': {
    meaning:
      'A network device cannot go away because somebody still holds a reference to it; whoever removes it waits.',
    causes: ['a leaked reference (dst entry, socket, route, neighbour)', 'a task that holds one and hangs itself'],
    next: ['net', 'foreach UN bt', 'struct net_device.refcnt_tracker where tracked'],
    sysctls: [],
  },
} satisfies Partial<Record<IncidentKind, Explanation>>;
