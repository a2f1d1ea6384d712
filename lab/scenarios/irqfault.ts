import { byModule } from '../scenario.ts';

export default byModule(
  'irqfault',
  'reads through a NULL pointer in a hard interrupt',
  /kernel NULL pointer dereference/,
  { kind: 'null-pointer', at: 'perish_sum' },
);
