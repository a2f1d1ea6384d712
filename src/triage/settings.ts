// The sysctls that decide whether trouble becomes a panic, with their values in the dead kernel.
import type { ReportKind } from '../oops/kinds.ts';
import type { Analysis } from './analysis.ts';
import type { Facts } from './facts.ts';

interface Setting {
  readonly name: string;
  /** Kernel variables that hold it; they were renamed over time. */
  readonly variables: readonly string[];
  readonly meaning: string;
}

const oops: Setting = {
  name: 'kernel.panic_on_oops',
  variables: ['panic_on_oops'],
  meaning: 'an oops panics; if 0 only the task dies and the kernel limps on',
};
const warn: Setting = { name: 'kernel.panic_on_warn', variables: ['panic_on_warn'], meaning: 'a warning panics' };
const timeout: Setting = {
  name: 'kernel.panic',
  variables: ['panic_timeout'],
  meaning: 'seconds from panic to reboot; 0 waits for ever',
};
const softlockup: Setting = {
  name: 'kernel.softlockup_panic',
  variables: ['softlockup_panic'],
  meaning: 'a soft lockup panics',
};
const hardlockup: Setting = {
  name: 'kernel.hardlockup_panic',
  variables: ['hardlockup_panic'],
  meaning: 'a hard lockup panics',
};
const threshold: Setting = {
  name: 'kernel.watchdog_thresh',
  variables: ['watchdog_thresh'],
  meaning: 'seconds: hard lockups are found after this, soft ones after twice this',
};
const stall: Setting = {
  name: 'kernel.panic_on_rcu_stall',
  variables: ['sysctl_panic_on_rcu_stall', 'panic_on_rcu_stall'],
  meaning: 'an RCU stall panics',
};
const hung: Setting = {
  name: 'kernel.hung_task_panic',
  variables: ['sysctl_hung_task_panic'],
  meaning: 'a hung task panics',
};
const hungTimeout: Setting = {
  name: 'kernel.hung_task_timeout_secs',
  variables: ['sysctl_hung_task_timeout_secs'],
  meaning: 'seconds of uninterruptible sleep that count as hung',
};
const oom: Setting = {
  name: 'vm.panic_on_oom',
  variables: ['sysctl_panic_on_oom'],
  meaning: '0: kill a process; 1: panic unless limited to a cpuset or memory policy; 2: always panic',
};
const unknownNmi: Setting = {
  name: 'kernel.unknown_nmi_panic',
  variables: ['unknown_nmi_panic'],
  meaning: 'an NMI that nobody knows panics',
};
const unrecovered: Setting = {
  name: 'kernel.panic_on_unrecovered_nmi',
  variables: ['panic_on_unrecovered_nmi'],
  meaning: 'an NMI of unknown or hardware reason panics',
};

function settingsOf(kind: ReportKind): readonly Setting[] {
  switch (kind) {
    case 'WARN':
      return [warn, timeout];
    case 'soft-lockup':
      return [softlockup, threshold, timeout];
    case 'hard-lockup':
      return [hardlockup, threshold, timeout];
    case 'rcu-stall':
      return [stall, timeout];
    case 'hung-task':
      return [hung, hungTimeout, timeout];
    case 'out-of-memory':
      return [oom, timeout];
    case 'nmi':
      return [unknownNmi, unrecovered, timeout];
    case 'sysrq':
    case 'panic':
    case 'machine-check':
    case 'unknown':
      return [timeout];
    default:
      return [oops, warn, timeout];
  }
}

/** The settings that matter to a kind, each with its value; null where it cannot be read. */
export function readSettings(facts: Facts, kind: ReportKind): Analysis['settings'] {
  const { kernel } = facts;
  return settingsOf(kind).map(({ name, variables, meaning }) => {
    const symbol = variables.find((variable) => kernel.symbols.find(variable) !== null);
    const value =
      symbol === undefined
        ? null
        : kernel.faults.attempt(name, () => kernel.variable(symbol).bigint().toString(), null);
    return { name, value, meaning };
  });
}
