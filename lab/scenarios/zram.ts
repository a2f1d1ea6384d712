import type { Scenario } from '../scenario.ts';

// A tmpfs pushed out to compressed swap; the memory limit of a cgroup does the pushing, so nothing else suffers.
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
    "busybox sh -c 'echo $$ > /sys/fs/cgroup/pushed/cgroup.procs; busybox dd if=/dev/zero of=/pushed/all bs=1M count=40 2>/dev/null'\n",
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
