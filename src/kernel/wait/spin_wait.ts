// kernel/locking/qspinlock.c, kernel/smp.c: tasks that hold a CPU while they wait: for a spinlock, or for other CPUs.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import { type Frame, frameName } from '../backtrace.ts';
import type { Kernel } from '../kernel.ts';
import type { Task } from '../task.ts';
import { plainName } from './sleeper.ts';

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
export function spinningFrame(frames: readonly Frame[]): { readonly at: number; readonly for: 'lock' | 'cpus' } | null {
  const names = frames.map((frame) => plainName(frameName(frame)));
  const at = names.findIndex((name) => spinning.test(name) || interrupting.test(name));
  return at < 0 ? null : { at, for: spinning.test(names[at]!) ? 'lock' : 'cpus' };
}

/**
 * The lock that a stopped CPU spins on; null where it cannot be told.
 * @param frames what it ran; @param at index of the frame that spins
 */
export function spinWait(kernel: Kernel, frames: readonly Frame[], at: number): SpinWait | null {
  const name = plainName(frameName(frames[at]!));
  const mode = (spinning.exec(name)?.slice(1).find(Boolean) ?? 'spin') as SpinWait['mode'];
  // the function was stopped by an interrupt, whose entry code saved its registers
  const registers = frames.slice(0, at + 1).findLast((frame) => frame.registers !== null)?.registers;
  if (registers == null) return null;
  const held = holders(kernel, kernel.arch.registers.instructionPointer(registers));
  const others = Object.keys(registers).filter((register) => !held.includes(register));
  for (const register of [...held, ...others]) {
    const lock = virtAddr((registers as Readonly<Record<string, bigint | undefined>>)[register] ?? 0n);
    if (!kernel.arch.isKernelAddress(lock) || (lock & 3n) !== 0n) continue;
    const { bytes } = kernel.space.readUpTo(lock, 4);
    if (bytes.length < 4) continue;
    const value = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (isContended(kernel, mode, value)) return { lock, mode, value, owner: debugOwner(kernel, lock) };
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
      const owner =
        kernel.types.find('struct raw_spinlock') === null
          ? null
          : kernel.object('struct raw_spinlock', lock).optional('owner');
      return owner === null ? null : kernel.tasks.byAddress(owner.pointer());
    },
    null,
  );
}
