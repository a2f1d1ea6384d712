import type { Scenario } from '../scenario.ts';

// Two buffers of ftrace: the kernel's own with functions, probes, system calls and texts of user space; and an instance
// so small that it wrote over its oldest events. What the guest reads of both is part of its picture.
export default {
  name: 'ftrace',
  about: 'events and functions traced into two buffers, then sysrq-c',
  setup: [
    'T=/sys/kernel/tracing',
    'mount -t tracefs tracefs $T',
    'mkdir -p /lab/picture $T/instances/small',
    'echo 2048 > $T/buffer_size_kb',
    'echo 16 > $T/instances/small/buffer_size_kb',
    'echo 0 > $T/tracing_on',
    "echo 'vfs_*' > $T/set_ftrace_filter",
    'echo function > $T/current_tracer',
    "echo 'p:labprobe do_sys_openat2 dfd=$arg1:s32' > $T/kprobe_events || echo 'p:labprobe do_sys_openat2' > $T/kprobe_events",
    'for events in sched irq timer block ext4 signal task workqueue kmem syscalls/sys_enter_openat syscalls/sys_exit_openat \\',
    '  syscalls/sys_enter_wait4 kprobes; do echo 1 > $T/events/$events/enable; done',
    'echo stacktrace:2 > $T/events/sched/sched_process_exec/trigger',
    'for events in sched irq timer; do echo 1 > $T/instances/small/events/$events/enable; done',
    'echo 1 > $T/tracing_on',
    'for i in 1 2 3; do',
    '  echo "said by user space $i" > $T/trace_marker',
    '  busybox cat /proc/version /lab/setup.sh > /dev/null',
    '  busybox dd if=/dev/zero of=/lab/written bs=4096 count=4 2> /dev/null; sync',
    'done',
    'busybox sleep 1',
    'echo 0 > $T/tracing_on',
    'echo 0 > $T/instances/small/tracing_on',
    'for buffer in . instances/small; do cat $T/$buffer/trace; done > /lab/picture/ftrace\n',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
  moves: 'what the traced processes had is freed only after a while',
} satisfies Scenario;
