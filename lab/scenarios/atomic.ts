import { byModule } from '../scenario.ts';

export default byModule(
  'atomic',
  'sleeps with preemption disabled, panic_on_warn',
  /scheduling while atomic/,
  { kind: 'atomic-sleep', at: 'way_atomic' },
  {
    sysctl: { 'kernel.panic_on_warn': 1 },
  },
);
