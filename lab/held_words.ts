// Processes that hold known words, whose memory is pushed out to swap by a limit of their cgroup: what scenarios have the
// guest do, and what facts look for in the dump.

/** What every word begins with; after it: what the process is called, a number, a full stop. */
export const heldPrefix = 'held-in-';
/** How many words each process holds, of the numbers from 0 on. */
export const heldTimes = 50_000;

/** Shell lines before the first `hold`: cgroups, and the program that holds. */
export const preparingToHold = [
  'mkdir -p /sys/fs/cgroup',
  'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
  'echo +memory > /sys/fs/cgroup/cgroup.subtree_control',
  `cat > /tmp/holder.awk << 'EOF'`,
  'BEGIN {',
  `  for (i = 0; i < ${heldTimes}; i++) held[i] = sprintf("${heldPrefix}%s-%05d.", name, i)`,
  '  system("echo > /tmp/held-" name)',
  '  while (1) system("busybox sleep 1000")',
  '}',
  'EOF',
];

/** Shell lines that start such a process and wait until it holds all; 4 MiB of it may stay in memory. */
export function hold(name: string): readonly string[] {
  return [
    `mkdir /sys/fs/cgroup/${name}`,
    `echo 4194304 > /sys/fs/cgroup/${name}/memory.max`,
    `busybox sh -c 'echo $$ > /sys/fs/cgroup/${name}/cgroup.procs; exec busybox awk -v name=${name} -f /tmp/holder.awk' &`,
    `while [ ! -e /tmp/held-${name} ]; do busybox sleep 1; done`,
  ];
}
