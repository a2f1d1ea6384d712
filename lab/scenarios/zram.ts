import { hold, preparingToHold } from '../held_words.ts';
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
    ...preparingToHold,
    'mkdir /pushed /sys/fs/cgroup/pushed',
    'echo 16777216 > /sys/fs/cgroup/pushed/memory.max',
    'mount -t tmpfs pushed /pushed',
    "busybox sh -c 'echo $$ > /sys/fs/cgroup/pushed/cgroup.procs; busybox dd if=/dev/zero of=/pushed/all bs=1M count=40 2>/dev/null'",
    ...hold('zram'),
    '',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
