// WARN() in all its forms, what it says first, and the kernel's other complaints.
import { type Text, texts } from './text.ts';

const all = ['4.4', '4.9', '4.14', '4.19', '5.4', '5.15', '6.1', '6.12', '6.19'];

export const warnings: readonly Text[] = [
  ...texts(
    'warn-own',
    [...all, '4.9 arm64', '5.15 arm64', '4.14 arm', '6.1 arm', '6.6 riscv'],
    'WARN',
    'sta_info_insert_check',
    (v) =>
      v.warn(
        'net/mac80211/sta_info.c:560',
        'sta_info_insert_check',
        'sta_info_insert_rcu ieee80211_ibss_finish_sta @work',
      ),
  ),
  ...texts('warn-message', ['4.4', '4.14', '5.10', '6.6'], 'WARN', 'ext4_handle_inode_extension', (v) =>
    v.warn(
      'fs/ext4/file.c:322',
      'ext4_handle_inode_extension',
      'ext4_dio_write_iter ext4_file_write_iter @write',
      'EXT4-fs warning: inode size changed',
    ),
  ),
  ...texts('warn-panic', ['4.14', '4.19', '5.4', '5.15'], 'WARN', 'vb2_core_reqbufs_x', (v) =>
    v.warnPanic(
      'drivers/media/common/videobuf2/videobuf2-core.c:612',
      'vb2_core_reqbufs_x',
      'vb2_ioctl_x video_ioctl2 @ioctl',
    ),
  ),
  ...texts('warn-netdev', ['4.14', '6.1'], 'WARN', 'dev_watchdog', (v) =>
    v.warn(
      'net/sched/sch_generic.c:525',
      'dev_watchdog',
      '<IRQ> @timer',
      'NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out',
      { comm: 'swapper/1', pid: 0 },
    ),
  ),
  ...texts('warn-usb', ['5.4', '6.6'], 'WARN', 'usb_submit_urb', (v) =>
    v.warn(
      'drivers/usb/core/urb.c:504',
      'usb_submit_urb',
      'usb_start_wait_urb usb_bulk_msg drv_send_x @write',
      'usb 1-1: BOGUS urb xfer, pipe 3 != type 1',
    ),
  ),
  ...texts('warn-alloc', ['4.14', '5.10', '6.6'], 'WARN', 'tomoyo_init_log_x', (v) =>
    v.warn(
      'mm/page_alloc.c:4985',
      v.version < 500 ? '__alloc_pages_slowpath' : '__alloc_pages',
      'alloc_pages_current kmalloc_order kmalloc_order_trace __kmalloc tomoyo_init_log_x @write',
    ),
  ),
  ...texts('warn-kmalloc', ['5.4', '6.1'], 'WARN', 'nf_tables_expr_x', (v) =>
    v.warn('mm/slab_common.c:1013', 'kmalloc_slab', '__kmalloc kmalloc_array nf_tables_expr_x @netlink'),
  ),
  ...texts('warn-kvmalloc', ['5.15', '6.6'], 'WARN', 'bpf_check_x', (v) =>
    v.warn('mm/util.c:597', 'kvmalloc_node', 'kvcalloc bpf_check_x bpf_prog_load @bpf'),
  ),
  ...texts('warn-vmalloc', ['5.10'], 'WARN', 'snd_dma_x', (v) =>
    v.warn(
      'mm/vmalloc.c:2268',
      '__vunmap',
      'vfree snd_dma_x snd_pcm_release_x @close',
      'Trying to vfree() nonexistent vm area (00000000a5e1b0a5)',
    ),
  ),
  ...texts('warn-dma', ['4.14', '6.1'], 'WARN', 'stmmac_tx_x', (v) =>
    v.warn(
      'kernel/dma/debug.c:1027',
      'check_unmap',
      'debug_dma_unmap_page dma_unmap_page_attrs stmmac_tx_x @rxnet',
      'stmmaceth 0000:01:00.0: DMA-API: device driver failed to check map error',
    ),
  ),
  ...texts('refcount', ['4.14', '4.19', '5.4', '5.15', '6.12', '5.10 arm64'], 'refcount', 'tcp_fastopen_x', (v) =>
    v.warn(
      `lib/refcount.c:${v.version < 505 ? 187 : 28}`,
      v.version < 505 ? 'refcount_sub_and_test' : 'refcount_warn_saturate',
      'refcount_dec_and_test sock_put tcp_fastopen_x @connect',
      'refcount_t: underflow; use-after-free.',
    ),
  ),
  ...texts('refcount-inc', ['4.14', '6.1'], 'refcount', 'rxrpc_get_x', (v) =>
    v.warn(
      `lib/refcount.c:${v.version < 505 ? 105 : 25}`,
      v.version < 505 ? 'refcount_inc' : 'refcount_warn_saturate',
      'kref_get rxrpc_get_x @sendmsg',
      'refcount_t: addition on 0; use-after-free.',
    ),
  ),
  ...texts('refcount-kobject', ['5.10', '6.6'], 'refcount', 'vivid_radio_x', (v) =>
    v.warn(
      'lib/refcount.c:28',
      'refcount_warn_saturate',
      'kobject_put put_device vivid_radio_x @close',
      'refcount_t: underflow; use-after-free.',
    ),
  ),
  ...texts('odebug-timer', ['4.14', '5.4', '6.6'], 'odebug', 'netdev_run_x', (v) =>
    v.warn(
      'lib/debugobjects.c:329',
      'debug_print_object',
      'debug_object_assert_init del_timer try_to_grab_pending __cancel_work_timer netdev_run_x @close',
      'ODEBUG: assert_init not available (active state 0) object type: timer_list hint: 0x0',
    ),
  ),
  ...texts('odebug-free', ['4.9', '5.15', '6.12'], 'odebug', 'hci_release_dev_x', (v) =>
    v.warn(
      'lib/debugobjects.c:505',
      'debug_print_object',
      '__debug_check_no_obj_freed debug_check_no_obj_freed kfree hci_release_dev_x device_release kobject_cleanup kobject_put put_device @close',
      `ODEBUG: free active (active state 0) object type: timer_list hint: ${v.symbol('hci_cmd_timeout')}`,
    ),
  ),
  ...texts('odebug-rcu', ['5.10', '6.1'], 'odebug', 'route4_delete_x', (v) =>
    v.warn(
      'lib/debugobjects.c:481',
      'debug_print_object',
      'debug_object_activate call_rcu tcf_queue_work route4_delete_x @rtnl',
      'ODEBUG: activate active (active state 1) object type: rcu_head hint: 0x0',
    ),
  ),
  ...texts('odebug-work', ['5.4', '6.6'], 'odebug', 'vhci_open_x', (v) =>
    v.warn(
      'lib/debugobjects.c:328',
      'debug_print_object',
      'debug_object_init __init_work vhci_open_x misc_open chrdev_open @open',
      'ODEBUG: init active (active state 0) object type: work_struct hint: hci_rx_work',
    ),
  ),
  ...texts('list-warn', ['4.4', '4.9'], 'list-corruption', 'net_dm_x', (v) =>
    v.warn(
      'lib/list_debug.c:33',
      '__list_add',
      'list_add_tail net_dm_x @netlink',
      'list_add corruption. prev->next should be next (ffff8800b8c1f8a0), but was (null). (prev=ffff8800b8c1f8a0).',
    ),
  ),
  ...texts('list-warn-del', ['4.4', '6.12'], 'list-corruption', 'l2tp_tunnel_x', (v) =>
    v.warn(
      'lib/list_debug.c:62',
      v.version < 500 ? '__list_del_entry' : '__list_del_entry_valid_or_report',
      'list_del_init l2tp_tunnel_x @close',
      'list_del corruption. prev->next should be ffff8800b8c1f8a0, but was dead000000000100',
    ),
  ),
  ...texts('kobject-warn', ['4.9', '5.4', '6.1'], 'WARN', 'net_rx_queue_x', (v) =>
    v.warn(
      'lib/kobject.c:710',
      v.version < 500 ? 'kobject_get' : 'kobject_put',
      'net_rx_queue_x netdev_register_x @rtnl',
      "kobject: '(null)' (00000000a5e1b0a5): is not initialized, yet kobject_put() is being called.",
    ),
  ),
  ...texts('kobject-add', ['4.14', '5.10'], 'WARN', 'mdev_register_x', (v) =>
    v.warn(
      'lib/kobject.c:244',
      'kobject_add_internal',
      'kobject_add kobject_create_and_add mdev_register_x @insmod',
      "kobject_add_internal failed for mdev with -EEXIST, don't try to register things with the same name in the same directory.",
    ),
  ),
  ...texts('sysfs-dup', ['4.4', '4.14'], 'WARN', 'bond_sysfs_x', (v) =>
    v.warn(
      'fs/sysfs/dir.c:31',
      'sysfs_warn_dup',
      'sysfs_create_dir_ns kobject_add_internal kobject_add device_add bond_sysfs_x @ioctl',
      "sysfs: cannot create duplicate filename '/class/net/bond0'",
    ),
  ),
  ...texts('sysfs-remove', ['4.9', '6.1'], 'WARN', 'edac_unreg_x', (v) =>
    v.warn(
      'fs/sysfs/group.c:278',
      'sysfs_remove_group',
      'dpm_sysfs_remove device_del device_unregister edac_unreg_x @rmmod',
      "sysfs group 'power' not found for kobject 'mc0'",
    ),
  ),
  ...texts('kernfs-warn', ['4.14', '5.15'], 'WARN', 'btrfs_sysfs_x', (v) =>
    v.warn(
      'fs/kernfs/dir.c:1616',
      'kernfs_remove_by_name_ns',
      'sysfs_remove_file_ns btrfs_sysfs_x @umount',
      "kernfs: can not remove 'qgroups', no directory",
    ),
  ),
  ...texts('proc-dup', ['4.14', '5.10', '6.6'], 'WARN', 'ip6t_recent_x', (v) =>
    v.warn(
      'fs/proc/generic.c:380',
      'proc_register',
      'proc_create_data ip6t_recent_x @setsockopt',
      "proc_dir_entry 'xt_recent/x' already registered",
    ),
  ),
  ...texts('proc-remove', ['4.14', '6.1'], 'WARN', 'clusterip_x', (v) =>
    v.warn(
      'fs/proc/generic.c:669',
      'remove_proc_entry',
      'clusterip_x @setsockopt',
      "remove_proc_entry: removing non-empty directory 'net/ipt', leaking at least 'x'",
    ),
  ),
  ...texts('debugfs-warn', ['5.4'], 'WARN', 'debugfs_user_x', (v) =>
    v.warn('fs/debugfs/inode.c:900', 'debugfs_create_file', 'debugfs_user_x @insmod'),
  ),
  ...texts('work-warn', ['4.14', '5.10', '6.6'], 'WARN', 'ar5523_stop_x', (v) =>
    v.warn(
      'kernel/workqueue.c:3067',
      '__flush_work',
      '__cancel_work_timer cancel_work_sync ar5523_stop_x @usbgone @work',
    ),
  ),
  ...texts('queue-warn', ['4.14', '6.1'], 'WARN', 'hci_cmd_timer_x', (v) =>
    v.warn(
      'kernel/workqueue.c:1445',
      '__queue_work',
      'queue_work_on queue_work hci_cmd_timer_x @timer',
      'workqueue: cannot queue hci_tx_work on wq hci0',
    ),
  ),
  ...texts('destroy-wq', ['4.19', '6.6'], 'WARN', 'erofs_exit_x', (v) =>
    v.warn('kernel/workqueue.c:4402', 'destroy_workqueue', 'erofs_exit_x @rmmod', 'destroy_workqueue: pool still busy'),
  ),
  ...texts('kthread-warn', ['5.4', '6.6'], 'WARN', 'md_thread_x', (v) =>
    v.warn('kernel/kthread.c:399', '__kthread_bind_mask', 'kthread_bind_mask md_thread_x @ioctl'),
  ),
  ...texts('kthread-create', ['5.10'], 'WARN', 'dvb_start_x', (v) =>
    v.warn('kernel/kthread.c:75', 'kthread_stop', 'dvb_start_x @open'),
  ),
  ...texts('irq-warn', ['4.14', '6.1'], 'WARN', 'free_irq', (v) =>
    v.warn(
      'kernel/irq/manage.c:1925',
      'free_irq',
      'devm_free_irq uart_shutdown_x @close',
      'Trying to free already-free IRQ 18',
    ),
  ),
  ...texts('softirq-warn', ['4.14', '5.10', '6.6'], 'WARN', 'batadv_purge_x', (v) =>
    v.warn('kernel/softirq.c:362', '__local_bh_enable_ip', '_raw_spin_unlock_bh batadv_purge_x @work'),
  ),
  ...texts('smp-call-warn', ['4.19', '6.1'], 'WARN', 'kvm_kick_x', (v) =>
    v.warn('kernel/smp.c:424', 'smp_call_function_many', 'on_each_cpu kvm_kick_x @ioctl'),
  ),
  ...texts('might-sleep-warn', ['4.14', '5.4'], 'WARN', 'vcc_recvmsg_x', (v) =>
    v.warn(
      'kernel/sched/core.c:6650',
      '__might_sleep',
      'lock_sock_nested vcc_recvmsg_x @recvmsg',
      'do not call blocking ops when !TASK_RUNNING; state=1 set at [<ffffffff81000000>] prepare_to_wait+0x1/0x20',
    ),
  ),
  ...texts('mutex-owner-warn', ['4.9'], 'WARN', 'w1_search_x', (v) =>
    v.warn(
      'kernel/locking/mutex-debug.c:80',
      'debug_mutex_unlock',
      '__mutex_unlock_slowpath mutex_unlock w1_search_x @write',
      'DEBUG_LOCKS_WARN_ON(lock->owner != current)',
    ),
  ),
  ...texts('percpu-ref', ['5.4', '6.1'], 'WARN', 'percpu_ref_switch_to_atomic_rcu', (v) =>
    v.warn(
      'lib/percpu-refcount.c:155',
      'percpu_ref_switch_to_atomic_rcu',
      '<IRQ> @rcu',
      'percpu ref (css_release) <= 0 (-1) after switching to atomic',
    ),
  ),
  ...texts('skb-warn', ['4.14', '5.15', '6.6'], 'WARN', 'skb_try_coalesce', (v) =>
    v.warn('net/core/skbuff.c:5278', 'skb_try_coalesce', 'ip6_append_x @sendto'),
  ),
  ...texts('copy-warn', ['4.19', '6.1'], 'WARN', 'bpf_test_x', (v) =>
    v.warn(
      'include/linux/thread_info.h:150',
      'copy_from_iter',
      '_copy_from_iter bpf_test_x @bpf',
      'Buffer overflow detected (20 < 64)!',
    ),
  ),
  ...texts('memcpy-warn', ['6.1', '6.6'], 'WARN', 'orinoco_x', (v) =>
    v.warn(
      'drivers/net/wireless/orinoco.c:77',
      'orinoco_x',
      'orinoco_cmd_x @ioctl',
      'memcpy: detected field-spanning write (size 30) of single field "p->tid" at drivers/net/wireless/orinoco.c:77 (size 16)',
    ),
  ),
  ...texts('idr-warn', ['4.19'], 'WARN', 'drm_mode_x', (v) =>
    v.warn('lib/idr.c:84', 'idr_get_free', 'idr_alloc drm_mode_x drm_ioctl @ioctl'),
  ),
  ...texts('ida-warn', ['5.4', '6.6'], 'WARN', 'devpts_x', (v) =>
    v.warn('lib/idr.c:525', 'ida_free', 'devpts_x @close', 'ida_free called for id=6 which is not allocated.'),
  ),
  ...texts('rcu-warn', ['5.4', '6.6'], 'WARN', 'sync_user_x', (v) =>
    v.warn(
      'kernel/rcu/tree_plugin.h:297',
      'rcu_note_context_switch',
      '__schedule schedule schedule_timeout wait_for_completion sync_user_x @ioctl',
    ),
  ),
  ...texts('timer-warn', ['5.15', '6.6'], 'WARN', 'timer_user_x', (v) =>
    v.warn('kernel/time/timer.c:1128', 'mod_timer', 'timer_user_x @ioctl'),
  ),
  ...texts('fput-warn', ['5.10'], 'WARN', 'exit_file_x', (v) => v.warn('fs/exit_file.c:11', 'exit_file_x', '@exit')),
  ...texts('chain-warn', ['5.4', '6.1'], 'WARN', 'notifier_user_x', (v) =>
    v.warn('kernel/notifier.c:28', 'notifier_chain_register', 'raw_notifier_chain_register notifier_user_x @insmod'),
  ),
  ...texts('cpu-hotplug', ['5.4'], 'WARN', 'sctp_option_x', (v) =>
    v.warn('kernel/jump_label.c:200', 'static_key_slow_inc', 'sctp_option_x @setsockopt'),
  ),
  ...texts('once-thread', ['6.1', '6.19'], 'WARN', 'nft_setelem_x', (v) =>
    v.warn('net/netfilter/nf_tables_api.c:6000', 'nft_setelem_x', 'nf_tables_commit_x nfnetlink_rcv_batch @netlink'),
  ),
  // ---- the unwinder's own
  ...texts('frame-pointer', ['4.14', '5.4'], 'WARN', null, (v) => [
    `WARNING: kernel stack frame pointer at ${v.data('f')} in syz-executor.2:7821 has bad value ${v.data('g')}`,
    `unwind stack type:0 next_sp:          (null) mask:0x2 graph_idx:0`,
    `${v.data('f')}: ${v.data('g')} (0x${v.data('g')})`,
    `${v.data('h')}: ${v.address('i')} (lock_acquire+0x1/0x20)`,
  ]),
  ...texts('regs-bad', ['4.14', '4.19'], 'WARN', null, (v) => [
    `WARNING: kernel stack regs at ${v.data('f')} in syz-executor.2:7821 has bad 'bp' value ${v.data('g')}`,
    'unwind stack type:0 next_sp:          (null) mask:0x6 graph_idx:0',
    `${v.data('f')}: ${v.data('g')} (0x${v.data('g')})`,
  ]),
  ...texts('cant-access', ['4.19', '5.10'], 'WARN', null, () => [
    "WARNING: can't access registers at entry_SYSCALL_64_after_hwframe+0x44/0xa9",
    'Code: 48 89 e5 41 57 41 56 41 55 41 54 53 48 83 ec 28 <48> 8b 47 08 48 85 c0 74 1c',
  ]),
  ...texts('wrong-direction', ['5.15'], 'WARN', null, () => [
    'WARNING: stack going in the wrong direction? at do_syscall_64+0x35/0xb0',
    'unwind stack type:0 next_sp:0000000000000000 mask:0x2 graph_idx:0',
  ]),
  ...texts('unrecognised-return', ['4.14'], 'WARN', null, (v) => [
    `WARNING: unrecognized kernel stack return address ${v.data('r')} at ${v.data('f')} in sh:1395`,
    'unwind stack type:0 next_sp:          (null) mask:0x2 graph_idx:0',
  ]),
  // ---- VFS
  ...texts('busy-inodes', ['4.14', '5.15'], 'BUG', null, () => [
    'VFS: Busy inodes after unmount of loop0. Self-destruct in 5 seconds.  Have a nice day...',
  ]),
  ...texts('busy-inodes-new', ['6.6'], 'BUG', 'generic_shutdown_super', (v) => [
    'VFS: Busy inodes after unmount of loop0 (hfs)',
    ...v.bug('fs/super.c:695', 'generic_shutdown_super', 'kill_block_super @umount'),
  ]),
  ...texts('file-count', ['4.9', '5.15'], 'BUG', null, () => ['VFS: Close: file count is zero (use-after-free)']),
  ...texts('file-count-new', ['6.6'], 'BUG', 'filp_flush', (v) => [
    'VFS: Close: file count is zero (use-after-free)',
    ...v.bug(
      'fs/open.c:1530',
      'filp_flush',
      'filp_close __do_sys_close __x64_sys_close do_syscall_64 entry_SYSCALL_64_after_hwframe',
    ),
  ]),
  ...texts('netdev', ['4.14', '6.1'], 'netdev-unregister', null, () => [
    'unregister_netdevice: waiting for lo to become free. Usage count = 2',
  ]),
  ...texts('lockdep-limits', ['4.14', '5.4'], 'BUG', 'somebody_x', (v) => [
    'BUG: MAX_LOCKDEP_ENTRIES too low!',
    'turning off the locking correctness validator.',
    'Please attach the output of /proc/lock_stat to the bug report',
    ...v.context(),
    ...v.trace(
      'dump_stack alloc_list_entry.cold add_lock_to_list check_prev_add __lock_acquire lock_acquire _raw_spin_lock somebody_x @write',
    ),
  ]),
  ...texts('lockdep-keys', ['5.10'], 'BUG', 'bond_create_x', (v) => [
    'BUG: MAX_LOCKDEP_KEYS too low!',
    'turning off the locking correctness validator.',
    ...v.context(),
    ...v.trace(
      'dump_stack register_lock_class.cold __lock_acquire lock_acquire flush_workqueue drain_workqueue destroy_workqueue bond_create_x @rtnl',
    ),
  ]),
];
