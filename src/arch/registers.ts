// A CPU's registers, and what each is for: what those ask who only want to know where a CPU was, and in which mode.
import type { VirtAddr } from '../base/address.ts';

/** Values by the kernel's names (`rip`, `rdi`; `pc`, `x0`), as far as they are known. */
export type Registers = Readonly<Record<string, bigint | undefined>>;

/** What the registers of a machine mean. Of registers that are not known: 0, or `false`. */
export interface RegisterSet {
  /** The program counter: its name among `Registers`, and what people call it (`RIP`, `PC`). */
  readonly programCounter: { readonly name: string; readonly label: string };
  /** The registers that carry a function's arguments, first argument first. */
  readonly arguments: readonly string[];
  /** The register that carries what a function returns. */
  readonly result: string;
  /** Names of the stack pointer and the frame pointer, and bytes that a call pushes before the called function starts. */
  readonly stack: { readonly pointer: string; readonly frame: string; readonly pushedByCall: number };
  /** The registers that a called function gives back as they were. */
  readonly preserved: readonly string[];
  /** How crash(8) prints them. */
  readonly layout: RegisterLayout;
  /** Registers of a CPU as a dump's note gives them: names that pt_regs does not have are left out. */
  fromNote(registers: Readonly<Record<string, bigint>>): Registers;
  instructionPointer(registers: Registers): VirtAddr;
  stackPointer(registers: Registers): VirtAddr;
  /** Registers in kernel mode of which only these two are known. */
  at(instructionPointer: VirtAddr, stackPointer: VirtAddr): Registers;
  /** Where a call that just happened returns to; null on machines that keep it on the stack. */
  link(registers: Registers): VirtAddr | null;
  /** How the CPU came to its instruction, where it notes that: by a call or a jump through a register; null where it does not. */
  lastBranch(registers: Registers): 'call' | 'jump' | null;
  /** True when these registers are those of user mode. */
  isUserMode(registers: Registers): boolean;
  /** True when they were saved with interrupts off. */
  interruptsOff(registers: Registers): boolean;
}

/** Saved registers as text: rows of cells, `RIP: ffffffff81234560`. A register that is not known has no cell. */
export interface RegisterLayout {
  /** What the program counter is called in a line above, `[exception RIP: vfs_write+12]`; null: places stand behind the cells. */
  readonly codeAbove: string | null;
  /** Of what was interrupted in the kernel. */
  readonly kernel: readonly RegisterRow[];
  /** Of user mode. */
  readonly user: readonly RegisterRow[];
}

export type RegisterRow = readonly RegisterCell[];

export interface RegisterCell {
  /** With blanks before it, where a column is wider. */
  readonly label: string;
  /** Name among `Registers`. */
  readonly name: string;
  /** Hexadecimal digits shown, low ones; 0 for as many as the value has. */
  readonly digits: number;
  /** What code the value points to, if any: the instruction that was interrupted, or where it returns to. */
  readonly code?: 'interrupted' | 'link';
}

/** The layout for a machine that nobody has said more of: every register there is, three a row. */
export function plainLayout(names: readonly string[]): RegisterLayout {
  const rows: RegisterRow[] = [];
  for (let i = 0; i < names.length; i += 3) {
    rows.push(names.slice(i, i + 3).map((name) => ({ label: name.toUpperCase().padStart(3), name, digits: 16 })));
  }
  return { codeAbove: 'PC', kernel: rows, user: rows };
}
