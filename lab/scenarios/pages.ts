import type { Scenario } from '../scenario.ts';

// A tmpfs of huge pages, a pool of hugetlb pages half used, the kinds of `lively pages`, a section taken offline.
export default {
  name: 'pages',
  about: 'pages of every kind: huge, transparent huge, shared, locked, broken, offline; then sysrq-c',
  memory: 1200,
  setup: [
    '[ -f /proc/sys/vm/hugetlb_optimize_vmemmap ] && echo 1 > /proc/sys/vm/hugetlb_optimize_vmemmap',
    'echo 6 > /proc/sys/vm/nr_hugepages',
    'echo always > /sys/kernel/mm/transparent_hugepage/enabled',
    'mkdir -p /huge',
    'mount -t tmpfs -o huge=always,size=64m huge /huge',
    'busybox dd if=/dev/urandom of=/huge/file bs=1M count=9 2>/dev/null',
    'lively pages &',
    'sleep 4',
    'for block in /sys/devices/system/memory/memory[0-9]*; do',
    '  echo offline > $block/state 2>/dev/null && break',
    'done\n',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
