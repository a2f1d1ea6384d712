// Functions that stand in a trace without being to blame: those that report, check, allocate, lock, copy, wait or
// enter on somebody else's behalf. What is left on top of the trace is the guilty frame.
import type { IncidentKind } from './kinds.ts';

const any = (...parts: readonly string[]): RegExp => new RegExp(`^(?:${parts.join('|')})$`);

/** Printing, dying and unwinding. */
const reporting = any(
  '_*dump_stack(?:_lvl|_print_info)?',
  'show_(?:stack|regs|trace|trace_log_lvl|stack_log_lvl|regs_print_info)\\w*',
  '_*show_stack\\w*',
  'dump_backtrace\\w*',
  'unwind\\w*',
  'arch_stack_walk\\w*',
  '_*stack_trace_\\w+|save_stack\\w*|stack_depot\\w*|set_track\\w*',
  'print_(?:report|address_description|bad_pte|usage_bug|circular_bug|deadlock_bug|bad_irq_dependency|unlock_imbalance_bug|lock_\\w+|irq_\\w+|memory_\\w+|modules|tainted|worker_info|other_cpu_stall|cpu_stall\\w*)\\w*',
  'ref_tracker_\\w+|walk_stackframe|do_trap_break|(?:v|n|nmi_|x86_|native_|__)?panic(?:_\\w+)?',
  'check_panic_on_warn|panic_on_rcu_stall|crash_kexec|__crash_kexec|machine_kexec|do_exit|make_task_dead|rewind_stack_(?:and_make_dead|do_exit)|do_group_exit',
  'oops_(?:begin|end|enter|exit)|no_context|bad_area\\w*|__bad_area\\w*|page_fault_oops|kernelmode_fixup_or_oops|bust_spinlocks|die|die_\\w+|__die\\w*|arm64_notify_die|mm_fault_error|pgtable_bad',
  'notify_die|atomic_notifier_call_chain|notifier_call_chain|__atomic_notifier_call_chain',
  '_*warn(?:_slowpath\\w*|_printk|_thunk\\w*)?|__warn\\w*|warn_alloc\\w*|warn_slowpath\\w*|warn_bogus\\w*',
  'report_bug|__report_bug|fixup_bug\\w*|handle_bug|bug_handler|call_break_hook|do_debug_exception|do_el1_brk64|brk_handler|early_brk64|ubsan_\\w*|__ubsan_\\w+|handle_overflow|kfence_report_error|kasan_\\w+|__kasan_\\w+|__asan_\\w+|__hwasan_\\w+|kmsan_\\w+|__msan_\\w+|kcsan_\\w+|__kcsan_\\w+|__tsan_\\w+|__sanitizer_\\w+|end_report|start_report|check_memory_region\\w*|check_region_inline|__csan\\w*|kfence_\\w+|__kfence_\\w+',
  'printk\\w*|_printk|vprintk\\w*|console_\\w+|__console_\\w+|call_console_drivers|_?dev_(?:info|notice|warn|err|alert|crit|emerg|printk)|__dev_printk|_?netdev_(?:info|warn|err|printk)|__netdev_printk',
  'should_fail\\w*|fail_dump|fault_create\\w*',
  'dump_header|dump_tasks|out_of_memory\\w*|oom_kill_process|__oom_kill_process|mem_cgroup_out_of_memory|mem_cgroup_oom\\w*|pagefault_out_of_memory',
  '__stack_chk_fail|__fortify_\\w+|fortify_panic|usercopy_\\w+|__check_object_size\\w*|__check_heap_object|check_heap_object|check_stack_object',
  'debug_print_object|debug_object_\\w+|__debug_object_\\w+|debug_check_no_obj_freed\\w*|__debug_check_no_obj_freed|debug_(?:timer|hrtimer|work|rcu)_\\w+|object_(?:is_static|debug)\\w*|\\w+_is_static_object|debug_mutex_\\w+|debug_spin_\\w+|debug_smp_processor_id|check_preemption_disabled|preempt_(?:schedule|count)\\w*|__this_cpu_preempt_check|debug_locks_off\\w*',
  'kgdb_\\w+|kprobe_\\w+|ftrace_\\w+|arch_ftrace\\w*|trace_(?:event|raw|hardirqs|preempt)\\w*|__traceiter_\\w+|perf_trace_\\w+',
  'spin_bug|spin_dump|rwlock_bug|__schedule_bug|slab_(?:err|bug|fix)|object_err|print_trailer|check_bytes_and_report|check_object|free_debug_processing|alloc_debug_processing|on_freelist|bad_page\\w*|free_page_is_bad\\w*|free_pages_is_bad|check_new_page\\w*|check_free_page\\w*|print_page_info|__print_\\w+',
);

/** Exception, interrupt and system call entry. */
const entry = any(
  'asm_\\w+|exc_\\w+|__exc_\\w+|idtentry\\w*|error_entry|error_exit|paranoid_(?:entry|exit)',
  '(?:async_)?page_fault|do_(?:async_)?page_fault|__do_(?:kernel|user)_fault|do_kern_addr_fault|do_user_addr_fault|do_translation_fault|do_mem_abort|do_sea|do_page_fault_\\w+|do_(?:tag_check|translation|alignment|page|async_page|kernel|sect|bad)_\\w*fault\\w*|__do_page_fault|trace_do_page_fault|is_spurious\\w*|do_bad_area|do_alignment_fault|do_sp_pc_abort|do_undefinstr|do_serror|do_bti|do_el\\w+_(?:undef|cfi|fpac|bti|gcs)',
  'general_protection|invalid_op|do_invalid_op|do_error_trap|do_general_protection|do_trap\\w*|do_divide_error|divide_error|do_int3|int3|double_fault|do_double_fault|stack_segment|do_stack_segment|traps?|simd_\\w+|fixup_exception|invalid_op_\\w+|do_bounds|do_overflow|alignment_check|machine_check|do_machine_check|mce_\\w+|mc_\\w+',
  'nmi|nmi_\\w+|do_nmi|default_do_nmi|exc_nmi\\w*|end_repeat_nmi|arch_trigger_\\w+|trigger_\\w*backtrace\\w*|perf_event_nmi_handler|watchdog_overflow_callback|watchdog_hardlockup_\\w+|__perf_event_overflow|perf_event_overflow|intel_pmu_\\w+|amd_pmu_\\w+|x86_pmu_\\w+|handle_pmi_common|unknown_nmi_error|pci_serr_error|io_check_error|ghes_\\w+|__ghes_\\w+',
  'el[01]\\w*_(?:sync|irq|fiq|error|da|ia|dbg|undef|svc|abort|inv|64_\\w+)\\w*|el[01]t?h?_\\w+|ret_to_(?:user|kernel)|work_pending|vectors|__?bad_stack|call_on_irq_stack|do_interrupt_handler|gic_handle_irq|gic_handle_\\w+|arm64_\\w+_exception|ret_fast_syscall|__(?:irq|dabt|pabt|und)_(?:svc|usr)|bad_mode|handle_bad_stack|panic_bad_stack|arm_notify_die',
  'sysvec_\\w+|__sysvec_\\w+|smp_\\w*(?:interrupt|vector)\\w*|(?:smp_)?apic_timer_interrupt|ret_from_intr|common_interrupt|do_IRQ|handle_irq\\w*|__handle_irq\\w*|handle_\\w+_irq|__common_interrupt|generic_handle_\\w+|irq_exit\\w*|__irq_exit\\w*|irq_enter\\w*|call_function_\\w+|reschedule_interrupt|local_apic_timer_interrupt|retint_\\w+|irq_entries_start|xen_(?:hvm|evtchn|pv|do)_\\w*upcall\\w*|hypervisor_callback|interrupt_entry|spurious_\\w+',
  'entry_\\w+|system_call\\w*|do_syscall_\\w+|do_fast_syscall_\\w+|__do_fast_syscall_\\w+|do_int80\\w*|sysenter_\\w+|tracesys\\w*|ia32_sys\\w*|syscall_\\w+|x64_sys_call|ia32_sys_call|x32_sys_call|invoke_syscall|do_el0_svc\\w*|ret_from_fork\\w*|ret_from_kernel_\\w+|kernel_thread_\\w+|kthread|kthread_worker_fn|process_one_work|process_scheduled_works|worker_thread|rescuer_thread|smpboot_thread_fn|start_thread|secondary_\\w+|start_secondary\\w*|cpu_startup_entry|do_idle|cpuidle_\\w+|rest_init|start_kernel|x86_64_start_\\w+|kernel_init(?:_freeable)?|child_rip|common_startup_64|__primary_switched|interrupt_return\\w*|handle_exception\\w*|_?start|swapper_\\w+',
);

/** The timer tick and the watchdogs, which find lockups but do not cause them. */
const watching = any(
  'rcu_(?:sched_clock_irq|check_callbacks|pending|dump_cpu_stacks|gp_kthread|gp_fqs\\w*|check_gp_\\w+|stall_\\w+|implicit_\\w+)|check_cpu_stall|print_cpu_stall|__rcu_pending|synchronize_rcu_expedited_wait\\w*|rcu_exp_wait_wake|sync_rcu_exp_\\w+|wait_rcu_exp_gp',
  'update_process_times|tick_\\w+|hrtimer_(?:interrupt|run_queues|wakeup)|__hrtimer_run_queues|__run_hrtimer|hrtimer_nohz\\w*|timer_interrupt|arch_timer_handler_\\w+|handle_percpu_devid_\\w+|watchdog(?:_timer_fn|_check_\\w+|_\\w+)?|check_hung_\\w+|sched_show_\\w+|show_state_filter|debug_show_all_locks|nmi_cpu_backtrace\\w*|smp_call_function_single_interrupt|generic_smp_call_function_\\w+|flush_smp_call_function_queue|__flush_smp_call_function_queue|do_handle_IPI|ipi_handler|irq_work_\\w+|__irq_work_\\w+|scheduler_tick|sched_tick|task_tick_\\w+|run_posix_cpu_timers|stop_machine\\w*|cpu_stopper_thread|multi_cpu_stop|cpu_stop_\\w+|softlockup_fn|ipi_cpu_\\w+|profile_tick\\w*',
  'check_hung_uninterruptible_tasks|khungtaskd',
);

/** Locks and reference counts. */
const locking = any(
  '_?_?(?:raw_)?_*(?:spin|read|write)_(?:try)?(?:lock|unlock)\\w*|do_raw_(?:spin|read|write)_\\w+|_raw_\\w+lock\\w*|(?:native_|__pv_|pv_|kvm_|xen_|__raw_callee_save___pv_)?(?:queued_)?(?:spin|read|write|rw)_?(?:un)?lock\\w*|queued_\\w+_slowpath|native_queued_\\w+|pv_wait\\w*|kvm_wait|arch_spin_\\w+|ticket_spin_\\w+|__ticket_\\w+|mcs_\\w+|osq_\\w+',
  '_*mutex_\\w+|ww_mutex_\\w+|__ww_\\w+|_*rt_mutex_\\w+|rt_(?:spin|read|write)_\\w+|_*rtlock_\\w+|_*rwbase_\\w+|_*down(?:_\\w+)?|_*up(?:_read|_write)?|rwsem_\\w+|__rwsem_\\w+|call_rwsem_\\w+|percpu_(?:down|up)_\\w+|__percpu_down\\w*|__percpu_rwsem\\w*|semaphore_\\w+|lock_(?:acquire|release|class|sock_nested|is_held|downgrade|acquired|contended|map_\\w+|set_\\w+|pin\\w*|unpin\\w*|repin\\w*)\\w*|__lock_(?:acquire|release|set_\\w+)\\w*|validate_chain|check_(?:prev|prevs|noncircular|deadlock|irq_usage|usage|wait_context|lock|no_locks\\w*|flags)\\w*|mark_(?:lock|usage|held_locks)\\w*|lockdep_\\w+|__lockdep\\w*|register_lock_class|look_up_lock_class|assign_lock_key|reacquire_held_locks|__bfs\\w*|debug_check_no_locks\\w*|rcu_lockdep\\w*|lock_chain\\w*|hardirqs_\\w+|softirqs_\\w+|lockref_\\w+|bit_spin_\\w+|hlist_bl_lock|futex_lock\\w*',
  'refcount_\\w+|__refcount_\\w+|kref_\\w+|atomic\\w*|arch_atomic\\w*|raw_atomic\\w*|instrument_atomic\\w*|arch_test_\\w+|test_(?:and_)?\\w*bit\\w*|variable_test_bit|set_bit|clear_bit|_test_bit|cmpxchg\\w*|__?xchg\\w*|read_word_at_a_time|ktime_get\\w*|csd_lock_wait\\w*|(?:\\w{1,10}_)?flush_tlb_(?:others|multi)\\w*|smp_call_function\\w*|on_each_cpu\\w*|__cmpxchg\\w*|raw_spin_\\w+|seqprop_\\w+|read_seq\\w*|arch_local_\\w+|native_(?:irq|save_fl|restore_fl|halt|safe_halt|write_\\w+|read_\\w+)\\w*|local_irq_\\w+',
);

/** Strings, copies, lists, printing into buffers. */
const library = any(
  '_*mem(?:cpy|set|move|cmp|chr|scan|chr_inv)\\w*|_*memcpy_\\w+|clear_page\\w*|copy_page\\w*|clear_(?:huge|user|highpage|highpages)\\w*|rep_(?:movs|stos)\\w*|__?copy_(?:to|from|in)_\\w+|_?copy_(?:to|from)_\\w+|raw_copy_\\w+|copy_user_\\w+|simple_copy_\\w+|copyin|copyout|_copy_\\w*iter\\w*|__arch_copy_\\w+|csum_\\w+|do_csum|(?:__)?(?:get|put)_user\\w*|strn?cpy\\w*|strscpy\\w*|strlcpy\\w*|strn?len\\w*|strn?cmp\\w*|strn?casecmp\\w*|strchr\\w*|strrchr\\w*|strn?str\\w*|strn?cat\\w*|strsep|strspn|strcspn|strim|sized_str\\w*|skip_spaces|might_fault|__might_\\w+|might_\\w+|___might_sleep|__cant_sleep|__might_resched',
  'vsn?printf|vscnprintf|sn?printf|scnprintf|k(?:v)?asprintf\\w*|string_?\\w{0,8}|pointer|number|format_decode|vsnprintf_\\w+|bstr_printf|vbin_printf|bitmap_\\w+|hex_dump\\w*|print_hex_dump\\w*',
  '_*list_(?:add|del|move|splice|replace|lru|bulk|swap|rotate|cut|sort|empty)\\w*|__list_(?:add|del|cut|splice)\\w*|hlist_(?:add|del|move|unhashed|nulls)\\w*|__hlist_\\w+|llist_\\w+|plist_\\w+|klist_\\w+|rb_(?:erase|insert|next|prev|first|last|replace)\\w*|__rb_\\w+|____rb_\\w+|xas_\\w+|xa_\\w+|__xa_\\w+|mas_\\w+|mtree_\\w+|radix_tree_\\w+|__radix_tree_\\w+|idr_\\w+|ida_\\w+|rhashtable_\\w+|__rhashtable_\\w+|find_(?:first|next|last)_\\w*bit\\w*|_find_\\w+bit\\w*|sort\\w{0,4}|bsearch|rht_\\w+|__srcu_\\w+|srcu_\\w+|timerqueue_\\w+|interval_tree_\\w+',
  '(?:__)?x86_indirect_thunk\\w*|__x86_return_thunk|(?:srso|retbleed)_\\w+|__switch_to\\w*|context_switch|__rust_\\w+|rust_begin_unwind|rust_helper_\\w+|_R\\w*(?:panick|rust_begin_unwind)\\w*|_R\\w*(?:panic|unwrap_failed|expect_failed)\\w*|rust_\\w*panic\\w*|__pi_\\w+|__sanitizer\\w*',
);

/** Allocators: not to blame when what they hand out, take back or keep is damaged. */
const allocators = any(
  '_*k[mzc]alloc\\w*|_*kv[mzc]?alloc\\w*|kvmalloc\\w*|_*kfree\\w*|kv?free\\w*|_*krealloc\\w*|kvrealloc\\w*|kzfree|kmem_\\w+|__kmem_\\w+|_*slab_\\w+|__slab_\\w+|___slab_\\w+|do_slab_free|cache_(?:alloc|free|grow|flush)\\w*|____cache_\\w+|__cache_\\w+|___cache_\\w+|get_partial\\w*|new_slab\\w*|allocate_slab|alloc_slab_page|deactivate_slab|unfreeze_partials|flush_(?:slab|cpu_slab)\\w*|put_cpu_partial|discard_slab|free_slab|__free_slab|rcu_free_slab|get_freepointer\\w*|freelist_\\w+|set_freepointer|fixup_red_left|memcg_(?:slab|alloc)\\w*|obj_cgroup_\\w+|should_failslab|qlist_\\w+|qlink_\\w+|kasan_quarantine\\w*|___cache_free|\\w*(?:sheaf|sheaves)\\w*|barn_\\w+|__pcs_\\w+|(?:alloc_from|free_to)_pcs\\w*|_*refill_objects\\w*|kmalloc_(?:node|trace|track|large|order|cache|slab|noprof|reserve|array|pages|nolock)\\w*|kmemdup\\w*|memdup_\\w+|kstrdup\\w*|kstrndup\\w*|kmemleak_\\w+|create_object|delete_object\\w*|mempool_\\w+|dma_pool_\\w+|sized_strscpy',
  '_*v[mz]alloc\\w*|_*vfree\\w*|_*vunmap\\w*|_*vmap\\w*|__get_vm_area\\w*|alloc_vmap_area|_*alloc_pages?\\w*|__alloc_frozen_\\w+|alloc_frozen_\\w+|_*folio_alloc\\w*|vma_alloc_\\w+|alloc_(?:pages|page|zeroed|buddy|contig|fresh|anon|demote)\\w*|\\w*_alloc_folio|\\w*alloc_and_\\w+folio|_*get_free_pages?\\w*|get_zeroed_page\\w*|get_page_from_freelist|rmqueue\\w*|prep_new_page|post_alloc_hook|_*free_(?:pages?|one_page|unref_\\w+|frozen_\\w+|pcppages\\w*|pcp_\\w+|the_page|tail_\\w+|hot_\\w+|huge_\\w*|contig\\w*)\\w*|free_unref_\\w+|__free_\\w*pages?\\w*|_*put_page\\w*|_*folio_put\\w*|pcpu_\\w+|_*alloc_percpu\\w*|free_percpu|__alloc_percpu\\w*|percpu_ref_\\w+|dma_alloc_\\w+|dma_free_\\w+|dma_direct_alloc\\w*|try_to_free_\\w+|do_try_to_free\\w*|shrink_\\w+|__perform_reclaim|kswapd\\w*|charge_memcg|__mem_cgroup_\\w+|mem_cgroup_\\w+|try_charge\\w*|obj_\\w+_charge\\w*|cma_alloc|cma_\\w+',
);

/** Sleeping: where a hung task stands is not why it hangs. */
const waiting = any(
  '_*schedule\\w*|io_schedule\\w*|_*wait_\\w+|do_wait_for_\\w+|do_wait_intr\\w*|out_of_line_wait\\w*|bit_wait\\w*|prepare_to_wait\\w*|finish_wait|_*completion\\w*|_*msleep\\w*|usleep_\\w+|ssleep|schedule_\\w+|_*synchronize_(?:rcu|srcu|sched|net|irq|hardirq|rcu_\\w+)\\w*|__synchronize_\\w+|rcu_barrier\\w*|_*flush_(?:work|workqueue|delayed_work|scheduled)\\w*|__flush_\\w*work\\w*|start_flush_work|drain_workqueue|_*cancel_(?:delayed_)?work\\w*|__cancel_\\w*work\\w*|try_to_grab_pending|kthread_(?:stop|park|flush\\w*|create\\w*|parkme)|_*kthread_\\w+|freezable_\\w+|_*refrigerator|io_wait\\w*|blk_mq_freeze_queue_wait|percpu_ref_switch\\w*|folio_wait_\\w+|_*folio_lock\\w*|__lock_page\\w*|_*wait_on_\\w+|pipe_wait\\w*|rt_mutex_slow\\w*|rwsem_down_\\w+|rtnl_lock\\w*|futex_wait\\w*|hrtimer_nanosleep|do_nanosleep|poll_schedule_\\w+|sleep_on_\\w+|preempt_schedule\\w*|_*cond_resched\\w*|__might_\\w+|schedule_timeout\\w*|jbd2_log_wait\\w*|del_timer_sync|_*timer_delete_sync|try_to_del_\\w+|disable_work\\w*',
);

const idle = any(
  '(?:default|native_safe|native|mwait|acpi_|intel_|poll|arch_cpu|cpu_)_?idle\\w*|mwait_\\w+|acpi_(?:idle|processor|safe)\\w*|intel_idle\\w*|native_safe_halt|native_halt|pv_native_\\w*halt|default_idle\\w*|cpu_do_idle|arch_cpu_idle|poll_idle|safe_halt|cpuidle_enter\\w*|tdx_\\w*halt|__?cpuidle_\\w+|rcu_idle\\w*',
);

const forSpecial: Partial<Record<IncidentKind, RegExp>> = {
  odebug: any(
    '_*rcu_\\w+|call_rcu\\w*|_*hrtimer_\\w+|_*timer_\\w+|_*mod_timer\\w*|_*add_timer\\w*|_*init_timer\\w*|_*del_timer\\w*|_*work_\\w+|_*init_work|_*queue_\\w*work\\w*|percpu_\\w+|kobject_\\w+|assert_init\\w*|destroy_\\w+',
  ),
  refcount: any('kobject_\\w+|(?:sock_|skb_|dst_|css_|of_node_|put_|get_)(?:hold|put|get)|refcount_warn\\w*'),
  'memory-leak': any(
    'kmemleak\\w*|\\w*(?:alloc|slab|kmem|mmap_region|strdup|strndup|memdup|asprintf)\\w*|idr_get\\w*|list_lru_init\\w*|create_object\\w*',
  ),
  'suspicious-rcu': any('_*rcu_\\w+|lockdep_rcu_suspicious|_*srcu_\\w+'),
  preempt: any('preempt\\w*|check_preemption\\w*|debug_smp\\w*'),
  'out-of-memory': any(
    '\\w*alloc\\w*|shmem_get_folio_gfp|filemap_(?:fault|map_pages)|__filemap_get_folio\\w*|__page_cache_alloc|pagecache_get_page|handle_(?:mm|pte)_fault\\w*|__handle_mm_fault|do_(?:anonymous|read|shared|cow|swap|fault|pte_missing|wp|huge|no)_?\\w*|wp_page_copy|\\w*fault_around|page_cache_(?:ra|sync|async)\\w*|do_page_cache\\w*|ondemand_readahead',
  ),
  kmsan: any('_*copy_\\w+|instrument_copy\\w*'),
  'slab-corruption': any('slab\\w*|check_\\w+|__slab\\w*|free_\\w+|validate_\\w+|init_object|kmem\\w*'),
  'bad-page-state': any(
    '_*(?:free|put|release|folio|page|lru|tlb|zap|unmap|mmu|vm_normal)\\w*|exit_mmap|bad_page|__mmput|mmput|unmap_\\w+|copy_page_range|__tlb\\w*|delete_from_\\w+|truncate_\\w+|destroy_\\w+|pagevec_\\w+',
  ),
  fortify: any('fortify\\w*|__fortify\\w*'),
  'spinlock-bug': any('do_raw_\\w+|spin_\\w+|_raw\\w+'),
  'stack-overflow': any('_*schedule\\w*|preempt_schedule\\w*|retint_kernel'),
};

const hang: readonly IncidentKind[] = ['soft-lockup', 'hard-lockup', 'rcu-stall', 'nmi'];

/**
 * Whether a function (without compiler suffixes) is machinery for an incident of this kind. What is machinery is built into
 * the kernel: a module's function is not, whatever its name.
 */
export function isMachinery(name: string, module: string | null, kind: IncidentKind): boolean {
  if (module !== null && name !== '') return false;
  if (
    name === '' ||
    reporting.test(name) ||
    entry.test(name) ||
    locking.test(name) ||
    library.test(name) ||
    allocators.test(name)
  )
    return true;
  if (forSpecial[kind]?.test(name) === true) return true;
  if (kind === 'hung-task' || kind === 'workqueue-lockup') return waiting.test(name) || watching.test(name);
  if (kind === 'atomic-sleep') return waiting.test(name);
  if (hang.includes(kind)) return watching.test(name) || waiting.test(name) || idle.test(name);
  return watching.test(name);
}

/** Whether a function is the way into the kernel: from an interrupt, exception, system call or thread start. */
export function isEntry(name: string): boolean {
  return entry.test(name);
}

/** Whether a frame is where an interrupt or NMI entered: what lies below it was running before. */
export function isInterruptEntry(name: string): boolean {
  return /^(?:asm_(?:sysvec|common_interrupt|exc_nmi|call_on_stack)\w*|(?:smp_)?apic_timer_interrupt|ret_from_intr|common_interrupt|el1h?_(?:64_)?irq\w*|el1_fiq|call_on_irq_stack|end_repeat_nmi|nmi|__irq_svc|irq_entries_start|hypervisor_callback|xen_hvm_callback_vector|reschedule_interrupt|call_function_\w*interrupt)$/.test(
    name,
  );
}

const ways: readonly (readonly [RegExp, string])[] = [
  [/mutex/, 'mutex'],
  [/rwsem|^_*down_(?:read|write)|^_*up_(?:read|write)/, 'rwsem'],
  [/^_*down/, 'semaphore'],
  [/spin_?lock|queued_spin|ticket_spin/, 'spinlock'],
  [/(?:read|write)_lock|queued_(?:read|write)/, 'rwlock'],
  [/completion/, 'completion'],
  [/synchronize_(?:rcu|srcu|sched|net)|rcu_barrier/, 'rcu'],
  [/flush_work|flush_workqueue|drain_workqueue|cancel_work/, 'work'],
  [/folio|page|bit_wait|io_schedule|wait_on_buffer/, 'io'],
  [/csd_lock|smp_call_function/, 'ipi'],
];

/** What hanging code was waiting on, in one word, from the machinery on top of its trace; empty: on nothing. */
export function waitsOn(names: readonly string[]): string {
  for (const name of names) {
    const way = ways.find(([pattern]) => pattern.test(name));
    if (way !== undefined) return way[1];
  }
  return '';
}
