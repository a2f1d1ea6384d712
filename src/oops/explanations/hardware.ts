// Explanations of hardware.
import type { IncidentKind } from '../kinds.ts';
import { memoryFailureRecovery, nmiIo, nmiUnknown, nmiUnrecovered, panicTimeout } from '../sysctls.ts';
import type { Explanation } from './explanation.ts';

export const hardware = {
  'machine-check': {
    meaning: 'The processor reported a hardware error that it could not correct.',
    causes: [
      'a failing memory module, CPU, cache or interconnect',
      'overheating or power',
      'rarely, a device that breaks bus rules',
    ],
    next: [
      'inquest mce FILE: what the banks say, and which part to change',
      'log | grep -i "hardware error"',
      "the machine's own event log (BMC)",
    ],
    sysctls: [
      {
        name: 'mce= (boot), machinecheck*/tolerant',
        variables: ['mca_cfg'],
        meaning: 'whether an uncorrected error panics',
      },
      memoryFailureRecovery,
      panicTimeout,
    ],
  },
  nmi: {
    meaning:
      'A non-maskable interrupt came for which no handler knew the reason, or one that reports a hardware error.',
    causes: [
      'the NMI button or a BMC asking for a dump',
      'memory parity or PCI errors',
      'a watchdog timer of the board',
    ],
    next: ['bt -a', "the machine's own event log (BMC)", 'log | grep -i nmi'],
    sysctls: [nmiUnknown, nmiUnrecovered, nmiIo, panicTimeout],
  },
  'hardware-error': {
    meaning: 'Hardware or firmware reported an error (memory controller, PCIe, APEI).',
    causes: ['a failing module, card, cable or slot', 'marginal signals, power or heat'],
    next: [
      'inquest mce FILE: which part it was',
      "the machine's own event log (BMC)",
      'lspci -vv of the device; replace or move it',
      'ras-mc-ctl --errors',
    ],
    sysctls: [memoryFailureRecovery, nmiUnrecovered],
  },
  serror: {
    meaning:
      'The arm64 CPU took an asynchronous or external abort: a bus or memory system answered an access with an error.',
    causes: [
      'an access to a device without clock or power',
      'an address where nothing answers',
      'an uncorrected memory error',
    ],
    next: ['bt -a', 'decode the ESR in the message', "the platform's RAS records"],
    sysctls: [panicTimeout],
  },
} satisfies Partial<Record<IncidentKind, Explanation>>;
