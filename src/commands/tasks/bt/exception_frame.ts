// Saved registers as crash(8) prints them under a frame.
import { type Registers, registerSet } from '../../../arch/registers.ts';
import type { VirtAddr } from '../../../base/address.ts';
import { escapeTerminal, hex, hex16 } from '../../../base/text.ts';
import { backtracer } from '../../../kernel/backtrace.ts';
import type { Kernel } from '../../../kernel/kernel.ts';

/** Registers as data. Names as in `struct pt_regs`' documentation: `rip`, `orig_rax`, ...; `pc`, `x0`, `syscallno`, ... */
export type RegisterData = Registers;

/** An address of code, and the function that it is in. */
export interface CodePlace {
  readonly symbol: string | null;
  readonly offset: number | null;
}

/** Registers with what they point to; those of user mode point to nothing of the kernel's. */
export interface SavedRegisters {
  readonly registers: RegisterData;
  /** Where the interrupted instruction is; null for user mode. */
  readonly interrupted: CodePlace | null;
  /** Where x30 returns to, on machines that have it; absent for user mode. */
  readonly link?: CodePlace & { readonly address: bigint };
}

/** The function at an address; nulls where no symbol covers it. */
export function codePlace(kernel: Kernel, address: bigint): CodePlace {
  const place = kernel.place(address as VirtAddr);
  return { symbol: place?.symbol.name ?? null, offset: place?.offset ?? null };
}

/** What saved registers point to. */
export function savedRegisters(kernel: Kernel, registers: Registers): SavedRegisters {
  const { instructionPointer, isUserMode, link } = registerSet(kernel.arch.name);
  if (isUserMode(registers)) return { registers, interrupted: null };
  const interrupted = codePlace(kernel, instructionPointer(registers));
  const word = link(registers);
  if (word === null) return { registers, interrupted };
  // a signed address is shown as the one that it means
  const address = backtracer(kernel).unwinder.textAddress(word);
  const place = codePlace(kernel, address);
  return { registers, interrupted, link: { address: place.symbol === null ? word : address, ...place } };
}

/** The block of lines for a register set, with the function that was interrupted. */
export function exceptionLines(saved: SavedRegisters, radix: 10 | 16): string[] {
  const { registers, interrupted } = saved;
  if (registers.pc !== undefined) return arm64Lines(saved, radix);
  const where = interrupted === null ? [] : [`    [exception RIP: ${codeText(interrupted, radix)}]`];
  return [...where, ...registerLines(registers)];
}

function codeText({ symbol, offset }: CodePlace, radix: 10 | 16): string {
  return symbol === null ? 'unknown or invalid address' : `${escapeTerminal(symbol)}${offsetText(offset, radix)}`;
}

export function offsetText(offset: number | null, radix: 10 | 16): string {
  if (offset === null) return '';
  return radix === 16 ? `+0x${hex(offset)}` : `+${offset}`;
}

/** PC, LR and SP with what they point to, or in one row for user mode; then x29 to x0, three a row. */
function arm64Lines({ registers, interrupted, link }: SavedRegisters, radix: 10 | 16): string[] {
  const cell = (label: string, value: bigint | undefined): string => `${label}: ${hex16(value ?? 0n)}`;
  const pstate = `PSTATE: ${hex16(registers.pstate ?? 0n).slice(8)}`;
  const { pc, sp, x30 } = registers;
  const code = (label: string, value: bigint | undefined, place: CodePlace): string =>
    `     ${cell(label, value)}  [${codeText(place, radix)}]`;
  const lines =
    interrupted === null
      ? [`     ${cell('PC', pc)}   ${cell('LR', x30)}   ${cell('SP', sp)}`]
      : [
          code('PC', pc, interrupted),
          code('LR', link?.address ?? x30, link ?? { symbol: null, offset: null }),
          `     ${cell('SP', sp)}  ${pstate}`,
        ];
  for (let n = 29; n >= 0; n -= 3) {
    const row = [n, n - 1, n - 2].map((i) => cell(`X${i}`.padStart(3), registers[`x${i}`]));
    lines.push(`    ${row.join('  ')}`);
  }
  if (interrupted === null) {
    const origin = [
      registers.orig_x0 === undefined ? null : cell('ORIG_X0', registers.orig_x0),
      registers.syscallno === undefined ? null : `SYSCALLNO: ${hex(registers.syscallno)}`,
      pstate,
    ];
    lines.push(`    ${origin.filter((text) => text !== null).join('  ')}`);
  }
  return lines;
}

/** x86_64: rows of cells. */
const rows: readonly (readonly (readonly [label: string, name: string])[])[] = [
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
function registerLines(registers: Registers): string[] {
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
