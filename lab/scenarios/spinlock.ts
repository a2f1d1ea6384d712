import { byModule } from '../scenario.ts';

export default byModule(
  'spinlock',
  'takes a spinlock twice',
  /soft lockup - CPU#/,
  { kind: 'soft-lockup', says: /perish_spinlock/ },
  {
    spins: true,
    sysctl: { 'kernel.softlockup_panic': 1, 'kernel.watchdog_thresh': 4 },
  },
);
