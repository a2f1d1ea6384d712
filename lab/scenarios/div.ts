import { byModule } from '../scenario.ts';

export default byModule(
  'div',
  'divides by zero',
  /divide error/,
  { kind: 'divide-error', at: 'way_div' },
  {
    machine: 'x86_64', // elsewhere the quotient is 0
  },
);
