// Tasks that wait for what never comes.
import { byWreck, hungTaskPanics, type Scenario } from '../../scenario.ts';

const dying = /hung_task: blocked tasks/;
const more = { sysctl: hungTaskPanics };

const madeTasks = 'two hundred tasks were made';

export const waits: readonly Scenario[] = [
  byWreck(
    'prw',
    'a reader of a percpu-rwsem whose writer sleeps',
    dying,
    {
      kind: 'hung-task',
      at: ['w_prw', 'wreck_write', 'wreck_write.cold'],
      sentence: /percpu-rwsem prw.*wreck_pwriter/,
    },
    more,
  ),
  byWreck(
    'completion',
    'a completion that nobody completes',
    dying,
    { kind: 'hung-task', at: ['w_completion', 'wreck_write', 'wreck_write.cold'], sentence: /completion never/ },
    more,
  ),
  byWreck(
    'sem',
    'a semaphore whose holder sleeps',
    dying,
    { kind: 'hung-task', at: ['w_sem', 'wreck_write', 'wreck_write.cold'], sentence: /semaphore sem1/ },
    more,
  ),
  byWreck(
    'rtm',
    'an rt_mutex whose holder sleeps',
    dying,
    { kind: 'hung-task', at: ['w_rtm', 'wreck_write', 'wreck_write.cold'], sentence: /rtmutex rtm.*wreck_rtholder/ },
    more,
  ),
  byWreck(
    'folio',
    'locks a page twice',
    dying,
    { kind: 'hung-task', at: ['w_folio', 'wreck_write', 'wreck_write.cold'], sentence: /lock of.*page|page.*lock/ },
    more,
  ),
  byWreck(
    'bit',
    'waits for a bit that nobody clears',
    dying,
    { kind: 'hung-task', at: ['w_bit', 'wreck_write', 'wreck_write.cold'], sentence: /bit 3 of.*bitword/ },
    more,
  ),
  byWreck(
    'chain',
    'a mutex, an rwsem and a completion, each held by who waits for the next',
    dying,
    {
      kind: 'hung-task',
      at: ['w_chain', 'h_b', 'h_c', 'wreck_write', 'wreck_write.cold'],
      sentence: /wreck_chain_c.*never|never.*wreck_chain_c/,
    },
    more,
  ),
  byWreck(
    'many',
    'two hundred tasks want a mutex whose holder waits for a completion',
    dying,
    {
      kind: 'hung-task',
      at: ['h_many', 'h_m1'],
      says: /20[01] tasks.*m1/,
      sentence: /wreck_m1.*never|never.*wreck_m1/,
    },
    { ...more, moves: madeTasks },
  ),
  byWreck(
    'manysysrq',
    'the same, until somebody presses sysrq-c',
    /sysrq triggered crash/,
    { kind: 'sysrq', sentence: /200 tasks.*m1.*wreck_m1/, never: /pressed/ },
    {
      provoke: 'echo many > /proc/wreck\nsleep 2\necho c > /proc/sysrq-trigger\n',
      moves: madeTasks,
      sysctl: { 'kernel.hung_task_timeout_secs': 0 },
    },
  ),
  byWreck(
    'lockup2',
    'spins for ever with a mutex held and preemption off',
    /soft lockup/,
    { kind: 'soft-lockup', at: 'w_lockup2' },
    { sysctl: { 'kernel.softlockup_panic': 1, 'kernel.watchdog_thresh': 4 } },
  ),
  {
    name: 'fs-freeze',
    about: 'a process wants to write to a frozen file system',
    provoke: 'mount -o remount,rw /lab; fsfreeze -f /lab || busybox fsfreeze --freeze /lab; busybox touch /lab/xx &\n',
    sysctl: hungTaskPanics,
    dying,
    verdict: { kind: 'hung-task', sentence: /file system on (vda|\/lab).*frozen/ },
  },
  {
    name: 'memcg-oom',
    about: 'a cgroup of 20 MiB runs out of memory, panic_on_oom=2',
    setup: [
      'mkdir -p /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup',
      'echo +memory > /sys/fs/cgroup/cgroup.subtree_control',
      'mkdir -p /sys/fs/cgroup/app.slice; echo +memory > /sys/fs/cgroup/app.slice/cgroup.subtree_control',
      'mkdir /sys/fs/cgroup/app.slice/db.service; echo 20971520 > /sys/fs/cgroup/app.slice/db.service/memory.max\n',
    ].join('\n'),
    provoke:
      "mkdir /big; mount -t tmpfs big /big; busybox sh -c 'echo $$ > /sys/fs/cgroup/app.slice/db.service/cgroup.procs; busybox dd if=/dev/zero of=/big/x bs=1M count=100' &\n",
    sysctl: { 'vm.panic_on_oom': 2 },
    dying: /Out of memory: compulsory panic_on_oom is enabled/,
    verdict: {
      kind: 'out-of-memory',
      sentence: /cgroup \/app\.slice\/db\.service.*20(\.0)? MiB/,
      never: /^Memory ran out/,
    },
    moves: 'a file of the size of the limit was written',
  },
  {
    name: 'swarm',
    about: 'five thousand processes, three thousand threads, 400,000 files; then sysrq-c',
    memory: 8192,
    patience: 1800,
    provoke:
      'echo 2000 > /proc/sys/kernel/hung_task_timeout_secs\necho 65000 > /proc/sys/kernel/pid_max; mkdir /many; mount -t tmpfs -o nr_inodes=0,size=50% many /many; swarm 5000 3000 400000 /many; busybox dd if=/dev/zero of=/many/big bs=1M count=1024\nsleep 1\necho c > /proc/sysrq-trigger\n',
    dying: /sysrq triggered crash/,
    verdict: { kind: 'sysrq', never: /blocked/ },
    moves: 'thousands of processes and files were made',
  },
];
