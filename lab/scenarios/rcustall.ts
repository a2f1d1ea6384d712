import { byModule } from '../scenario.ts';

export default byModule(
  'rcustall',
  'spins in an RCU read-side section',
  /rcu.*detected.*stall/,
  { kind: 'rcu-stall', at: 'perish_spin' },
  {
    sysctl: { 'kernel.panic_on_rcu_stall': 1, 'kernel.watchdog_thresh': 60 },
    append: 'rcupdate.rcu_cpu_stall_timeout=4',
  },
);
