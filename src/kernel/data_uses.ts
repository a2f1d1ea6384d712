// Which functions use which variables, and by what a variable is known: for kernels that name none of their data.
// Functions are those of kernels from 5.10 to 7.2 that refer to a variable in all builds looked at; those that a kernel
// has not are left out.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { findMember, sizeOf, type TypeSource } from '../debuginfo/type.ts';
import { perCpuLines, pointersToModules } from './data_places.ts';
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
  /** Where it may be, if no function tells: every place is held against `looksRight`. */
  readonly places?: (kernel: Kernel) => Iterable<VirtAddr>;
}

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
    looksRight: (kernel, at) =>
      kernel.cpus.possible.every((cpu) => {
        const queue = kernel.object('struct rq', offsetBy(at, kernel.perCpuOffset(cpu)));
        if (queue.member('cpu').number() !== cpu) return false;
        const idle = memberAt(kernel, 'struct task_struct', 'comm', queue.member('idle').pointer());
        return kernel.space.cString(idle, 16) === `swapper/${cpu}`;
      }),
    places: perCpuLines,
  },

  // the keeper of the clocks: an array since 6.17, with a type of its own since 6.13, and a shadow of it before
  timekeeper_data: {
    usedBy: [
      'ktime_get',
      'ktime_get_real_ts64',
      'ktime_get_ts64',
      'ktime_get_raw',
      'do_adjtimex',
      'timekeeping_update_from_shadow',
    ],
    isThere: (types) => types.find('enum timekeeper_ids') !== null,
    looksRight: (kernel, at) => hasClock(kernel, 'struct tk_data', 'timekeeper.tkr_mono.clock', at),
  },
  tk_core: {
    usedBy: [
      'ktime_get',
      'ktime_get_real_ts64',
      'ktime_get_ts64',
      'ktime_get_raw',
      'do_adjtimex',
      'timekeeping_update_from_shadow',
    ],
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
    usedBy: ['swap_next', 'swap_start', 'swapdev_block', 'count_swap_pages', 'si_swapinfo'],
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
    usedBy: ['__vm_enough_memory', 'overcommit_ratio_handler', 'vm_commit_limit'],
    mayBe: (kernel, at) => kernel.space.isReadable(at),
  },
  nr_vmalloc_pages: { usedBy: ['vmalloc_nr_pages'], mayBe: (kernel, at) => kernel.space.u64(at) < 1n << 40n },
  nr_vmap_nodes: {
    usedBy: ['find_vmap_area', 'alloc_vmap_area', 'purge_vmap_node', 'vmalloc_info_show'],
    isThere: (types) => types.find('struct vmap_node') !== null,
    mayBe: (kernel, at) => isBetween(kernel.space.i32(at), 1, 4096),
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
};

const maxPid = 1 << 22;
const maxCpu = 8191;
/** More hierarchies of control groups than there are controllers. */
const maxHierarchies = 64;

function hasMember(types: Pick<TypeSource, 'find'>, type: string, member: string): boolean {
  const found = types.find(type);
  return found !== null && findMember(found, member) !== null;
}

function memberAt(kernel: Kernel, type: string, member: string, at: VirtAddr): VirtAddr {
  return kernel.object(type, at).member(member).address;
}

function pointerIn(kernel: Kernel, type: string, member: string, at: VirtAddr): VirtAddr {
  return kernel.space.pointer(memberAt(kernel, type, member, at));
}

function functionAt(kernel: Kernel, at: VirtAddr): string {
  return kernel.symbols.kernel?.at(at)?.symbol.name ?? '';
}

/** A `struct list_head`, or what begins as one, that the neighbours on both sides lead back to. */
function isList({ space }: Kernel, at: VirtAddr): boolean {
  const [next, previous] = [space.pointer(at), space.pointer(offsetBy(at, 8))];
  return space.pointer(offsetBy(next, 8)) === at && space.pointer(previous) === at;
}

/** A list whose first entry, if it has any, is one. @param member the entries' list_head */
function isListOf(
  kernel: Kernel,
  at: VirtAddr,
  type: string,
  member: string,
  isOne: (entry: VirtAddr) => boolean,
): boolean {
  if (!isList(kernel, at)) return false;
  const next = kernel.space.pointer(at);
  const place = findMember(kernel.type(type), member);
  return place !== null && (next === at || isOne(offsetBy(next, -place.bitOffset / 8)));
}

/** A `struct xarray` (radix_tree_root before) whose top node leads back to it: an empty one looks like nothing. */
function isXarray(kernel: Kernel, at: VirtAddr): boolean {
  const head = pointerIn(kernel, 'struct xarray', 'xa_head', at);
  if ((head & 3n) !== 2n) return false;
  return pointerIn(kernel, 'struct xa_node', 'array', offsetBy(head, -2)) === at;
}

/** A `struct maple_tree` whose top node leads back to it: in its parent, marked by bit 0 (lib/maple_tree.c). */
function isMapleTree(kernel: Kernel, at: VirtAddr): boolean {
  const root = pointerIn(kernel, 'struct maple_tree', 'ma_root', at);
  return root !== 0n && kernel.space.pointer((root & ~0xffn) as VirtAddr) === offsetBy(at, 1);
}

function isText(kernel: Kernel, at: VirtAddr): boolean {
  return /^[\x20-\x7e]+$/.test(kernel.space.cString(at, 256));
}

/** A `struct hstate`: it has the name of its folder in sysfs. */
function isHugePageSize(kernel: Kernel, at: VirtAddr): boolean {
  return /^hugepages-/.test(kernel.space.cString(memberAt(kernel, 'struct hstate', 'name', at), 32));
}

/** A clock source with a name, where the type has a pointer to one. */
function hasClock(kernel: Kernel, type: string, member: string, at: VirtAddr): boolean {
  return isText(kernel, pointerIn(kernel, 'struct clocksource', 'name', pointerIn(kernel, type, member, at)));
}

/** A CPU's number, or -1 for none. */
function isCpu({ space }: Kernel, at: VirtAddr): boolean {
  return isBetween(space.i32(at), -1, maxCpu);
}

/** Whether the limit of pids is a variable: it is a namespace's own since 7863dcc72d0f (6.14). */
function hasPidLimit(types: Pick<TypeSource, 'find'>): boolean {
  return !hasMember(types, 'struct pid_namespace', 'pid_max');
}

function isPidLimit({ space }: Kernel, at: VirtAddr): boolean {
  return isBetween(space.i32(at), 301, maxPid);
}

/** A list that the default hierarchy, which is exported, is on. */
function hasDefaultHierarchy(kernel: Kernel, at: VirtAddr): boolean {
  const hierarchy = kernel.ownSymbol('cgrp_dfl_root')?.address;
  const place = findMember(kernel.type('struct cgroup_root'), 'root_list');
  if (hierarchy === undefined || place === null || !isList(kernel, at)) return false;
  let entry = kernel.space.pointer(at);
  for (let i = 0; i < maxHierarchies && entry !== at; i++) {
    if (entry === offsetBy(hierarchy, place.bitOffset / 8)) return true;
    entry = kernel.space.pointer(entry);
  }
  return false;
}

/** Null, or an address of the kernel. */
function isPointer({ arch }: Kernel, word: bigint): boolean {
  return word === 0n || arch.isKernelAddress(word);
}

function isBetween(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}
