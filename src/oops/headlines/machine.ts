// Deaths that somebody asked for, and those of hypervisors: drivers/tty/sysrq.c, KVM, Xen.
import { number, type Rule } from './headline.ts';

export const machineRules: readonly Rule[] = [
  {
    pattern: /^(?:sysrq: )?(?:SysRq ?: )?Trigger a (?:crash|crashdump)\b/i,
    make: () => ({ kind: 'sysrq', title: 'sysrq triggered crash', fatal: true }),
  },
  {
    pattern: /^kvm \[\d{1,10}\]: (nVHE )?[Hh]yp (panic|BUG) at:? (?:\[<[0-9a-f]{8,16}>\] )?(\S{1,300})?/,
    make: (m) => ({ kind: 'kvm', title: `KVM: hyp ${m[2]} in %F`, frame: m[3], fatal: true }),
  },
  {
    pattern: /^KVM(?:: entry failed, hardware error| internal error\. Suberror:)/,
    make: (m) => ({
      kind: 'kvm',
      title: m[0].includes('entry') ? 'KVM: entry failed, hardware error' : 'KVM internal error',
      traceless: true,
    }),
  },
  {
    pattern: /^\(XEN\) (?:\[[^\]]{1,40}\] )?Panic on CPU (\d{1,5}):/,
    make: (m) => ({ kind: 'xen', title: 'Xen panic in %F', cpu: number(m[1]), fatal: true, traceless: true }),
  },
  {
    pattern:
      /^\(XEN\) (?:\[[^\]]{1,40}\] )?(?:domain_crash called from|Domain \d{1,9} \(vcpu#\d{1,5}\) crashed on cpu#(\d{1,5}))/,
    make: (m) => ({ kind: 'xen', title: 'Xen: domain crashed', cpu: number(m[1]), traceless: true }),
  },
];
