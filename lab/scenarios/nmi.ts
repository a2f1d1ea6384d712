import type { Scenario } from '../scenario.ts';

export default {
  name: 'nmi',
  about: 'an NMI from outside with unknown_nmi_panic: the operator pressed the button',
  sysctl: { 'kernel.unknown_nmi_panic': 1 },
  provoke: '',
  host: 'inject-nmi',
  machine: 'x86_64',
  dying: /NMI: Not continuing/,
  verdict: { kind: 'nmi' },
} satisfies Scenario;
