import { byModule } from '../scenario.ts';

export default byModule('softlockup', 'spins with preemption disabled', /soft lockup - CPU#/, {
  sysctl: { 'kernel.softlockup_panic': 1, 'kernel.watchdog_thresh': 4 },
});
