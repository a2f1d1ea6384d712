// Which functions use which variables, and by what a variable is known: for kernels that name none of their data.
// Functions are those of kernels from 5.10 to 7.2 that refer to a variable in all builds looked at; those that a kernel
// has not are left out.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { findMember, sizeOf, type TypeSource } from '../debuginfo/type.ts';
import {
  functionAt,
  hasClock,
  hasDefaultHierarchy,
  hasPidLimit,
  isBetween,
  isBugTable,
  isCpu,
  isHugePageSize,
  isIdrOf,
  isKset,
  isList,
  isListOf,
  isMapleTree,
  isPidLimit,
  isPointer,
  isPowerOfTwo,
  isSlotCache,
  isTableByMajor,
  isText,
  isTimerBase,
  isTreeOf,
  isXarray,
  maxPid,
  memberAt,
  onEveryCpu,
  pointerIn,
} from './data_looks.ts';
import { perCpuLines, perCpuWords, pointersToModules } from './data_places.ts';
import type { Kernel } from './kernel.ts';

export interface DataUse {
  /** Functions that refer to it. */
  readonly usedBy: readonly string[];
  /** Functions that refer to what it could be taken for. */
  readonly notUsedBy?: readonly string[];
  /** Whether kernels with such types have it; without, all that use it. */
  readonly isThere?: (types: Pick<TypeSource, 'find'>) => boolean;
  /** Whether what lies at an address is it, as far as can be seen: hardly anything else looks like it. What it throws means no. */
  readonly looksRight?: (kernel: Kernel, at: VirtAddr) => boolean;
  /** Without that: whether it may be it. Every function of `usedBy` that the kernel has must refer to it then, and two at least. */
  readonly mayBe?: (kernel: Kernel, at: VirtAddr) => boolean;
  /** Bytes of an array whose length nothing else tells; throws as `looksRight`. */
  readonly bytes?: (kernel: Kernel, at: VirtAddr) => number;
  /** Where it may be, if no function tells: every place is held against `looksRight`. */
  readonly places?: (kernel: Kernel) => Iterable<VirtAddr>;
}

/** CHRDEV_MAJOR_HASH_SIZE (include/linux/fs.h), BLKDEV_MAJOR_HASH_SIZE (include/linux/blkdev.h). */
const majorSlots = 255;

/** More than kernels have: two, three since 7988e5ae2be7 (6.10). */
const maxTimerBases = 8;

/** CPU_ENTRY_AREA_PER_CPU (arch/x86/include/asm/pgtable_areas.h). */
const entryAreas = virtAddr(0xffff_fe00_0000_1000n);
/** CPU_ENTRY_AREA_MAP_SIZE, bytes. */
const entryAreasSize = 1n << 39n;

/** Who reads the clocks, whatever keeps them. */
const clockReaders = [
  'ktime_get',
  'ktime_get_real_ts64',
  'ktime_get_ts64',
  'ktime_get_raw',
  'do_adjtimex',
  'timekeeping_update_from_shadow',
];
const vmapNodeUsers = ['find_vmap_area', 'alloc_vmap_area', 'purge_vmap_node', 'vmalloc_info_show'];

export const dataUses: Readonly<Record<string, DataUse | readonly DataUse[]>> = {
  modules: {
    usedBy: [
      'print_modules',
      'm_start',
      'm_next',
      'find_module_all',
      'module_kallsyms_lookup_name',
      'module_get_kallsym',
    ],
    // a module's kobject leads back to it (mod_sysfs_init())
    looksRight: (kernel, at) =>
      isListOf(
        kernel,
        at,
        'struct module',
        'list',
        (module) => pointerIn(kernel, 'struct module', 'mkobj.mod', module) === module,
      ),
    places: pointersToModules,
  },
  slab_caches: {
    usedBy: ['slab_start', 'slab_next', 'slab_show', 's_start', 's_next', 'slub_cpu_dead', 'slab_memory_callback'],
    looksRight: (kernel, at) =>
      isListOf(kernel, at, 'struct kmem_cache', 'list', (cache) =>
        isText(kernel, pointerIn(kernel, 'struct kmem_cache', 'name', cache)),
      ),
  },
  task_struct_cachep: {
    usedBy: ['copy_process', 'free_task'],
    looksRight: (kernel, at) =>
      kernel.space.cString(pointerIn(kernel, 'struct kmem_cache', 'name', kernel.space.pointer(at)), 64) ===
      'task_struct',
  },
  super_blocks: {
    usedBy: ['sget_fc', 'user_get_super', '__iterate_supers', 'iterate_supers', 'sget'],
    looksRight: (kernel, at) =>
      isListOf(kernel, at, 'struct super_block', 's_list', (block) =>
        isText(
          kernel,
          pointerIn(
            kernel,
            'struct file_system_type',
            'name',
            pointerIn(kernel, 'struct super_block', 's_type', block),
          ),
        ),
      ),
  },
  cgroup_roots: {
    usedBy: ['cgroup1_get_tree', 'cgroup_attach_task_all', 'cgroup_setup_root', 'proc_cgroup_show'],
    looksRight: hasDefaultHierarchy,
  },
  cgroup_subsys: {
    usedBy: [
      'cgroup_can_fork',
      'cgroup_post_fork',
      'cgroup_print_ss_mask',
      'cgroup_propagate_control',
      'cgroup1_show_options',
    ],
    looksRight: (kernel, at) =>
      isText(kernel, pointerIn(kernel, 'struct cgroup_subsys', 'name', kernel.space.pointer(at))),
  },

  // a per-CPU variable, whose place BTF tells unless it was made by a pahole before 1.22
  runqueues: {
    usedBy: [],
    // without its type no place looks like it, and there are very many
    isThere: (types) => types.find('struct rq') !== null && types.find('struct task_struct') !== null,
    looksRight: (kernel, at) =>
      kernel.cpus.possible.every((cpu) => {
        const queue = kernel.object('struct rq', offsetBy(at, kernel.perCpuOffset(cpu)));
        if (queue.member('cpu').number() !== cpu) return false;
        const idle = memberAt(kernel, 'struct task_struct', 'comm', queue.member('idle').pointer());
        return kernel.space.cString(idle, 16) === `swapper/${cpu}`;
      }),
    places: perCpuLines,
  },

  timer_bases: {
    usedBy: [],
    // an array: none before it
    looksRight: (kernel, at) =>
      isTimerBase(kernel, at) &&
      isTimerBase(kernel, offsetBy(at, sizeOf(kernel.type('struct timer_base')))) &&
      !isTimerBase(kernel, offsetBy(at, -sizeOf(kernel.type('struct timer_base')))),
    bytes: (kernel, at) => {
      const size = sizeOf(kernel.type('struct timer_base'));
      let bases = 0;
      while (bases < maxTimerBases && isTimerBase(kernel, offsetBy(at, bases * size))) bases++;
      return bases * size;
    },
    places: perCpuLines,
  },
  hrtimer_bases: {
    usedBy: [],
    looksRight: (kernel, at) =>
      onEveryCpu(
        kernel,
        at,
        (base) => pointerIn(kernel, 'struct hrtimer_cpu_base', 'clock_base[1].cpu_base', base) === base,
      ),
    places: perCpuLines,
  },
  rcu_data: {
    usedBy: [],
    looksRight: (kernel, at) =>
      onEveryCpu(kernel, at, (data, cpu) => {
        const found = kernel.object('struct rcu_data', data);
        return found.member('cpu').number() === cpu && found.member('grpmask').bigint() === 1n << BigInt(cpu % 16);
      }),
    places: perCpuLines,
  },
  tick_cpu_sched: {
    usedBy: [],
    looksRight: (kernel, at) =>
      onEveryCpu(kernel, at, (tick) =>
        /^tick_(?:sched_timer|nohz_handler)/.test(
          functionAt(kernel, pointerIn(kernel, 'struct tick_sched', 'sched_timer.function', tick)),
        ),
      ),
    places: perCpuLines,
  },
  // stacks of exceptions, in each CPU's entry area: one behind another, and in any order since 97e3d26b5e5f (6.2)
  cea_exception_stacks: {
    usedBy: [],
    isThere: (types) => types.find('struct cea_exception_stacks') !== null,
    looksRight: (kernel, at) => {
      const area = kernel.type('struct cpu_entry_area');
      const first = offsetBy(entryAreas, findMember(area, 'estacks')!.bitOffset / 8);
      const taken = new Set<bigint>();
      return onEveryCpu(kernel, at, (word) => {
        const beyond = kernel.space.pointer(word) - first;
        if (beyond < 0n || beyond >= entryAreasSize || beyond % BigInt(sizeOf(area)) !== 0n || taken.has(beyond))
          return false;
        taken.add(beyond);
        return true;
      });
    },
    places: perCpuWords,
  },

  // the keeper of the clocks: an array since 6.17, with a type of its own since 6.13, and a shadow of it before
  timekeeper_data: {
    usedBy: clockReaders,
    isThere: (types) => types.find('enum timekeeper_ids') !== null,
    looksRight: (kernel, at) => hasClock(kernel, 'struct tk_data', 'timekeeper.tkr_mono.clock', at),
  },
  tk_core: {
    usedBy: clockReaders,
    isThere: (types) => types.find('struct tk_data') !== null && types.find('enum timekeeper_ids') === null,
    looksRight: (kernel, at) => hasClock(kernel, 'struct tk_data', 'timekeeper.tkr_mono.clock', at),
  },
  shadow_timekeeper: {
    usedBy: ['timekeeping_advance', 'timekeeping_update', 'update_wall_time'],
    notUsedBy: ['ktime_get', 'ktime_get_real_ts64'],
    isThere: (types) => types.find('struct tk_data') === null,
    looksRight: (kernel, at) => hasClock(kernel, 'struct timekeeper', 'tkr_mono.clock', at),
  },

  saved_command_line: {
    usedBy: ['cmdline_proc_show', 'do_sysctl_args'],
    mayBe: (kernel, at) => isText(kernel, kernel.space.pointer(at)),
  },
  panic_cpu: [
    { usedBy: ['nmi_panic', 'panic_try_start', 'panic_reset'], mayBe: isCpu },
    { usedBy: ['nmi_panic', 'panic', 'crash_kexec'], mayBe: isCpu },
  ],
  tainted_mask: {
    usedBy: ['add_taint', 'get_taint', 'test_taint'],
    mayBe: (kernel, at) => kernel.space.u64(at) < 1n << 24n,
  },
  nr_threads: {
    usedBy: ['copy_process', 'loadavg_proc_show', 'release_task'],
    mayBe: (kernel, at) => isBetween(kernel.space.i32(at), 1, maxPid),
  },
  pid_max: [
    { usedBy: ['alloc_pid', 'trace_pid_list_alloc'], isThere: hasPidLimit, mayBe: isPidLimit },
    { usedBy: ['alloc_pid', 'trace_pid_write'], isThere: hasPidLimit, mayBe: isPidLimit },
  ],

  swap_info: {
    usedBy: ['swap_next', 'swap_start', 'swapdev_block', 'count_swap_pages', 'si_swapinfo'],
    mayBe: (kernel, at) => kernel.arch.isKernelAddress(kernel.space.pointer(at)),
  },
  nr_swapfiles: {
    usedBy: ['find_first_swap', 'count_swap_pages', 'si_swapinfo'],
    mayBe: (kernel, at) => isBetween(kernel.space.i32(at), 1, 64),
  },
  swapper_spaces: {
    usedBy: ['init_swap_address_space', 'exit_swap_address_space', 'add_to_swap_cache', 'delete_from_swap_cache'],
    mayBe: (kernel, at) => isPointer(kernel, kernel.space.pointer(at)),
  },
  vm_committed_as: {
    usedBy: ['__vm_enough_memory', 'vm_memory_committed', 'exit_mmap', 'mprotect_fixup', 'shmem_evict_inode'],
    mayBe: (kernel, at) => kernel.space.isReadable(at),
  },
  sysctl_overcommit_kbytes: {
    usedBy: ['overcommit_ratio_handler', 'vm_commit_limit'],
    mayBe: (kernel, at) => kernel.space.isReadable(at),
  },
  sysctl_overcommit_ratio: {
    usedBy: ['overcommit_kbytes_handler', 'vm_commit_limit'],
    mayBe: (kernel, at) => isBetween(kernel.space.i32(at), 0, 10_000),
  },
  nr_vmalloc_pages: { usedBy: ['vmalloc_nr_pages'], mayBe: (kernel, at) => kernel.space.u64(at) < 1n << 40n },
  nr_vmap_nodes: {
    usedBy: vmapNodeUsers,
    isThere: (types) => types.find('struct vmap_node') !== null,
    mayBe: (kernel, at) => isBetween(kernel.space.i32(at), 1, 4096),
  },
  vmap_nodes: {
    usedBy: vmapNodeUsers,
    isThere: (types) => types.find('struct vmap_node') !== null,
    looksRight: (kernel, at) => {
      const node = kernel.object('struct vmap_node', kernel.space.pointer(at));
      return isList(kernel, node.member('busy.head').address) && isList(kernel, node.member('lazy.head').address);
    },
  },
  hstates: {
    usedBy: ['hugetlb_report_meminfo', 'hugetlb_total_pages', 'hugetlb_register_node', 'size_to_hstate'],
    // the first of an array: none before it
    looksRight: (kernel, at) => {
      const size = BigInt(sizeOf(kernel.type('struct hstate')));
      return isHugePageSize(kernel, at) && !isHugePageSize(kernel, offsetBy(at, -size));
    },
  },
  hugetlb_max_hstate: {
    usedBy: ['hugetlb_report_meminfo', 'hugetlb_total_pages', 'hugetlb_register_node', 'size_to_hstate'],
    mayBe: (kernel, at) => isBetween(kernel.space.i32(at), 0, 16),
  },
  memory_blocks: {
    usedBy: ['create_memory_block_devices', 'remove_memory_block_devices', 'walk_memory_blocks'],
    notUsedBy: ['memory_subsys_online', 'phys_index_show', 'valid_zones_show'],
    looksRight: isXarray,
  },
  sections_per_block: {
    usedBy: ['memory_subsys_online', 'phys_index_show', 'walk_memory_blocks', 'create_memory_block_devices'],
    mayBe: (kernel, at) => isPowerOfTwo(kernel.space.u32(at)),
  },

  irq_desc_tree: {
    usedBy: ['irq_to_desc', '__irq_get_desc_lock', 'generic_handle_irq', 'kstat_irqs_cpu', '__irq_alloc_descs'],
    looksRight: isXarray,
  },
  sparse_irqs: {
    usedBy: ['irq_to_desc', '__irq_get_desc_lock', 'generic_handle_irq', 'kstat_irqs_cpu', '__irq_alloc_descs'],
    looksRight: isMapleTree,
  },
  total_nr_irqs: {
    usedBy: ['irq_get_nr_irqs', 'irq_get_next_irq', 'irq_seq_start', 'irq_seq_next', '__irq_alloc_descs'],
    mayBe: (kernel, at) => isBetween(kernel.space.i32(at), 1, 1 << 20),
  },
  softirq_vec: {
    usedBy: ['open_softirq', 'handle_softirqs', '__do_softirq'],
    looksRight: (kernel, at) => /^tasklet_hi_action/.test(functionAt(kernel, kernel.space.pointer(at))),
  },
  sys_call_table: {
    usedBy: ['do_el0_svc', 'el0_svc', 'do_syscall_64'],
    looksRight: (kernel, at) =>
      [0, 1, 2].every((n) => /sys_/.test(functionAt(kernel, kernel.space.pointer(offsetBy(at, n * 8))))),
  },

  dmi_ident: {
    usedBy: ['dmi_get_system_info', 'dmi_match', 'dmi_matches', 'dmi_name_in_vendors', 'dmi_get_date'],
    // by their numbers, of which 0 is none
    looksRight: (kernel, at) => isText(kernel, kernel.space.pointer(offsetBy(at, 8))),
  },

  chrdevs: {
    usedBy: ['__register_chrdev_region', '__unregister_chrdev_region', 'chrdev_show'],
    looksRight: (kernel, at) => isTableByMajor(kernel, at, 'struct char_device_struct', 'major', majorSlots),
    bytes: () => majorSlots * 8,
  },
  cdev_map: {
    usedBy: ['cdev_add', 'cdev_del', 'chrdev_open', '__unregister_chrdev'],
    // /dev/mem is of every kernel that has character devices: major 1, above 20 bits of minor
    looksRight: (kernel, at) => {
      const probe = kernel.object('struct kobj_map', kernel.space.pointer(at)).member('probes[1]').deref();
      return probe.member('dev').number() >>> 20 === 1;
    },
  },
  major_names: {
    usedBy: ['blkdev_show', 'unregister_blkdev', '__register_blkdev', 'register_blkdev'],
    looksRight: (kernel, at) => isTableByMajor(kernel, at, 'struct blk_major_name', 'major', majorSlots),
    bytes: () => majorSlots * 8,
  },
  block_class: {
    usedBy: ['blkcg_print_stat', 'add_partition', '__alloc_disk_node', 'devtmpfs_create_node', 'disk_seqf_start'],
    looksRight: (kernel, at) => kernel.space.cString(pointerIn(kernel, 'struct class', 'name', at), 16) === 'block',
  },
  class_kset: {
    usedBy: ['class_compat_register', 'class_register', '__class_register', 'class_to_subsys'],
    looksRight: (kernel, at) => isKset(kernel, at, 'class'),
  },

  worker_pool_idr: {
    usedBy: ['__queue_work', 'alloc_unbound_pwq', 'try_to_grab_pending', 'work_busy', 'workqueue_online_cpu'],
    looksRight: (kernel, at) =>
      isIdrOf(kernel, at, (pool, id) => kernel.object('struct worker_pool', pool).member('id').number() === id),
  },
  workqueues: {
    usedBy: ['freeze_workqueues_begin', 'freeze_workqueues_busy', 'thaw_workqueues', 'workqueue_online_cpu'],
    looksRight: (kernel, at) =>
      isListOf(kernel, at, 'struct workqueue_struct', 'list', (queue) =>
        isText(kernel, memberAt(kernel, 'struct workqueue_struct', 'name', queue)),
      ),
  },
  rcu_state: {
    usedBy: ['rcu_dump_cpu_stacks', 'rcu_exp_wait_wake', 'rcutree_prepare_cpu', 'force_qs_rnp', 'show_rcu_gp_kthreads'],
    looksRight: (kernel, at) =>
      /^rcu_/.test(kernel.space.cString(pointerIn(kernel, 'struct rcu_state', 'name', at), 16)),
  },
  root_task_group: {
    usedBy: ['cpu_cfs_stat_show', 'sched_autogroup_create_attach', 'attach_entity_cfs_rq', 'cpu_cgroup_css_alloc'],
    // the first task's group has none above it
    looksRight: (kernel, at) =>
      pointerIn(kernel, 'struct task_struct', 'sched_task_group', kernel.ownSymbol('init_task')!.address) === at,
  },
  init_mm: {
    usedBy: ['__pmd_alloc', '__pud_alloc', '__mmdrop', '__apply_to_page_range', 'finish_cpu'],
    looksRight: (kernel, at) =>
      pointerIn(kernel, 'struct mm_struct', 'pgd', at) === kernel.ownSymbol('swapper_pg_dir')?.address,
  },
  last_unloaded_module: {
    usedBy: ['print_modules'],
    // where none was, nobody asks; the texts that are printed have blanks in them
    looksRight: (kernel, at) => /^\w{1,55}$/.test(kernel.space.cString(at, 64)),
  },
  key_serial_tree: {
    usedBy: ['key_lookup', 'proc_keys_start', 'key_alloc', 'key_garbage_collector'],
    looksRight: (kernel, at) =>
      isTreeOf(kernel, at, 'struct key', 'serial_node', (key) => {
        const found = kernel.object('struct key', key);
        const [user, type] = [found.member('user').pointer(), found.member('type').pointer()];
        return found.member('serial').number() > 0 && isPointer(kernel, user) && isPointer(kernel, type);
      }),
  },

  prog_idr: {
    usedBy: ['bpf_prog_get_curr_or_next', 'bpf_prog_load', 'bpf_prog_by_id', 'bpf_prog_free_id'],
    looksRight: (kernel, at) =>
      isIdrOf(
        kernel,
        at,
        (program, id) => kernel.object('struct bpf_prog', program).member('aux').deref().member('id').number() === id,
      ),
  },
  map_idr: {
    usedBy: ['bpf_map_get_curr_or_next', 'bpf_map_free_id'],
    looksRight: (kernel, at) =>
      isIdrOf(kernel, at, (map, id) => kernel.object('struct bpf_map', map).member('id').number() === id),
  },
  kprobe_insn_slots: {
    usedBy: ['kprobe_get_kallsym', 'arch_prepare_kprobe', 'arch_remove_kprobe', 'kernel_text_address'],
    looksRight: (kernel, at) => isSlotCache(kernel, at, 'kprobe_insn_page'),
  },
  kprobe_optinsn_slots: {
    usedBy: ['kprobe_get_kallsym', 'arch_prepare_optimized_kprobe', 'kernel_text_address'],
    looksRight: (kernel, at) => isSlotCache(kernel, at, 'kprobe_optinsn_page'),
  },
  bpf_kallsyms: {
    usedBy: ['bpf_get_kallsym', 'bpf_ksym_add'],
    looksRight: (kernel, at) =>
      isListOf(kernel, at, 'struct bpf_ksym', 'lnode', (symbol) =>
        isText(kernel, memberAt(kernel, 'struct bpf_ksym', 'name', symbol)),
      ),
  },
  btf_modules: {
    usedBy: ['btf_module_notify', 'btf_try_get_module', 'btf_get_module_btf'],
    looksRight: (kernel, at) =>
      isListOf(kernel, at, 'struct btf_module', 'list', (entry) =>
        isText(
          kernel,
          memberAt(kernel, 'struct module', 'name', pointerIn(kernel, 'struct btf_module', 'module', entry)),
        ),
      ),
  },

  ftrace_trace_arrays: {
    usedBy: ['ftrace_module_enable', 'ftrace_release_mod', 'trace_array_find', 'tracing_reset_all_online_cpus'],
    // the first that was made has no name, and all have their events
    looksRight: (kernel, at) =>
      isListOf(kernel, at, 'struct trace_array', 'list', (array) => {
        const name = pointerIn(kernel, 'struct trace_array', 'name', array);
        return (
          (name === 0n || isText(kernel, name)) &&
          isList(kernel, memberAt(kernel, 'struct trace_array', 'events', array))
        );
      }),
  },
  ftrace_events: {
    usedBy: ['trace_module_notify', '__trace_early_add_events', 'event_trace_add_tracer', 'perf_trace_init'],
    looksRight: (kernel, at) =>
      isListOf(kernel, at, 'struct trace_event_call', 'list', (event) =>
        isText(
          kernel,
          pointerIn(
            kernel,
            'struct trace_event_class',
            'system',
            pointerIn(kernel, 'struct trace_event_call', 'class', event),
          ),
        ),
      ),
  },
  ftrace_common_fields: {
    usedBy: ['f_next', 'f_start', 'trace_find_event_field'],
    looksRight: (kernel, at) =>
      isListOf(kernel, at, 'struct ftrace_event_field', 'link', (field) =>
        isText(kernel, pointerIn(kernel, 'struct ftrace_event_field', 'name', field)),
      ),
  },
  __start___bug_table: {
    usedBy: ['find_bug', 'generic_bug_clear_once'],
    looksRight: (kernel, at) => isBugTable(kernel, at, 'start'),
  },
  __stop___bug_table: {
    usedBy: ['find_bug', 'generic_bug_clear_once'],
    looksRight: (kernel, at) => isBugTable(kernel, at, 'stop'),
  },
};
