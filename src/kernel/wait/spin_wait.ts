// kernel/locking/qspinlock.c, kernel/smp.c: tasks that hold a CPU while they wait: for a spinlock, or for other CPUs.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import type { Frame } from '../backtrace.ts';
import type { Kernel } from '../kernel.ts';
import type { Task } from '../task.ts';
import type { Sleeper } from './sleeper.ts';

export interface SpinWait {
  /** Virtual address of the lock. */
  readonly lock: VirtAddr;
  readonly mode: 'spin' | 'read' | 'write';
  /** The lock's word. */
  readonly value: number;
  /** Who holds it; null where the kernel does not note it (it does with CONFIG_DEBUG_SPINLOCK). */
  readonly owner: Task | null;
}

const spinning =
  /^(?:(?:native|__pv|pv|kvm|xen|hv)_)*queued_(spin|read|write)_lock_slowpath$|^_raw_(spin|read|write)_lock|^do_raw_(spin|read|write)_lock|^queued_(spin|read|write)_lock/;

const interrupting =
  /^(smp_call_function\w*|generic_exec_single|csd_lock_wait|_*csd_lock\w*|on_each_cpu\w*|(native_)?flush_tlb_(multi|others)\w*)$/;

/** The innermost frame that spins for a lock, or waits for other CPUs: its index; null for none. */
export function spinningFrame({ names }: Sleeper): { readonly at: number; readonly for: 'lock' | 'cpus' } | null {
  const at = names.findIndex((name) => spinning.test(name) || interrupting.test(name));
  return at < 0 ? null : { at, for: spinning.test(names[at]!) ? 'lock' : 'cpus' };
}

/** The lock that a task on a CPU spins on; null where it cannot be told. @param at index of the frame that spins */
export function spinWait(sleeper: Sleeper, at: number): SpinWait | null {
  const { kernel, frames } = sleeper;
  const mode = (spinning.exec(sleeper.names[at]!)?.slice(1).find(Boolean) ?? 'spin') as SpinWait['mode'];
  // the function was stopped by an interrupt, whose entry code saved its registers
  const stopped = frames.slice(0, at + 1).findLast((frame) => frame.registers !== null);
  const registers = stopped === undefined ? [] : Object.values(stopped.registers as Readonly<Record<string, bigint>>);
  // the lock is the first argument: first of all it is where the calling convention has that
  const first = stopped?.registers === null || stopped === undefined ? undefined : firstArgument(stopped);
  const seen = new Set<bigint>();
  for (const candidate of [first, ...registers]) {
    if (candidate === undefined || candidate < 0xff00_0000_0000_0000n || (candidate & 3n) !== 0n) continue;
    if (seen.has(candidate)) continue;
    seen.add(candidate);
    const { bytes } = kernel.space.readUpTo(virtAddr(candidate), 4);
    if (bytes.length < 4) continue;
    const value = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (!isContended(kernel, mode, value)) continue;
    return { lock: virtAddr(candidate), mode, value, owner: debugOwner(kernel, virtAddr(candidate)) };
  }
  return null;
}

function firstArgument(frame: Frame): bigint | undefined {
  const registers = frame.registers as Readonly<Record<string, bigint | undefined>>;
  return registers.rdi ?? registers.x0;
}

/**
 * Whether a word is a lock that somebody waits for. A qspinlock is held (bits 0-7 are 1, or 3 with waiters halted by a
 * hypervisor), and has somebody pending (bit 8) or queued: the CPU in bits 18 and up, plus one.
 */
function isContended(kernel: Kernel, mode: SpinWait['mode'], value: number): boolean {
  if (value === 0) return false;
  if (mode !== 'spin') return true;
  const locked = value & 0xff;
  const pending = (value >>> 8) & 1;
  const cpu = (value >>> 18) - 1;
  if (locked > 1 && locked !== 3) return false;
  return pending === 1 || (cpu >= 0 ? kernel.cpus.possible.includes(cpu) : locked === 1);
}

/** raw_spinlock.owner, with CONFIG_DEBUG_SPINLOCK. */
function debugOwner(kernel: Kernel, lock: VirtAddr): Task | null {
  return kernel.faults.attempt(
    'owner of a spinlock',
    () => {
      const owner = kernel.object('struct raw_spinlock', lock).optional('owner');
      return owner === null ? null : kernel.tasks.byAddress(owner.pointer());
    },
    null,
  );
}
