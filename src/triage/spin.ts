// The spinlock that a stuck CPU waits for.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Frame } from '../kernel/backtrace.ts';
import type { Facts } from './facts.ts';

const spinning = /^(native_|pv_|__pv_)?queued_(spin|read|write)_lock_slowpath|^_raw_(spin|read|write)_lock/;

export interface SpinLock {
  readonly address: VirtAddr;
  /** Name of the variable; null for a lock in allocated memory. */
  readonly symbol: string | null;
}

/** The lock, if the innermost interrupted code is a spinlock's slow path; null otherwise. */
export function spinLock({ kernel }: Facts, frames: readonly Frame[]): SpinLock | null {
  const registers = frames.find((frame) => frame.kind === 'entry' && frame.registers !== null)?.registers;
  if (registers == null) return null;
  const {
    arguments: [first],
    instructionPointer,
  } = kernel.arch.registers;
  if (!spinning.test(kernel.place(instructionPointer(registers))?.symbol.name ?? '')) return null;
  // the lock is the first argument, and the slow paths keep it in its register on x86_64; arm64's need not
  const lock = first === undefined ? undefined : registers[first];
  if (lock === undefined || !kernel.space.isReadable(virtAddr(lock))) return null;
  const place = kernel.place(virtAddr(lock));
  const offset = place === null || place.offset === 0 ? '' : `+0x${place.offset.toString(16)}`;
  return { address: virtAddr(lock), symbol: place === null ? null : `${place.symbol.name}${offset}` };
}
