// linux/mutex_types.h, linux/rwsem.h: locks that a task holds for itself alone, found by what its registers and its stack
// point to. Each of them names its owner; of those that a task has no pointer to, nothing is known.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { findMember, offsetOf, sizeOf, type Type } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';

export interface HeldLock {
  readonly kind: 'mutex' | 'rwsem';
  /** Virtual address. */
  readonly lock: VirtAddr;
}

const shapes = [
  { kind: 'mutex', type: 'struct mutex' },
  { kind: 'rwsem', type: 'struct rw_semaphore' },
] as const;

/** Words of a stack that are looked at. */
const maxWords = 4096;

/**
 * The mutexes and rwsems (held for writing) among some addresses whose owner a task is.
 * @param words registers and words of its stack: what is no address is passed over
 */
export function heldLocks(kernel: Kernel, task: Task, words: Iterable<bigint>): HeldLock[] {
  const found: HeldLock[] = [];
  const seen = new Set<bigint>();
  for (const word of words) {
    if (seen.size >= maxWords) break;
    if ((word & 7n) !== 0n || seen.has(word) || !kernel.arch.isKernelAddress(word)) continue;
    seen.add(word);
    kernel.work.charge('nodes', 1);
    for (const { kind, type } of shapes) {
      const lockType = kernel.types.find(type);
      const lock = virtAddr(word);
      if (lockType !== null && isHeld(kernel, kind, lockType, lock, task)) found.push({ kind, lock });
    }
  }
  return found;
}

function isHeld(kernel: Kernel, kind: HeldLock['kind'], type: Type, lock: VirtAddr, task: Task): boolean {
  const owner = wordAt(kernel, offsetBy(lock, offsetOf(type, 'owner')));
  // the low bits are flags: of an rwsem, bit 0 says that readers have it
  if (owner === null || (owner & ~7n) !== task.address || (kind === 'rwsem' && (owner & 1n) !== 0n)) return false;
  // other structs have a task in them, too: what waits for a lock tells it apart
  const list = findMember(type, 'wait_list');
  if (list !== null) {
    const head = offsetBy(lock, list.bitOffset / 8);
    const first = wordAt(kernel, head);
    return first !== null && wordAt(kernel, offsetBy(virtAddr(first), 8)) === head;
  }
  // the first waiter alone since 7.1: then it must be a variable with room for a lock, of which no waiter is no word
  const place = kernel.place(lock);
  if (place === null || place.offset !== 0 || (place.symbol.size > 0 && place.symbol.size < sizeOf(type))) return false;
  const first = wordAt(kernel, offsetBy(lock, offsetOf(type, 'first_waiter')));
  return first !== null && (first === 0n || kernel.arch.isKernelAddress(first));
}

function wordAt(kernel: Kernel, at: VirtAddr): bigint | null {
  const { bytes } = kernel.space.readUpTo(at, 8);
  return bytes.length < 8 ? null : new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}
