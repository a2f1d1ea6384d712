// Faults of the CPU: page faults, general protection, traps, BUG(), on every architecture.
import { type Text, texts } from './text.ts';

const x86 = ['4.4', '4.14', '5.4', '5.15', '6.12'];

export const faults: readonly Text[] = [
  // ---- the instruction is the culprit's own
  ...texts(
    'null-driver',
    [...x86, '4.9 arm64', '5.10 arm64', '6.6 arm64', '4.14 arm', '6.1 arm', '6.6 riscv', '5.15 powerpc', '5.10 s390'],
    'null-pointer',
    'snd_seq_deliver_event',
    (v) =>
      v.fault(
        '8',
        'snd_seq_deliver_event',
        'snd_seq_deliver_event snd_seq_kernel_client_dispatch snd_seq_dispatch_event snd_seq_check_queue snd_seq_enqueue_event snd_seq_client_enqueue_event snd_seq_write @write',
      ),
  ),
  ...texts(
    'paging-fs',
    [...x86, '4.4 arm64', '5.15 arm64', '4.9 arm', '5.15 arm'],
    'bad-page-fault',
    'ext4_ext_insert_extent',
    (v) =>
      v.fault(
        v.arch === 'arm' ? 'dead0110' : 'dead000000000110',
        'ext4_ext_insert_extent',
        'ext4_ext_insert_extent ext4_ext_map_blocks ext4_map_blocks _ext4_get_block ext4_write_begin generic_perform_write ext4_buffered_write_iter @write',
      ),
  ),
  ...texts('gpf-driver', x86, 'general-protection', 'tun_chr_close', (v) =>
    v.gpf('tun_chr_close', 'tun_chr_close @close', { comm: 'syz-executor.3', pid: 7821 }),
  ),
  ...texts('gpf-timer', ['4.14', '5.15', '6.12'], 'general-protection', 'nr_heartbeat_expiry', (v) =>
    v.gpf('nr_heartbeat_expiry', '<IRQ> nr_heartbeat_expiry @timer', { comm: 'swapper/0', pid: 0, cpu: 0 }),
  ),
  ...texts('gpf-work', ['4.19', '5.10', '6.6'], 'general-protection', 'hci_conn_timeout', (v) =>
    v.gpf('hci_conn_timeout', 'hci_conn_timeout @work', { comm: 'kworker/u4:3', pid: 221 }),
  ),
  // ---- machinery at the instruction: the caller is to blame
  ...texts('gpf-lock-acquire', x86, 'general-protection', 'bcm_remove_op', (v) =>
    v.gpf('__lock_acquire', 'lock_acquire _raw_spin_lock_bh bcm_remove_op bcm_tx_setup bcm_sendmsg @sendmsg'),
  ),
  ...texts('null-lock', ['4.14', '5.15', '6.6'], 'null-pointer', 'l2cap_chan_put', (v) =>
    v.fault(
      '18',
      '_raw_spin_lock_irqsave',
      'refcount_dec_and_lock_irqsave l2cap_chan_put l2cap_conn_del l2cap_disconn_cfm hci_conn_hash_flush hci_dev_close_sync vhci_release @close',
    ),
  ),
  ...texts(
    'fault-memcpy',
    ['4.4', '5.4', '6.1', '5.15 arm64', '4.14 arm'],
    'bad-page-fault',
    'hfsplus_bnode_read',
    (v) =>
      v.fault(
        v.arch === 'arm' ? 'fff00000' : 'ffff888100000000',
        v.arch === 'x86_64' ? 'memcpy_erms' : 'memcpy',
        'hfsplus_bnode_read hfsplus_brec_lenoff hfsplus_brec_find hfsplus_find_init hfsplus_cat_build_record hfsplus_create_cat @mkdir',
      ),
  ),
  ...texts('fault-memset', ['4.19', '6.6'], 'bad-page-fault', 'btrfs_extend_item', (v) =>
    v.fault(
      'ffffc90000a4f000',
      '__memset',
      'btrfs_extend_item btrfs_insert_dir_item btrfs_add_link btrfs_create_new_inode btrfs_mkdir @mkdir',
    ),
  ),
  ...texts('fault-list-del', ['4.9', '5.15', '6.6'], 'general-protection', 'nfc_llcp_socket_release', (v) =>
    v.gpf(
      '__list_del_entry_valid',
      '__list_del_entry list_del nfc_llcp_socket_release nfc_llcp_local_put nfc_unregister_device virtual_ncidev_close @close',
      {},
      false,
    ),
  ),
  ...texts('gpf-rb', ['4.19', '6.1'], 'general-protection', 'ext4_es_remove_extent', (v) =>
    v.gpf(
      'rb_erase',
      'rb_erase rb_erase_augmented ext4_es_remove_extent ext4_truncate ext4_setattr @truncate',
      {},
      false,
    ),
  ),
  ...texts('gpf-strlen', ['4.14', '6.1'], 'general-protection', 'ebt_do_match', (v) =>
    v.gpf('strlen', 'strlen ebt_do_match do_replace do_ebt_set_ctl nf_setsockopt ip_setsockopt @setsockopt'),
  ),
  ...texts('gpf-strcmp', ['5.4', '6.12'], 'general-protection', 'wiphy_name_lookup', (v) =>
    v.gpf('strcmp', 'wiphy_name_lookup nl80211_new_interface @genl'),
  ),
  ...texts('gpf-kobject', ['5.4', '5.15'], 'general-protection', 'gadget_unbind_driver', (v) =>
    v.gpf('kobject_put', 'kobject_put put_device gadget_unbind_driver @release'),
  ),
  ...texts('gpf-sysfs', ['4.14', '5.10'], 'general-protection', 'rfkill_unregister', (v) =>
    v.gpf('kernfs_remove', 'sysfs_remove_dir kobject_del device_del rfkill_unregister nfc_unregister_device @close'),
  ),
  ...texts('gpf-device', ['4.19', '6.1'], 'general-protection', 'usbhid_disconnect', (v) =>
    v.gpf('device_del', 'device_del device_unregister usbhid_disconnect @usbgone @work'),
  ),
  ...texts('gpf-flush-work', ['4.14', '5.15', '6.6'], 'general-protection', 'rdma_destroy_id', (v) =>
    v.gpf('__flush_work', '__cancel_work_timer cancel_work_sync rdma_destroy_id ucma_close @close'),
  ),
  ...texts('gpf-queue-work', ['4.19', '6.1'], 'general-protection', 'amdgpu_irq_put', (v) =>
    v.gpf('__queue_work', '__queue_work queue_work_on schedule_work amdgpu_irq_put amdgpu_driver_release @close'),
  ),
  ...texts('gpf-del-timer', ['4.14', '6.1'], 'general-protection', 'rose_stop_timer', (v) =>
    v.gpf('detach_if_pending', 'del_timer rose_stop_timer rose_release @release'),
  ),
  ...texts('gpf-kthread-stop', ['4.19', '6.1'], 'general-protection', 'cx24116_release', (v) =>
    v.gpf('kthread_stop', 'kthread_stop cx24116_release dvb_frontend_release @close'),
  ),
  ...texts('gpf-wake-up', ['4.14', '5.15'], 'general-protection', 'vhost_poll_wakeup', (v) =>
    v.gpf('__wake_up_common', '__wake_up_common_lock __wake_up vhost_poll_wakeup eventfd_signal @write'),
  ),
  ...texts('gpf-complete', ['4.14', '6.6'], 'general-protection', 'usb_api_blocking_completion', (v) =>
    v.gpf(
      'complete',
      '<IRQ> swake_up_locked complete usb_api_blocking_completion __usb_hcd_giveback_urb usb_hcd_giveback_urb dummy_timer @hrtimer',
    ),
  ),
  ...texts('gpf-refcount', ['5.4', '6.1'], 'general-protection', 'smc_release', (v) =>
    v.gpf('refcount_inc_not_zero', 'refcount_inc sock_hold smc_release __sock_release @close'),
  ),
  ...texts('gpf-rcu-debug', ['5.15', '6.6'], 'general-protection', 'fib_table_lookup', (v) =>
    v.gpf(
      'debug_lockdep_rcu_enabled',
      'rcu_read_lock_held fib_table_lookup fib_lookup ip_route_output_key_hash_rcu @sendto',
    ),
  ),
  ...texts('gpf-kfree', ['4.9', '5.15', '6.6'], 'general-protection', 'cifs_put_smb_ses', (v) =>
    v.gpf('kfree', 'kfree cifs_put_smb_ses cifs_umount cifs_kill_sb @umount', {}, false),
  ),
  ...texts('gpf-kmem', ['4.4', '5.4', '6.12'], 'general-protection', 'jbd2_journal_add_journal_head', (v) =>
    v.gpf(
      'kmem_cache_alloc',
      'kmem_cache_alloc jbd2_journal_add_journal_head jbd2_journal_get_write_access __ext4_journal_get_write_access ext4_reserve_inode_write @write',
      {},
      false,
    ),
  ),
  ...texts('gpf-quarantine', ['4.14', '5.10', '6.1'], 'general-protection', 'security_file_alloc', (v) =>
    v.gpf(
      'qlist_free_all',
      'kasan_quarantine_reduce __kasan_slab_alloc kmem_cache_alloc security_file_alloc alloc_empty_file path_openat do_filp_open do_sys_openat2 @open',
      {},
      false,
    ),
  ),
  ...texts('gpf-unwind', ['4.14', '5.15'], 'general-protection', 'ip6_dst_alloc', (v) =>
    v.gpf(
      'unwind_next_frame',
      'arch_stack_walk stack_trace_save kasan_save_stack __kasan_slab_alloc kmem_cache_alloc ip6_dst_alloc ip6_pol_route @sendto',
      {},
      false,
    ),
  ),
  ...texts('fault-virt-addr', ['5.4', '6.1'], 'bad-page-fault', 'sg_init_one', (v) =>
    v.fault('ffffea0000000008', '__virt_addr_valid', '__phys_addr sg_init_one crypt_message @write'),
  ),
  ...texts('fault-copy-user', ['4.19', '6.1', '5.10 arm64'], 'bad-page-fault', 'vcs_write', (v) =>
    v.fault(
      'ffff8880b0000000',
      v.arch === 'arm64' ? '__arch_copy_to_user' : 'copy_user_generic_unrolled',
      '_copy_from_user copy_from_user vcs_write @write',
    ),
  ),
  ...texts('fault-iov', ['5.15', '6.6'], 'bad-page-fault', 'bpf_iter_read', (v) =>
    v.fault('ffffc90001234000', 'rep_movs_alternative', '_copy_to_iter copy_page_to_iter bpf_iter_read @read'),
  ),
  ...texts('fault-csum', ['4.9', '5.15'], 'bad-page-fault', 'ip6_input_finish', (v) =>
    v.fault(
      'ffff8801ffffffff',
      'do_csum',
      '<IRQ> csum_partial skb_checksum __skb_checksum ip6_input_finish ip6_input @rxnet',
    ),
  ),
  ...texts('fault-xas', ['5.4', '6.6'], 'bad-page-fault', 'gfs2_meta_inval', (v) =>
    v.fault('ffffea0012345678', 'xas_start', 'xas_load xas_find gfs2_meta_inval @umount'),
  ),
  ...texts('fault-page-lock', ['4.19', '6.1'], 'null-pointer', 'nilfs_segctor_do_construct', (v) =>
    v.fault(
      '20',
      'folio_lock',
      'folio_lock folio_wait_writeback nilfs_segctor_do_construct nilfs_segctor_construct nilfs_segctor_thread @kthread',
    ),
  ),
  ...texts('fault-mutex', ['4.14', '5.10', '6.12', '5.15 arm64', '4.14 arm'], 'null-pointer', 'v4l2_release', (v) =>
    v.fault('40', v.arch === 'arm' ? 'mutex_lock' : '__mutex_lock_common', 'mutex_lock_nested v4l2_release @close'),
  ),
  ...texts('fault-rwsem', ['4.9', '6.1'], 'null-pointer', 'tty_ldisc_hangup', (v) =>
    v.fault(
      '58',
      'down_write_failed',
      '__ldsem_down_write_nested ldsem_down_write tty_ldisc_hangup __tty_hangup @ioctl',
    ),
  ),
  ...texts('fault-skb', ['4.14', '6.1'], 'null-pointer', 'caif_seqpkt_sendmsg', (v) =>
    v.fault('d0', 'skb_put', 'skb_put caif_seqpkt_sendmsg @sendmsg'),
  ),
  ...texts('fault-skb-release', ['4.19', '6.6'], 'general-protection', 'nfc_llcp_close', (v) =>
    v.gpf('skb_release_data', 'skb_release_all kfree_skb skb_queue_purge nfc_llcp_close @release', {}, false),
  ),
  ...texts('fault-radix', ['4.4', '4.14'], 'null-pointer', 'scsi_softirq_done', (v) =>
    v.fault('10', 'radix_tree_lookup_slot', '<IRQ> radix_tree_lookup scsi_softirq_done blk_done_softirq @softirq'),
  ),
  ...texts('fault-idr', ['4.19', '6.1'], 'general-protection', 'drm_gem_handle_delete', (v) =>
    v.gpf('idr_find', 'idr_remove drm_gem_handle_delete drm_gem_close_ioctl drm_ioctl_kernel drm_ioctl @ioctl'),
  ),
  ...texts('fault-bitmap', ['5.4', '6.6'], 'bad-page-fault', 'hfs_bmap_alloc', (v) =>
    v.fault(
      'ffff888000000010',
      '_find_next_zero_bit',
      '_find_next_zero_bit bitmap_find_next_zero_area_off hfs_bmap_alloc hfs_btree_inc_height hfs_cat_create @mkdir',
    ),
  ),
  ...texts('fault-crc', ['5.10', '6.6'], 'bad-page-fault', 'f2fs_build_segment_manager', (v) =>
    v.fault(
      'ffffc90000123000',
      'memchr_inv',
      'memchr_inv f2fs_build_segment_manager f2fs_fill_super mount_bdev @mount',
    ),
  ),
  // ---- a call through a bad pointer: nobody at the instruction, the caller called it
  ...texts('null-call', ['4.4', '4.19', '5.15', '6.12'], 'null-pointer', 'sock_poll', (v) =>
    v.fault('0', '0x0', 'sock_poll @poll'),
  ),
  ...texts('bad-rip', ['4.19', '5.4', '6.1'], 'null-pointer', 'call_bpf_prog_hook', (v) =>
    v.fault('286', '0x286', 'call_bpf_prog_hook run_filter packet_rcv @sendto'),
  ),
  ...texts('gpf-noncanonical-rip', ['4.14', '5.10'], 'general-protection', 'tcp_v4_rcv', (v) =>
    v.gpf('0x6b6b6b6b6b6b6b6b', '<IRQ> tcp_v4_rcv ip_protocol_deliver_rcu @rxip', {}, false),
  ),
  ...texts('nx', ['5.4', '6.1'], 'bad-page-fault', 'usb_serial_disconnect', (v) => [
    'kernel tried to execute NX-protected page - exploit attempt? (uid: 0)',
    ...v.fault('ffff888100cafe00', '0xffff888100cafe00', 'usb_serial_disconnect @usbgone @work'),
  ]),
  ...texts('thunk', ['4.19', '5.15', '6.6'], 'general-protection', 'inet_csk_accept', (v) =>
    v.gpf('__x86_indirect_thunk_rax', 'inet_csk_accept inet_accept @accept', {}, false),
  ),
  ...texts('ftrace-trampoline', ['4.14', '5.15'], 'general-protection', 'perf_swevent_add', (v) =>
    v.gpf(
      '0xffffffffa0002087',
      'ftrace_ops_assist_func ftrace_caller perf_swevent_add event_sched_in.isra.0 @ioctl',
      {},
      false,
    ),
  ),
  // ---- traps
  ...texts('divide', ['4.9', '5.15', '6.12'], 'divide-error', '__tcp_select_window', (v) =>
    v.die(
      [],
      'divide error: 0000',
      '__tcp_select_window',
      '__tcp_select_window tcp_cleanup_rbuf tcp_recvmsg_locked tcp_recvmsg inet_recvmsg @recvmsg',
    ),
  ),
  ...texts('divide-generic', ['4.14', '6.1'], 'divide-error', 'fbcon_set_font', (v) =>
    v.die([], 'divide error: 0000', 'div_u64_rem', 'div_u64_rem fbcon_set_font con_font_op vt_ioctl tty_ioctl @ioctl'),
  ),
  ...texts('stack-segment', ['4.14', '5.15'], 'trap', 'nf_hook_slow', (v) =>
    v.die([], 'stack segment: 0000', 'nf_hook_slow', 'nf_hook_slow ip_output @sendto'),
  ),
  ...texts('invalid-opcode', ['4.9', '5.10'], 'invalid-opcode', 'aesni_encrypt_block', (v) =>
    v.die([], 'invalid opcode: 0000', 'aesni_encrypt_block', 'aesni_encrypt_block crypto_skcipher_encrypt @sendmsg'),
  ),
  ...texts('double-fault', ['4.14', '5.15', '6.6'], 'double-fault', 'team_handle_frame', (v) =>
    v.die(
      v.version < 500 ? ['PANIC: double fault, error_code: 0x0'] : ['traps: PANIC: double fault, error_code: 0x0'],
      'double fault: 0000',
      'mark_lock',
      '<#DF> </#DF> mark_lock __lock_acquire lock_acquire rcu_read_lock team_handle_frame @rxnet',
    ),
  ),
  ...texts('stack-guard', ['4.19', '5.15', '6.6'], 'stack-overflow', 'vxlan_xmit', (v) =>
    v.die(
      [
        v.version < 516
          ? 'BUG: stack guard page was hit at 00000000a5e1b0a5 (stack is 000000003c2b0e8a..00000000d9a3b0a1)'
          : 'BUG: TASK stack guard page was hit at ffffc90003a8fff8 (stack is ffffc90003a90000..ffffc90003a98000)',
      ],
      v.version < 516 ? 'kernel stack overflow (double-fault): 0000' : 'stack guard page: 0000',
      'vxlan_xmit',
      'vxlan_xmit dev_hard_start_xmit __dev_queue_xmit ip_finish_output2 vxlan_xmit dev_hard_start_xmit __dev_queue_xmit @sendto',
    ),
  ),
  ...texts('int3', ['5.4', '6.1'], 'trap', 'text_poke_bp_victim', (v) =>
    v.die([], 'int3: 0000', 'text_poke_bp_victim', 'text_poke_bp_victim @write'),
  ),
  ...texts('alignment', ['5.15'], 'trap', 'robust_list_x', (v) =>
    v.die([], 'alignment check: 0000', 'robust_list_x', 'robust_list_x @futex'),
  ),
  ...texts('control-protection', ['6.1', '6.12'], 'cfi', 'shstk_victim', (v) =>
    v.die(
      [
        'traps: Missing ENDBR: shstk_victim+0x0/0x20',
        '------------[ cut here ]------------',
        'kernel BUG at arch/x86/kernel/cet.c:102!',
      ],
      'invalid opcode: 0000',
      'exc_control_protection',
      'asm_exc_control_protection !shstk_victim caller_of_it @write',
    ),
  ),
  ...texts('cfi', ['6.1', '6.6'], 'cfi', 'nf_hook_entry_call', (v) =>
    v.die(
      [`CFI failure at ${v.symbol('nf_hook_entry_call')} (target: bad_target+0x0/0x10; expected type: 0x12345678)`],
      'invalid opcode: 0000',
      'nf_hook_entry_call',
      'nf_hook_entry_call nf_hook_slow @sendto',
    ),
  ),
  ...texts('arm-external-abort', ['4.9 arm', '5.10 arm'], 'serror', 'dw_pcie_read', (v) =>
    v.die(
      ['Unhandled fault: imprecise external abort (0x1c06) at 0x00000000'],
      ': 1c06',
      'dw_pcie_read',
      'dw_pcie_read dw_pcie_rd_own_conf pci_bus_read_config_dword @probe @initcall',
    ),
  ),
  ...texts('arm-alignment', ['4.9 arm'], 'bad-page-fault', 'brcmf_sdio_readframes', (v) =>
    v.die(
      ['Unhandled fault: alignment exception (0x001) at 0xc2b4e7d1'],
      ': 1',
      'brcmf_sdio_readframes',
      'brcmf_sdio_readframes brcmf_sdio_dpc brcmf_sdio_dataworker @work',
    ),
  ),
  ...texts('arm-undefined', ['4.14 arm', '5.15 arm'], 'invalid-opcode', 'vfp_init_check', (v) =>
    v.die([], 'Oops - undefined instruction: 0', 'vfp_init_check', 'vfp_init_check @initcall'),
  ),
  ...texts('arm64-undefined', ['5.4 arm64', '6.6 arm64'], 'invalid-opcode', 'sve_probe_vqs', (v) =>
    v.die(
      [],
      'Oops - Undefined instruction: 0000000002000000',
      'sve_probe_vqs',
      'sve_probe_vqs sve_init_vq_map @initcall',
    ),
  ),
  ...texts('arm64-abort', ['4.14 arm64', '5.10 arm64'], 'serror', 'xgene_pcie_hw_read', (v) =>
    v.die(
      ['Unhandled fault: synchronous external abort (0x96000010) at 0xffff00000a123000'],
      ': 96000010',
      'xgene_pcie_hw_read',
      'xgene_pcie_hw_read pci_generic_config_read32 pci_bus_read_config_dword @probe @initcall',
    ),
  ),
  ...texts('arm64-sea', ['5.15 arm64', '6.6 arm64'], 'serror', 'rockchip_vop_isr', (v) =>
    v.die([], 'synchronous external abort: 0000000096000210', 'rockchip_vop_isr', 'rockchip_vop_isr @hardirq'),
  ),
  ...texts('arm64-serror', ['5.10 arm64', '6.1 arm64'], 'serror', 'meson_gx_mmc_irq', (v) => [
    'SError Interrupt on CPU2, code 0xbf000002 -- SError',
    ...v.context({ cpu: 2 }),
    ...v.registers('meson_gx_mmc_irq'),
    'Kernel panic - not syncing: Asynchronous SError Interrupt',
    ...v.context({ cpu: 2 }),
    ...v.trace(
      'dump_backtrace show_stack dump_stack_lvl dump_stack panic nmi_panic arm64_serror_panic do_serror el1h_64_error_handler el1h_64_error meson_gx_mmc_irq __handle_irq_event_percpu @hardirq',
    ),
  ]),
  ...texts('arm64-bti', ['6.6 arm64'], 'cfi', 'kvm_vgic_map', (v) =>
    v.die([], 'Oops - BTI: 0000000034000002', 'kvm_vgic_map', 'kvm_vgic_map @ioctl'),
  ),
  ...texts('riscv-illegal', ['6.6 riscv'], 'invalid-opcode', 'riscv_fpu_probe', (v) =>
    v.die([], 'Oops - illegal instruction', 'riscv_fpu_probe', 'riscv_fpu_probe @initcall'),
  ),
  // ---- BUG()
  ...texts(
    'bug-own',
    ['4.4', '4.14', '5.4', '5.15', '6.12', '5.10 arm64', '4.14 arm', '6.1 arm', '6.6 riscv'],
    'BUG',
    'ext4_get_group_info',
    (v) =>
      v.bug(
        'fs/ext4/balloc.c:325',
        'ext4_get_group_info',
        'ext4_get_group_info ext4_mb_load_buddy_gfp ext4_discard_preallocations ext4_release_file @close',
      ),
  ),
  ...texts('bug-skb-over', ['4.4', '4.14', '5.10', '6.6'], 'BUG', 'ip6_mc_hdr_mld', (v) =>
    v.bug(
      'net/core/skbuff.c:110',
      v.version < 500 ? 'skb_panic' : 'skb_panic.cold',
      'skb_over_panic skb_put ip6_mc_hdr_mld mld_newpack add_grhead add_grec mld_ifc_work @work',
      {},
      [
        `skbuff: skb_over_panic: text:${v.address('ip6_mc_hdr_mld')} len:40 put:40 head:${v.data('h')} data:${v.data('d')} tail:0x18 end:0xc0 dev:team0`,
      ],
    ),
  ),
  ...texts('bug-skb-under', ['4.14', '6.1'], 'BUG', 'ip6gre_header', (v) =>
    v.bug(
      'net/core/skbuff.c:120',
      'skb_panic',
      'skb_under_panic skb_push ip6gre_header neigh_connected_output @sendto',
      {},
      [
        `skbuff: skb_under_panic: text:${v.address('x')} len:100 put:48 head:${v.data('h')} data:${v.data('d')} tail:0x4a end:0x2c0 dev:ip6gre0`,
      ],
    ),
  ),
  ...texts('bug-skb-pull', ['5.15', '6.6'], 'BUG', 'eth_type_trans', (v) =>
    v.bug('include/linux/skbuff.h:2637', '__skb_pull', 'skb_pull_inline eth_type_trans tun_get_user @write'),
  ),
  ...texts('bug-list', ['4.14', '5.4', '5.15', '6.12'], 'list-corruption', 'team_port_del', (v) =>
    v.bug(
      'lib/list_debug.c:53',
      '__list_del_entry_valid.cold',
      '__list_del_entry list_del_rcu team_port_del team_del_slave do_set_master @rtnl',
      {},
      [`list_del corruption, ${v.data('e')}->next is LIST_POISON1 (dead000000000100)`],
    ),
  ),
  ...texts('bug-list-add', ['5.10', '6.6'], 'list-corruption', 'construct_key_x', (v) =>
    v.bug('lib/list_debug.c:29', '__list_add_valid', '__list_add list_add_tail construct_key_x @keyctl', {}, [
      `list_add corruption. prev->next should be next (${v.data('a')}), but was ${v.data('b')}. (prev=${v.data('c')}).`,
    ]),
  ),
  ...texts('bug-list-work', ['5.4', '6.1'], 'list-corruption', 'ath9k_htc_txep', (v) =>
    v.bug(
      'lib/list_debug.c:26',
      '__list_add_valid',
      '__queue_work queue_work_on queue_work ath9k_htc_txep ath9k_htc_txcompletion_cb hif_usb_regout_cb @tasklet',
      {},
      ['list_add double add: new=ffff8880a1b2c3d8, prev=ffff8880a1b2c3d8, next=ffff8880a1b2c3e8.'],
    ),
  ),
  ...texts('bug-usercopy', ['4.9', '4.19', '5.15', '6.12', '5.10 arm64'], 'usercopy', 'sctp_getsockopt_peeloff', (v) =>
    v.bug(
      'mm/usercopy.c:99',
      'usercopy_abort',
      '__check_heap_object __check_object_size check_object_size _copy_to_user copy_to_user sctp_getsockopt_peeloff sctp_getsockopt @setsockopt',
      {},
      [
        v.version < 416
          ? 'usercopy: kernel memory exposure attempt detected from ffff8801c0a8b5c0 (kmalloc-96) (128 bytes)'
          : "usercopy: Kernel memory exposure attempt detected from SLUB object 'kmalloc-96' (offset 0, size 128)!",
      ],
    ),
  ),
  ...texts('bug-fortify', ['4.14', '5.15', '6.6'], 'fortify', 'ovl_set_nlink', (v) =>
    v.bug(
      v.version < 600 ? 'lib/string.c:1129' : 'lib/string_helpers.c:1023',
      'fortify_panic',
      'strlen ovl_set_nlink ovl_do_remove @unlink',
      {},
      [
        v.version < 610
          ? 'detected buffer overflow in strlen'
          : 'strlen: detected buffer overflow: 17 byte read of buffer size 16',
      ],
    ),
  ),
  ...texts('bug-kfree', ['4.9', '5.4'], 'BUG', 'nf_tables_newset', (v) =>
    v.bug('mm/slub.c:3950', 'kfree', 'kfree nf_tables_newset nfnetlink_rcv_batch nfnetlink_rcv @netlink'),
  ),
  ...texts('bug-slab-free', ['4.14', '5.15', '6.1'], 'BUG', 'security_inode_free_x', (v) =>
    v.bug(
      'mm/slub.c:305',
      '__slab_free',
      '__slab_free ___cache_free qlist_free_all kasan_quarantine_reduce __kasan_slab_alloc kmem_cache_alloc_lru security_inode_free_x evict @unlink',
    ),
  ),
  ...texts('bug-vmalloc', ['4.14', '6.1'], 'BUG', 'bpf_prog_free_deferred_x', (v) =>
    v.bug('mm/vmalloc.c:2727', 'vfree', 'vfree bpf_prog_free_deferred_x @work'),
  ),
  ...texts('bug-page', ['4.14', '5.10', '6.6'], 'BUG', 'rds_message_purge', (v) =>
    v.bug(
      'include/linux/mm.h:717',
      'put_page_testzero',
      'put_page __free_pages rds_message_purge rds_message_put rds_release @release',
      {},
      [
        'page:ffffea0002fe5b40 refcount:0 mapcount:0 mapping:0000000000000000 index:0x0',
        'flags: 0xfff00000000000()',
        'page dumped because: VM_BUG_ON_PAGE(page_ref_count(page) == 0)',
      ],
    ),
  ),
  ...texts('bug-kref', ['4.9', '4.14'], 'BUG', 'hci_uart_tty_close_x', (v) =>
    v.bug('include/linux/kref.h:42', 'kref_get', 'kobject_get get_device hci_uart_tty_close_x @close'),
  ),
  ...texts('bug-timer', ['4.4', '5.4', '6.6'], 'BUG', 'ieee802154_if_setup_timer', (v) =>
    v.bug('kernel/time/timer.c:1207', 'add_timer', 'add_timer ieee802154_if_setup_timer @ioctl'),
  ),
  ...texts('bug-workqueue', ['4.14', '6.1'], 'BUG', 'hci_register_dev', (v) =>
    v.bug(
      'kernel/workqueue.c:4321',
      'alloc_workqueue',
      '__alloc_workqueue_key alloc_workqueue hci_register_dev vhci_create_device vhci_write @write',
    ),
  ),
  ...texts('bug-dput', ['4.19', '6.1'], 'BUG', 'umount_check', (v) => [
    'BUG: Dentry 00000000a6e8d2c2{i=1,n=/}  still in use (1) [unmount of ext4 loop0]',
    ...v.warn(
      'fs/dcache.c:1670',
      'umount_check',
      'd_walk do_one_tree shrink_dcache_for_umount generic_shutdown_super kill_block_super @umount',
    ),
  ]),
  ...texts('bug-softirq', ['4.19', '6.6'], 'BUG', 'ppp_async_process', (v) =>
    v.bug('drivers/net/ppp/ppp_async.c:500', 'ppp_async_process', '<IRQ> ppp_async_process @tasklet'),
  ),
  ...texts('bug-fs-iput', ['5.15', '6.6'], 'BUG', 'clear_inode', (v) =>
    v.bug('fs/inode.c:611', 'clear_inode', 'hugetlbfs_evict_inode evict iput @unlink'),
  ),
];
