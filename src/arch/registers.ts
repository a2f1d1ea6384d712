// A CPU's registers, and what each is for: the one place that knows machines apart for those who only want to know
// where a CPU was, and in which mode.
import type { VirtAddr } from '../base/address.ts';
import { arm64RegisterSet } from './aarch64/registers.ts';
import { x86RegisterSet } from './x86_64/registers.ts';

/** Values by the kernel's names (`rip`, `rdi`; `pc`, `x0`), as far as they are known. */
export type Registers = Readonly<Record<string, bigint | undefined>>;

/** What the registers of a machine mean. Of registers that are not known: 0, or `false`. */
export interface RegisterSet {
  /** Registers of a CPU as a dump's note gives them: names that pt_regs does not have are left out. */
  fromNote(registers: Readonly<Record<string, bigint>>): Registers;
  instructionPointer(registers: Registers): VirtAddr;
  stackPointer(registers: Registers): VirtAddr;
  /** Where a call that just happened returns to; null on machines that keep it on the stack. */
  link(registers: Registers): VirtAddr | null;
  /** True when these registers are those of user mode. */
  isUserMode(registers: Registers): boolean;
  /** True when they were saved with interrupts off. */
  interruptsOff(registers: Registers): boolean;
}

/** @param machine name of an architecture: `kernel.arch.name` */
export function registerSet(machine: 'x86_64' | 'aarch64'): RegisterSet {
  return machine === 'x86_64' ? x86RegisterSet : arm64RegisterSet;
}
