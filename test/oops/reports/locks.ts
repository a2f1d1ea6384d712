// Lockdep, RCU debugging, sleeping where one must not, locks that are bad.
import { type Text, texts } from './text.ts';
import type { Voice } from './voice.ts';

const bar = '='.repeat(44);

function sleeping(v: Voice, where: string, words: string): string[] {
  return [
    `BUG: sleeping function called from invalid context at ${where}`,
    v.version < 513
      ? 'in_atomic(): 1, irqs_disabled(): 0, pid: 1395, name: sh'
      : 'in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 1395, name: sh',
    ...(v.version >= 515 ? ['preempt_count: 201, expected: 0', 'RCU nest depth: 0, expected: 0'] : []),
    ...(v.version >= 414
      ? [
          '1 lock held by sh/1395:',
          ` #0: ${v.data('l')} (&c->lock){+...}-{2:2}, at: ${v.symbol('holder_fn')}`,
          'Preemption disabled at:',
          `[<${v.address('p')}>] ${v.symbol('holder_fn')}`,
        ]
      : []),
    ...v.context(),
    ...v.trace(`dump_stack ___might_sleep.cold ${words}`),
  ];
}

export const locks: readonly Text[] = [
  ...texts(
    'circular',
    ['4.4', '4.9', '4.14', '5.4', '5.15', '6.6', '6.12', '6.1 arm64'],
    'lockdep',
    'team_vlan_rx_add_vid',
    (v) =>
      v.circular(
        'team_vlan_rx_add_vid',
        '__mutex_lock mutex_lock_nested team_vlan_rx_add_vid vlan_add_rx_filter_info vlan_vid_add @rtnl',
        'ieee80211_scan_x',
      ),
  ),
  ...texts('circular-flush', ['5.4', '5.10', '6.6'], 'lockdep', 'ocfs2_shutdown_local_alloc|__flush_work', (v) =>
    v.circular(
      v.version < 500 ? 'flush_work' : '__flush_work',
      '__flush_work flush_work ocfs2_shutdown_local_alloc ocfs2_dismount_volume @umount',
      'ocfs2_dismount_volume',
    ),
  ),
  ...texts('circular-rwsem', ['4.14', '5.15'], 'lockdep', 'hfsplus_file_extend', (v) =>
    v.circular(
      'hfsplus_file_extend',
      'down_write hfsplus_file_extend hfsplus_bmap_reserve @write',
      'hfsplus_find_init',
    ),
  ),
  ...texts('circular-rtnl', ['4.14', '5.10'], 'lockdep', 'ip_mc_drop_socket|rtnl_lock', (v) =>
    v.circular(
      'rtnl_lock',
      '__mutex_lock mutex_lock_nested rtnl_lock ip_mc_drop_socket mptcp_close_x @release',
      'sk_lock_x',
    ),
  ),
  ...texts('circular-mm', ['5.4', '6.1'], 'lockdep', 'reiserfs_ioctl_x', (v) =>
    v.circular('__might_fault', '__might_fault reiserfs_ioctl_x @ioctl', 'reiserfs_write_lock_x'),
  ),
  ...texts('recursive', ['4.4', '4.14', '5.15', '6.6'], 'lockdep', 'netem_dump', (v) => [
    ...(v.version < 412
      ? ['=============================================', '[ INFO: possible recursive locking detected ]']
      : [bar, 'WARNING: possible recursive locking detected']),
    `${v.release}.0 #1 Not tainted`,
    '--------------------------------------------',
    'sh/1395 is trying to acquire lock:',
    `${v.data('a')} (&qdisc->lock){+.-.}-{2:2}, at: ${v.symbol('netem_dump')}`,
    '',
    'but task is already holding lock:',
    `${v.data('b')} (&qdisc->lock){+.-.}-{2:2}, at: ${v.symbol('netem_graft_x')}`,
    '',
    'other info that might help us debug this:',
    ' Possible unsafe locking scenario:',
    '',
    '       CPU0',
    '       ----',
    '  lock(&qdisc->lock);',
    '  lock(&qdisc->lock);',
    '',
    ' *** DEADLOCK ***',
    '',
    ' May be due to missing lock nesting notation',
    '',
    '1 lock held by sh/1395:',
    ` #0: ${v.data('b')} (&qdisc->lock){+.-.}-{2:2}, at: ${v.symbol('netem_graft_x')}`,
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace(
      'dump_stack validate_chain __lock_acquire lock_acquire _raw_spin_lock_bh netem_dump netem_graft_x @rtnl',
    ),
  ]),
  ...texts('inconsistent', ['4.4', '4.14', '5.10', '6.6'], 'lockdep', 'sco_sock_timeout', (v) => [
    ...(v.version < 412
      ? ['=================================', '[ INFO: inconsistent lock state ]']
      : ['================================', 'WARNING: inconsistent lock state']),
    `${v.release}.0 #1 Not tainted`,
    '--------------------------------',
    'inconsistent {SOFTIRQ-ON-W} -> {IN-SOFTIRQ-W} usage.',
    'sh/1395 [HC0[0]:SC1[1]:HE1:SE0] takes:',
    `${v.data('a')} (slock-AF_BLUETOOTH-BTPROTO_SCO){+.?.}-{2:2}, at: ${v.symbol('sco_sock_timeout')}`,
    '{SOFTIRQ-ON-W} state was registered at:',
    ...v.frames('lock_acquire _raw_spin_lock sco_conn_del hci_disconn_cfm @work').map((l) => ` ${l}`),
    'irq event stamp: 12345',
    'hardirqs last  enabled at (12344): [<ffffffff81000001>] irq_on+0x1/0x20',
    '',
    'other info that might help us debug this:',
    ' Possible unsafe locking scenario:',
    '',
    '       CPU0',
    '       ----',
    '  lock(slock-AF_BLUETOOTH-BTPROTO_SCO);',
    '  <Interrupt>',
    '    lock(slock-AF_BLUETOOTH-BTPROTO_SCO);',
    '',
    ' *** DEADLOCK ***',
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace(
      '<IRQ> dump_stack print_usage_bug mark_lock __lock_acquire lock_acquire _raw_spin_lock sco_sock_timeout @timer',
    ),
  ]),
  ...texts('irq-order', ['4.14', '5.4', '6.1'], 'lockdep', 'io_poll_add_x', (v) => [
    '=====================================================',
    'WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected',
    `${v.release}.0 #1 Not tainted`,
    '-----------------------------------------------------',
    'sh/1395 [HC0[0]:SC0[0]:HE0:SE1] is trying to acquire:',
    `${v.data('a')} (&fiq->waitq){+.+.}-{2:2}, at: ${v.symbol('io_poll_add_x')}`,
    '',
    'and this task is already holding:',
    `${v.data('b')} (&(&ctx->ctx_lock)->rlock){..-.}-{2:2}, at: ${v.symbol('aio_poll_x')}`,
    'which would create a new lock dependency:',
    ' (&(&ctx->ctx_lock)->rlock){..-.} -> (&fiq->waitq){+.+.}',
    '',
    'but this new dependency connects a SOFTIRQ-irq-safe lock:',
    ' (&(&ctx->ctx_lock)->rlock){..-.}',
    '',
    '... which became SOFTIRQ-irq-safe at:',
    ...v.frames('lock_acquire _raw_spin_lock_irq free_ioctx_users @rcu').map((l) => ` ${l}`),
    '',
    'to a SOFTIRQ-irq-unsafe lock:',
    ' (&fiq->waitq){+.+.}',
    '',
    '... which became SOFTIRQ-irq-unsafe at:',
    ...v.frames('lock_acquire _raw_spin_lock flush_bg_queue @write').map((l) => ` ${l}`),
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace(
      'dump_stack print_bad_irq_dependency check_irq_usage check_prev_add __lock_acquire lock_acquire _raw_spin_lock io_poll_add_x aio_poll_x @io_uring',
    ),
  ]),
  ...texts('unlock-balance', ['4.4', '4.14', '5.4', '6.6'], 'lockdep', 'rxrpc_recvmsg', (v) => [
    ...(v.version < 412
      ? ['=====================================', '[ BUG: bad unlock balance detected! ]']
      : ['=====================================', 'WARNING: bad unlock balance detected!']),
    `${v.release}.0 #1 Not tainted`,
    '-------------------------------------',
    'sh/1395 is trying to release lock (&call->user_mutex) at:',
    v.version < 415
      ? `[<${v.address('m')}>] ${v.symbol('mutex_unlock')}`
      : `[<${v.address('m')}>] ${v.symbol('rxrpc_recvmsg')}`,
    'but there are no more locks to release!',
    '',
    'other info that might help us debug this:',
    'no locks held by sh/1395.',
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace(
      'dump_stack print_unlock_imbalance_bug lock_release __mutex_unlock_slowpath mutex_unlock rxrpc_recvmsg @recvmsg',
    ),
  ]),
  ...texts('held-freed', ['4.14', '5.15'], 'lockdep', 'smc_sock_free_x', (v) => [
    '=========================',
    'WARNING: held lock freed!',
    `${v.release}.0 #1 Not tainted`,
    '-------------------------',
    `sh/1395 is freeing memory ${v.data('a')}-${v.data('b')}, with a lock still held there!`,
    `${v.data('a')} (sk_lock-AF_SMC){+.+.}-{0:0}, at: ${v.symbol('smc_release_x')}`,
    '1 lock held by sh/1395:',
    ` #0: ${v.data('a')} (sk_lock-AF_SMC){+.+.}-{0:0}, at: ${v.symbol('smc_release_x')}`,
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace('dump_stack debug_check_no_locks_freed.cold kmem_cache_free smc_sock_free_x smc_release_x @release'),
  ]),
  ...texts('non-static', ['4.9', '4.19', '5.10', '6.6'], 'lockdep', 'hci_uart_tx_x', (v) => [
    'INFO: trying to register non-static key.',
    ...(v.version < 509
      ? ['the code is fine but needs lockdep annotation.']
      : ['The code is fine but needs lockdep annotation, or maybe', "you didn't initialize this object before use?"]),
    'turning off the locking correctness validator.',
    ...v.context(),
    ...v.trace(
      'dump_stack register_lock_class __lock_acquire lock_acquire _raw_spin_lock_irqsave skb_queue_tail hci_uart_tx_x @write',
    ),
  ]),
  ...texts('non-static-timer', ['5.4', '6.1'], 'lockdep', 'brcmf_detach_x', (v) => [
    'INFO: trying to register non-static key.',
    'The code is fine but needs lockdep annotation, or maybe',
    "you didn't initialize this object before use?",
    'turning off the locking correctness validator.',
    ...v.context(),
    ...v.trace(
      'dump_stack register_lock_class __lock_acquire lock_acquire del_timer_sync __cancel_work_timer cancel_delayed_work_sync brcmf_detach_x @usbgone @work',
    ),
  ]),
  ...texts('wait-context', ['5.15', '6.6'], 'lockdep', 'usbmon_read_x', (v) => [
    '=============================',
    '[ BUG: Invalid wait context ]',
    `${v.release}.0 #1 Not tainted`,
    '-----------------------------',
    'sh/1395 is trying to lock:',
    `${v.data('a')} (&s->seq){....}-{3:3}, at: ${v.symbol('usbmon_read_x')}`,
    'other info that might help us debug this:',
    'context-{5:5}',
    '1 lock held by sh/1395:',
    ` #0: ${v.data('b')} (&h->lock){....}-{2:2}, at: ${v.symbol('holder_fn')}`,
    'stack backtrace:',
    ...v.context(),
    ...v.trace('dump_stack __lock_acquire.cold lock_acquire _raw_spin_lock usbmon_read_x @write'),
  ]),
  ...texts('nested', ['4.14', '6.1'], 'lockdep', 'ttm_bo_x', (v) => [
    '==================================',
    'WARNING: Nested lock was not taken',
    `${v.release}.0 #1 Not tainted`,
    '----------------------------------',
    'sh/1395 is trying to lock:',
    `${v.data('a')} (reservation_ww_class_mutex){+.+.}-{3:3}, at: ${v.symbol('ttm_bo_x')}`,
    '',
    'but this task is not holding:',
    'reservation_ww_class_acquire',
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace(
      'dump_stack print_lock_nested_lock_not_held __lock_acquire lock_acquire __ww_mutex_lock ww_mutex_lock ttm_bo_x drm_ioctl @ioctl',
    ),
  ]),
  ...texts('rcu-usage', ['4.4', '4.14', '5.4', '5.15', '6.12'], 'suspicious-rcu', 'nf_tables_lookup_x', (v) => [
    '=============================',
    v.version < 412 ? '[ INFO: suspicious RCU usage. ]' : 'WARNING: suspicious RCU usage',
    `${v.release}.0 #1 Not tainted`,
    '-----------------------------',
    'net/netfilter/nf_tables_api.c:1234 suspicious rcu_dereference_check() usage!',
    '',
    'other info that might help us debug this:',
    '',
    '',
    'rcu_scheduler_active = 2, debug_locks = 1',
    '1 lock held by sh/1395:',
    ` #0: ${v.data('b')} (nfnl_subsys){+.+.}-{3:3}, at: ${v.symbol('holder_fn')}`,
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace('dump_stack lockdep_rcu_suspicious nf_tables_lookup_x nft_rcv_x @netlink'),
  ]),
  ...texts('rcu-usage-list', ['5.10', '6.6'], 'suspicious-rcu', 'fib_get_table_x', (v) => [
    '=============================',
    'WARNING: suspicious RCU usage',
    `${v.release}.0 #1 Not tainted`,
    '-----------------------------',
    'include/linux/inetdevice.h:249 suspicious rcu_dereference_protected() usage!',
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace('dump_stack lockdep_rcu_suspicious rhashtable_lookup_fast rht_key_get_hash fib_get_table_x @rtnl'),
  ]),
  ...texts('rcu-sleep', ['4.14', '5.4'], 'suspicious-rcu', 'tomoyo_x', (v) => [
    '=============================',
    'WARNING: suspicious RCU usage',
    `${v.release}.0 #1 Not tainted`,
    '-----------------------------',
    'include/linux/rcupdate.h:273 Illegal context switch in RCU read-side critical section!',
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace('dump_stack lockdep_rcu_suspicious ___might_sleep __might_sleep kmem_cache_alloc_trace tomoyo_x @open'),
  ]),
  // ---- sleeping in atomic context
  ...texts(
    'sleep-mutex',
    ['4.4', '4.14', '5.4', '5.15', '6.12', '5.15 arm64', '4.14 arm'],
    'atomic-sleep',
    'nfc_dep_link_x',
    (v) => sleeping(v, 'kernel/locking/mutex.c:580', 'mutex_lock_nested nfc_dep_link_x nfc_llcp_timeout_x @timer'),
  ),
  ...texts('sleep-kmalloc', ['4.9', '5.10', '6.6'], 'atomic-sleep', 'ipvlan_link_x', (v) =>
    sleeping(v, 'mm/slab.h:494', 'kmem_cache_alloc_trace kzalloc ipvlan_link_x notifier_call_chain netdev_x @rtnl'),
  ),
  ...texts('sleep-vmalloc', ['4.14', '6.1'], 'atomic-sleep', 'bpf_ringbuf_x', (v) =>
    sleeping(
      v,
      'mm/vmalloc.c:2837',
      'vmap_pages_range __vmalloc_area_node __vmalloc_node_range vmalloc_node bpf_ringbuf_x @bpf',
    ),
  ),
  ...texts('sleep-user', ['4.14', '5.15'], 'atomic-sleep', 'dev_ifconf_x', (v) =>
    sleeping(
      v,
      'lib/usercopy.c:26',
      '__might_sleep __might_fault _copy_to_user copy_to_user dev_ifconf_x sock_do_ioctl sock_ioctl @ioctl',
    ),
  ),
  ...texts('sleep-rwsem', ['4.19', '6.6'], 'atomic-sleep', 'gtp_encap_x', (v) =>
    sleeping(v, 'kernel/locking/rwsem.c:1523', 'down_read gtp_encap_x udp_queue_rcv_x @rxip'),
  ),
  ...texts('sleep-sock', ['5.4', '6.1'], 'atomic-sleep', 'sco_conn_x', (v) =>
    sleeping(v, 'net/core/sock.c:3460', 'lock_sock_nested lock_sock sco_conn_x @work'),
  ),
  ...texts('sleep-wait', ['5.10', '6.6'], 'atomic-sleep', 'ath6kl_stop_x', (v) =>
    sleeping(v, 'kernel/sched/completion.c:101', '__wait_for_common wait_for_completion ath6kl_stop_x @timer'),
  ),
  ...texts('sleep-flush', ['4.14', '6.1'], 'atomic-sleep', 'hfi1_flush_x', (v) =>
    sleeping(v, 'kernel/workqueue.c:3080', '__flush_work __cancel_work_timer cancel_work_sync hfi1_flush_x @tasklet'),
  ),
  ...texts('sleep-synchronize', ['4.19'], 'atomic-sleep', 'mac80211_free_x', (v) =>
    sleeping(v, 'kernel/rcu/tree.c:3300', 'synchronize_rcu mac80211_free_x @softirq'),
  ),
  ...texts('sched-atomic', ['4.4', '4.14', '5.10', '6.12', '5.15 arm64'], 'atomic-sleep', 'pppol2tp_x', (v) => [
    'BUG: scheduling while atomic: sh/1395/0x00000202',
    'Modules linked in:',
    ...v.context(),
    ...v.trace(
      'dump_stack __schedule_bug __schedule schedule schedule_timeout wait_for_completion pppol2tp_x @sendmsg',
    ),
  ]),
  ...texts('preempt', ['4.4', '4.14', '5.4', '6.6'], 'preempt', 'sit_update_x', (v) => [
    'BUG: using __this_cpu_add() in preemptible [00000000] code: sh/1395',
    `caller is ${v.version < 500 ? v.symbol('__this_cpu_preempt_check') : v.symbol('sit_update_x')}`,
    ...v.context(),
    ...v.trace('dump_stack check_preemption_disabled __this_cpu_preempt_check sit_update_x ipip6_tunnel_x @sendto'),
  ]),
  ...texts('preempt-smp', ['4.9', '5.10', '6.1'], 'preempt', 'ieee802154_x', (v) => [
    'BUG: using smp_processor_id() in preemptible [00000000] code: sh/1395',
    `caller is ${v.symbol('ieee802154_x')}`,
    ...v.context(),
    ...v.trace('dump_stack check_preemption_disabled debug_smp_processor_id ieee802154_x @genl'),
  ]),
  // ---- bad locks
  ...texts('magic', ['4.4', '4.14', '5.10', '6.6'], 'spinlock-bug', 'netlink_purge_x', (v) => [
    'BUG: spinlock bad magic on CPU#1, sh/1395',
    ` lock: ${v.data('l')}, .magic: 00000000, .owner: <none>/-1, .owner_cpu: 0`,
    ...v.context(),
    ...v.trace(
      'dump_stack spin_bug do_raw_spin_lock _raw_spin_lock_irqsave skb_dequeue skb_queue_purge netlink_purge_x @release',
    ),
  ]),
  ...texts('lockup-spin', ['4.4', '4.14'], 'spinlock-bug', 'binder_transaction_x', (v) => [
    'BUG: spinlock lockup suspected on CPU#1, sh/1395',
    ` lock: ${v.data('l')}, .magic: dead4ead, .owner: sh/1300, .owner_cpu: 0`,
    ...v.context(),
    ...v.trace('dump_stack spin_dump do_raw_spin_lock _raw_spin_lock binder_transaction_x @ioctl'),
  ]),
  ...texts('unlocked', ['5.4', '6.1'], 'spinlock-bug', 'dm_snap_x', (v) => [
    'BUG: spinlock already unlocked on CPU#0, sh/1395',
    ` lock: ${v.data('l')}, .magic: dead4ead, .owner: <none>/-1, .owner_cpu: -1`,
    ...v.context(),
    ...v.trace('dump_stack spin_bug do_raw_spin_unlock _raw_spin_unlock dm_snap_x @ioctl'),
  ]),
  ...texts('returning', ['4.14', '5.10', '6.6'], 'locks-held', 'vhost_x', (v) => [
    '================================================',
    'WARNING: lock held when returning to user space!',
    `${v.release}.0 #1 Not tainted`,
    '------------------------------------------------',
    'sh/1395 is leaving the kernel with locks still held!',
    '1 lock held by sh/1395:',
    ` #0: ${v.data('b')} (&vq->mutex){+.+.}-{3:3}, at: ${v.symbol('vhost_x')}`,
  ]),
  ...texts('still-held', ['4.14', '5.4'], 'locks-held', 'holder_fn', (v) => [
    '=====================================',
    v.version < 412 ? '[ BUG: sh/1395 still has locks held! ]' : 'WARNING: sh/1395 still has locks held!',
    `${v.release}.0 #1 Not tainted`,
    '-------------------------------------',
    '1 lock held by sh/1395:',
    ` #0: ${v.data('b')} (&vq->mutex){+.+.}-{3:3}, at: ${v.symbol('holder_fn')}`,
    '',
    'stack backtrace:',
    ...v.context(),
    ...v.trace('dump_stack do_exit do_group_exit get_signal arch_do_signal_or_restart exit_to_user_mode_prepare'),
  ]),
  ...texts('lockdep-warn', ['4.14', '5.10', '6.6'], 'WARN', 'sctp_sock_x', (v) =>
    v.warn(
      'kernel/locking/lockdep.c:4750',
      '__lock_acquire',
      'lock_acquire lock_sock_nested sctp_sock_x @setsockopt',
      'DEBUG_LOCKS_WARN_ON(1)',
    ),
  ),
  ...texts('lockdep-release', ['5.4', '6.1'], 'WARN', 'io_ring_x', (v) =>
    v.warn(
      'kernel/locking/lockdep.c:5020',
      'lock_release',
      'up_read io_ring_x @io_uring',
      'DEBUG_LOCKS_WARN_ON(depth <= 0)',
    ),
  ),
  ...texts('mutex-warn', ['4.14', '5.10', '6.6'], 'WARN', 'dvb_usb_x', (v) =>
    v.warn(
      'kernel/locking/mutex.c:950',
      '__mutex_lock',
      'mutex_lock_nested dvb_usb_x @usbprobe @work',
      'DEBUG_LOCKS_WARN_ON(lock->magic != lock)',
    ),
  ),
  ...texts('rwsem-warn', ['5.4', '6.1'], 'WARN', 'ntfs_rename_x', (v) =>
    v.warn(
      'kernel/locking/rwsem.c:1370',
      'up_write',
      'ntfs_rename_x @rename',
      'DEBUG_RWSEMS_WARN_ON((rwsem_owner(sem) != current))',
    ),
  ),
  // since 6.9 with the task in brackets, and the function in the same message
  ...texts('workqueue-leaked', ['6.9', '6.12'], 'locks-held', 'btrfs_x_work', (v) => [
    'BUG: workqueue leaked atomic, lock or RCU: kworker/u8:3[45]',
    '     preempt=0x00000000 lock=0->1 RCU=0->0 workfn=btrfs_x_work',
    '1 lock held by kworker/u8:3/45:',
    ` #0: ${v.data('l')} (&fs_info->x_mutex){+.+.}-{4:4}, at: ${v.symbol('btrfs_x_work')}`,
    ...v.context({ comm: 'kworker/u8:3', pid: 45 }),
    ...v.trace('dump_stack_lvl @work'),
  ]),
  ...texts('timer-of-socket', ['4.14', '5.15'], 'general-protection', 'x25_start_heartbeat', (v) =>
    v.gpf('detach_if_pending', '__mod_timer mod_timer sk_reset_timer x25_start_heartbeat x25_create_x @socket'),
  ),
];
