import type { Scenario } from '../scenario.ts';

export default {
  name: 'sockets',
  about: '200 each of listening, established, UDP and unix sockets, then sysrq-c',
  setup: 'lively sockets 200 &\nsleep 3\n',
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
