// The table of system calls (arch/x86/entry/syscall_64.c; arch/arm64/kernel/sys.c).
import { offsetBy, type VirtAddr } from '../base/address.ts';
import type { Kernel } from './kernel.ts';

export interface SystemCall {
  readonly number: number;
  readonly address: VirtAddr;
  /** Function that serves it; null if the entry points at no function: the table has been tampered with, or is not there. */
  readonly symbol: string | null;
}

/** Most entries that are believed; Linux has fewer than 600. */
const maxCalls = 2048;

/** The system call table in order of its numbers. @throws NotFoundError where the kernel has no such symbol; MemoryFault */
export function systemCalls(kernel: Kernel): SystemCall[] {
  const table = kernel.address('sys_call_table');
  const size = kernel.ownSymbol('sys_call_table')?.size ?? 0;
  const calls: SystemCall[] = [];
  for (let number = 0; number < Math.min(maxCalls, Math.floor(size / 8)); number++) {
    const address = kernel.space.pointer(offsetBy(table, number * 8));
    // what lies between the table's end and the next symbol is padding
    if (address === 0n) break;
    const place = kernel.place(address);
    if (place === null && number > 0) break; // other data, where the table's end is not known
    calls.push({ number, address, symbol: place !== null && place.offset === 0 ? place.symbol.name : null });
  }
  return calls;
}
