// What hardware and its drivers announce: arch/x86/kernel/cpu/mce, drivers/{edac,ras,acpi/apei,pci/pcie}, NMIs.
import { number, type Rule } from './headline.ts';

export const hardwareRules: readonly Rule[] = [
  {
    pattern:
      /^(?:mce: )?(?:\{\d{1,9}\})?\[Hardware Error\]: (?:CPU (\d{1,5}): )?(Machine Check(?: Exception)?\b.{0,120}|Hardware error from APEI.{0,120}|Fatal\b.{0,80}|.{0,20}[Uu]ncorrected.{0,120})/,
    make: (m) => ({
      kind: /APEI|Generic Hardware/.test(m[2]!) ? 'hardware-error' : 'machine-check',
      title: /APEI/.test(m[2]!) ? 'Hardware error from APEI' : 'Machine check',
      cpu: number(m[1]),
      traceless: true,
    }),
  },
  {
    pattern: /^(?:mce: )?CPU ?(\d{1,5}): Machine Check(?: Exception)?\b.{0,120}/i,
    make: (m) => ({ kind: 'machine-check', title: 'Machine check', cpu: number(m[1]), traceless: true }),
  },
  {
    pattern:
      /^(?:mce: )?(?:Uncorrected hardware (?:memory )?error|Kernel does not support|MCE \S{1,20}: (?:Killing|Unable)|MCE: (?:Killing|Unable|CPU\d)).{0,120}/,
    make: () => ({ kind: 'machine-check', title: 'Uncorrected hardware memory error', traceless: true }),
  },
  {
    pattern: /^Memory failure: 0x[0-9a-f]{1,16}: .{0,160}/,
    make: (m) => ({
      kind: 'hardware-error',
      title: 'Memory failure',
      corrected: /Recovered|Delayed/.test(m[0]),
      traceless: true,
      strong: true,
    }),
  },
  {
    pattern: /^EDAC \S{1,24}: (\d{1,9}) (CE|UE) (.{0,60}?)(?: on .{0,200})?$/,
    make: (m) => ({
      kind: 'hardware-error',
      title: `EDAC: ${m[2] === 'UE' ? 'uncorrected' : 'corrected'} error${/memory/.test(m[3]!) ? ' in memory' : ''}`,
      corrected: m[2] === 'CE',
      traceless: true,
    }),
  },
  {
    pattern: /^EDAC .{1,60}\bUE\b.{0,120}/,
    make: () => ({ kind: 'hardware-error', title: 'EDAC: uncorrected error', traceless: true }),
  },
  {
    pattern:
      /^(?:\S{1,40} [0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]: )(?:AER: |PCIe Bus Error: severity=)(?:Multiple )?(Corrected|Correctable|Uncorrected \(Non-Fatal\)|Uncorrectable \(Non-Fatal\)|Uncorrected \(Fatal\)|Uncorrectable \(Fatal\)|Uncorrected|Fatal|Non-Fatal).{0,160}/,
    make: (m) => ({
      kind: 'hardware-error',
      title: `PCIe bus error: ${m[1]!.replace('ectable', 'ected')}`,
      corrected: m[1]!.startsWith('Correct'),
      traceless: true,
    }),
  },
  {
    pattern: /^BERT: Error records from previous boot/,
    make: () => ({ kind: 'hardware-error', title: 'Hardware error of the previous boot', traceless: true }),
  },
  {
    pattern: /^(?:Uhhuh\. )?NMI received for unknown reason [0-9a-f]{2}(?: on CPU (\d{1,5}))?/,
    make: (m) => ({ kind: 'nmi', title: 'NMI received for unknown reason', cpu: number(m[1]), traceless: true }),
  },
  {
    pattern:
      /^NMI: (IOCK error|PCI system error|memory parity error)[^\n]{0,60}?for reason [0-9a-f]{2}(?: on CPU (\d{1,5}))?/i,
    make: (m) => ({ kind: 'nmi', title: `NMI: ${m[1]}`, cpu: number(m[2]), traceless: true }),
  },
];
