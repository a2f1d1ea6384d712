// Explanations of deaths that somebody asked for, of the machine as a whole, and of hypervisors.
import type { IncidentKind } from '../kinds.ts';
import { oopsSysctls, panicOnOops, panicOnWarn, panicTimeout } from '../sysctls.ts';
import type { Explanation } from './explanation.ts';

export const machine = {
  sysrq: {
    meaning: 'Somebody asked for the crash: `c` in /proc/sysrq-trigger or SysRq-c. The kernel did as it was told.',
    causes: ['an operator, a cluster manager or a test wanted a dump of a system that did not answer'],
    next: ['bt: who wrote it', 'foreach UN bt; runq; log: why somebody wanted it', 'kmem -i'],
    sysctls: [
      { name: 'kernel.sysrq', variables: ['sysrq_enabled'], meaning: 'which SysRq functions are allowed' },
      panicTimeout,
    ],
  },
  panic: {
    meaning: 'The kernel stopped itself: a part of it called panic() with the reason given.',
    causes: ['the reason says it; the caller of panic() in the trace says who decided'],
    next: ['bt', 'log | tail -100', 'dis -lr of the caller of panic()'],
    sysctls: [panicTimeout, panicOnOops, panicOnWarn],
  },
  unknown: {
    meaning: 'The text shows registers or a trace of a dying kernel, but not what it said first.',
    causes: ['the beginning of the log is missing'],
    next: ['bt', 'log'],
    sysctls: oopsSysctls,
  },
  'root-mount': {
    meaning: 'The kernel found no root file system or no init program to run.',
    causes: [
      'a wrong root= parameter',
      'an initramfs that is missing or lacks the driver',
      'a disk that did not appear',
    ],
    next: ['log: the lines before list the block devices that were found', 'the kernel command line'],
    sysctls: [panicTimeout],
  },
  'init-killed': {
    meaning: 'Process 1 ended or was killed. The system cannot go on without it.',
    causes: [
      'init itself crashed (exitcode 0x0b is SIGSEGV, 0x07 SIGBUS, 0x09 SIGKILL)',
      'a wrong or damaged libc or init binary',
      'an oops in init',
      'init exited (exitcode 0x100 is exit(1))',
    ],
    next: ['log | tail -100', 'bt 1', 'the exit code in the message'],
    sysctls: [panicTimeout],
  },
  kvm: {
    meaning: 'The hypervisor part of the kernel could not go on.',
    causes: ['a bug in KVM', 'a CPU or firmware that behaves unexpectedly', 'a guest state that the CPU refuses'],
    next: ['bt -a', 'log'],
    sysctls: [panicOnOops],
  },
  xen: {
    meaning: 'The Xen hypervisor crashed, or crashed this domain.',
    causes: ['a bug in Xen', 'hardware errors', 'a guest that did what is not allowed'],
    next: ["the hypervisor's own log (xl dmesg)", 'bt -a'],
    sysctls: [],
  },
} satisfies Partial<Record<IncidentKind, Explanation>>;
