import { byModule } from '../scenario.ts';

export default byModule(
  'softlockup',
  'spins with preemption disabled',
  /soft lockup - CPU#/,
  { kind: 'soft-lockup', at: 'perish_spin' },
  {
    sysctl: { 'kernel.softlockup_panic': 1, 'kernel.watchdog_thresh': 4 },
  },
);
