import { byModule } from '../scenario.ts';

// QEMU without KVM has no performance counters, so no hard lockup detector: an NMI from outside ends it, as an
// operator would.
export default byModule(
  'hardlockup',
  'spins with interrupts off until an NMI from outside',
  /NMI/,
  { kind: 'nmi', at: 'perish_spin' },
  {
    sysctl: { 'kernel.unknown_nmi_panic': 1, 'kernel.softlockup_panic': 0 },
    host: 'inject-nmi',
    machine: 'x86_64',
  },
);
