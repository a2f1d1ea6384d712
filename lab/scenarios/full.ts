import type { Scenario } from '../scenario.ts';

// A machine whose memory is in use, as those are that have run for a while: page cache, shared memory, processes, many inodes.
export default {
  name: 'full',
  about: 'a machine of 4 GiB with little left: page cache, tmpfs, a large process, inodes; then sysrq-c',
  memory: 4096,
  setup: [
    'mkdir -p /full; mount -t tmpfs -o size=3000m,nr_inodes=0 full /full',
    'busybox dd if=/dev/urandom of=/full/part bs=1M count=16 2>/dev/null',
    'for i in 1 2 3 4 5 6 7 8; do cat /boot/* /bin/busybox /full/part > /full/mixed$i; done',
    'for i in 1 2 3 4 5 6 7 8 9 10; do echo filling $i; cat /full/mixed* > /full/copy$i 2>/dev/null || break; done',
    'mkdir /tmp/inodes',
    'i=0; while [ $i -lt 10000 ]; do : > /tmp/inodes/a-file-with-a-name-$i; i=$((i + 1)); done',
    `busybox awk 'BEGIN { for (i = 0; i < 300000; i++) held[i] = "held-" i * i; system("busybox touch /tmp/held"); while (1) system("busybox sleep 1000") }' &`,
    'while [ ! -e /tmp/held ]; do busybox sleep 1; done\n',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
