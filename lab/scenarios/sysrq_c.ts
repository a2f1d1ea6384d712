import type { Scenario } from '../scenario.ts';

export default {
  name: 'sysrq-c',
  about: 'crashed on purpose, by /proc/sysrq-trigger',
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
