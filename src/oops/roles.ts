// What a kernel function is for, as far as its name tells. The kernel names functions by families, `mutex_lock_nested`,
// `kmem_cache_free`, `skb_queue_purge`, and a family has one purpose; so a table of families tells it for functions that
// nobody has listed. Most traces end in functions that serve whoever calls them: the caller is to blame then, not they.

export type Role =
  /** prints, unwinds, panics, dies */
  | 'report'
  /** looks whether others do right: sanitizers, lockdep, debug objects, hardening, tracing */
  | 'check'
  /** the way into the kernel: exceptions, interrupts, system calls, the start of threads */
  | 'entry'
  /** the timer tick and the watchdogs, which find hangs and do not cause them */
  | 'tick'
  | 'idle'
  /** hands work to whom it is for: work items, softirqs, timers, callbacks. What it calls stands on its own. */
  | 'runner'
  /** passes a request on: VFS, sockets, netlink, the driver core, page faults */
  | 'layer'
  /** serves its caller, each in its way */
  | 'lock'
  | 'reference'
  | 'memory'
  | 'container'
  | 'text'
  | 'allocator'
  | 'wait'
  | 'deferral'
  | 'object'
  | 'packet';

/**
 * Families by role, as words: `*` stands for any rest, `{a,b}` for one of them. Names are compared without leading
 * underscores, which only tell variants of a function apart. An earlier role wins.
 */
const families: readonly (readonly [Role, string])[] = [
  [
    'check',
    `rust_helper_* {k,hw,}asan_* check_memory_region* check_region_inline memory_is_poisoned* {k,}msan_* {k,}csan_* csan* tsan_* ubsan_*
     handle_overflow sanitizer_* kfence_* {sanitizer_cov,kcov_trace,write_comp,canonicalize}* addr_has_* object_err qlist_* qlink_* quarantine_* kasan* slab_{err,bug,fix,pad_check}
     check_{object,slab,bytes_and_report,heap_object,stack_object,object_size,copy_size,kmem,valid_pointer}* copy_overflow
     {alloc,free}_debug_processing {alloc,free}_consistency_checks on_freelist init_object print_trailer
     bad_page* free_page{,s}_{is_bad,check}* check_new_page* check_free_page* {stack_chk,fortify,usercopy}_*
     debug_mutex_{lock_common,wake,free,add,remove,unlock,init}* debug_{print_object,object_*,check_*,timer_*,hrtimer_*,work_*,rcu_*,spin_lock*,spin_unlock*,rt_mutex_*,rwsem_*,smp_processor_id,locks_off*,lockdep_*,show_*,dma_*,obj_*,objects_*}
     object_{is_static,debug}* *_is_static_object {timer,work,rcuhead,kobject,hrtimer}_{is_static,fixup}*
     lockdep_* lock_{acquire,release,is_held,map_*,set_*,pin*,unpin*,repin*,downgrade,acquired,contended,chain*}* validate_chain
     check_{prev,prevs,noncircular,deadlock,irq_usage,usage,wait_context,lock,no_locks,flags,chain_key,path,redundant}* mark_{lock,usage,held_locks,all_held}*
     register_lock_class look_up_lock_class assign_lock_key reacquire_held_locks bfs* lookup_chain_cache* add_{chain_*,lock_to_list}
     alloc_list_entry {hardirqs,softirqs}_* rcu_lockdep* rcu_is_watching* rcu_read_lock_*held* rcu_dynticks* debug_lockdep_rcu_enabled
     warn_{on_stack,rcu}_* rcu_note_context_switch might_* cant_sleep* cant_migrate* should_fail* fail_dump fault_create* setup_fault_attr
     fentry* mcount* ftrace_{caller,call,regs,graph_call,graph_regs,stub,ops,return,trampoline,common}* arch_ftrace* {function,trace}_{trace_call,graph_*} trace_event_{raw,buffer,func}* trace_{raw,hardirqs,softirqs,preempt,irq_,lock}* traceiter_* perf_trace_* bpf_trace_run* trace_call_bpf* bpf_dispatcher_* bpf_trampoline_{0,1,2,3,4,5,6,7,8,9}* opt_pre_handler k{,ret}probe_{ftrace,int3,post,fault,breakpoint,emulate,trace,perf,dispatcher,trampoline,rethook,insn_page,optinsn_page}* {arch_,}rethook_trampoline* optimized_callback
     preempt_count_* {get_,in_}lock_parent_ip this_cpu_preempt_check check_preemption_disabled debug_smp_*
     virt_addr_valid phys_addr* phys_addr_{symbol,nodebug} pfn_valid* x86_indirect_thunk* x86_return_thunk* {srso,retbleed}_* retpoline* cfi_{check,slowpath}*
     is_module_address kernel_text_address is_vmalloc_or_module_addr bug_get_file_line check_{stack,unmap,sync,for,sg}_* check_unmap check_sync dma_debug_* add_dma_entry active_cacheline* check_panic_on_warn`,
  ],
  [
    'report',
    `dump_stack* show_{stack,regs,trace,trace_log_lvl,stack_log_lvl,opcodes}* dump_backtrace* c_backtrace unwind* arch_stack_walk* *stack_trace_* save_{stack,trace}*
     stack_depot* hash_stack set_track* {walk,start}_stackframe get_stack_info* in_{task,irq,exception,entry}_stack* orc_find* update_stack_state get_wchan
     print_{report,address_description,bad_pte,usage_bug,circular_bug,deadlock_bug,bad_irq_dependency,unlock_imbalance_bug,lock_*,irq_*,memory_*,modules,tainted,worker_info,other_cpu_stall,cpu_stall*,track*,section,page_info,unreferenced,vma_*,freed_*,collision}*
     ref_tracker_* do_trap_break {v,n,nmi_,x86_native_,native_,}panic* panic_{on,smp,other,print,bad,nmi,asm,reset}_* crash_{kexec,smp,setup,save,shutdown}* machine_{kexec,crash,restart}*
     oops_{begin,end,enter,exit,may}* no_context bad_area* page_fault_oops kernelmode_fixup_or_oops bust_spinlocks die die_* arm64_notify_die arm_notify_die mm_fault_error pgtable_bad show_fault_oops
     notify_die warn{,_slowpath*,_printk,_alloc*,_bogus*,_thunk*,_flush*,_legacy*} report_bug* fixup_bug* handle_bug* bug_handler* call_break_hook do_debug_exception do_el1_brk64 brk_handler* early_brk64 reserved_fault_brk* do_report_trap
     {end,start,kasan,kfence}_report* printk* vprintk* console_* call_console_drivers* serial8250_console* univ8250_* {dev,netdev,netif}_{info,notice,warn,err,alert,crit,emerg,printk}* dev_vprintk*
     dump_header dump_{tasks,page,mm,vma,cpu_task}* out_of_memory* {,mem_cgroup_,pagefault_}oom_kill_process oom_kill_* mem_cgroup_o{om,ut}* pagefault_out_of_memory oom_*
     kgdb_* kdb_* spin_{bug,dump} rwlock_bug schedule_bug* rcu_{stall,dump}_* bug_* do_oops_enter_exit sysrq_show_* skb_{over_,under_,}panic* csum_mismatch
     rust_begin_unwind R*{panick,rust_begin_unwind,panic_fmt,unwrap_failed,expect_failed}* rust_*panic* make_task_dead rewind_stack_* ext4_handle_error* ext4_error{,_inode,_inode_block,_file} fs_panic* {btrfs,xfs,f2fs,jbd2,ext4,gfs2,ocfs2}_{panic,handle_fs_error,abort_transaction}* netdev_rx_csum_fault`,
  ],
  [
    'idle',
    `{default,native_safe,native,mwait,acpi,intel,poll,arch_cpu,cpu,tick_nohz,safe,pv_native_safe}_{idle,halt}* {mwait,acpi_safe,acpi_idle,tdx_safe}_* acpi_processor_{ffh,idle,enter}* intel_idle* default_idle* cpu_do_idle* arch_cpu_idle* poll_idle*
     cpuidle_* rcu_idle* wfi* do_idle call_cpuidle`,
  ],
  [
    'tick',
    `rcu_{sched_clock_irq,check_callbacks,pending,dump_cpu_stacks,gp_kthread,gp_fqs*,gp_cleanup,check_gp_*,stall_*,implicit_*,check_gp_kthread*} check_cpu_stall* print_cpu_stall* synchronize_rcu_expedited_wait* rcu_exp_{wait_wake,gp_*,sel_*} sync_rcu_exp_* wait_rcu_exp_gp
     update_process_times tick_{sched,nohz,handle,do_periodic,do_update,periodic,irq,program,check,broadcast}* watchdog{,_*} softlockup_* lockup_detector* hardlockup_* check_hung_* khungtaskd sched_show_* show_state_filter debug_show_all_locks nmi_{cpu,trigger}_* arch_trigger_* trigger_*backtrace* perf_event_nmi_handler
     {perf_event,intel_pmu,amd_pmu,x86_pmu}_{overflow,handle,nmi}* handle_pmi_common handle_pmi* ipi_handler do_handle_IPI scheduler_tick sched_tick task_tick_* run_posix_cpu_timers run_local_timers hrtimer_run_queues_tick profile_tick timekeeping_* account_*time* calc_global_load* trigger_load_balance rebalance_domains`,
  ],
  [
    'entry',
    `asm_* exc_* idtentry* error_entry error_exit paranoid_* {async_,}page_fault do_{async_,}page_fault do_{kern_addr,user_addr,translation,tag_check,alignment,page,kernel,user,sect,bad,DataAbort,PrefetchAbort,Abort}_*fault* do_{kernel,user}_fault do_{DataAbort,PrefetchAbort} do_mem_abort do_sea trace_do_page_fault is_spurious* do_bad_area do_bad do_alignment* do_sp_pc_abort do_undefinstr do_serror do_bti do_el*_{undef,cfi,fpac,bti,gcs,fpacc}
     general_protection invalid_op* do_{invalid_op,error_trap,general_protection,trap*,divide_error,int3,double_fault,stack_segment,bounds,overflow} divide_error int3 double_fault stack_segment trap{s,} simd_* fixup_exception alignment_check machine_check do_machine_check mce_* xen_{int3,double_fault}
     nmi nmi_* do_nmi default_do_nmi end_repeat_nmi perf_event_nmi* unknown_nmi_error pci_serr_error io_check_error ghes_* {el1,el0}*_{sync,irq,fiq,error,da,ia,dbg,undef,svc,abort,inv,64_*}* el{0,1}{t,h,}_* el{0,1}_* ret_to_{user,kernel} work_pending vectors bad_stack call_on_irq_stack call_on_stack do_interrupt_handler gic_handle_* arm64_*_exception ret_fast_syscall {irq,dabt,pabt,und,fiq}_{svc,usr,invalid} bad_mode handle_bad_stack panic_bad_stack
     sysvec_* smp_*{interrupt,vector}* apic_timer_interrupt ret_from_intr common_interrupt do_IRQ handle_{irq,edge_irq,level_irq,fasteoi,percpu_devid,percpu_irq,simple_irq,bad_irq,nested_irq}* handle_irq* generic_handle_* handle_domain_irq irq_exit* irq_enter* call_function_* reschedule_interrupt local_apic_timer_interrupt retint_* irq_entries_start xen_{hvm,evtchn,pv,do}_*upcall* hypervisor_callback interrupt_entry spurious_* fred_* ack_bad_irq
     generic_smp_call_function_* smp_call_function_single_interrupt {flush_,}smp_call_function_queue* timer_interrupt arch_timer_handler_* riscv_timer_interrupt decrementer_common* timer_broadcast*
     entry_{SYSCALL,SYSENTER,SYSRET,INT80,text,untrain,ibpb}* system_call* syscall_* do_syscall* do_fast_syscall_* do_int80* sysenter_* sysret* tracesys* {x64,ia32,x32,ia32_emulated}_sys_call* ia32_sys* invoke_syscall do_el0_svc* el0_svc* do_trap_ecall* ret_from_{fork,exception,kernel}* kernel_thread_* start_thread secondary_start* start_secondary* cpu_startup_entry rest_init start_kernel x86_64_start_* kernel_init* arch_call_rest_init child_rip common_startup_64 primary_switched irqentry_* exit_to_user* prepare_exit_to_user* do_notify_resume do_work_pending rewind_* die_thread stub_*
     {SyS,SYSC,sys,compat_SyS,compat_sys,ksys,x64_sys,ia32_sys,arm64_sys,s390x_sys,riscv_sys,se_sys,do_sys,ia32_compat_sys,arm64_compat_sys,se_compat_sys,do_compat_sys,powerpc_sys,x32_compat_sys}_syscall_entry call_do_softirq call_do_irq hardware_interrupt_common* instruction_breakpoint* kvm_async_pf*`,
  ],
  [
    'runner',
    `process_one_work process_scheduled_works worker_thread rescuer_thread kthread kthread_worker_fn smpboot_thread_fn run_ksoftirqd ksoftirqd call_timer_fn expire_timers run_timer* run_timers {do,handle,invoke,ksoftirqd_run}_softirq{,s,_own_stack,_post_smp_call_flush} do_softirq* softirq_* tasklet_{action,hi_action}* tasklet_action_common
     rcu_{do_batch,core,core_si,process_callbacks,nocb_kthread,nocb_cb_kthread,cpu_kthread,tasks_kthread} run_hrtimer hrtimer_{run_queues,interrupt,run_softirq} handle_irq_event* irq_{thread,thread_fn,forced_thread_fn} irq_work_{run,single}* cpu_stopper_thread multi_cpu_stop do_one_initcall do_initcall* do_initcalls do_basic_setup call_usermodehelper_exec_async smp_call_function_interrupt async_run_entry_fn cpuhp_{thread_fun,invoke_callback,issue_call} io_wq_worker io_wqe_worker task_work_run`,
  ],
  [
    'lock',
    `mutex_* ww_* rt_mutex_* rt_{spin,read,write}_* rtlock_* rwbase_* {raw_,do_raw_,arch_,bit_,ticket_,rt_,mcs_,native_queued_,pv_queued_,queued_,kvm_,xen_,hlist_bl_}{spin,read,write,rw}_* {raw_,}{spin,read,write}_{try,un,}lock* spin_{lock,unlock,trylock,is,time}* queued_*_slowpath native_queued_* pv_{wait,kick,hash,queued,init_node}* kvm_wait osq_* mcs_* {raw_callee_save,raw_callee}_*
     down down_{read,write,trylock,interruptible,killable,timeout,common,failed}* up up_{read,write}* rwsem_* call_rwsem_* ldsem_* percpu_{down,up}_* percpu_rwsem* mnt_want_write* sb_start_{write,pagefault,intwrite}* semaphore_* rcu_read_{lock,unlock}* rcu_{lock,unlock,preempt}_* srcu_{read,gp_is}* seqcount_* seqprop_* read_seq* write_seq* lock_sock* release_sock* lockref_* hlist_bl_lock rtnl_{lock,trylock,unlock}* lock_task_sighand* local_lock* local_bh_* local_irq_* arch_local_* native_{irq,save_fl,restore_fl}* cpus_read_{lock,unlock}* cpus_{write_,}lock lock_page* unlock_page* folio_{lock,trylock,unlock}* lock_buffer* unlock_buffer* set_current_state irq_{disable,enable}* lock_mm_and_find_vma jump_label_lock device_{lock,unlock,trylock} usb_lock_device*`,
  ],
  [
    'reference',
    `refcount_* kref_* {arch_,raw_,instrument_,}atomic* {arch_,raw_,}{test,set,clear,change}_bit* {arch_,raw_,}test_and_{set,clear,change}_bit* {variable,constant}_test_bit test_bit_* instrument_* {arch_,}{try_,}cmpxchg* xchg* percpu_ref_* {sock,dst,dev,fib,neigh,css,module}_{hold,put,get} sock_{hold,put} dev_{hold,put} dst_{hold,release}* dput dget* file_ref_* get_file fput fput_{close,close_sync} get_{device,net,task_struct,page*} put_{device,net,task_struct,pid,cred*} of_node_{get,put} try_get_page* try_grab_* css_{get,put,tryget}* mmgrab mmdrop*`,
  ],
  [
    'memory',
    `mem{cpy,set,move,cmp,chr,scan,chr_inv,dup,zero}* {inline,native,arch}_mem{cpy,set,move}* clear_{page,huge,user,highpage,folio,gigantic}* copy_page copy_page_{regs,mc,to_iter,from_iter}* copy_{user_page,user_highpage,highpage,mc}* rep_{movs,stos}* {raw_,arch_,simple_,check_,instrument_,inline_,rep_,}copy_{to,from,in}_* copy_{user,mc_user}_* copyin copyout copy_{page_to,page_from,to,from}_iter* {copy,csum_and_copy}_*iter* iov_iter_* iterate_{and_advance,iovec,kvec,bvec,xarray,ubuf,folioq}* import_{iovec,single_range,ubuf}* rw_copy_check* csum_* do_csum* ip_{fast_csum,compute_csum} {get,put}_user* {unsafe_,strn,}{copy,strnlen}_*user* fault_in_* probe_kernel_* strncpy_from_* kernel_{read,write}_nofault* {get,put,load}_unaligned* unaligned_* crc{16,32,32c,_}* crc32* jhash* hash_{32,64,ptr}* siphash* xxh{32,64}* div{_u64,_s64,64,mod}* do_div* udiv* sdiv* read_{word,once}* write_once* mem{to,from}io* {read,write}{b,w,l,q,sb,sw,sl} {in,out}{b,w,l}* io{read,write}{8,16,32}* page_address* kmap* kunmap* sg_{init,next,miter,copy,pcopy,set}_table* sg_{init_table,next,miter_*,copy_*,pcopy_*} swab* bit{rev}* gcd lcm int_sqrt get_random_* read_pnet
     {dcache,icache,caches,cache}_{clean,inval,by,flush,inv,wb,wback}* {flush,clean,inval,invalidate,inv,wback}_{dcache,icache,cache,caches,kernel_dcache,dma}* {,arch_}{arm,arm64,mips,riscv,xtensa,parisc,v4,v4wb,v6,v7,v7m,fa,feroceon,xscale,b15,l2c,l2x0,r4k}_{dma,coherent,flush_kern,flush_icache,flush_dcache,flush_user,cache,clean,inv}* arch_{sync_dma,dma,wb_cache,invalidate}* {clean,inv}_dcache*`,
  ],
  [
    'text',
    `strn{cpy,len,cmp,casecmp,str,cat}* str{cpy,len,cmp,casecmp,chr,rchr,str,cat,scpy,lcpy,lcat,sep,spn,cspn,im,pbrk,nchr,reverse,replace}* sized_str* skip_spaces vs{n,}printf* vscnprintf s{n,cn,}printf k{v,}asprintf* string{,_*} pointer number format_decode bstr_printf vbin_printf hex_dump* print_hex_dump* kstrto* simple_strto* sscanf vsscanf match_{token,int,strdup}* parse_{args,option_str} nla_* nlmsg_* seq_{printf,puts,putc,write,escape,vprintf,path}* sysfs_emit* seq_buf_* trace_seq_* ip{4,6}_*string* uuid_* glob_match`,
  ],
  [
    'container',
    `list_{add,del,move,splice,replace,lru,bulk,swap,rotate,cut,sort,empty,is_*,first*,debug}* list_{add,del}_* hlist_* llist_* plist_* klist_* rb_{erase,insert,next,prev,first,last,replace,link,find,add,augment}* {insert,erase}_augmented* xas_* xa_* xarray_* mas_* mtree_* mt_{find,next,prev,free,destroy}* radix_tree_* idr_* ida_* rhashtable_* rht_* rhl* find_{first,next,last}_*bit* find_{first,next,last,nth,get_}*bit find_get_{entry,entries,page*,pages*} filemap_get_{entry,folios*} pagevec_* folio_batch_* bitmap_* cpumask_* sort{,_r} bsearch timerqueue_* interval_tree_* augment_* assoc_array_* genradix_* flex_array_* kfifo_* ptr_ring_* btree_{lookup,insert,remove}* lru_list_* list_lru_* sbitmap_* percpu_counter_* prio_tree_*`,
  ],
  [
    'allocator',
    `k{m,z,c,}alloc{,_*} kmalloc* k{v,}{m,z,c}alloc* k{v,}free* krealloc* kvrealloc* kzfree kmem_* kmem{dup}* kmemdup* memdup_* kstrdup* kstrndup* kmemleak_* create_object* delete_object* slab_{alloc,free,post,pre,want,out,destroy,should,mem}* do_slab_free do_kmalloc* cache_{alloc,free,grow,flush,reap,from}* {get,put}_{partial,cpu_partial}* new_slab* allocate_slab* alloc_slab_* deactivate_slab* unfreeze_partials* flush_{slab,cpu_slab}* discard_slab* free_slab* rcu_free_slab get_freepointer* freelist_* set_freepointer* fixup_red_left memcg_{slab,alloc}* obj_cgroup_* *{sheaf,sheaves}* barn_* pcs_replace* {alloc_from,free_to}_pcs* refill_objects* shutdown_cache* kmem_cache_destroy mempool_* dma_pool_* dma_{alloc,free,direct_alloc,direct_free}_* dma_{map,unmap,sync,direct_map,direct_unmap,direct_sync}_* swiotlb_* iommu_dma_*
     v{m,z,}alloc{,_*} vmalloc* vzalloc* vfree* vunmap* vmap vmap_* remap_vm* {get,alloc,free,find,purge,reclaim}_{vm_area,vmap_area}* {drain,purge,try_purge}_vmap_area* map_vm_area alloc_{pages,page,zeroed,buddy,contig,fresh,anon,demote,pages_*,frozen,percpu,slab,inode_sb,inode} alloc_{pages,page,frozen,zeroed,contig}_* {vma,folio,shmem}_alloc_* folio_alloc* *_alloc_folio *alloc_and_*folio get_free_page* get_zeroed_page* get_page_from_freelist rmqueue* prep_{new,compound}_page* post_alloc_hook free_{pages,page,one,unref,frozen,pcppages,pcp,the,tail,hot,huge,contig,percpu,large,folio,swap_and_cache,reserved,transhuge}* release_pages put_{page,folio,pages}* page_{cache_release,frag_*} folio_put* destroy_large_folio pcpu_* {,re}charge_{memcg,mem}* mem_cgroup_{charge,uncharge,try,swapin,replace,commit}* try_charge* try_to_free_* do_try_to_free* shrink_{slab,node,lruvec,zones,folio,list,inactive,active,page}* do_shrink_slab perform_reclaim* balance_pgdat cma_{alloc,release,reserve,declare,clear_bitmap}* new_inode* zalloc_* devm_k{m,z,c}alloc* devm_kmemdup* alloc_workqueue_attrs bio_alloc* bvec_* mm_alloc`,
  ],
  [
    'wait',
    `schedule* io_schedule* context_switch switch_to* finish_task_switch* wait_{for,on,event,woken,iff,bit,transaction,task_inactive,port,pipe,answer}* do_wait_{for,intr}* out_of_line_wait* bit_wait* prepare_to_{wait,swait}* finish_{wait,swait} {add,remove}_wait_queue* wake_up* wake_{bit,const,q,page}* try_to_wake_up ttwu_* default_wake_function autoremove_wake* woken_wake* waitqueue_active {,sk}wq_has_sleeper cv_{wait,timedwait}* swake_* {prepare_to_,finish_,}swait_* complete{,_all,_on_*} complete_with_flags msleep* usleep_* ssleep fsleep* *_msleep* sleep_on_* synchronize_{rcu,srcu,sched,net,irq,hardirq,rcu_*}* rcu_barrier* wait_rcu_gp* freezable_* refrigerator* io_wait* blk_mq_freeze_queue* percpu_ref_{switch,kill}* folio_wait_* pipe_wait* futex_wait_queue* hrtimer_nanosleep do_nanosleep nanosleep_* poll_schedule_* preempt_{schedule,sched}* {might_,}cond_resched* jbd2_log_wait* rpc_sleep_on* csd_lock_wait* smp_call_function* on_each_cpu* flush_tlb_* {native,kvm,hyperv,xen}_flush_tlb_* stop_{machine,one_cpu,two_cpus,cpus}* set_cpus_allowed* wait_woken udelay delay_* const_udelay ndelay ktime_get* read_hpet delay_tsc`,
  ],
  [
    'deferral',
    `{start_,}flush_{work,workqueue,delayed_work,scheduled_work,rcu_work,kthread_work}* flush_*_work drain_workqueue* destroy_workqueue* {pre,}alloc_workqueue* {try_to_,}grab_pending* try_to_grab_pending {mod,queue,insert,init,cancel,disable,enable,schedule,delayed,kthread_queue,kthread_mod,kthread_cancel,kthread_flush}_{delayed_,rcu_,kthread_,}work* queue_{work,delayed,rcu}* schedule_{work,delayed}* work_{busy,on_cpu}* tasklet_{kill,schedule,disable,enable,init,setup,unlock,hi_schedule}* 
     sk_{reset,stop}_timer* {add,mod,del,init,try_to_del,start,shutdown}_timer* timer_{delete,shutdown,setup,init,reduce,fixup}* try_to_del_* timer_delete* detach_{timer,if_pending}* internal_add_timer* enqueue_timer* lock_timer_base* hrtimer_{init,start,cancel,try,setup,forward,active,reprogram,get}* {enqueue,remove}_hrtimer* get_timer_*base* kthread_{stop,park,unpark,flush,create,bind,queue,destroy,run,should,parkme,init}* call_rcu* call_srcu* kfree_rcu* kvfree_rcu* kfree_call_rcu* irq_work_{queue,sync}* notifier_{call_chain,chain_register,chain_unregister,to_errno}* {atomic,blocking,raw,srcu}_notifier_* call_netdevice_notifiers* static_key_{enable,disable,slow_*,count,false,inc,dec}* static_branch_* jump_label_* mmu_notifier_{reg,unreg}* insert_kthread_work* kthread_*_bind* insert_work* set_work_* clear_work_* rcu_segcblist_* rcu_cblist_* rcu_accelerate_* swork_* *_{queue,schedule}_{rcu_,delayed_,}work`,
  ],
  [
    'object',
    `kobject_* kobj_{attr,ns}* kset_* device_{add,del,create,destroy,register,unregister,initialize,release,for_each*,remove_file*,create_file*,move,rename,find_*,private_*,links_*,pm_*,links_*,remove_bin*,get_devnode}* dev_set_name* devm_{device,add,kobject,of_platform,request,release,remove}* devres_* release_nodes remove_nodes root_device_* bus_{add,remove}_device* dpm_sysfs_* sysfs_* kernfs_{add,remove,find,get,put,create,new,link,unlink,next,leftmost,drain,deactivate,activate,name,break,node,ns,notify,removal}* {,internal_}{create,remove}_{group,files,links,dir,file}* proc_{register,create*,remove,mkdir*,net_create,symlink} remove_proc_{entry,subtree} pde_subtree* debugfs_{create,remove,lookup,rename,get_inode,start,initialized}* simple_{recursive_removal,pin_fs,release_fs}* attribute_container_* transport_{add,remove,setup,destroy}* class_{create,destroy,find,dev}* cdev_{del,add,device}* driver_{add,remove,create}_{group,file}* platform_device_{add,del,put} free_irq_legacy pm_runtime_* rpm_* device_pm_*`,
  ],
  [
    'packet',
    `skb_{panic,over_panic,under_panic,put,push,pull,trim,reserve}* skb_frag_{ref,unref}* pskb_{put,pull,may_pull}* skb_{queue,dequeue,unlink,insert,append,peek,release,free,kfree,orphan,recv,clone_and}* {dev_,}{kfree,consume}_skb* {dev,sk}_skb_reason* napi_consume_skb* skb_checksum* skb_{copy,store}_{bits,datagram,and}* skb_datagram_iter skb_copy_datagram_* {alloc,build,netdev_alloc,napi_alloc,napi_build}_skb* kmalloc_reserve sock_{alloc_send,wmalloc,rmalloc,omalloc,kmalloc,kfree,kzfree,wfree,rfree,efree,queue_rcv}* sk_{stream_alloc,msg_alloc}* simple_copy_to_iter`,
  ],
  [
    'layer',
    `vfs_* ksys_* new_sync_{read,write} call_{read,write}_iter call_mmap do_iter_* do_{read,write}v* do_loop_readv* {read,write,}file_*_iter_dispatch do_{sys_,sys_ftruncate,truncate,dentry_open,filp_open,sys_openat2,open_execat} do_sys_* do_dentry_open vfs_open path_{openat,lookupat,mount,umount,setxattr,getxattr,listxattr,init} link_path_walk* open_last_lookups lookup_open* do_{mkdirat,unlinkat,renameat2,linkat,symlinkat,rmdir,mknodat,fsync,mount,new_mount,splice*,sendfile,poll*,epoll_*,pselect*,select*,fcntl,futex,accept,vfs_ioctl,umount,open,last,utimes*} {proc_reg,kernfs_fop,kernfs_seq,sysfs_kf,seq,full_proxy,configfs}_{read,write,open,release,ioctl,mmap,llseek,lseek,read_iter,write_iter}* seq_{read,lseek}* notify_change iterate_{dir,supers,bdevs,super} setxattr getxattr removexattr splice_{direct,from,to}_* direct_splice_actor filp_close fput* delayed_fput* close_{fd,files}* put_files_struct exit_{files,mmap,task_work,fs} do_exit do_group_exit get_signal arch_do_signal* do_signal* ptrace_stop
     sock_{sendmsg,recvmsg,write_iter,read_iter,close,release,ioctl,do_ioctl,poll,splice_*,sendpage,setsockopt,getsockopt,create*,common_*,kernel_*} sock_sendmsg_* sock_recvmsg_* sock_no_* do_sock_{set,get}sockopt kernel_{sendmsg,recvmsg,sendpage,accept,connect} {sys,do_sys,x64_sys,ia32_sys,arm64_sys,riscv_sys,s390x_sys,se_sys,compat_sys,ia32_compat_sys,se_compat_sys,arm64_compat_sys,SyS,SYSC,compat_SyS,C_SYSC,powerpc_sys}_* sys_{sendmsg,recvmsg,sendto,recvfrom,socket,bind,connect,accept4,bpf,sendmmsg,recvmmsg,setsockopt,getsockopt}* inet{6,}_{sendmsg,recvmsg,release,ioctl,accept,bind,stream_connect,dgram_connect,create,compat_ioctl,shutdown,getname,listen} netlink_{sendmsg,recvmsg,unicast*,rcv_skb,dump,dump_start,release,broadcast*,attachskb,deliver*} rtnetlink_{rcv*,event} genl_{rcv*,family_rcv*,lock_dumpit,rcv_msg} nfnetlink_{rcv*,net_*} sock_diag_rcv* xfrm_netlink_rcv xfrm_user_rcv_msg audit_receive*
     netif_{receive_skb*,rx*} process_backlog napi_{poll,complete*,busy_loop,threaded_poll*,gro_flush*} net_{rx,tx}_action deliver_skb {ip,ip6,ipv6}_{rcv,rcv_core,rcv_finish*,local_deliver*,list_rcv*,sublist_rcv*,protocol_deliver*,input,input_finish,local_out} ip{6,v6}_{rcv*,input*} dst_{input,output} dev_{queue_xmit*,hard_start_xmit,direct_xmit} sch_direct_xmit xmit_one qdisc_run* br_netfilter_* nf_hook* nf_{set,get}sockopt nf_sockopt {ip,ipv6,tcp,udp,raw}_{set,get}sockopt compat_{ip,ipv6,tcp,udp,raw}_{set,get}sockopt compat_nf_*
     really_probe driver_{probe_device,attach,register,deferred_probe,sysfs*} driver_allows* {bus_for_each,bus_probe,bus_add_driver,bus_remove_driver,bus_rescan,bus_generic}_* bus_{for_each_*,probe_device,remove_device,add_driver} device_{attach*,initial_probe,bind*,driver_*,remove,release_driver*,unbind*} {platform,i2c_device,spi,pci_device,local_pci,amba,virtio_dev,hid_device,sdio_bus,usb}_{probe,drv_probe,remove} local_pci_probe usb_{probe_interface,probe_device,unbind_interface,unbind_device,set_configuration,generic_driver_*,new_device,disconnect,disable_device,hcd_giveback_urb*,giveback_urb_bh} hub_{port_connect*,event} port_event pci_call_probe
     {blk,blkdev,block,tty,chrdev,misc,video,v4l,v4l2,drm,snd,dvb,sg,cdrom,scsi,kvm,loop}_{ioctl,ioctl2,ioctl_kernel,usercopy,compat_ioctl,ioctl_trans} video_{ioctl2,usercopy,do_ioctl} drm_ioctl* tty_{read,write,open,release,poll,compat_ioctl,fasync} chrdev_open misc_open blkdev_{open,release,close,get*,put*} bdev_* cdev_*
     vfs_get_tree do_new_mount mount_{bdev,fs,nodev,single,block_root,root*} get_tree_* legacy_get_tree fc_mount vfs_kern_mount* deactivate_{super,locked_super} cleanup_mnt kill_{block,anon,litter}_super ns_capable* path_umount mntput*
     handle_mm_fault* do_{anonymous,read,shared,cow,swap,fault,pte_missing,wp,huge,no}_{page,fault*} do_fault* handle_pte_fault* wp_page_copy faultin_page* get_user_pages* populate_vma* mm_populate* call_fault filemap_{fault,map_pages} mmap_region do_mmap* vm_mmap* do_munmap* vm_munmap* unmap_{region,vmas,page_range,single*} zap_{pte,pmd,page}* exit_mmap mmput* do_vmi_{align,}munmap generic_{perform_write,file_write_iter,file_read_iter,file_buffered*,file_direct*} filemap_read* 
     io_{issue_sqe,submit_sqe*,queue_sqe*,uring_enter,wq_submit_work,req_task_submit*,handle_tw_list,run_task_work*,cqring_wait} bprm_execve search_binary_handler load_elf_binary do_execve* exec_binprm copy_process kernel_clone do_fork load_module do_init_module init_module_from_file free_module delete_module ops_{init,exit,exit_list,free}* setup_net copy_net_ns create_new_namespaces unshare_nsproxy* cleanup_net prepare_namespace keyctl_* cpu_{up,down}* device_shutdown kernel_restart call_netdevice_notifiers* default_device_exit*`,
  ],
];

const underscores = /^_+/;

const plain = /^\w*$/;

/** One word of the table. Most are told by how they begin, so that few need their pattern. */
interface Family {
  readonly role: Role;
  /** What every name of it begins with. */
  readonly start: string;
  /** What follows: nothing, `*`, or more of the word. */
  readonly rest: string;
  pattern: RegExp | null;
}

/** The table by first character, each list in the table's order; made when first asked for. */
let byFirst: ReadonlyMap<string, readonly Family[]> | null = null;

function indexFamilies(): ReadonlyMap<string, readonly Family[]> {
  const index = new Map<string, Family[]>();
  for (const [role, words] of families) {
    for (const word of words.trim().split(/\s+/)) {
      for (const opened of openStart(word)) {
        const cut = opened.search(/[{*]/);
        const family = cut < 0 ? { start: opened, rest: '' } : { start: opened.slice(0, cut), rest: opened.slice(cut) };
        const first = family.start.charAt(0);
        const list = index.get(first) ?? [];
        if (list.length === 0) index.set(first, list);
        list.push({ role, ...family, pattern: null });
      }
    }
  }
  return index;
}

/** A word that begins with a choice, as one word for each of them: `{a,b}_c` as `a_c` and `b_c`. */
function openStart(word: string): readonly string[] {
  if (!word.startsWith('{')) return [word];
  const end = word.indexOf('}');
  const rest = word.slice(end + 1);
  return word
    .slice(1, end)
    .split(',')
    .flatMap((choice) => openStart(choice + rest));
}

function isOf(family: Family, name: string): boolean {
  const { start, rest } = family;
  if (!name.startsWith(start)) return false;
  if (rest === '') return name.length === start.length;
  if (rest === '*') return plain.test(name);
  family.pattern ??= new RegExp(
    `^${rest
      .replace(/[.$]/g, '\\$&')
      .replaceAll('*', '\\w*')
      .replaceAll('{', '(?:')
      .replaceAll('}', ')')
      .replaceAll(',', '|')}$`,
  );
  return family.pattern.test(name.slice(start.length));
}

/** The role that stands first in the table. */
function earlier(one: Family | undefined, other: Family | undefined): Role | null {
  if (one === undefined || other === undefined) return (one ?? other)?.role ?? null;
  return families.findIndex(([role]) => role === one.role) <= families.findIndex(([role]) => role === other.role)
    ? one.role
    : other.role;
}

/** The same names come again and again. */
const known = new Map<string, Role | null>();
const maxKnown = 20_000;

/**
 * What a function is for; null: something of its own, so that it is to blame for what happens in it.
 * @param name without compiler suffixes
 */
export function roleOf(name: string): Role | null {
  const found = known.get(name);
  if (found !== undefined) return found;
  const bare = name.replace(underscores, '').slice(0, 128);
  byFirst ??= indexFamilies();
  const own = byFirst.get(bare.charAt(0));
  const any = byFirst.get(''); // `*_is_static_object`
  const role = earlier(
    own?.find((family) => isOf(family, bare)),
    any?.find((family) => isOf(family, bare)),
  );
  if (known.size >= maxKnown) known.clear();
  known.set(name, role);
  return role;
}
