// KASAN, KMSAN, KCSAN, UBSAN, KFENCE, and memory found damaged or lost.
import { type Text, text, texts } from './text.ts';
import type { Voice } from './voice.ts';

const lines = '='.repeat(66);

function kcsan(v: Voice, first: string, second: string, firstTrace: string, secondTrace: string): string[] {
  return [
    lines,
    `BUG: KCSAN: data-race in ${first} / ${second}`,
    '',
    `write to 0xffff88813b4a1c50 of 8 bytes by task 9012 on cpu 0:`,
    ...v.frames(firstTrace),
    '',
    `read to 0xffff88813b4a1c50 of 8 bytes by task 9013 on cpu 1:`,
    ...v.frames(secondTrace),
    '',
    'Reported by Kernel Concurrency Sanitizer on:',
    ...v.context(),
    lines,
  ];
}

function kmsan(v: Voice, type: string, at: string, words: string): string[] {
  return [
    '='.repeat(53),
    `BUG: KMSAN: ${type} in ${v.symbol(at)}`,
    ...(v.version < 600
      ? [...v.context(), ...v.trace(`dump_stack kmsan_report __msan_warning ${at} ${words}`)]
      : v.frames(`${at} ${words}`)),
    '',
    'Uninit was created at:',
    ...v.frames('slab_post_alloc_hook __kmalloc_node kmalloc_reserve __alloc_skb other_alloc @sendmsg'),
    '',
    ...(v.version < 600 ? [] : v.context()),
    '='.repeat(53),
  ];
}

function ubsan(v: Voice, type: string, where: string, detail: string, words: string): string[] {
  return [
    v.version < 509 ? '='.repeat(80) : '------------[ cut here ]------------',
    v.version < 509 ? `UBSAN: Undefined behaviour in ${where}` : `UBSAN: ${type} in ${where}`,
    detail,
    ...v.context(),
    ...v.trace(`dump_stack ubsan_epilogue ${words}`),
    v.version < 509 ? '='.repeat(80) : '---[ end trace ]---',
  ];
}

function kfence(v: Voice, type: string, at: string, words: string): string[] {
  return [
    lines,
    `BUG: KFENCE: ${type} in ${v.symbol(at)}`,
    '',
    `${/write|out-of-bounds/.test(type) ? 'Out-of-bounds' : 'Use-after-free'} read at 0x00000000b6fcd1a7 (in kfence-#81):`,
    ...v.frames(`${at} ${words}`),
    '',
    'kfence-#81: 0x00000000c6c1d3b2-0x00000000b6fcd1a6, size=256, cache=kmalloc-256',
    '',
    'allocated by task 3103 on cpu 1 at 146.2s:',
    ...v.frames('maker_alloc maker_probe @write'),
    '',
    ...v.context(),
    lines,
  ];
}

function leak(v: Voice, words: string): string[] {
  return [
    'BUG: memory leak',
    'unreferenced object 0xffff88810ae3e200 (size 512):',
    '  comm "syz-executor227", pid 5073, jiffies 4294942512 (age 13.740s)',
    '  hex dump (first 32 bytes):',
    '    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................',
    '    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................',
    v.version >= 609 ? '  backtrace (crc 5a7c52d):' : '  backtrace:',
    ...v.frames(words).map((line) => `   ${v.version < 609 ? ` [<${v.address(line)}>]` : ''}${line}`),
    '',
  ];
}

function slub(v: Voice, cache: string, what: string, words: string): string[] {
  return [
    '='.repeat(77),
    `BUG ${cache} (Not tainted): ${what}`,
    '-'.repeat(77),
    '',
    ...(v.version < 512 ? ['Disabling lock debugging due to kernel taint'] : []),
    `${v.version < 512 ? 'INFO: ' : ''}0x00000000f0d1a5b2-0x00000000a1c2d3e4 @offset=4920. First byte 0x6a instead of 0x6b`,
    `${v.version < 512 ? 'INFO: ' : ''}Allocated in ${v.symbol('maker_alloc')} age=121 cpu=0 pid=4031`,
    ...v.frames('__slab_alloc kmem_cache_alloc_trace maker_alloc maker_open @open').map((l) => `\t${l.trim()}`),
    `${v.version < 512 ? 'INFO: ' : ''}Freed in ${v.symbol('maker_free')} age=12 cpu=1 pid=4033`,
    ...v.frames('__slab_free kfree maker_free maker_close @close').map((l) => `\t${l.trim()}`),
    `${v.version < 512 ? 'INFO: ' : ''}Slab 0xffffea0002fe5b40 objects=19 used=19 fp=0x0000000000000000 flags=0x1fffc0000010200`,
    `${v.version < 512 ? 'INFO: ' : ''}Object 0x00000000f0d1a5b2 @offset=4912 fp=0x00000000deadbeef`,
    '',
    'Redzone  000000006bfc7d4b: bb bb bb bb bb bb bb bb                          ........',
    'Object   00000000f0d1a5b2: 6b 6b 6b 6b 6b 6b 6b 6b 6a 6b 6b 6b 6b 6b 6b a5  kkkkkkkkjkkkkkk.',
    ...v.context(),
    ...v.trace(words),
    'FIX kmalloc-192: Restoring Poison 0x00000000f0d1a5b2-0x00000000a1c2d3e4=0x6b',
  ];
}

export const sanitizers: readonly Text[] = [
  ...texts(
    'uaf-own',
    ['4.4', '4.9', '4.14', '4.19', '5.4', '5.10', '5.15', '6.1', '6.6', '6.12', '5.15 arm64', '6.6 arm64'],
    'kasan',
    'tipc_group_self',
    (v) =>
      v.kasan(
        'use-after-free Read 8',
        'tipc_group_self',
        'tipc_group_self tipc_sk_leave tipc_release @release',
        {},
        'tipc_group_create tipc_setsockopt @setsockopt',
        'tipc_group_delete tipc_sk_leave tipc_release @release',
      ),
  ),
  ...texts('slab-uaf', ['6.3', '6.12'], 'kasan', 'binder_add_device', (v) =>
    v.kasan(
      'slab-use-after-free Write 8',
      'binder_add_device',
      'binder_add_device binderfs_binder_device_create binderfs_fill_super @mount',
    ),
  ),
  ...texts('oob-own', ['4.9', '5.15', '6.12'], 'kasan', 'udf_write_aext', (v) =>
    v.kasan('slab-out-of-bounds Write 4', 'udf_write_aext', 'udf_write_aext udf_add_entry udf_mkdir @mkdir'),
  ),
  ...texts('stack-oob', ['4.14', '5.10', '6.6'], 'kasan', 'xfrm_state_find', (v) =>
    v.kasan(
      'stack-out-of-bounds Read 4',
      'xfrm_state_find',
      'xfrm_state_find xfrm_tmpl_resolve xfrm_resolve_and_create_bundle xfrm_lookup_with_ifid ip_route_output_flow udp_sendmsg @sendto',
    ),
  ),
  ...texts('global-oob', ['4.14', '6.1'], 'kasan', 'fbcon_get_font', (v) =>
    v.kasan(
      'global-out-of-bounds Read 1',
      'fbcon_get_font',
      'fbcon_get_font con_font_get con_font_op vt_ioctl tty_ioctl @ioctl',
    ),
  ),
  ...texts('vmalloc-oob', ['5.10', '6.6'], 'kasan', 'sys_imageblit_x', (v) =>
    v.kasan(
      'vmalloc-out-of-bounds Write 4',
      'sys_imageblit_x',
      'sys_imageblit_x drm_fb_helper_sys_imageblit bit_putcs fbcon_putcs fbcon_redraw @write',
    ),
  ),
  ...texts('wild', ['4.19', '6.1'], 'kasan', 'io_ring_ctx_ref', (v) =>
    v.kasan('wild-memory-access Write 8', 'instrument_atomic_write', 'set_bit io_ring_ctx_ref io_uring_release @close'),
  ),
  ...texts('null-ptr', ['5.15', '6.6'], 'kasan', 'do_sync_mmap_readahead', (v) =>
    v.kasan(
      'null-ptr-deref Write 4',
      'instrument_atomic_read_write',
      'atomic_fetch_sub_release refcount_sub_and_test refcount_dec_and_test do_sync_mmap_readahead filemap_fault @fault',
    ),
  ),
  ...texts('user-access', ['4.14', '5.15'], 'kasan', 'n_tty_set_room_x', (v) =>
    v.kasan('user-memory-access Write 1024', 'memset', 'memset n_tty_set_room_x n_tty_open tty_ldisc_open @open'),
  ),
  ...texts(
    'memcpy-oob',
    ['4.9', '4.14', '5.4', '5.15', '6.6', '6.1 arm64'],
    'kasan',
    'crypto_morus640_decrypt_chunk',
    (v) =>
      v.kasan(
        'slab-out-of-bounds Read 16',
        'memcpy',
        'memcpy crypto_morus640_decrypt_chunk crypto_morus640_crypt aead_recvmsg @recvmsg',
      ),
  ),
  ...texts('memcmp-oob', ['4.14', '6.1'], 'kasan', 'nilfs_dat_search', (v) =>
    v.kasan('use-after-free Read 8', 'memcmp', 'memcmp nilfs_dat_search nilfs_lookup @stat'),
  ),
  ...texts('strlen-oob', ['4.14', '5.10', '6.6'], 'kasan', 'tipc_nl_compat_link_set', (v) =>
    v.kasan('slab-out-of-bounds Read 1', 'strlen', 'strlen tipc_nl_compat_link_set tipc_nl_compat_doit @genl'),
  ),
  ...texts('strscpy-oob', ['5.4', '6.1'], 'kasan', 'thermal_hwmon_name', (v) =>
    v.kasan(
      'slab-out-of-bounds Read 1',
      'strscpy',
      'strscpy thermal_hwmon_name thermal_zone_device_register @probe @initcall',
    ),
  ),
  ...texts('copy-user-oob', ['5.10', '6.1'], 'kasan', 'tomoyo_write_control', (v) =>
    v.kasan(
      'slab-out-of-bounds Write 4096',
      '_copy_from_user',
      '_copy_from_user copy_from_user tomoyo_write_control tomoyo_write @write',
    ),
  ),
  ...texts('copy-iter-oob', ['5.15', '6.6'], 'kasan', 'l2tp_eth_read_frame', (v) =>
    v.kasan(
      'slab-out-of-bounds Read 60',
      '_copy_to_iter',
      '_copy_to_iter copy_to_iter simple_copy_to_iter __skb_datagram_iter skb_copy_datagram_iter l2tp_eth_read_frame @read',
    ),
  ),
  ...texts('lock-uaf', ['4.9', '4.14', '5.4', '5.15', '6.6'], 'kasan', 'sco_chan_del', (v) =>
    v.kasan(
      'use-after-free Read 8',
      '__lock_acquire',
      '__lock_acquire lock_acquire _raw_spin_lock sco_chan_del sco_conn_del hci_disconn_cfm @work',
      { comm: 'kworker/u5:2', pid: 88 },
    ),
  ),
  ...texts('spin-uaf', ['4.14', '5.15', '6.1'], 'kasan', 'nr_insert_socket', (v) =>
    v.kasan(
      'use-after-free Write 4',
      'queued_spin_lock_slowpath',
      'do_raw_spin_lock _raw_spin_lock_bh nr_insert_socket nr_create @socket',
    ),
  ),
  ...texts('mutex-uaf', ['4.14', '5.10', '6.6'], 'kasan', 'media_release', (v) =>
    v.kasan('use-after-free Read 8', '__mutex_lock', '__mutex_lock mutex_lock_nested media_release @close'),
  ),
  ...texts('mutex-owner-uaf', ['5.15', '6.1'], 'kasan', 'fuse_dev_release', (v) =>
    v.kasan(
      'use-after-free Read 4',
      'mutex_can_spin_on_owner',
      'mutex_can_spin_on_owner mutex_optimistic_spin __mutex_lock_common __mutex_lock fuse_dev_release @close',
    ),
  ),
  ...texts('rwsem-uaf', ['5.4', '6.6'], 'kasan', 'rxrpc_release', (v) =>
    v.kasan(
      'use-after-free Read 8',
      'rwsem_down_write_slowpath',
      'rwsem_down_write_slowpath down_write rxrpc_release @release',
    ),
  ),
  ...texts('ldsem', ['4.14', '5.15'], 'kasan', 'tty_ldisc_ref_wait', (v) =>
    v.kasan(
      'use-after-free Read 8',
      'ldsem_down_read',
      '__ldsem_down_read_nested ldsem_down_read tty_ldisc_ref_wait tty_poll @poll',
    ),
  ),
  ...texts('refcount-uaf', ['4.14', '5.4', '6.6'], 'kasan', 'sk_psock_drop', (v) =>
    v.kasan(
      'use-after-free Write 4',
      v.version > 419 ? 'refcount_inc_not_zero_checked' : 'atomic_add_unless',
      'refcount_inc_checked sock_hold sk_psock_drop sock_map_close @release',
    ),
  ),
  ...texts('kref-uaf', ['4.19', '6.1'], 'kasan', 'gb_interface_release_x', (v) =>
    v.kasan('use-after-free Write 4', 'kref_put', 'kref_put kobject_put put_device gb_interface_release_x @work'),
  ),
  ...texts('list-uaf', ['4.9', '4.14', '5.10', '6.1'], 'kasan', 'rdma_listen', (v) =>
    v.kasan(
      'use-after-free Read 8',
      '__list_add_valid',
      '__list_add list_add_tail rdma_listen ucma_listen ucma_write @write',
    ),
  ),
  ...texts('list-del-uaf', ['4.14', '5.15', '6.6'], 'kasan', 'snd_timer_close_locked', (v) =>
    v.kasan(
      'use-after-free Read 8',
      '__list_del_entry_valid',
      '__list_del_entry list_del_init snd_timer_close_locked snd_timer_close snd_seq_timer_close @close',
    ),
  ),
  ...texts('hlist-uaf', ['5.4', '6.1'], 'kasan', 'dev_map_hash_update', (v) =>
    v.kasan(
      'use-after-free Write 8',
      'hlist_add_head_rcu',
      'hlist_add_head_rcu dev_map_hash_update map_update_elem @bpf',
    ),
  ),
  ...texts('rb-uaf', ['4.14', '5.15'], 'kasan', 'timerfd_remove', (v) =>
    v.kasan('use-after-free Read 8', 'rb_insert_color', 'rb_insert_color timerqueue_add timerfd_remove @close'),
  ),
  ...texts('waitqueue-uaf', ['4.14', '5.10', '6.6'], 'kasan', 'ep_remove_wait_queue', (v) =>
    v.kasan(
      'use-after-free Read 8',
      'remove_wait_queue',
      '__list_del_entry remove_wait_queue ep_remove_wait_queue ep_unregister_pollwait ep_free @close',
    ),
  ),
  ...texts('wake-uaf', ['4.19', '6.1'], 'kasan', 'ppp_channel_push_done', (v) =>
    v.kasan(
      'use-after-free Read 8',
      '__wake_up_common',
      '<IRQ> __wake_up_common __wake_up_common_lock __wake_up ppp_channel_push_done @softirq',
    ),
  ),
  ...texts('complete-uaf', ['5.15', '6.6'], 'kasan', 'ath9k_wmi_event_done', (v) =>
    v.kasan(
      'use-after-free Write 1',
      'complete',
      '<IRQ> swake_up_locked complete ath9k_wmi_event_done __usb_hcd_giveback_urb usb_hcd_giveback_urb dummy_timer @hrtimer',
    ),
  ),
  ...texts('flush-work-uaf', ['4.14', '5.10', '6.6'], 'kasan', 'p9_conn_destroy', (v) =>
    v.kasan(
      'use-after-free Read 8',
      '__flush_work',
      '__flush_work __cancel_work_timer cancel_work_sync p9_conn_destroy p9_fd_close p9_client_create @mount',
    ),
  ),
  ...texts('timer-uaf', ['4.14', '5.10', '6.6'], 'kasan', 'ax25_destroy_timer', (v) =>
    v.kasan('use-after-free Read 8', 'ax25_destroy_timer', '<IRQ> ax25_destroy_timer @timer'),
  ),
  ...texts('run-timers-uaf', ['4.14', '6.1'], 'kasan', '__run_timers', (v) =>
    v.kasan(
      'use-after-free Write 8',
      '__run_timers',
      `<IRQ> detach_timer expire_timers __run_timers run_timer_softirq @softirq`,
    ),
  ),
  ...texts('del-timer-uaf', ['4.14', '5.15'], 'kasan', 'sctp_association_free', (v) =>
    v.kasan(
      'use-after-free Write 8',
      'detach_if_pending',
      'detach_if_pending try_to_del_timer_sync del_timer_sync sctp_association_free sctp_close @release',
    ),
  ),
  ...texts('kobject-uaf', ['4.14', '5.15', '6.6'], 'kasan', 'gadget_setup_release', (v) =>
    v.kasan(
      'use-after-free Read 8',
      'kobject_get',
      'kobject_get get_device gadget_setup_release dummy_urb_enqueue @work',
    ),
  ),
  ...texts('device-uaf', ['5.10', '6.1'], 'kasan', 'hci_conn_del_sysfs', (v) =>
    v.kasan(
      'use-after-free Read 8',
      'device_for_each_child',
      'device_del device_unregister hci_conn_del_sysfs hci_conn_cleanup hci_conn_del hci_conn_hash_flush @work',
    ),
  ),
  ...texts('kernfs-uaf', ['5.10', '6.6'], 'kasan', 'netdev_unregister_kobject', (v) =>
    v.kasan(
      'use-after-free Read 8',
      'kernfs_next_descendant_post',
      '__kernfs_remove kernfs_remove_by_name_ns sysfs_remove_group device_del netdev_unregister_kobject unregister_netdevice_many cleanup_net @work',
    ),
  ),
  ...texts('skb-uaf', ['4.14', '5.15', '6.6'], 'kasan', 'nci_rx_done', (v) =>
    v.kasan('use-after-free Read 4', 'kfree_skb', 'kfree_skb skb_queue_purge nci_rx_done @work'),
  ),
  ...texts('skb-release-uaf', ['5.4', '6.1'], 'kasan', 'hci_uart_flush_x', (v) =>
    v.kasan(
      'use-after-free Read 8',
      'skb_release_data',
      'skb_release_all __kfree_skb kfree_skb hci_uart_flush_x tty_ldisc_hangup @work',
    ),
  ),
  ...texts('skb-copy-oob', ['5.4', '6.6'], 'kasan', 'rtl8712_netlink_send', (v) =>
    v.kasan('slab-out-of-bounds Read 300', 'memcpy', 'memcpy skb_put_data __skb_put_data rtl8712_netlink_send @work'),
  ),
  ...texts('dput-uaf', ['4.14', '5.10'], 'kasan', 'rpc_rmdir_depopulate', (v) =>
    v.kasan('use-after-free Read 4', 'dput', 'dput rpc_rmdir_depopulate rpc_remove_client_dir @umount'),
  ),
  ...texts('iput-uaf', ['5.15', '6.6'], 'kasan', 'iput', (v) =>
    v.kasan('use-after-free Read 8', 'iput', 'iput ntfs_put_super generic_shutdown_super kill_block_super @umount'),
  ),
  ...texts('rhashtable-uaf', ['4.19', '6.1'], 'kasan', 'tipc_sk_lookup', (v) =>
    v.kasan(
      'use-after-free Read 4',
      'jhash',
      '__rhashtable_lookup rhashtable_lookup_fast tipc_sk_lookup tipc_sk_rcv @sendmsg',
    ),
  ),
  ...texts('idr-uaf', ['4.19', '6.1'], 'kasan', 'v9fs_fid_lookup_x', (v) =>
    v.kasan('use-after-free Read 8', 'radix_tree_next_chunk', 'idr_for_each idr_destroy v9fs_fid_lookup_x @mount'),
  ),
  ...texts('xarray-uaf', ['5.15', '6.6'], 'kasan', 'nilfs_segctor_collect', (v) =>
    v.kasan(
      'use-after-free Read 8',
      'xas_find_marked',
      'xas_find_marked find_get_entry filemap_get_folios_tag nilfs_segctor_collect nilfs_segctor_do_construct @kthread',
    ),
  ),
  ...texts('find-bit-oob', ['5.10', '6.6'], 'kasan', 'exfat_find_free_bitmap', (v) =>
    v.kasan(
      'slab-out-of-bounds Read 8',
      '_find_next_zero_bit',
      '_find_next_zero_bit find_next_zero_bit_le exfat_find_free_bitmap exfat_alloc_cluster @write',
    ),
  ),
  ...texts('double-free', ['4.14', '5.4', '5.15', '6.6'], 'kasan', 'snd_info_free_entry', (v) =>
    v.kasan('double-free', 'kfree', 'kfree snd_info_free_entry snd_info_disconnect snd_card_disconnect @usbgone @work'),
  ),
  ...texts('invalid-free', ['4.19', '6.1'], 'kasan', 'ip_set_ext_destroy', (v) =>
    v.kasan('double-free', 'kmem_cache_free', 'kmem_cache_free ip_set_ext_destroy hash_ip4_destroy @netlink'),
  ),
  ...texts('rcu-uaf', ['4.14', '5.15'], 'kasan', 'fib6_info_destroy_rcu', (v) =>
    v.kasan('use-after-free Read 8', 'fib6_info_destroy_rcu', '<IRQ> fib6_info_destroy_rcu @rcu'),
  ),
  ...texts('rcu-list-uaf', ['5.4', '6.6'], 'kasan', 'rcu_cblist_dequeue', (v) =>
    v.kasan('use-after-free Read 8', 'rcu_cblist_dequeue', '<IRQ> rcu_cblist_dequeue @rcu'),
  ),
  ...texts('task-work-uaf', ['5.10', '6.6'], 'kasan', 'posix_cpu_timer_del', (v) =>
    v.kasan('use-after-free Write 8', 'posix_cpu_timer_del', 'posix_cpu_timer_del exit_itimers @exit'),
  ),
  ...texts('atomic-uaf', ['5.10', '5.15', '6.1 arm64'], 'kasan', 'io_wq_worker_running', (v) =>
    v.kasan(
      'use-after-free Write 4',
      v.version < 512 ? 'instrument_atomic_read_write' : 'atomic_dec_and_test',
      'atomic_dec_and_test io_wq_worker_running schedule io_wqe_worker @kthread',
    ),
  ),
  ...texts('debugfs-uaf', ['5.4', '6.1'], 'kasan', 'blk_trace_remove_x', (v) =>
    v.kasan('use-after-free Read 8', 'debugfs_remove', 'debugfs_remove blk_trace_remove_x blkdev_ioctl @ioctl'),
  ),
  ...texts('kthread-uaf', ['5.4', '6.6'], 'kasan', 'usbvision_stop_x', (v) =>
    v.kasan('use-after-free Write 4', 'kthread_stop', 'kthread_stop usbvision_stop_x @usbgone @work'),
  ),
  ...texts('work-item-uaf', ['4.14', '5.15', '6.6'], 'kasan', 'process_one_work', (v) =>
    v.kasan('use-after-free Read 8', 'process_one_work', '@work'),
  ),
  ...texts('vsnprintf', ['4.14', '5.15'], 'kasan', 'ext4_check_inode_x', (v) =>
    v.kasan(
      'slab-out-of-bounds Read 1',
      'string',
      'string vsnprintf vscnprintf vprintk_store vprintk_emit vprintk_default _printk ext4_check_inode_x ext4_iget @stat',
    ),
  ),
  ...texts('nla', ['5.4', '6.1'], 'kasan', 'nl802154_dump_x', (v) =>
    v.kasan('slab-out-of-bounds Read 1', 'nla_memcpy', 'nla_memcpy nl802154_dump_x @genl'),
  ),
  ...texts('hwtag', ['5.15 arm64'], 'kasan', 'kgsl_mem_entry_put_x', (v) =>
    v.kasan('invalid-access Read 8', 'kgsl_mem_entry_put_x', 'kgsl_mem_entry_put_x kgsl_ioctl @ioctl'),
  ),
  // ---- KMSAN
  ...texts('kmsan-own', ['4.20', '5.10', '6.6'], 'kmsan', 'sr_probe_capabilities', (v) =>
    kmsan(v, 'uninit-value', 'sr_probe_capabilities', 'sr_probe @probe @work'),
  ),
  ...texts('kmsan-strlen', ['5.10', '6.6'], 'kmsan', 'hfs_cat_keycmp_x', (v) =>
    kmsan(v, 'uninit-value', 'strlen', 'strlen hfs_cat_keycmp_x __hfs_brec_find @mount'),
  ),
  ...texts('kmsan-memcmp', ['6.1'], 'kmsan', 'team_setup_by_port', (v) =>
    kmsan(v, 'uninit-value', 'memcmp', 'memcmp team_setup_by_port team_add_slave @rtnl'),
  ),
  ...texts('kmsan-copy', ['6.1', '6.9'], 'kmsan', 'raw_recvmsg', (v) =>
    kmsan(
      v,
      'kernel-infoleak',
      'instrument_copy_to_user',
      'instrument_copy_to_user _copy_to_user copy_to_user_iter _copy_to_iter copy_to_iter simple_copy_to_iter __skb_datagram_iter skb_copy_datagram_iter skb_copy_datagram_msg raw_recvmsg inet_recvmsg @recvmsg',
    ),
  ),
  ...texts('kmsan-csum', ['6.6'], 'kmsan', 'ip6table_mangle_hook', (v) =>
    kmsan(v, 'uninit-value', 'ip6table_mangle_hook', 'ip6table_mangle_hook nf_hook_slow @sendto'),
  ),
  // ---- KCSAN
  ...texts('kcsan', ['5.10', '6.1'], 'kcsan', 'vtime_update_x', (v) =>
    kcsan(
      v,
      'vtime_update_x',
      'tick_read_x',
      'vtime_update_x vtime_nohz_update @hrtimer',
      'tick_read_x ktime_user @read',
    ),
  ),
  ...texts('kcsan-same', ['5.10', '6.6'], 'kcsan', 'ext4_mark_iloc_dirty', (v) =>
    kcsan(
      v,
      'ext4_mark_iloc_dirty',
      'ext4_mark_iloc_dirty',
      'ext4_mark_iloc_dirty __ext4_mark_inode_dirty ext4_dirty_inode @write',
      'ext4_mark_iloc_dirty __ext4_mark_inode_dirty ext4_dirty_inode @write',
    ),
  ),
  ...texts('kcsan-unknown', ['5.10'], 'kcsan', 'bit_waker_x', (v) => [
    lines,
    `BUG: KCSAN: data-race in ${v.symbol('bit_waker_x')}`,
    '',
    'race at unknown origin, with read to 0xffff8881312ef050 of 1 bytes by task 101 on cpu 1:',
    ...v.frames('bit_waker_x complete_x @write'),
    '',
    'Reported by Kernel Concurrency Sanitizer on:',
    ...v.context(),
    lines,
  ]),
  ...texts('kcsan-old', ['5.4'], 'kcsan', 'fsnotify_add_mark_x', (v) => [
    lines,
    'BUG: KCSAN: racing read in fsnotify_add_mark_x+0x41/0x90',
    '',
    'race at unknown origin, with read to 0xffff8881312ef050 of 8 bytes by task 101 on cpu 1:',
    ...v.frames('fsnotify_add_mark_x inotify_add_x @write'),
    '',
    'Reported by Kernel Concurrency Sanitizer on:',
    ...v.context(),
    lines,
  ]),
  ...texts('kcsan-assert', ['5.15'], 'kcsan', 'exclusive_writer_x', (v) => [
    lines,
    'BUG: KCSAN: assert: race in exclusive_writer_x / other_writer_x',
    '',
    'assert no accesses to 0xffffc90000c1be98 of 8 bytes by task 5127 on cpu 1:',
    ...v.frames('exclusive_writer_x @kthread'),
    '',
    'write to 0xffffc90000c1be98 of 8 bytes by task 5128 on cpu 0:',
    ...v.frames('other_writer_x @kthread'),
    '',
    'Reported by Kernel Concurrency Sanitizer on:',
    ...v.context(),
    lines,
  ]),
  // ---- UBSAN
  ...texts('ubsan-shift', ['4.9', '4.19', '5.4', '5.10', '6.6'], 'ubsan', 'befs_check_sb', (v) =>
    ubsan(
      v,
      'shift-out-of-bounds',
      'fs/befs/super.c:96:14',
      "shift exponent 3229888891 is too large for 32-bit type 'int'",
      '__ubsan_handle_shift_out_of_bounds befs_check_sb befs_fill_super mount_bdev @mount',
    ),
  ),
  ...texts('ubsan-index', ['4.14', '5.15', '6.12'], 'ubsan', 'xtSearch', (v) =>
    ubsan(
      v,
      'array-index-out-of-bounds',
      'fs/jfs/jfs_xtree.c:360:4',
      "index 19 is out of range for type 'xad_t [18]'",
      '__ubsan_handle_out_of_bounds xtSearch xtLookup extHint jfs_get_block @write',
    ),
  ),
  ...texts('ubsan-overflow', ['4.14', '5.10'], 'ubsan', 'timespec_check_x', (v) =>
    ubsan(
      v,
      'signed-integer-overflow',
      'kernel/time/hrtimer.c:319:16',
      "9223372036854775807 + 50000 cannot be represented in type 'long long int'",
      'handle_overflow __ubsan_handle_add_overflow timespec_check_x hrtimer_nanosleep @futex',
    ),
  ),
  ...texts('ubsan-null', ['5.4'], 'ubsan', 'xhci_ring_x', (v) =>
    ubsan(
      v,
      'null-ptr-deref',
      'drivers/usb/host/xhci-ring.c:77:3',
      "member access within null pointer of type 'struct xhci_ring'",
      '__ubsan_handle_type_mismatch_v1 xhci_ring_x @hardirq',
    ),
  ),
  ...texts('ubsan-trap', ['6.6 arm64'], 'ubsan', 'dwc2_fill_x', (v) =>
    v.die([], 'UBSAN: array index out of bounds: 00000000f2005512', 'dwc2_fill_x', 'dwc2_fill_x dwc2_start @ioctl'),
  ),
  // ---- KFENCE
  ...texts('kfence-uaf', ['5.15', '6.6'], 'kfence', 'nft_chain_x', (v) =>
    kfence(v, 'use-after-free read', 'nft_chain_x', 'nft_do_chain_inet nf_hook_slow @sendto'),
  ),
  ...texts('kfence-oob', ['5.15'], 'kfence', 'igmp_parse_x', (v) =>
    kfence(v, 'out-of-bounds read', 'memcpy', 'igmp_parse_x igmp_rcv @rxip'),
  ),
  ...texts('kfence-corrupt', ['6.1'], 'kfence', 'vbox_free_x', (v) => [
    lines,
    `BUG: KFENCE: memory corruption in ${v.symbol('kfree')}`,
    '',
    'Corrupted memory at 0x000000002bcd1a70 [ 0x00 0x01 . . . . . . . . . . . . . . ] (in kfence-#53):',
    ...v.frames('kfree vbox_free_x vbox_ioctl @ioctl'),
    '',
    ...v.context(),
    lines,
  ]),
  ...texts('kfence-invalid-free', ['6.1'], 'kfence', 'p9_tag_cleanup_x', (v) => [
    lines,
    `BUG: KFENCE: invalid free in ${v.symbol('p9_tag_cleanup_x')}`,
    '',
    'Invalid free of 0x000000002bcd1a70 (in kfence-#53):',
    ...v.frames('p9_tag_cleanup_x p9_client_destroy @umount'),
    '',
    ...v.context(),
    lines,
  ]),
  // ---- memory lost or damaged
  ...texts('leak-own', ['4.19', '5.10', '6.12'], 'memory-leak', 'j1939_priv_create_x', (v) =>
    leak(v, 'kmem_cache_alloc_trace kmalloc kzalloc j1939_priv_create_x j1939_netdev_start j1939_sk_bind @bind'),
  ),
  ...texts('leak-skb', ['5.10', '6.6'], 'memory-leak', 'batadv_tvlv_x', (v) =>
    leak(v, 'kmem_cache_alloc_node __alloc_skb netdev_alloc_skb __netdev_alloc_skb batadv_tvlv_x batadv_send @work'),
  ),
  ...texts('leak-inode', ['5.4', '6.6'], 'memory-leak', 'hostfs_fill_sb_x', (v) =>
    leak(v, 'slab_post_alloc_hook kmem_cache_alloc_lru alloc_inode_sb alloc_inode new_inode hostfs_fill_sb_x @mount'),
  ),
  ...texts('leak-device', ['5.10', '6.1'], 'memory-leak', 'vim2m_probe_x', (v) =>
    leak(v, 'kmem_cache_alloc_trace kvasprintf kobject_set_name_vargs dev_set_name vim2m_probe_x @probe @work'),
  ),
  ...texts('leak-bpf', ['5.15'], 'memory-leak', 'bpf_prog_x', (v) =>
    leak(v, '__vmalloc_node_range __vmalloc_node __vmalloc bpf_prog_x @bpf'),
  ),
  ...texts('leak-kmemdup', ['5.4', '6.6'], 'memory-leak', 'cfg80211_wext_x', (v) =>
    leak(v, '__kmalloc_track_caller kmemdup cfg80211_wext_x ioctl_standard_iw_point @ioctl'),
  ),
  ...texts('slub-poison', ['4.4', '4.14', '5.10', '6.6'], 'slab-corruption', 'binder_alloc_x', (v) =>
    slub(
      v,
      'kmalloc-192',
      v.version < 512 ? 'Poison overwritten' : 'Poison overwritten',
      'dump_stack print_trailer check_bytes_and_report check_object alloc_debug_processing ___slab_alloc __slab_alloc kmem_cache_alloc_trace binder_alloc_x binder_mmap @mmap',
    ),
  ),
  ...texts('slub-redzone', ['4.9', '6.1'], 'slab-corruption', 'wlan_free_x', (v) =>
    slub(
      v,
      'kmalloc-512',
      'Redzone overwritten',
      'dump_stack print_trailer check_bytes_and_report check_object free_debug_processing __slab_free kfree wlan_free_x @close',
    ),
  ),
  ...texts('slub-objects', ['4.14', '5.15'], 'slab-corruption', 'nf_conntrack_cleanup_x', (v) =>
    slub(
      v,
      'nf_conntrack_1',
      'Objects remaining in nf_conntrack_1 on __kmem_cache_shutdown()',
      'dump_stack slab_err __kmem_cache_shutdown shutdown_cache kmem_cache_destroy nf_conntrack_cleanup_x ops_exit_list cleanup_net @work',
    ),
  ),
  ...texts('slub-double', ['5.4', '6.6'], 'slab-corruption', 'fput_helper_x', (v) =>
    slub(
      v,
      'filp',
      'Object already free',
      'dump_stack object_err free_debug_processing __slab_free kmem_cache_free fput_helper_x @close',
    ),
  ),
  text('slub-fragment', '5.10', 'slab-corruption', null, (v) => [
    `INFO: Allocated in ${v.symbol('maker_alloc')} age=121 cpu=0 pid=4031`,
    ...v.frames('__slab_alloc kmem_cache_alloc_trace maker_alloc maker_open @open').map((l) => `\t${l.trim()}`),
    `INFO: Freed in ${v.symbol('maker_free')} age=12 cpu=1 pid=4033`,
    ...v.frames('__slab_free kfree maker_free maker_close @close').map((l) => `\t${l.trim()}`),
    'INFO: Slab 0xffffea0002fe5b40 objects=19 used=19 fp=0x0000000000000000 flags=0x1fffc0000010200',
    'INFO: Object 0x00000000f0d1a5b2 @offset=4912 fp=0x00000000deadbeef',
    'Object 00000000f0d1a5b2: 6b 6b 6b 6b 6b 6b 6b 6b 6a 6b 6b 6b 6b 6b 6b a5  kkkkkkkkjkkkkkk.',
  ]),
  ...texts('bad-page', ['4.4', '5.4', '6.6'], 'bad-page-state', 'vb2_vmalloc_put_x', (v) => [
    `BUG: Bad page state in process sh  pfn:1ce8d`,
    v.version < 500
      ? 'page:ffffea0000f3a340 count:-1 mapcount:0 mapping:          (null) index:0x0'
      : 'page:ffffea0000f3a340 refcount:-1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x1ce8d',
    'flags: 0x1fffc0000000000()',
    'page dumped because: nonzero _refcount',
    'Modules linked in:',
    ...v.context(),
    ...v.trace('dump_stack bad_page free_pages_check_bad free_unref_page vb2_vmalloc_put_x vb2_release @close'),
  ]),
  ...texts('bad-map', ['4.14', '6.1'], 'bad-page-state', 'gru_vtop_x', (v) => [
    'BUG: Bad page map in process sh  pte:8000000068b5e225 pmd:6a8b2067',
    'addr:00007f3b8a5c1000 vm_flags:08100073 anon_vma:ffff8880a2f3b1d0 mapping:0000000000000000 index:7f3b8a5c1',
    ...v.context(),
    ...v.trace('dump_stack print_bad_pte vm_normal_page gru_vtop_x zap_pte_range @munmap'),
  ]),
  ...texts('rss', ['4.14', '6.1'], 'bad-rss-counter', null, (v) => [
    v.version < 500
      ? 'BUG: Bad rss-counter state mm:ffff8801c3a8b5c0 idx:1 val:2'
      : 'BUG: Bad rss-counter state mm:00000000c3a8b5c0 type:MM_ANONPAGES val:2',
    v.version < 500 ? 'BUG: non-zero nr_ptes on freeing mm: 1' : 'BUG: non-zero pgtables_bytes on freeing mm: 4096',
  ]),
];
