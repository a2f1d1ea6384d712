import { byModule } from '../scenario.ts';

export default byModule(
  'timer',
  'reads through a NULL pointer in the softirq of a timer',
  /kernel NULL pointer dereference/,
  { kind: 'null-pointer', at: 'perish_sum' },
);
