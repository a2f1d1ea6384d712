// Saved registers as crash(8) prints them under a frame.
import type { RegisterName, Registers } from '../arch/x86_64/registers.ts';
import { hex16 } from '../base/text.ts';

/** Registers as data. Names as in `struct pt_regs`' documentation: `rip`, `rsp`, `rflags`, `orig_rax`, ... */
export type RegisterData = Readonly<Partial<Record<RegisterName, bigint>>>;

const rows: readonly (readonly (readonly [label: string, name: RegisterName])[])[] = [
  [
    ['RIP', 'rip'],
    ['RSP', 'rsp'],
    ['RFLAGS', 'rflags'],
  ],
  [
    ['RAX', 'rax'],
    ['RBX', 'rbx'],
    ['RCX', 'rcx'],
  ],
  [
    ['RDX', 'rdx'],
    ['RSI', 'rsi'],
    ['RDI', 'rdi'],
  ],
  [
    ['RBP', 'rbp'],
    [' R8', 'r8'],
    [' R9', 'r9'],
  ],
  [
    ['R10', 'r10'],
    ['R11', 'r11'],
    ['R12', 'r12'],
  ],
  [
    ['R13', 'r13'],
    ['R14', 'r14'],
    ['R15', 'r15'],
  ],
];

/** The block of lines for a register set; values that are not known (an interrupt frame has only five) are left out. */
export function registerLines(registers: Registers): string[] {
  const lines: string[] = [];
  for (const row of rows) {
    const cells = row.filter(([, name]) => registers[name] !== undefined);
    // RFLAGS has 32 bits that mean anything
    const text = cells.map(([label, name]) => `${label}: ${hex16(registers[name]!).slice(name === 'rflags' ? 8 : 0)}`);
    if (text.length > 0) lines.push(`    ${text.join('  ')}`);
  }
  const last = [
    registers.orig_rax === undefined ? null : `ORIG_RAX: ${hex16(registers.orig_rax)}`,
    registers.cs === undefined ? null : `CS: ${hex16(registers.cs).slice(12)}`,
    registers.ss === undefined ? null : `SS: ${hex16(registers.ss).slice(12)}`,
  ].filter((cell) => cell !== null);
  if (last.length > 0) lines.push(`    ${last.join('  ')}`);
  return lines;
}
