import { byModule } from '../scenario.ts';

// The module only arms an NMI handler that faults; the NMI itself comes from outside, as a management board's does.
export default byModule(
  'nmifault',
  'reads through a NULL pointer inside an NMI handler',
  /kernel NULL pointer dereference/,
  { kind: 'null-pointer', at: 'perish_sum' },
  {
    host: 'inject-nmi',
    machine: 'x86_64',
  },
);
