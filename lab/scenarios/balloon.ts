import type { Scenario } from '../scenario.ts';

const megabytes = 300;

// What the host has back must be in no dump, whatever the level: to read it may take it from another machine.
export default {
  name: 'balloon',
  about: `a guest that gave ${megabytes} MiB back to its host by its balloon; then sysrq-c`,
  memory: 1000,
  modules: ['virtio_balloon'],
  balloon: megabytes,
  setup: [
    'load virtio_balloon',
    `while [ "$(sed -n 's/^balloon_inflate //p' /proc/vmstat)" -lt ${megabytes * 256} ]; do sleep 1; done\n`,
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
