// What kind of death the panicking CPU's stack shows, without the log: which of the kernel's own ways to die
// it went through.
import { type Frame, frameName } from '../kernel/backtrace.ts';
import { functionName } from '../oops/frames.ts';
import type { ReportKind } from '../oops/kinds.ts';
import { type Facts, instructionAt } from './facts.ts';
import { trapName } from './fault.ts';

/** Functions that only one kind of death calls. The first of these, from the top of the stack down, decides. */
const ways: readonly (readonly [RegExp, ReportKind])[] = [
  [/^(handle_stack_overflow|panic_bad_stack)$/, 'stack-overflow'],
  [/^(exc_double_fault|do_double_fault|df_debug)$/, 'double-fault'],
  [/^(mce_panic|do_machine_check|exc_machine_check|arm64_serror_panic|do_sea)$/, 'machine-check'],
  [/^(watchdog_hardlockup_check|watchdog_overflow_callback)$/, 'hard-lockup'],
  [/^watchdog_timer_fn$/, 'soft-lockup'],
  [
    /^(panic_on_rcu_stall|print_(other_)?cpu_stall|rcu_check_gp_kthread_starvation|check_cpu_stall|synchronize_rcu_expedited_wait)$/,
    'rcu-stall',
  ],
  [/^(check_hung_task|check_hung_uninterruptible_tasks|hung_task_\w+)$/, 'hung-task'],
  [/^(out_of_memory|mem_cgroup_out_of_memory|check_panic_on_oom|oom_kill_process)$/, 'out-of-memory'],
  [/^sysrq_handle_crash$/, 'sysrq'],
  [/^(unknown_nmi_error|io_check_error|pci_serr_error)$/, 'nmi'],
  [/^(__schedule_bug|__might_(sleep|resched))$/, 'atomic-sleep'],
  [/^(__warn|__warn_printk|warn_slowpath_fmt)$/, 'WARN'],
  // KASAN and KFENCE find more than uses after a free, and only their text says which it was
  [/^(kasan_report\w*|kfence_report_error)$/, 'BUG'],
  [/^(exc_general_protection|do_general_protection)$/, 'general-protection'],
  [/^(exc_divide_error|do_divide_error)$/, 'divide-error'],
  [/^(exc_invalid_op|do_invalid_op|do_undefinstr|do_el1_undef|bug_handler|do_el1_brk64)$/, 'invalid-opcode'],
  [/^(exc_page_fault|do_page_fault|__do_page_fault|page_fault_oops|die_kernel_fault|do_mem_abort)$/, 'bad-page-fault'],
];

/** Functions that several kinds of death share: they decide if nothing on the way to them is of `ways`. */
const sharedWays: readonly (readonly [RegExp, ReportKind])[] = [
  [/^nmi_panic$/, 'nmi'],
  [/^check_panic_on_warn$/, 'WARN'],
];

/**
 * Who called panic(), where what detects that kind of death is inlined into it: khungtaskd's own function
 * (kernel/hung_task.c), the tick's check for stalls (kernel/rcu/tree.c).
 */
const panicCallers: readonly (readonly [RegExp, ReportKind])[] = [
  [/^watchdog$/, 'hung-task'],
  [/^(rcu_sched_clock_irq|rcu_check_callbacks|(__)?rcu_pending|rcu_exp_\w+)$/, 'rcu-stall'],
];

/** Faults below this address are taken for accesses through NULL, as the kernel words them. */
const nullLimit = 4096n;

/** The kind, or null when the stack tells none. @param faultAddress what the instruction touched, if known */
export function kindFromStack(facts: Facts, faultAddress: bigint | null): ReportKind | null {
  let shared: ReportKind | null = null;
  let before = '';
  for (const frame of facts.deathFrames) {
    if (!frame.reliable) continue;
    const name = functionName(frameName(frame));
    const caller = /^v?panic$/.test(before) ? panicCallers.find(([pattern]) => pattern.test(name)) : undefined;
    if (caller !== undefined) return caller[1];
    const way = ways.find(([pattern]) => pattern.test(name));
    if (way !== undefined) return refined(facts, way[1], faultAddress);
    // "scheduling while atomic" is printed by a function that is inlined into __schedule()
    if (shared === 'WARN' && before === 'check_panic_on_warn' && name === '__schedule') return 'atomic-sleep';
    // what was interrupted has no part in this death
    if (shared !== null && frame.kind === 'entry') return shared;
    shared ??= sharedWays.find(([pattern]) => pattern.test(name))?.[1] ?? null;
    if (name !== '') before = name;
  }
  if (shared !== null) return shared;
  return facts.deathFrames.some((frame) => frame.reliable && isPanic(frame)) ? 'panic' : null;
}

/** panic() itself; vpanic() does its work on newer kernels. */
export function isPanic(frame: Frame): boolean {
  return /^v?panic$/.test(functionName(frameName(frame)));
}

function refined(facts: Facts, kind: ReportKind, faultAddress: bigint | null): ReportKind {
  if (kind === 'invalid-opcode') return bugKind(facts);
  if (kind !== 'bad-page-fault') return kind;
  // SysRq-c wrote through NULL until 8341f2f222d7 ("sysrq: Use panic() to force a crash")
  const place = facts.exception === null ? null : facts.kernel.place(instructionAt(facts, facts.exception));
  if (place?.symbol.name === 'sysrq_handle_crash') return 'sysrq';
  return faultAddress !== null && faultAddress < nullLimit ? 'null-pointer' : kind;
}

/** An invalid opcode is a BUG() where the opcode is ud2, and a list corruption where the list checks have it. */
function bugKind(facts: Facts): ReportKind {
  const exception = facts.exception;
  if (exception === null) return 'invalid-opcode';
  const { kernel } = facts;
  const at = instructionAt(facts, exception);
  const name = functionName(kernel.place(at)?.symbol.name ?? '');
  if (/^__list_(add|del)/.test(name)) return 'list-corruption';
  return trapName(kernel, at) !== null ? 'BUG' : 'invalid-opcode';
}
