import type { Scenario } from '../scenario.ts';

export default {
  name: 'cgroups',
  about: 'a small tree of cgroups with processes and limits in it, then sysrq-c',
  setup: [
    'mkdir -p /sys/fs/cgroup',
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    "echo '+memory +pids' > /sys/fs/cgroup/cgroup.subtree_control",
    'for slice in web.slice batch.slice; do',
    '  mkdir -p /sys/fs/cgroup/$slice',
    "  echo '+memory' > /sys/fs/cgroup/$slice/cgroup.subtree_control",
    '  for unit in one two; do',
    '    mkdir /sys/fs/cgroup/$slice/$unit.service',
    '    echo 33554432 > /sys/fs/cgroup/$slice/$unit.service/memory.max',
    '    sleep 100000 &',
    '    echo $! > /sys/fs/cgroup/$slice/$unit.service/cgroup.procs',
    '  done',
    'done\n',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
