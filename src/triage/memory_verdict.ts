// What kind of death the panicking task's stack shows, without the log: which of the kernel's own ways to die
// it went through.
import { virtAddr } from '../base/address.ts';
import { frameName } from '../kernel/backtrace.ts';
import { functionName } from '../oops/frames.ts';
import type { ReportKind } from '../oops/kinds.ts';
import type { Facts } from './facts.ts';

/** Functions that only one kind of death calls. The first of these, from the top of the stack down, decides. */
const ways: readonly (readonly [RegExp, ReportKind])[] = [
  [/^(handle_stack_overflow|panic_bad_stack)$/, 'stack-overflow'],
  [/^(exc_double_fault|do_double_fault)$/, 'double-fault'],
  [/^(mce_panic|do_machine_check|exc_machine_check)$/, 'machine-check'],
  [/^(watchdog_hardlockup_check|watchdog_overflow_callback)$/, 'hard-lockup'],
  [/^watchdog_timer_fn$/, 'soft-lockup'],
  [
    /^(panic_on_rcu_stall|print_(other_)?cpu_stall|rcu_check_gp_kthread_starvation|check_cpu_stall|synchronize_rcu_expedited_wait)$/,
    'rcu-stall',
  ],
  [/^(check_hung_task|check_hung_uninterruptible_tasks|hung_task_\w+)$/, 'hung-task'],
  [/^(out_of_memory|mem_cgroup_out_of_memory|check_panic_on_oom|oom_kill_process)$/, 'out-of-memory'],
  [/^sysrq_handle_crash$/, 'sysrq'],
  [/^(unknown_nmi_error|io_check_error|pci_serr_error|nmi_panic)$/, 'nmi'],
  [/^(__schedule_bug|__might_(sleep|resched))$/, 'atomic-sleep'],
  [/^(__warn|check_panic_on_warn|__warn_printk|warn_slowpath_fmt)$/, 'WARN'],
  [/^(kasan_report|kfence_report_error)$/, 'use-after-free'],
  [/^(exc_general_protection|do_general_protection)$/, 'general-protection'],
  [/^(exc_divide_error|do_divide_error)$/, 'divide-error'],
  [/^(exc_invalid_op|do_invalid_op)$/, 'invalid-opcode'],
  [/^(exc_page_fault|do_page_fault|__do_page_fault|page_fault_oops)$/, 'bad-page-fault'],
];

/** Faults below this address are taken for accesses through NULL, as the kernel words them. */
const nullLimit = 4096n;

/** The kind, or null when the stack tells none. @param faultAddress what the instruction touched, if known */
export function kindFromStack(facts: Facts, faultAddress: bigint | null): ReportKind | null {
  const { frames } = facts.crashTrace;
  const names = frames.filter((frame) => frame.reliable).map((frame) => functionName(frameName(frame)));
  for (const name of names) {
    const way = ways.find(([pattern]) => pattern.test(name));
    if (way === undefined) continue;
    const kind = way[1];
    if (kind === 'bad-page-fault' && faultAddress !== null && faultAddress < nullLimit) return 'null-pointer';
    if (kind === 'invalid-opcode') return bugKind(facts);
    return kind;
  }
  return names.some((name) => /^(v?panic)$/.test(name)) ? 'panic' : null;
}

/** An invalid opcode is a BUG() where the opcode is ud2, and a list corruption where the list checks have it. */
function bugKind(facts: Facts): ReportKind {
  const exception = facts.exception;
  if (exception === null) return 'invalid-opcode';
  const { kernel } = facts;
  const rip = exception.registers.rip ?? 0n;
  const name = functionName(kernel.place(virtAddr(rip))?.symbol.name ?? '');
  if (/^__list_(add|del)/.test(name)) return 'list-corruption';
  const { bytes } = kernel.space.readUpTo(virtAddr(rip), 2);
  return bytes[0] === 0x0f && bytes[1] === 0x0b ? 'BUG' : 'invalid-opcode';
}
