// What the ORC tables say about one range of code, free of the table's format
// (arch/x86/include/asm/orc_types.h; Documentation/arch/x86/orc-unwinder.rst).

/** A base register of an ORC rule. `prev-sp` is the caller's stack pointer before its call (DWARF's CFA). */
export type OrcRegister =
  | 'undefined'
  | 'prev-sp'
  | 'ax'
  | 'dx'
  | 'di'
  | 'bp'
  | 'sp'
  | 'r10'
  | 'r13'
  | 'bp-indirect'
  | 'sp-indirect';

/**
 * What lies at the previous stack pointer.
 * - `undefined`: nobody knows how to unwind from here
 * - `end`: the last frame of a stack
 * - `call`: a return address just below it
 * - `regs`: a whole `struct pt_regs` at it
 * - `regs-partial`: only the part of pt_regs that the CPU pushes (ip, cs, flags, sp, ss)
 */
export type OrcType = 'undefined' | 'end' | 'call' | 'regs' | 'regs-partial';

/** How to find the caller's frame from an instruction. */
export interface OrcEntry {
  readonly type: OrcType;
  /** Register that, plus `spOffset` bytes, gives the previous stack pointer (or, indirect, where it is stored). */
  readonly spRegister: OrcRegister;
  readonly spOffset: number;
  /** Where the caller's rbp is stored; `undefined` if it is still in rbp. */
  readonly bpRegister: OrcRegister;
  readonly bpOffset: number;
  /** True where the frame was interrupted, not called: its address is the next instruction, not a return address. */
  readonly signal: boolean;
}

/** Where unwinding rules are looked up. */
export interface OrcLookup {
  /** The rule for the instruction at a virtual address; null where no table covers it. Throws nothing. */
  find(ip: bigint): OrcEntry | null;
}
