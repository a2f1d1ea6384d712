// kernel/smp.c: functions that CPUs ask each other to run, and those that did not get to it.
//
//   call_single_queue, per CPU: an llist of call_single_data that the CPU takes off when the interrupt reaches it
import { InquestError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';

/** Functions in which a CPU waits until others have run what it asked them to. */
const asking =
  /^(smp_call_function(_single|_many|_many_cond|_any)?|_{0,2}csd_lock_wait|generic_exec_single|on_each_cpu)/;

/** Whether code of that name waits for other CPUs to answer. */
export function waitsForCpus(function_: string): boolean {
  return asking.test(function_);
}

/**
 * Whether a CPU was asked to run something that it has not looked at: its interrupts did not reach it.
 * @returns null where the kernel's symbols or the dump do not tell
 */
export function hasUnansweredCalls(kernel: Kernel, cpu: number): boolean | null {
  if (kernel.ownSymbol('call_single_queue') === null) return null;
  try {
    return kernel.space.u64(kernel.perCpuAddress('call_single_queue', cpu)) !== 0n;
  } catch (error) {
    if (error instanceof InquestError) return null;
    throw error;
  }
}
