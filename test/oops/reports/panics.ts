// panic() by itself, hardware, out of memory, boots in the middle of a log; and texts without an incident.
import { type Text, text, texts } from './text.ts';
import type { Voice } from './voice.ts';

function panic(v: Voice, reason: string, words: string): string[] {
  return [
    `Kernel panic - not syncing: ${reason}`,
    ...v.context(),
    ...v.trace(`dump_stack panic ${words}`),
    'Kernel Offset: disabled',
    `---[ end Kernel panic - not syncing: ${reason} ]---`,
  ];
}

const boot = (v: Voice): string[] => [
  `[    0.000000] Linux version ${v.release}.0 (build@box) (gcc version 12.2.0) #1 SMP`,
  '[    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1 console=ttyS0',
  "[    0.000000] x86/fpu: Supporting XSAVE feature 0x001: 'x87 floating point registers'",
];

export const panics: readonly Text[] = [
  ...texts('own', ['4.4', '4.14', '5.4', '6.6', '5.15 arm64', '4.14 arm'], 'filesystem', 'gfs2_withdraw_x', (v) =>
    panic(v, 'GFS2: fsid=loop0: panic requested.', 'gfs2_withdraw_x gfs2_consist_x @write'),
  ),
  ...texts('ext4', ['4.14', '5.15', '6.6'], 'filesystem', '__ext4_get_inode_loc_x', (v) =>
    panic(
      v,
      'EXT4-fs (device loop0): panic forced after error',
      'ext4_handle_error.cold __ext4_error_inode __ext4_get_inode_loc_x @stat',
    ),
  ),
  ...texts('stack-protector', ['4.14', '5.10', '6.6', '5.15 arm64'], 'stack-protector', 'wext_handle_x', (v) =>
    panic(
      v,
      `stack-protector: Kernel stack is corrupted in: ${v.version < 419 ? v.address('wext') : v.symbol('wext_handle_x')}`,
      '__stack_chk_fail wext_handle_x @ioctl',
    ),
  ),
  ...texts('stack-end', ['4.9', '5.15'], 'stack-overflow', 'deep_recursion_x', (v) =>
    panic(
      v,
      v.version < 505
        ? 'corrupted stack end detected inside scheduler'
        : 'corrupted stack end detected inside scheduler',
      '__schedule schedule schedule_timeout deep_recursion_x @write',
    ),
  ),
  ...texts('init', ['4.14', '6.1'], 'init-killed', null, (v) =>
    panic(
      v,
      'Attempted to kill init! exitcode=0x00000009',
      'do_exit do_group_exit get_signal do_signal exit_to_usermode_loop do_syscall_64',
    ),
  ),
  ...texts('root', ['4.4', '5.15'], 'root-mount', null, (v) =>
    panic(
      v,
      'VFS: Unable to mount root fs on unknown-block(0,0)',
      'mount_block_root mount_root prepare_namespace kernel_init_freeable kernel_init ret_from_fork',
    ),
  ),
  ...texts('oom', ['4.14', '6.1'], 'out-of-memory', null, (v) =>
    panic(
      v,
      'Out of memory: system-wide panic_on_oom is enabled',
      'out_of_memory __alloc_pages_slowpath __alloc_pages alloc_pages pagecache_get_page filemap_fault __do_fault handle_mm_fault exc_page_fault asm_exc_page_fault',
    ),
  ),
  ...texts('nmi', ['5.15'], 'nmi', null, (v) =>
    panic(v, 'NMI: Not continuing', 'nmi_panic unknown_nmi_error.cold default_do_nmi exc_nmi end_repeat_nmi'),
  ),
  ...texts('sysrq', ['4.4', '4.14', '5.15', '6.6', '5.15 arm64', '4.14 arm'], 'sysrq', 'sysrq_handle_crash', (v) => [
    `sysrq: ${v.version < 500 ? 'SysRq : ' : ''}Trigger a crash`,
    ...(v.version < 500
      ? v.fault('0', 'sysrq_handle_crash', '__handle_sysrq write_sysrq_trigger proc_reg_write @write')
      : panic(
          v,
          'sysrq triggered crash',
          'sysrq_handle_crash __handle_sysrq write_sysrq_trigger proc_reg_write @write',
        )),
  ]),
  ...texts('unrecognised', ['5.10'], 'panic', 'acpi_os_panic_x', (v) =>
    panic(v, 'ACPI: cannot continue', 'acpi_os_panic_x acpi_init_x @initcall'),
  ),
  ...texts('module', ['5.15'], 'panic', 'drbd_panic_x', (v) =>
    panic(v, 'drbd: giving up', 'drbd_panic_x[drbd] drbd_work_x[drbd] @work'),
  ),
  ...texts('mce', ['4.14', '6.1'], 'machine-check', null, (v) => [
    'mce: [Hardware Error]: CPU 2: Machine Check Exception: 5 Bank 4: b200000000070f0f',
    'mce: [Hardware Error]: TSC 12d4e2a0e0 ',
    'mce: [Hardware Error]: PROCESSOR 0:306c3 TIME 1600000000 SOCKET 0 APIC 4 microcode 28',
    "mce: [Hardware Error]: Run the above through 'mcelog --ascii'",
    ...panic(v, 'Fatal machine check', 'mce_panic do_machine_check'),
  ]),
  ...texts('oom-kill', ['4.4', '4.14', '5.4', '6.6'], 'out-of-memory', null, (v) => [
    'syz-executor.0 invoked oom-killer: gfp_mask=0x14200ca(GFP_HIGHUSER_MOVABLE), nodemask=(null),  order=0, oom_score_adj=1000',
    ...v.context({ comm: 'syz-executor.0', pid: 7821 }),
    ...v.trace(
      'dump_stack dump_header oom_kill_process out_of_memory __alloc_pages_slowpath __alloc_pages_nodemask alloc_pages_vma do_anonymous_page @fault',
    ),
    'Mem-Info:',
    'active_anon:1024 inactive_anon:12 isolated_anon:0',
    'Killed process 7822 (syz-executor.0) total-vm:72716kB, anon-rss:2200kB, file-rss:35656kB, shmem-rss:0kB',
  ]),
  // ---- a kernel that boots again
  ...texts('reboot-silent', ['5.15', '6.6'], 'unknown', null, (v) => [
    ...boot(v),
    '[   10.123456] EXT4-fs (sda1): mounted filesystem with ordered data mode.',
    '[  100.000000] IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready',
    '[ 2044.123456] usb 1-1: new high-speed USB device number 5 using xhci_hcd',
    ...boot(v),
    '[   10.323456] EXT4-fs (sda1): mounted filesystem with ordered data mode.',
  ]),
  text('reboot-asked', '6.1', null, null, (v) => [
    ...boot(v),
    '[  100.000000] IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready',
    '[ 2044.123456] systemd-shutdown[1]: Syncing filesystems and block devices.',
    '[ 2045.123456] reboot: Restarting system',
    ...boot(v),
  ]),
  text('reboot-poweroff', '5.10', null, null, (v) => [...boot(v), '[ 2045.123456] reboot: Power down', ...boot(v)]),
  text('reboot-kexec', '5.10', null, null, (v) => [
    ...boot(v),
    '[ 2045.123456] kexec_core: Starting new kernel',
    ...boot(v),
  ]),
  text('boot-once', '6.1', null, null, (v) => [...boot(v), '[    1.000000] random: crng init done']),
  // ---- no incident
  text('quiet-usb', '5.15', null, null, () => [
    'usb 1-1: new high-speed USB device number 5 using xhci_hcd',
    'usb 1-1: New USB device found, idVendor=0bda, idProduct=8153, bcdDevice=30.00',
    'usb 1-1: device descriptor read/64, error -71',
    'usb 1-1: WARN: TRB error for slot 1 ep 2 on endpoint',
    'xhci_hcd 0000:00:14.0: WARN Event TRB for slot 1 ep 2 with no TDs queued?',
  ]),
  text('quiet-acpi', '5.15', null, null, () => [
    'ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PCI0.XHC.RHUB.HS11], AE_NOT_FOUND (20210730/psargs-330)',
    'ACPI Error: Aborting method \\_SB.WMID._QDD due to previous error (AE_NOT_FOUND)',
    'pci 0000:00:02.0: BAR 2: assigned [mem 0x4000000000-0x400fffffff 64bit pref]',
    'DMAR: [Firmware Bug]: No firmware reserved region can cover this RMRR',
  ]),
  text('quiet-rcu', '6.1', null, null, () => [
    'rcu: Hierarchical RCU implementation.',
    'rcu: \tRCU restricting CPUs from NR_CPUS=8192 to nr_cpu_ids=4.',
    'rcu: RCU calculated value of scheduler-enlistment delay is 100 jiffies.',
    'rcu: Adjusting geometry for rcu_fanout_leaf=16, nr_cpu_ids=4',
    'rcu: INFO: rcu_preempt self-test passed',
  ]),
  text('quiet-nmi', '5.15', null, null, () => [
    'NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.',
    'INFO: NMI handler (perf_event_nmi_handler) took too long to run: 1.234 msecs',
    'perf: interrupt took too long (2503 > 2500), lowering kernel.perf_event_max_sample_rate to 79750',
    'mce: CPU0: Thermal monitoring enabled (TM1)',
    'mce: CPU supports 10 MCE banks',
    'CPU3: Core temperature above threshold, cpu clock throttled (total events = 1)',
  ]),
  text('quiet-segv', '5.15', null, null, () => [
    'foo[1234]: segfault at 0 ip 0000555555555131 sp 00007fffffffe0d0 error 4 in foo[555555555000+1000]',
    'traps: foo[1235] general protection fault ip:401126 sp:7ffd5c5e3c20 error:0 in foo[401000+1000]',
    'traps: foo[1236] trap divide error ip:401126 sp:7ffd5c5e3c20 error:0 in foo[401000+1000]',
    'traps: foo[1237] trap invalid opcode ip:401126 sp:7ffd5c5e3c20 error:0 in foo[401000+1000]',
    'Code: 55 48 89 e5 48 c7 45 f8 00 00 00 00 48 8b 45 f8 <c7> 00 2a 00 00 00 b8 00 00 00 00 5d c3',
  ]),
  text('quiet-fault-injection', '5.4', null, null, (v) => [
    'FAULT_INJECTION: forcing a failure.',
    'name failslab, interval 1, probability 0, space 0, times 0',
    ...v.context(),
    ...v.trace('dump_stack should_fail.cold should_failslab kmem_cache_alloc getname_flags do_sys_open @open'),
  ]),
  text('quiet-page-alloc', '4.14', null, null, (v) => [
    'syz-executor: page allocation failure: order:4, mode:0x140c0c0(GFP_KERNEL|__GFP_COMP|__GFP_ZERO), nodemask=(null)',
    ...v.context(),
    ...v.trace(
      'dump_stack warn_alloc __alloc_pages_slowpath __alloc_pages_nodemask kmalloc_order __kmalloc somebody_x @ioctl',
    ),
    'Mem-Info:',
  ]),
  text('quiet-vmalloc', '4.19', null, null, (v) => [
    'syz-executor: vmalloc: allocation failure: 17179344896 bytes, mode:0x6080c0(GFP_KERNEL|__GFP_ZERO), nodemask=(null)',
    ...v.context(),
    ...v.trace('dump_stack warn_alloc __vmalloc_node_range vmalloc somebody_x @ioctl'),
  ]),
  text('quiet-hung-words', '5.15', null, null, () => [
    'sd 0:0:0:0: [sda] tag#12 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK cmd_age=30s',
    'nvme nvme0: I/O 12 QID 3 timeout, aborting',
    'blk_update_request: I/O error, dev sda, sector 1234 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0',
    'INFO: lockdep is turned off.',
    'systemd[1]: Started Kernel panic watcher.',
  ]),
  text('quiet-userspace-bug', '5.15', null, null, () => [
    'Jun  1 12:00:00 box app[99]: BUG: something of ours failed',
    'Jun  1 12:00:00 box app[99]: WARNING: CPU usage is high',
    'Jun  1 12:00:01 box kernel: audit: type=1400 audit(1.2:3): apparmor="DENIED" operation="open" comm="Oops"',
  ]),
  text('quiet-trace-word', '6.1', null, null, (v) => ['Showing a Call Trace in prose: never mind', ...v.context()]),
];
