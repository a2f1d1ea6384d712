// What watchdogs announce: kernel/watchdog*.c, kernel/hung_task.c, kernel/rcu/tree_stall.h, kernel/workqueue.c.
import { number, type Rule } from './headline.ts';

export const hangRules: readonly Rule[] = [
  {
    pattern:
      /^(?:NMI )?(?:watchdog: )?BUG: soft lockup\b(?:.{0,20}CPU ?#?(\d{1,5}))?(?: stuck for \d{1,9}s!)?(?: \[(.{1,64}):(\d{1,10})\])?/,
    make: (m) => ({
      kind: 'soft-lockup',
      title: 'BUG: soft lockup in %F',
      cpu: number(m[1]),
      comm: m[2],
      pid: number(m[3]),
    }),
  },
  {
    pattern:
      /^(?:NMI )?(?:watchdog: ?|BUG: NMI )?(?:CPU ?\d{1,5}:? )?(?:NMI )?(?:[Ww]atchdog |self-)?detected (?:hard )?(?:LOCKUP|lockup)(?: on (?:other )?(?:cpus?|CPUs?) ?#?(\d{1,5}))?(?: @ (\S{1,300}))?/,
    make: (m) => ({
      kind: 'hard-lockup',
      title: 'Watchdog detected hard LOCKUP in %F',
      cpu: number(m[1] ?? /CPU ?(\d{1,5})/.exec(m[0])?.[1]),
      frame: m[2],
    }),
  },
  {
    pattern: /^Watchdog CPU:(\d{1,5}) Hard LOCKUP/,
    make: (m) => ({ kind: 'hard-lockup', title: 'Watchdog detected hard LOCKUP in %F', cpu: number(m[1]) }),
  },
  {
    pattern:
      /^(?:rcu: )?(?:INFO: )?(?:rcu\w{0,30}|Tasks\S{0,20}|srcu\w{0,20}):? (?:self-)?detected (?:expedited )?stalls?\b/i,
    make: () => ({ kind: 'rcu-stall', title: 'INFO: rcu detected stall in %F' }),
  },
  {
    pattern: /^(?:rcu: )?(?:INFO: )?rcu\w{0,30} kthread (?:starved|timer wakeup didn't happen) for \d{1,12} jiffies/,
    make: () => ({ kind: 'rcu-stall', title: 'INFO: rcu kthread starved in %F', strong: false }),
  },
  {
    pattern: /^INFO: task (.{1,64}?):(\d{1,10}) (?:\S{1,20} )?blocked (?:in I\/O wait )?for more than \d{1,9} seconds/,
    make: (m) => ({ kind: 'hung-task', title: 'INFO: task hung in %F', comm: m[1], pid: number(m[2]) }),
  },
  {
    pattern: /^BUG: workqueue lockup\b/,
    make: () => ({ kind: 'workqueue-lockup', title: 'BUG: workqueue lockup', traceless: true }),
  },
  {
    pattern: /^unregister_netdevice: waiting for (\S{1,64}) to become free/,
    make: () => ({
      kind: 'netdev-unregister',
      title: 'unregister_netdevice: waiting for DEV to become free',
      traceless: true,
    }),
  },
];
