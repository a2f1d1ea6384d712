import type { Scenario } from '../scenario.ts';

// Two containers' worth of namespaces: in each a PID 1, a /proc and a tmpfs of its own; the second in a new user
// namespace too. A child of the first has a third, nested PID namespace.
const inside = 'mount -t proc proc /proc; mount -t tmpfs inside /mnt; sleep 100000 & exec sleep 200000';

export default {
  name: 'namespaces',
  about: 'several mount, PID, network and user namespaces, then sysrq-c',
  setup: [
    'mkdir -p /mnt',
    `unshare --mount --pid --fork --uts --ipc --net /bin/sh -c '${inside}' &`,
    `unshare --user --map-root-user --mount --pid --fork /bin/sh -c '${inside}' &`,
    `unshare --mount --pid --fork /bin/sh -c 'unshare --mount --pid --fork sleep 300000 & exec sleep 300001' &`,
    'sleep 2\n',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
