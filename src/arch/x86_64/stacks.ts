// The stacks that a kernel of x86_64 runs on, and where each begins and ends (Documentation/arch/x86/kernel-stacks.rst;
// arch/x86/kernel/dumpstack_64.c; arch/x86/include/asm/cpu_entry_area.h).
//
//   task       one for each task                        task->stack, THREAD_SIZE
//   IRQ        one for each CPU, soft interrupts too    hardirq_stack_ptr
//   exception  NMI, #DF, #DB, #MC, #VC: one each a CPU  cea_exception_stacks
//   entry      trampoline from user mode                cpu_tss_rw.x86_tss.sp0
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import type { KernelView } from '../kernel_view.ts';
import { readPointer, type Stack, threadSize } from '../stacks.ts';

const defaultIrqStackSize = 16384;

/**
 * Base of the stack of the task that a CPU ran, as `task->stack` has it, by the CPU's own account: for a task
 * that cannot be read. Null where that is not known either.
 */
export function runningTaskStack(view: KernelView, cpu: number): VirtAddr | null {
  // cpu_current_top_of_stack, a variable but for struct pcpu_hot's time (c063a217bc07, 6.2, to 6.14)
  const hot = view.perCpu('pcpu_hot', cpu);
  const hotOffset = hot === null ? null : view.offsetOf('struct pcpu_hot', 'top_of_stack');
  const variable =
    hot !== null && hotOffset !== null ? offsetBy(hot, hotOffset) : view.perCpu('cpu_current_top_of_stack', cpu);
  const top = variable === null ? null : readPointer(view, variable);
  if (top === null || top === 0n) return null;
  // The top may be some padding below the end (TOP_OF_KERNEL_STACK_PADDING); stacks are aligned to their size.
  return virtAddr((top - 1n) & ~BigInt(threadSize(view) - 1));
}

/** Largest stack believed, in bytes: the largest real ones (exceptions, with KASAN) have 64 KiB. */
const maxStackSize = 1024n * 1024n;

/** The stacks of one CPU, as far as they are known; what cannot be read, or cannot be, is left out. */
export function cpuStacks(view: KernelView, cpu: number): Stack[] {
  const stacks = [...irqStack(view, cpu), ...exceptionStacks(view, cpu), ...entryStack(view, cpu)];
  return stacks.filter(({ start, end }) => end > start && end - start <= maxStackSize);
}

function irqStack(view: KernelView, cpu: number): Stack[] {
  // irq_stack_ptr until 758a2e312228 (5.2); hardirq_stack_ptr in struct pcpu_hot from d7b6d709a76a (6.2) to 6.14
  const hot = view.perCpu('pcpu_hot', cpu);
  const hotOffset = hot === null ? null : view.offsetOf('struct pcpu_hot', 'hardirq_stack_ptr');
  const variable =
    hot !== null && hotOffset !== null
      ? offsetBy(hot, hotOffset)
      : (view.perCpu('hardirq_stack_ptr', cpu) ?? view.perCpu('irq_stack_ptr', cpu));
  const top = variable === null ? null : readPointer(view, variable);
  if (top === null || top === 0n) return [];
  // It points a few words below the end (8 bytes, 64 before 4.20), and stacks are page-aligned.
  const end = virtAddr((top + 4095n) & ~4095n);
  const size = view.sizeOf('struct irq_stack') ?? defaultIrqStackSize;
  return [{ kind: 'irq', name: 'IRQ', start: offsetBy(end, -size), end }];
}

/** Members of `struct cea_exception_stacks` (since 019b17b3ffe4, 5.2), with crash's names. */
const exceptionStackMembers: readonly (readonly [member: string, name: string])[] = [
  ['NMI_stack', 'NMI'],
  ['DF_stack', 'DOUBLEFAULT'],
  ['DB_stack', 'DEBUG'],
  ['MCE_stack', 'MCE'],
  ['VC_stack', 'VC'],
  ['VC2_stack', 'VC2'],
];
/** Slots of `orig_ist` before 5.2; they point to the end of each stack. */
const istNames = ['DOUBLEFAULT', 'NMI', 'DEBUG', 'MCE'] as const;

function exceptionStacks(view: KernelView, cpu: number): Stack[] {
  const stacks: Stack[] = [];
  const variable = view.perCpu('cea_exception_stacks', cpu);
  const base = variable === null ? null : readPointer(view, variable);
  if (base !== null && base !== 0n) {
    for (const [member, name] of exceptionStackMembers) {
      const offset = view.offsetOf('struct cea_exception_stacks', member);
      const size = view.sizeOf('struct cea_exception_stacks', member);
      if (offset === null || size === null || size === 0) continue;
      const start = offsetBy(base, offset);
      stacks.push({ kind: 'exception', name, start, end: offsetBy(start, size) });
    }
    return stacks;
  }
  const ist = view.perCpu('orig_ist', cpu);
  if (ist === null) return stacks;
  for (const [i, name] of istNames.entries()) {
    const end = readPointer(view, offsetBy(ist, i * 8));
    if (end === null || end === 0n) continue;
    stacks.push({ kind: 'exception', name, start: offsetBy(end, name === 'DEBUG' ? -8192 : -4096), end });
  }
  return stacks;
}

function entryStack(view: KernelView, cpu: number): Stack[] {
  const tss = view.perCpu('cpu_tss_rw', cpu);
  const offset = view.offsetOf('struct tss_struct', 'x86_tss.sp0');
  const end = tss === null || offset === null ? null : readPointer(view, offsetBy(tss, offset));
  const size = view.sizeOf('struct entry_stack');
  if (end === null || end === 0n || size === null) return [];
  return [{ kind: 'entry', name: 'ENTRY', start: offsetBy(end, -size), end }];
}
