// How DWARF numbers a machine's registers: x86-64 psABI, figure 3.36; DWARF for the Arm 64-bit Architecture, 4.1.

export interface DwarfRegisters {
  /** Names among `Registers`, by DWARF's number; null for those that no frame of a kernel has. */
  readonly names: readonly (string | null)[];
  readonly stackPointer: number;
  readonly framePointer: number;
  /** By which the caller gets its program counter back. */
  readonly returnAddress: number;
  readonly programCounter: string;
  /** Registers that a function leaves as it found them. */
  readonly preserved: readonly number[];
}

const x86: DwarfRegisters = {
  names: [
    ...['rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp'],
    ...['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip'],
  ],
  stackPointer: 7,
  framePointer: 6,
  returnAddress: 16,
  programCounter: 'rip',
  preserved: [3, 6, 12, 13, 14, 15],
};

const arm64: DwarfRegisters = {
  names: [...Array.from({ length: 31 }, (_, n) => `x${n}`), 'sp'],
  stackPointer: 31,
  framePointer: 29,
  returnAddress: 30,
  programCounter: 'pc',
  preserved: [19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29],
};

const machines: Readonly<Record<string, DwarfRegisters>> = { x86_64: x86, aarch64: arm64 };

/** @param machine as uname names it; null for one whose registers are not known */
export function dwarfRegisters(machine: string): DwarfRegisters | null {
  return machines[machine] ?? null;
}
