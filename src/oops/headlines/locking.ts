// What locks and the scheduler announce of their misuse: kernel/locking, kernel/sched/core.c, kernel/rcu.
import { number, type Rule } from './headline.ts';

export const lockingRules: readonly Rule[] = [
  {
    pattern: /^(?:BUG|Debug): sleeping function called from invalid context(?: at (\S{1,300}))?/,
    make: (m) => ({
      kind: 'atomic-sleep',
      title: 'BUG: sleeping function called from invalid context in %F',
      file: m[1],
    }),
  },
  {
    pattern: /^bad: scheduling from the idle thread!/,
    make: () => ({ kind: 'atomic-sleep', title: 'bad: scheduling from the idle thread in %F' }),
  },
  {
    pattern: /^(?:BUG: |bad: )?scheduling (?:while|in) atomic(?:: (.{1,64})\/(\d{1,10})\/(?:0x)?[0-9a-f]{1,8})?/,
    make: (m) => ({
      kind: 'atomic-sleep',
      title: 'BUG: scheduling while atomic in %F',
      comm: m[1],
      pid: number(m[2]),
    }),
  },
  {
    pattern: /^BUG: using (\S{1,60}?)(?:\(\))? in preemptible (?:\[[0-9a-f]{1,8}\] )?code: (.{1,64})\/(\d{1,10})/,
    make: (m) => ({
      kind: 'preempt',
      title: `BUG: using ${m[1]}() in preemptible code in %F`,
      comm: m[2],
      pid: number(m[3]),
    }),
  },
  {
    pattern:
      /^BUG: (spinlock|rwlock|read-lock|write-lock|read-write lock|rwsem|rtmutex|mutex|spin_lock) ([a-z][\w -]{1,40}?) on CPU#(\d{1,5})(?:, (.{1,64})\/(\d{1,10}))?/,
    make: (m) => ({
      kind: 'spinlock-bug',
      title: `BUG: ${m[1]} ${m[2]} in %F`,
      cpu: number(m[3]),
      comm: m[4],
      pid: number(m[5]),
    }),
  },
  {
    pattern:
      /^(?:\[ )?(?:WARNING|INFO|BUG): (possible circular locking dependency detected|possible recursive locking detected|possible irq lock inversion dependency detected|possible deadlock|\S{1,20}-safe -> \S{1,20}-unsafe lock order detected|DEPT detected|circular locking dependency)/,
    make: () => ({ kind: 'lockdep', title: 'possible deadlock in %F' }),
  },
  {
    pattern: /^(?:\[ )?(?:WARNING|INFO|BUG): inconsistent lock state\b/,
    make: () => ({ kind: 'lockdep', title: 'inconsistent lock state in %F' }),
  },
  {
    pattern:
      /^(?:\[ )?(WARNING|INFO|BUG): (bad unlock balance|bad contention|held lock freed|Nested lock was not taken|[Ii]nvalid wait context)/,
    make: (m) => ({ kind: 'lockdep', title: `${m[1]}: ${m[2]!.toLowerCase()} in %F` }),
  },
  {
    pattern: /^(?:\[ )?(?:WARNING|INFO|BUG): trying to register non-static key/,
    make: () => ({ kind: 'lockdep', title: 'INFO: trying to register non-static key in %F' }),
  },
  {
    pattern: /^INFO: trying to register non-static key/,
    make: () => ({ kind: 'lockdep', title: 'INFO: trying to register non-static key in %F' }),
  },
  {
    pattern: /^(?:\[ )?(WARNING|INFO|BUG): suspicious (RCU|RCU-preempt|RCU_\w{1,20}) usage/,
    make: () => ({ kind: 'suspicious-rcu', title: 'WARNING: suspicious RCU usage in %F' }),
  },
  {
    pattern: /^(?:\[ )?(WARNING|INFO|BUG): lock held when returning to user ?space/,
    make: (m) => ({
      kind: 'locks-held',
      title: `${m[1]}: lock held when returning to user space in %F`,
      traceless: true,
    }),
  },
  {
    pattern: /^(?:\[ )?(WARNING|INFO|BUG): (.{1,64})\/(\d{1,10}) still has locks held/,
    make: (m) => ({ kind: 'locks-held', title: `${m[1]}: still has locks held in %F`, comm: m[2], pid: number(m[3]) }),
  },
  {
    // since 6.9 `kworker/0:1[123]`, before `kworker/0:1/0x00000001/123`
    pattern:
      /^BUG: workqueue leaked (?:lock|atomic|RCU)[^:]{0,40}: (.{1,64}?)(?:\/(?:0x)?[0-9a-f]{1,8}\/|\[)(\d{1,10})\]?\s*$/,
    make: (m) => ({
      kind: 'locks-held',
      title: 'BUG: workqueue leaked lock or atomic in %F',
      comm: m[1],
      pid: number(m[2]),
      traceless: true,
    }),
  },
];
