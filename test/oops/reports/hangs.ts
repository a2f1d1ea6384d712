// Stalls, lockups, hung tasks: code that does not end, and tasks that wait for ever. Of a stalled CPU the operation is named
// that does not end: what is nearest to the system call, work item, softirq or timer and no dispatcher.
import { type Text, text, texts } from './text.ts';

const all = ['4.9', '4.14', '4.19', '5.4', '5.15', '6.1', '6.12'];

export const hangs: readonly Text[] = [
  // ---- RCU stalls
  ...texts('rcu-self-driver', all, 'rcu-stall', 'tc_modify_qdisc|fq_codel_change', (v) =>
    v.rcuSelf('fq_codel_change', 'fq_codel_change fq_codel_init qdisc_create tc_modify_qdisc @rtnl'),
  ),
  ...texts('rcu-self-timer', ['4.14', '5.4', '6.1'], 'rcu-stall', 'perf_mux_timer_x', (v) =>
    v.rcuSelf('perf_mux_timer_x', '<IRQ> perf_mux_timer_x @timer', { comm: 'swapper/1', pid: 0 }),
  ),
  ...texts('rcu-self-fs', ['4.19', '5.15', '6.6'], 'rcu-stall', 'ext4_file_write_iter|ext4_mb_scan_aligned', (v) =>
    v.rcuSelf(
      'ext4_mb_scan_aligned',
      'ext4_mb_scan_aligned ext4_mb_regular_allocator ext4_mb_new_blocks ext4_ext_map_blocks ext4_map_blocks ext4_write_begin generic_perform_write ext4_buffered_write_iter ext4_file_write_iter new_sync_write @write',
    ),
  ),
  ...texts('rcu-self-work', ['4.14', '5.10', '6.1'], 'rcu-stall', 'batadv_nc_worker|batadv_nc_purge_paths', (v) =>
    v.rcuSelf('batadv_nc_purge_paths', 'batadv_nc_purge_paths batadv_nc_worker @work', {
      comm: 'kworker/u4:5',
      pid: 93,
    }),
  ),
  ...texts('rcu-self-spin', ['4.14', '5.10'], 'rcu-stall', 'snd_pcm_oss_write|snd_pcm_oss_write3', (v) =>
    v.rcuSelf(
      'native_queued_spin_lock_slowpath',
      'do_raw_spin_lock _raw_spin_lock_irqsave snd_pcm_oss_write3 snd_pcm_oss_write @write',
    ),
  ),
  ...texts('rcu-self-arm64', ['5.15 arm64', '6.6 arm64'], 'rcu-stall', 'hns3_nic_service_x|hclge_reset_loop', (v) =>
    v.rcuSelf('hclge_reset_loop', 'hclge_reset_loop hns3_nic_service_x @work', { comm: 'kworker/1:1', pid: 71 }),
  ),
  ...texts('rcu-self-softirq', ['4.19', '5.15', '6.6'], 'rcu-stall', 'ipvs_in_x|nf_ct_scan_x', (v) =>
    v.rcuSelf('nf_ct_scan_x', '<IRQ> nf_ct_scan_x nf_hook_slow ipvs_in_x @rxnet'),
  ),
  ...texts(
    'rcu-other',
    ['4.14', '4.19', '5.4', '5.15', '6.1', '6.12'],
    'rcu-stall',
    'do_vmi_scan_x|maple_scan_x',
    (v) =>
      v.rcuOther(
        'maple_scan_x',
        'maple_scan_x do_vmi_scan_x __x64_sys_munmap do_syscall_64 entry_SYSCALL_64_after_hwframe',
        { comm: 'syz-executor.0', pid: 9120 },
      ),
  ),
  ...texts('rcu-other-irq', ['5.4', '5.15', '6.6'], 'rcu-stall', 'advance_sched_x', (v) =>
    v.rcuOther('lock_acquire', '<IRQ> _raw_spin_lock advance_sched_x @hrtimer asm_exit_idle', {
      comm: 'swapper/1',
      pid: 0,
    }),
  ),
  ...texts('rcu-other-notail', ['5.10', '6.6'], 'rcu-stall', 'ieee80211_iface_work_x|rate_scan_x', (v) =>
    v.rcuOther('rate_scan_x', 'rate_scan_x ieee80211_iface_work_x @work', { comm: 'kworker/u8:0', pid: 9 }, false),
  ),
  ...texts('rcu-interrupted', ['5.15', '6.6'], 'rcu-stall', 'tcp_sendmsg_locked_x|skb_copy_loop_x', (v) => [
    'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
    'rcu: \tTasks blocked on level-0 rcu_node (CPUs 0-1): P9120',
    'rcu: \t(detected by 1, t=10502 jiffies, g=13045, q=100)',
    ...(v.version >= 511
      ? ['task:syz-executor.0  state:R  running task     stack:26040 pid: 9120 ppid:  8101 flags:0x00004006']
      : ['syz-executor.0  R  running task    26040  9120   8101 0x00004006']),
    ...v.trace(
      'context_switch __schedule preempt_schedule_irq irqentry_exit asm_sysvec_apic_timer_interrupt !skb_copy_loop_x skb_copy_loop_x tcp_sendmsg_locked_x inet_sendmsg @sendmsg',
    ),
  ]),
  ...texts('rcu-expedited', ['5.10', '6.1', '6.12'], 'rcu-stall', 'drm_atomic_loop_x|drm_wait_poll_x', (v) => [
    `${v.version < 419 ? '' : 'rcu: '}INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-...D } 2640 jiffies s: 4053 root: 0x2/.`,
    'rcu: blocking rcu_node structures (internal RCU debug):',
    'Task dump for CPU 1:',
    ...(v.version >= 511
      ? ['task:syz-executor.1  state:R  running task     stack:24848 pid: 7823 ppid:  6623 flags:0x0000400e']
      : ['syz-executor.1  R  running task    24848  7823   6623 0x0000400e']),
    ...v.trace('drm_wait_poll_x drm_atomic_loop_x drm_ioctl_kernel drm_ioctl @ioctl'),
  ]),
  ...texts('rcu-44', ['4.4'], 'rcu-stall', 'ath_tx_tasklet_x|ath_tx_drain_x', (v) => [
    'INFO: rcu_sched self-detected stall on CPU',
    '\t0-...: (5249 ticks this GP) idle=8e9/140000000000002/0 softirq=1180/1180 fqs=5249 ',
    '\t (t=5250 jiffies g=-143 c=-144 q=7)',
    'Task dump for CPU 0:',
    'ksoftirqd/0     R  running task        0     3      2 0x00000008',
    ...v.trace(
      '<IRQ> sched_show_task dump_cpu_task rcu_dump_cpu_stacks rcu_check_callbacks update_process_times tick_sched_handle.isra.15 tick_sched_timer __hrtimer_run_queues hrtimer_interrupt smp_apic_timer_interrupt apic_timer_interrupt </IRQ> ath_tx_drain_x ath_tx_tasklet_x tasklet_action __do_softirq run_ksoftirqd smpboot_thread_fn @kthread',
    ),
  ]),
  ...texts('rcu-44-list', ['4.4'], 'rcu-stall', 'mlx4_en_poll_x|mlx4_cq_loop_x', (v) => [
    'INFO: rcu_sched detected stalls on CPUs/tasks: { 1} (detected by 0, t=21002 jiffies, g=5033, c=5032, q=215)',
    'Task dump for CPU 1:',
    'kworker/1:2     R  running task        0   412      2 0x00000008',
    ...v.trace('mlx4_cq_loop_x mlx4_en_poll_x @work'),
  ]),
  ...texts('rcu-tasks', ['6.1'], 'rcu-stall', 'bpf_trampoline_wait_x', (v) => [
    'INFO: rcu_tasks detected stalls on tasks:',
    '00000000a5e1b0a5: .. nvcsw: 1/1 holdout: 1 idle_cpu: -1/1',
    'task:looper          state:R  running task     stack:28000 pid: 1395 ppid:     1 flags:0x00004000',
    ...v
      .trace('bpf_trampoline_wait_x loop_thread_x @kthread')
      .map((line) => line.replace(/ loop_thread_x.*/, ' <NMI>').replace(' <NMI>', ' ? stale_x+0x1/0x20')),
  ]),
  ...texts('rcu-kthread', ['5.15'], 'rcu-stall', null, () => [
    'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
    'rcu: \t(detected by 1, t=10502 jiffies, g=1285, q=17)',
    'rcu: All QSes seen, last rcu_preempt kthread activity 10502 (4294954541-4294944039), jiffies_till_next_fqs=1, root ->qsmask 0x0',
    'rcu: rcu_preempt kthread starved for 10503 jiffies! g1285 f0x2 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=1',
  ]),
  // ---- soft lockups
  ...texts('soft-driver', ['4.4', ...all], 'soft-lockup', 'snd_ctl_ioctl_x|snd_timer_loop_x', (v) =>
    v.soft('snd_timer_loop_x', 'snd_timer_loop_x snd_ctl_ioctl_x @ioctl'),
  ),
  ...texts('soft-spin', ['4.4', '4.14', '5.10', '6.1'], 'soft-lockup', 'xfs_file_fsync_x|xlog_grant_x', (v) =>
    v.soft(
      v.version < 500 ? 'native_queued_spin_lock_slowpath' : 'native_queued_spin_lock_slowpath',
      '_raw_spin_lock xlog_grant_x xfs_file_fsync_x @fsync',
    ),
  ),
  ...texts('soft-smp-call', ['4.14', '5.10', '6.6'], 'soft-lockup', 'mprotect_loop_x', (v) =>
    v.soft(
      'smp_call_function_many_cond',
      'on_each_cpu_cond_mask flush_tlb_mm_range mprotect_loop_x __x64_sys_mprotect do_syscall_64 entry_SYSCALL_64_after_hwframe',
    ),
  ),
  ...texts('soft-work', ['4.19', '5.15', '6.6'], 'soft-lockup', 'css_free_rwork_x|free_percpu_loop_x', (v) =>
    v.soft('free_percpu_loop_x', 'free_percpu_loop_x css_free_rwork_x @work', { comm: 'kworker/1:2', pid: 310 }),
  ),
  ...texts('soft-timer', ['5.4', '6.1'], 'soft-lockup', 'wg_timer_expired_x', (v) =>
    v.soft('wg_timer_expired_x', '<IRQ> wg_timer_expired_x @timer', { comm: 'ksoftirqd/1', pid: 16 }),
  ),
  ...texts('soft-softirq', ['4.14', '5.15', '6.12'], 'soft-lockup', 'gro_receive_x|vlan_loop_x', (v) =>
    v.soft('vlan_loop_x', '<IRQ> vlan_loop_x gro_receive_x @rxnet', { comm: 'swapper/1', pid: 0 }),
  ),
  ...texts('soft-kthread', ['4.9', '5.15'], 'soft-lockup', 'kcompactd_x|isolate_freepages_x', (v) =>
    v.soft('isolate_freepages_x', 'isolate_freepages_x compact_zone_x kcompactd_x @kthread', {
      comm: 'kcompactd0',
      pid: 40,
    }),
  ),
  ...texts(
    'soft-arm64',
    ['4.14 arm64', '5.10 arm64', '6.6 arm64'],
    'soft-lockup',
    'zram_bvec_ioctl_x|zram_slot_x',
    (v) => v.soft('zram_slot_x', 'zram_slot_x zram_bvec_ioctl_x @ioctl'),
  ),
  ...texts('soft-tty', ['4.19', '5.10'], 'soft-lockup', 'n_tty_write|do_con_loop_x', (v) =>
    v.soft('do_con_loop_x', 'do_con_loop_x con_write n_tty_write tty_write @write'),
  ),
  ...texts('soft-netlink', ['4.14', '5.15'], 'soft-lockup', 'nl80211_dump_station|sta_loop_x', (v) =>
    v.soft('sta_loop_x', 'sta_loop_x nl80211_dump_station genl_lock_dumpit netlink_dump netlink_recvmsg @recvmsg'),
  ),
  ...texts('soft-module', ['4.14', '5.15'], 'soft-lockup', 'drv_spin_forever', (v) =>
    v.soft('drv_spin_forever[drv]', 'drv_spin_forever[drv] drv_write[drv] @write', { comm: 'tool' }),
  ),
  // ---- hard lockups
  ...texts('hard', ['4.4', '4.14', '5.4', '5.15', '6.6'], 'hard-lockup', 'e1000_watchdog_x|e1000_read_x', (v) => [
    v.version < 414
      ? 'NMI watchdog: Watchdog detected hard LOCKUP on cpu 1'
      : 'NMI watchdog: Watchdog detected hard LOCKUP on cpu 1',
    'Modules linked in:',
    ...v.context({ comm: 'kworker/1:1', pid: 66 }),
    ...v.registers('e1000_read_x'),
    ...v.trace('e1000_read_x e1000_watchdog_x @work'),
  ]),
  ...texts('hard-panic', ['4.9', '5.10'], 'hard-lockup', 'ipmi_smi_loop_x|port_inb_loop_x', (v) => [
    'Kernel panic - not syncing: Hard LOCKUP',
    ...v.context({ comm: 'kipmi0', pid: 300 }),
    ...v.trace(
      '<NMI> dump_stack panic nmi_panic watchdog_overflow_callback __perf_event_overflow perf_event_overflow handle_pmi_common intel_pmu_handle_irq perf_event_nmi_handler nmi_handle default_do_nmi do_nmi end_repeat_nmi !port_inb_loop_x </NMI> port_inb_loop_x ipmi_smi_loop_x @kthread',
    ),
  ]),
  ...texts('hard-buddy', ['6.6'], 'hard-lockup', 'amd_iommu_ioctl_x|amd_iommu_wait_x', (v) => [
    'watchdog: Watchdog detected hard LOCKUP on cpu 1',
    'Modules linked in:',
    'Sending NMI from CPU 0 to CPUs 1:',
    'NMI backtrace for cpu 1',
    ...v.context(),
    ...v.registers('amd_iommu_wait_x'),
    ...v.trace('amd_iommu_wait_x amd_iommu_ioctl_x @ioctl'),
  ]),
  // ---- hung tasks
  ...texts('hung-mutex', ['4.4', ...all, '5.15 arm64', '4.14 arm'], 'hung-task', 'nbd_ioctl', (v) =>
    v.hung(
      '__schedule schedule schedule_preempt_disabled __mutex_lock mutex_lock_nested nbd_ioctl blkdev_ioctl @ioctl',
    ),
  ),
  ...texts('hung-rwsem', ['4.14', '5.4', '6.6'], 'hung-task', 'iterate_supers', (v) =>
    v.hung('__schedule schedule rwsem_down_read_slowpath down_read iterate_supers ksys_sync_x @sync'),
  ),
  ...texts('hung-io', ['4.14', '5.10', '6.6'], 'hung-task', 'ext4_bread_x', (v) =>
    v.hung(
      '__schedule schedule io_schedule bit_wait_io __wait_on_bit out_of_line_wait_on_bit __wait_on_buffer ext4_bread_x ext4_lookup_x @open',
    ),
  ),
  ...texts('hung-folio', ['5.17', '6.6'], 'hung-task', 'truncate_bdev_x', (v) =>
    v.hung(
      '__schedule schedule io_schedule folio_wait_bit_common __folio_lock folio_lock truncate_bdev_x blkdev_put_x @close',
    ),
  ),
  ...texts('hung-completion', ['4.9', '5.4', '6.12'], 'hung-task', 'usb_start_wait_urb', (v) =>
    v.hung(
      '__schedule schedule schedule_timeout do_wait_for_common __wait_for_common wait_for_completion_timeout usb_start_wait_urb usb_control_msg drv_open_x @open',
    ),
  ),
  ...texts('hung-flush', ['4.14', '5.15', '6.6'], 'hung-task', 'tty_buffer_flush_work_x', (v) =>
    v.hung(
      '__schedule schedule schedule_timeout wait_for_completion __flush_work flush_work tty_buffer_flush_work_x n_tty_read tty_read @read',
    ),
  ),
  ...texts('hung-flush-wq', ['4.14', '5.10'], 'hung-task', 'hci_dev_do_close', (v) =>
    v.hung(
      '__schedule schedule schedule_timeout wait_for_completion flush_workqueue drain_workqueue hci_dev_do_close hci_unregister_dev vhci_release @close',
    ),
  ),
  ...texts('hung-rcu', ['5.4', '6.1'], 'hung-task', 'tun_detach_all_x|synchronize_rcu', (v) =>
    v.hung(
      '__schedule schedule schedule_timeout wait_for_completion __wait_rcu_gp synchronize_rcu tun_detach_all_x unregister_netdevice_x @close',
    ),
  ),
  ...texts('hung-rtnl', ['4.14', '5.4', '5.15', '6.6'], 'hung-task', 'inet6_ioctl_x|rtnl_lock', (v) =>
    v.hung(
      '__schedule schedule schedule_preempt_disabled __mutex_lock mutex_lock_nested rtnl_lock inet6_ioctl_x sock_do_ioctl sock_ioctl @ioctl',
    ),
  ),
  ...texts('hung-kthread', ['4.14', '5.15', '6.6'], 'hung-task', 'jbd2_journal_commit_transaction', (v) =>
    v.hung(
      '__schedule schedule io_schedule bit_wait_io __wait_on_bit out_of_line_wait_on_bit __wait_on_buffer jbd2_journal_commit_transaction kjournald2 @kthread',
      { comm: 'jbd2/sda1-8', pid: 2988 },
    ),
  ),
  ...texts('hung-work', ['4.19', '5.10', '6.1'], 'hung-task', 'linkwatch_event|rtnl_lock', (v) =>
    v.hung(
      '__schedule schedule schedule_preempt_disabled __mutex_lock mutex_lock_nested rtnl_lock linkwatch_event @work',
      { comm: 'kworker/0:1', pid: 7 },
    ),
  ),
  ...texts('hung-fuse', ['4.14', '5.15', '6.6'], 'hung-task', 'request_wait_answer', (v) =>
    v.hung('__schedule schedule request_wait_answer fuse_simple_request fuse_flush @close'),
  ),
  ...texts('hung-lock-page', ['4.9', '4.19'], 'hung-task', 'write_cache_pages_x', (v) =>
    v.hung('__schedule schedule io_schedule __lock_page lock_page write_cache_pages_x ext4_writepages_x @fsync'),
  ),
  ...texts('hung-percpu-rwsem', ['5.10', '6.1'], 'hung-task', 'freeze_super_x', (v) =>
    v.hung('__schedule schedule percpu_down_write freeze_super_x ioctl_fsfreeze_x @ioctl'),
  ),
  ...texts('hung-kthread-stop', ['4.19', '6.1'], 'hung-task', 'dvb_frontend_stop_x', (v) =>
    v.hung(
      '__schedule schedule schedule_timeout wait_for_completion kthread_stop dvb_frontend_stop_x dvb_release_x @close',
    ),
  ),
  ...texts('hung-freeze-queue', ['5.4', '6.6'], 'hung-task', 'nvme_reset_x', (v) =>
    v.hung('__schedule schedule blk_mq_freeze_queue_wait blk_mq_freeze_queue nvme_reset_x @work'),
  ),
  ...texts('hung-blkdev', ['5.10', '6.1'], 'hung-task', 'blkdev_get_by_dev_x', (v) =>
    v.hung('__schedule schedule schedule_preempt_disabled __mutex_lock blkdev_get_by_dev_x blkdev_open @open'),
  ),
  ...texts('hung-exit', ['4.14', '5.10'], 'hung-task', 'io_uring_cancel_x', (v) =>
    v.hung(
      '__schedule schedule schedule_timeout wait_for_completion io_uring_cancel_x do_exit do_group_exit get_signal arch_do_signal_or_restart exit_to_user_mode_prepare syscall_exit_to_user_mode do_syscall_64 entry_SYSCALL_64_after_hwframe',
    ),
  ),
  ...texts('hung-nfs', ['4.14', '6.1'], 'hung-task', 'rpc_wait_bit_killable', (v) =>
    v.hung(
      '__schedule schedule rpc_wait_bit_killable __wait_on_bit out_of_line_wait_on_bit __rpc_execute rpc_execute rpc_run_task nfs4_call_sync_x nfs4_proc_getattr_x @stat',
    ),
  ),
  ...texts('hung-locks', ['5.15', '6.6'], 'hung-task', 'p9_client_rpc_x', (v) => [
    ...v.hung('__schedule schedule p9_client_rpc_x p9_client_walk_x @open'),
    '',
    'Showing all locks held in the system:',
    '1 lock held by khungtaskd/28:',
    ` #0: ffffffff8bf84e00 (rcu_read_lock){....}-{1:2}, at: ${v.symbol('debug_show_all_locks')}`,
    '',
    '=============================================',
    '',
    'NMI backtrace for cpu 0',
    ...v.context({ comm: 'khungtaskd', pid: 28, cpu: 0 }),
    ...v.trace('dump_stack nmi_cpu_backtrace nmi_trigger_cpumask_backtrace watchdog kthread ret_from_fork'),
    'Sending NMI from CPU 0 to CPUs 1:',
    'NMI backtrace for cpu 1 skipped: idling at native_safe_halt+0xe/0x10',
    'Kernel panic - not syncing: hung_task: blocked tasks',
    ...v.context({ comm: 'khungtaskd', pid: 28, cpu: 0 }),
    ...v.trace('dump_stack panic watchdog kthread ret_from_fork'),
  ]),
  text('hung-cut', '6.1', 'hung-task', 'nilfs_detach_x', (v) =>
    v.hung('__schedule schedule rwsem_down_write_slowpath down_write nilfs_detach_x @umount').slice(1),
  ),
  text('hung-cut-old', '4.14', 'hung-task', 'nilfs_detach_x', (v) =>
    v.hung('__schedule schedule rwsem_down_write_slowpath down_write nilfs_detach_x @umount').slice(1),
  ),
  ...texts('cant-die', ['5.10', '6.1'], 'hung-task', 'io_iopoll_try_reap_x', (v) => [
    "INFO: task syz-executor.1:8931 can't die for more than 143 seconds.",
    v.version >= 511
      ? 'task:syz-executor.1  state:R  running task     stack:28272 pid: 8931 ppid:  8466 flags:0x00004006'
      : 'syz-executor.1  R  running task    28272  8931   8466 0x00004006',
    ...v.trace('io_iopoll_try_reap_x io_uring_cancel_y do_exit do_group_exit get_signal'),
  ]),
  ...texts('workqueue', ['4.14', '5.15', '6.6'], 'workqueue-lockup', null, () => [
    'BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 33s!',
    'Showing busy workqueues and worker pools:',
    'workqueue events: flags=0x0',
    '  pwq 0: cpus=0 node=0 flags=0x0 nice=0 active=2/256 refcnt=3',
    '    pending: cache_reap, key_garbage_collector',
  ]),
  ...texts('nmi-backtraces', ['5.4', '6.1'], 'soft-lockup', 'reg_process_x|reg_loop_x', (v) => [
    ...v.soft('reg_loop_x', 'reg_loop_x reg_process_x @work', { comm: 'kworker/1:2', pid: 310 }),
    'Sending NMI from CPU 1 to CPUs 0:',
    'NMI backtrace for cpu 0',
    ...v.context({ comm: 'bystander', pid: 5, cpu: 0 }),
    ...v.registers('bystander_fn'),
    ...v.trace('bystander_fn bystander_parent @write'),
  ]),
];
