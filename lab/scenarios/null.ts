import { byModule } from '../scenario.ts';

export default byModule(
  'null',
  'reads through a NULL pointer, two calls deep',
  /BUG: kernel NULL pointer dereference/,
  { kind: 'null-pointer', at: 'perish_sum' },
);
