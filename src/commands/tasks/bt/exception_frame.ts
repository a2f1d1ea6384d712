// Saved registers as crash(8) prints them under a frame.

import { registerLayout } from '../../../arch/architectures.ts';
import type { RegisterCell, Registers } from '../../../arch/registers.ts';
import type { VirtAddr } from '../../../base/address.ts';
import { escapeTerminal, hex, hex16 } from '../../../base/text.ts';
import { backtracer } from '../../../kernel/backtrace.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { crashSymbol, withoutClone } from '../../place_name.ts';

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
function codePlace(kernel: Kernel, address: bigint): CodePlace {
  const place = kernel.place(address as VirtAddr);
  return place === null
    ? { symbol: null, offset: null }
    : { symbol: crashSymbol(kernel.symbols, place).name, offset: place.offset };
}

/** What saved registers point to. */
export function savedRegisters(kernel: Kernel, registers: Registers): SavedRegisters {
  const { instructionPointer, isUserMode, link } = kernel.arch.registers;
  if (isUserMode(registers)) return { registers, interrupted: null };
  const interrupted = codePlace(kernel, instructionPointer(registers));
  const word = link(registers);
  if (word === null) return { registers, interrupted };
  // a signed address is shown as the one that it means
  const address = backtracer(kernel).unwinder.textAddress(word);
  const place = codePlace(kernel, address);
  return { registers, interrupted, link: { address: place.symbol === null ? word : address, ...place } };
}

/** The block of lines for a register set, with the function that was interrupted. @param machine whose registers these are */
export function exceptionLines(saved: SavedRegisters, machine: string, radix: 10 | 16): string[] {
  const { registers, interrupted, link } = saved;
  const layout = registerLayout(machine, registers);
  const lines =
    interrupted !== null && layout.codeAbove !== null
      ? [`    [exception ${layout.codeAbove}: ${codeText(interrupted, radix)}]`]
      : [];
  const cellText = ({ label, name, digits, code }: RegisterCell): string => {
    const value = code === 'link' ? (link?.address ?? registers[name]!) : registers[name]!;
    const text = `${label}: ${digits === 0 ? hex(value) : hex16(value).slice(16 - digits)}`;
    if (code === undefined || interrupted === null) return text;
    const place = code === 'link' ? (link ?? nowhere) : interrupted;
    return `${text}  [${codeText(place, radix)}]`;
  };
  // an interrupt frame has a few registers only
  for (const row of interrupted === null ? layout.user : layout.kernel) {
    const cells = row.filter(({ name }) => registers[name] !== undefined);
    if (cells.length > 0) lines.push(`    ${cells.map(cellText).join('  ')}`);
  }
  return lines;
}

const nowhere: CodePlace = { symbol: null, offset: null };

function codeText({ symbol, offset }: CodePlace, radix: 10 | 16): string {
  return symbol === null
    ? 'unknown or invalid address'
    : `${escapeTerminal(withoutClone(symbol))}${offset === 0 ? '' : offsetText(offset, radix)}`;
}

export function offsetText(offset: number | null, radix: 10 | 16): string {
  if (offset === null) return '';
  return radix === 16 ? `+0x${hex(offset)}` : `+${offset}`;
}
