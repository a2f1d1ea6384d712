// arch/x86/include/asm/desc_defs.h: the interrupt descriptor table, where the CPU goes for each vector.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Kernel } from './kernel.ts';

export interface IdtGate {
  readonly vector: number;
  /** Virtual address of the entry code. */
  readonly handler: VirtAddr;
}

const vectors = 256;

/** The gates of x86's interrupt descriptor table. @throws NotFoundError for other machines; MemoryFault */
export function interruptGates(kernel: Kernel): IdtGate[] {
  const bytes = kernel.space.read(kernel.address('idt_table'), vectors * 16);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: vectors }, (_, vector) => {
    // the address stands in three pieces: bits 0-15, 16-31 and 32-63 (the machine's own format)
    const low = view.getUint16(vector * 16, true);
    const middle = view.getUint16(vector * 16 + 6, true);
    const high = view.getUint32(vector * 16 + 8, true);
    return { vector, handler: virtAddr((BigInt(high) << 32n) | (BigInt(middle) << 16n) | BigInt(low)) };
  });
}
