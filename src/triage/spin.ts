// The spinlock that a stuck CPU waits for.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Frame } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
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
  const at = kernel.arch.registers.instructionPointer(registers);
  if (!spinning.test(kernel.place(at)?.symbol.name ?? '')) return null;
  for (const name of holders(kernel, at)) {
    const lock = virtAddr(registers[name] ?? 0n);
    if (!kernel.arch.isKernelAddress(lock) || !isTaken(kernel, lock)) continue;
    const place = kernel.place(lock);
    const offset = place === null || place.offset === 0 ? '' : `+0x${place.offset.toString(16)}`;
    return { address: lock, symbol: place === null ? null : `${place.symbol.name}${offset}` };
  }
  return null;
}

/**
 * Where a slow path may keep its first argument, the lock: in registers that it copies it to before it gets to an
 * instruction, those first that outlive calls; then where the argument came.
 */
function holders(kernel: Kernel, at: VirtAddr): readonly string[] {
  const { decoder, registers, space } = kernel.arch;
  const [first] = registers.arguments;
  const start = kernel.place(at)?.symbol.address ?? at;
  if (first === undefined) return [];
  const copies = new Set([first]);
  const length = Math.min(maxSlowPath, Number(at - start));
  for (const { mnemonic, operands } of decoder?.decode(space.readUpTo(start, length).bytes, start) ?? []) {
    const [to, from] = operands;
    if (mnemonic !== 'mov' || to?.kind !== 'register' || from?.kind !== 'register') continue;
    if (to.width === 8 && copies.has(from.name)) copies.add(to.name);
  }
  return [...copies].sort((a, b) => rank(a) - rank(b));

  function rank(name: string): number {
    return registers.preserved.includes(name) ? 0 : name === first ? 1 : 2;
  }
}

/** Longest slow path that is looked through, in bytes. */
const maxSlowPath = 4096;

/** A lock that somebody waits for is not 0: it is held, or promised to who waits. */
function isTaken({ space }: Kernel, lock: VirtAddr): boolean {
  return space.isReadable(lock) && space.u32(lock) !== 0;
}
