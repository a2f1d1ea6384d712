// The spinlock that a stuck CPU waits for.
import type { VirtAddr } from '../base/address.ts';
import type { Frame } from '../kernel/backtrace.ts';
import { spinningFrame, spinWait } from '../kernel/wait/spin_wait.ts';
import type { Facts } from './facts.ts';

export interface SpinLock {
  readonly address: VirtAddr;
  /** Name of the variable; null for a lock in allocated memory. */
  readonly symbol: string | null;
}

/** The lock, if the innermost interrupted code is a spinlock's slow path; null otherwise. */
export function spinLock({ kernel }: Facts, frames: readonly Frame[]): SpinLock | null {
  const interrupted = frames.findIndex((frame) => frame.kind === 'entry' && frame.registers !== null);
  const spinning = interrupted < 0 ? null : spinningFrame(frames.slice(0, interrupted + 2));
  if (spinning === null || spinning.for !== 'lock') return null;
  const wait = spinWait(kernel, frames, spinning.at);
  if (wait === null) return null;
  const place = kernel.place(wait.lock);
  const offset = place === null || place.offset === 0 ? '' : `+0x${place.offset.toString(16)}`;
  return { address: wait.lock, symbol: place === null ? null : `${place.symbol.name}${offset}` };
}
