import type { Scenario } from '../scenario.ts';

// A tmpfs and the memory of a process pushed out to compressed swap; limits of cgroups do the pushing, so nothing else
// suffers. What the process holds is known, word by word.
export default {
  name: 'zram',
  about: 'swap on zram, in use, then sysrq-c',
  setup: [
    'load lzo_rle; load zram',
    'echo 128M > /sys/block/zram0/disksize',
    'mkswap /dev/zram0 >/dev/null; swapon /dev/zram0',
    'mkdir -p /sys/fs/cgroup /pushed',
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    'echo +memory > /sys/fs/cgroup/cgroup.subtree_control',
    'mkdir /sys/fs/cgroup/pushed',
    'echo 16777216 > /sys/fs/cgroup/pushed/memory.max',
    'mount -t tmpfs pushed /pushed',
    "busybox sh -c 'echo $$ > /sys/fs/cgroup/pushed/cgroup.procs; busybox dd if=/dev/zero of=/pushed/all bs=1M count=40 2>/dev/null'",
    'mkdir /sys/fs/cgroup/held',
    'echo 4194304 > /sys/fs/cgroup/held/memory.max',
    `cat > /tmp/holder.awk << 'EOF'`,
    'BEGIN {',
    '  for (i = 0; i < 50000; i++) held[i] = sprintf("held-in-zram-%05d.", i)',
    '  system("echo > /tmp/held")',
    '  while (1) system("busybox sleep 1000")',
    '}',
    'EOF',
    "busybox sh -c 'echo $$ > /sys/fs/cgroup/held/cgroup.procs; exec busybox awk -f /tmp/holder.awk' &",
    'while [ ! -e /tmp/held ]; do busybox sleep 1; done\n',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
