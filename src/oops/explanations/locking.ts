// Explanations of locks, and sleeping, used as they must not be.
import type { IncidentKind } from '../kinds.ts';
import { oopsSysctls, panicOnWarn, panicTimeout } from '../sysctls.ts';
import type { Explanation } from './explanation.ts';

export const locking = {
  'atomic-sleep': {
    meaning:
      'Code that may sleep ran where sleeping is forbidden: with a spinlock held, interrupts off, or preemption disabled.',
    causes: [
      'a sleeping call (mutex, GFP_KERNEL allocation, msleep, user copy) under a spinlock or in an interrupt',
      'an unbalanced preempt_disable() or spin_lock() earlier',
    ],
    next: [
      'bt %PID',
      'look which lock in the trace is held around the call',
      'lockdep prints "locks held" where built in',
    ],
    sysctls: [panicOnWarn, panicTimeout],
  },
  lockdep: {
    meaning:
      'The lock checker found an order or a context of taking locks that can deadlock, even if it did not this time.',
    causes: [
      'two paths that take the same locks in opposite order',
      'a lock taken both in interrupts and with interrupts on',
      'a lock taken twice',
    ],
    next: ['read "Possible unsafe locking scenario" and the chain below it', 'bt %PID'],
    sysctls: [
      panicOnWarn,
      { name: 'kernel.prove_locking', variables: ['prove_locking'], meaning: '1: the checker is on' },
    ],
  },
  'suspicious-rcu': {
    meaning: 'A pointer protected by RCU was read without rcu_read_lock() or the lock that stands in for it.',
    causes: ['a missing rcu_read_lock()', 'the wrong rcu_dereference variant'],
    next: ['read the source line that the message names'],
    sysctls: [panicOnWarn],
  },
  'locks-held': {
    meaning: 'A task went on its way (to user space, exit or the next work item) with a lock still held.',
    causes: ['an error path without unlock'],
    next: ['the message names the lock and where it was taken'],
    sysctls: [panicOnWarn],
  },
  'spinlock-bug': {
    meaning: 'A lock was found in an impossible state: not initialised, held already, or released by somebody else.',
    causes: ['a lock in memory that was freed or never initialised', 'recursion', 'an unlock without lock'],
    next: ['bt', 'struct of the lock at the address in the message', 'kmem ADDRESS'],
    sysctls: oopsSysctls,
  },
  preempt: {
    meaning: 'Per-CPU data was used while the task could be moved to another CPU.',
    causes: ['a missing preempt_disable() or get_cpu()', 'this_cpu_ used where raw_cpu_ was meant'],
    next: ['bt %PID'],
    sysctls: [],
  },
} satisfies Partial<Record<IncidentKind, Explanation>>;
