// Types of the kernel's global variables. BTF has only per-CPU ones on most kernels (all of them where
// pahole encoded global variables, 6.13 and later), so the well-known others are declared here. A name
// that a kernel does not have costs nothing.
import type { Type, TypeSource } from '../debuginfo/type.ts';

const declared: Record<string, string> = {
  init_task: 'struct task_struct',
  init_mm: 'struct mm_struct',
  init_uts_ns: 'struct uts_namespace',
  init_pid_ns: 'struct pid_namespace',
  init_net: 'struct net',
  init_nsproxy: 'struct nsproxy',
  init_user_ns: 'struct user_namespace',
  init_cred: 'struct cred',
  modules: 'struct list_head',
  module_kset: 'struct kset *',
  linux_banner: 'char[]',
  saved_command_line: 'char *',
  boot_command_line: 'char[]',
  jiffies: 'unsigned long',
  jiffies_64: 'u64',
  avenrun: 'unsigned long[3]',
  tainted_mask: 'unsigned long',
  panic_cpu: 'atomic_t',
  crashing_cpu: 'int',
  oops_in_progress: 'int',
  panic_on_oops: 'int',
  panic_timeout: 'int',
  panic_on_warn: 'int',
  panic_print: 'unsigned long',
  panic_on_rcu_stall: 'int',
  sysctl_panic_on_rcu_stall: 'int',
  sysctl_panic_on_oom: 'int',
  sysctl_panic_on_stackoverflow: 'int',
  sysctl_hung_task_panic: 'unsigned int',
  sysctl_hung_task_timeout_secs: 'unsigned long',
  sysctl_hung_task_all_cpu_backtrace: 'unsigned int',
  sysctl_softlockup_all_cpu_backtrace: 'unsigned int',
  sysctl_hardlockup_all_cpu_backtrace: 'unsigned int',
  softlockup_panic: 'unsigned int',
  hardlockup_panic: 'unsigned int',
  watchdog_thresh: 'int',
  watchdog_enabled: 'unsigned long',
  watchdog_user_enabled: 'int',
  unknown_nmi_panic: 'int',
  panic_on_unrecovered_nmi: 'int',
  panic_on_io_nmi: 'int',
  sysrq_enabled: 'int',
  nr_cpu_ids: 'unsigned int',
  nr_node_ids: 'unsigned int',
  nr_threads: 'int',
  total_forks: 'unsigned long',
  __per_cpu_offset: 'unsigned long[]',
  __cpu_online_mask: 'struct cpumask',
  __cpu_possible_mask: 'struct cpumask',
  __cpu_present_mask: 'struct cpumask',
  __cpu_active_mask: 'struct cpumask',
  cpu_khz: 'unsigned int',
  tsc_khz: 'unsigned int',
  boot_cpu_data: 'struct cpuinfo_x86',
  prb: 'struct printk_ringbuffer *',
  log_buf: 'char *',
  log_buf_len: 'u32',
  log_first_idx: 'u32',
  log_next_idx: 'u32',
  log_first_seq: 'u64',
  log_next_seq: 'u64',
  clear_seq: 'u64',
  page_offset_base: 'unsigned long',
  vmalloc_base: 'unsigned long',
  vmemmap_base: 'unsigned long',
  phys_base: 'unsigned long',
  high_memory: 'void *',
  max_pfn: 'unsigned long',
  mem_section: 'struct mem_section **',
  vm_node_stat: 'atomic_long_t[]',
  vm_zone_stat: 'atomic_long_t[]',
  vm_numa_event: 'atomic_long_t[]',
  vm_numa_stat: 'atomic_long_t[]',
  vm_committed_as: 'struct percpu_counter',
  _totalram_pages: 'atomic_long_t',
  totalram_pages: 'unsigned long',
  totalreserve_pages: 'unsigned long',
  totalcma_pages: 'unsigned long',
  nr_swapfiles: 'unsigned int',
  swap_info: 'struct swap_info_struct *[]',
  nr_swap_pages: 'atomic_long_t',
  total_swap_pages: 'long',
  node_data: 'struct pglist_data *[]',
  contig_page_data: 'struct pglist_data',
  slab_caches: 'struct list_head',
  vmap_area_list: 'struct list_head',
  vmap_area_root: 'struct rb_root',
  super_blocks: 'struct list_head',
  swapper_spaces: 'struct address_space *[]',
  shm_mnt: 'struct vfsmount *',
  hstates: 'struct hstate[]',
  hugetlb_max_hstate: 'int',
  default_hstate_idx: 'unsigned int',
  timekeeper_lock: 'raw_spinlock_t',
  shadow_timekeeper: 'struct timekeeper',
  timekeeper: 'struct timekeeper',
  timekeeper_data: 'struct tk_data[]',
  tk_core: 'struct tk_data',
  sys_tz: 'struct timezone',
  dmi_ident: 'char *[]',
  console_drivers: 'struct console *',
  console_list: 'struct hlist_head',
  root_task_group: 'struct task_group',
  task_groups: 'struct list_head',
  rcu_state: 'struct rcu_state',
  workqueues: 'struct list_head',
  irq_desc_tree: 'struct radix_tree_root',
  sparse_irqs: 'struct maple_tree',
  idt_table: 'gate_desc[]',
  sys_call_table: 'void *[]',
  pid_hash: 'struct hlist_head *',
  zswap_pool_total_size: 'u64',
  oom_victims: 'atomic_t',
};

/**
 * The declared type of a well-known variable, or null. Arrays declared without a length get length 0.
 */
export function declaredType(types: TypeSource, name: string): Type | null {
  const text = Object.hasOwn(declared, name) ? declared[name]! : null;
  return text === null ? null : parseDeclared(types, text);
}

/** A type written as `struct x`, `u64`, `char *[]`, `unsigned long[3]`; null if the kernel has no such type. */
export function parseDeclared(types: TypeSource, text: string): Type | null {
  const match = /^(.*?)\s*(\**)\s*(?:\[(\d*)\])?$/.exec(text.trim());
  if (match === null) return null;
  const [, base, stars, length] = match;
  let type: Type | null = base === 'void' ? { kind: 'void' } : types.find(base!);
  if (type === null) {
    // a pointer to a type that the kernel's types lack is still a pointer
    if (stars === '') return null;
    type = { kind: 'void' };
  }
  for (let i = 0; i < stars!.length; i++) type = { kind: 'pointer', size: 8, target: type };
  return length === undefined ? type : { kind: 'array', element: type, length: Number(length === '' ? 0 : length) };
}
