// Functions that stand in a trace without being to blame, for each kind of incident. What is left on top of the trace is
// the guilty frame (guilty.ts).
import type { IncidentKind } from './kinds.ts';
import { type Role, roleOf } from './roles.ts';

/** Kinds of which a CPU is caught in the middle of code that does not end. */
export function isStall(kind: IncidentKind): boolean {
  return kind === 'soft-lockup' || kind === 'hard-lockup' || kind === 'rcu-stall';
}

/** These find, report and enter: never to blame while anything else stands in the trace. */
export function isBystander(role: Role | null): boolean {
  return role === 'report' || role === 'check' || role === 'entry' || role === 'tick' || role === 'idle';
}

const words = (pattern: string): RegExp => new RegExp(`^_*(?:${pattern})$`);

/** What else serves its caller, where the incident is of a kind that the function's work leads to. */
const serving: Partial<Record<IncidentKind, RegExp>> = {
  'memory-leak': words(
    '\\w*(?:alloc|strdup|strndup|memdup|asprintf)\\w*|\\w*_new_inode\\w*|idr_get\\w*|prealloc\\w*|skb_clone\\w*|getname\\w*',
  ),
  'suspicious-rcu': words('rcu_\\w+|srcu_\\w+|\\w*_rcu_dereference\\w*'),
  preempt: words('preempt\\w*|this_cpu_\\w+'),
  'out-of-memory': words(
    '\\w*alloc\\w*|shmem_get_folio_gfp|filemap_(?:fault|map_pages|get_folio\\w*)|page_cache_\\w*|pagecache_get_page|handle_(?:mm|pte)_fault\\w*|do_(?:anonymous|read|shared|cow|swap|fault|pte_missing|wp|huge|no)_?\\w*|wp_page_copy|\\w*fault_around|do_page_cache\\w*|ondemand_readahead',
  ),
  'slab-corruption': words('slab\\w*|check_\\w+|validate_\\w+|free_\\w+'),
  'bad-page-state': words(
    '(?:free|put|release|folio|page|lru|tlb|zap|unmap|mmu|vm_normal)\\w*|exit_mmap|mmput|copy_page_range|delete_from_\\w+|truncate_\\w+|destroy_\\w+|pagevec_\\w+|print_bad\\w*',
  ),
  odebug: words('\\w*debug_object\\w*|destroy_\\w+_on_stack|assert_init\\w*|rcu_\\w+'),
  refcount: words('(?:sock|skb|dst|css|of_node|put|get)_(?:hold|put|get)'),
  kcsan: words('data_race\\w*'),
};

/**
 * Whether a function (without compiler suffixes) is machinery for an incident of this kind. What is machinery is built into
 * the kernel: a module's function is not, whatever its name, but for one that waits, or allocates, for its caller, where that is what
 * the incident is of; of BPF, programs are somebody's, what leads to them is not.
 */
export function isMachinery(name: string, module: string | null, kind: IncidentKind): boolean {
  if (name === '') return true;
  if (module !== null && module !== 'bpf')
    return kind === 'hung-task' ? roleOf(name) === 'wait' : kind === 'memory-leak' && serving[kind]!.test(name);
  if (module !== null) return !name.startsWith('bpf_prog_');
  let known = machinery.get(kind);
  if (known === undefined) {
    known = new Map();
    machinery.set(kind, known);
  }
  let answer = known.get(name);
  if (answer === undefined) {
    answer = serves(name, kind);
    if (known.size >= maxKnown) known.clear();
    known.set(name, answer);
  }
  return answer;
}

/** The same functions stand in many traces. */
const machinery = new Map<IncidentKind, Map<string, boolean>>();
const maxKnown = 4096;

/** Kinds that the timer tick and the watchdogs find. */
const watched: readonly IncidentKind[] = ['hung-task', 'workqueue-lockup', 'nmi', 'panic', 'unknown', 'out-of-memory'];

function serves(name: string, kind: IncidentKind): boolean {
  const role = roleOf(name);
  if (role === 'tick' && !isStall(kind) && !watched.includes(kind)) return serving[kind]?.test(name) === true;
  if (isBystander(role)) return true;
  if (role === 'layer' || role === 'runner' || role === null) return serving[kind]?.test(name) === true;
  return true;
}

/** Whether a function is the way into the kernel, or the first of a thread: what calls nothing of its own accord. */
export function isEntry(name: string): boolean {
  const role = roleOf(name);
  return role === 'entry' || role === 'runner';
}

/** Whether a frame is where an interrupt or NMI entered: what lies below it was running before. */
export function isInterruptEntry(name: string): boolean {
  return /^(?:asm_(?:sysvec|common_interrupt|exc_nmi|call_on_stack)\w*|(?:smp_)?apic_timer_interrupt|ret_from_intr|common_interrupt|el1h?_(?:64_)?irq\w*|el1_(?:fiq|interrupt)|end_repeat_nmi|nmi|__irq_svc|irq_entries_start|hypervisor_callback|xen_hvm_callback_vector|reschedule_interrupt|call_function_\w*interrupt|hardware_interrupt_common_virt|decrementer_common_virt)$/.test(
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
