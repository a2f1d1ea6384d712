// The stacks that a kernel of arm64 runs on (arch/arm64/include/asm/stacktrace.h, memory.h; arch/arm64/kernel/irq.c).
//
//   task       one for each task                            task->stack, THREAD_SIZE
//   IRQ        one for each CPU                             irq_stack_ptr, THREAD_SIZE
//   OVERFLOW   one for each CPU, when the task's is full    overflow_stack, 4 KiB
//   SDEI       two for each CPU, for firmware's events      sdei_stack_normal_ptr, sdei_stack_critical_ptr
//   EFI        one, for calls of the firmware               efi_rt_stack_top
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import type { KernelView } from '../kernel_view.ts';
import { readPointer, type Stack, threadSize } from '../stacks.ts';

const overflowStackSize = 4096;

/** The stacks of one CPU besides its tasks', as far as they are known; what cannot be read is left out. */
export function cpuStacks(view: KernelView, cpu: number): Stack[] {
  const size = threadSize(view);
  const stacks: Stack[] = [];
  const add = (kind: Stack['kind'], name: string, start: VirtAddr | null, length: number): void => {
    if (start === null || start === 0n) return;
    stacks.push({ kind, name, start, end: offsetBy(start, length) });
  };
  const pointedTo = (variable: VirtAddr | null): VirtAddr | null =>
    variable === null ? null : readPointer(view, variable);

  add('irq', 'IRQ', pointedTo(view.perCpu('irq_stack_ptr', cpu)), size);
  add('overflow', 'OVERFLOW', view.perCpu('overflow_stack', cpu), overflowStackSize);
  for (const name of ['sdei_stack_critical_ptr', 'sdei_stack_normal_ptr']) {
    add('exception', 'SDEI', pointedTo(view.perCpu(name, cpu)), size);
  }
  const efiTop = pointedTo(view.symbol('efi_rt_stack_top')); // since ff7a167961d1 (6.2)
  if (efiTop !== null && efiTop !== 0n) add('exception', 'EFI', offsetBy(efiTop, -size), size);
  return stacks;
}
