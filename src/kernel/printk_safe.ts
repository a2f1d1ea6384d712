// kernel/printk/printk_safe.c of 42a0bb3f7138 (4.7) to 5.14: text printed from NMIs, and from inside printk itself,
// waited in per-CPU buffers for a safe moment to reach the log. Some of it may never have got there.
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';
import { logText } from './printk_record.ts';

export interface SafeBuffer {
  /** Name of the per-CPU variable: `nmi_print_seq` or `safe_print_seq`. */
  readonly name: string;
  readonly cpu: number;
  readonly address: VirtAddr;
  /** Messages for which the buffer had no room. */
  readonly lost: number;
  readonly text: string;
}

/** Each CPU's buffers; null on kernels that have none. Buffers that cannot be read are faults. */
export function printkSafeBuffers(kernel: Kernel): SafeBuffer[] | null {
  const names = ['nmi_print_seq', 'safe_print_seq'].filter((name) => kernel.ownSymbol(name) !== null);
  if (names.length === 0) return null;
  const buffers: SafeBuffer[] = [];
  for (const name of names) {
    for (const cpu of kernel.cpus.possible) {
      kernel.faults.attempt(name, () => buffers.push(readBuffer(kernel, name, cpu)), 0);
    }
  }
  return buffers;
}

function readBuffer(kernel: Kernel, name: string, cpu: number): SafeBuffer {
  const object = kernel.perCpu(name, cpu);
  const buffer = object.member('buffer');
  const length = object.member('len.counter').number();
  if (length < 0 || length > Math.max(buffer.size, 64 * 1024)) {
    throw new FormatError(`${name} of CPU ${cpu}`, `length ${length} is out of range`);
  }
  return {
    name,
    cpu,
    address: object.address,
    lost: object.optional('message_lost.counter')?.number() ?? 0,
    text: logText(kernel.space.read(buffer.address, length)),
  };
}
