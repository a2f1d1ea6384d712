// include/linux/wait.h, include/linux/swait.h: the queues that tasks sleep on, and their entries on the stacks of tasks.
//
//   stack of the task                                        somewhere else
//   | wait_queue_entry: private = the task |                 | wait_queue_head      |
//   |                   func               |                 |                      |
//   |                   entry  <-----------------------------> head                 |
//
// A swait_queue (completions since a5c6234e1028, 5.7) has no function, and its head is a swait_queue_head.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { findMember, offsetOf, type Type } from '../../debuginfo/type.ts';
import type { Kernel } from '../kernel.ts';
import type { Sleeper } from './sleeper.ts';

export interface QueueEntry {
  /** Virtual address of the `struct wait_queue_entry`. */
  readonly address: VirtAddr;
  /** Name of the function that wakes the task; empty where no symbol tells. */
  readonly wakeFunction: string;
  /** Virtual address of the `struct wait_queue_head`; null where none is on the ring. */
  readonly head: VirtAddr | null;
}

/** Longest queue followed. */
const maxEntries = 100_000;

/** The entries by which a task is queued for events, innermost first. */
export function queueEntries(sleeper: Sleeper): QueueEntry[] {
  const { kernel, task } = sleeper;
  // wait_queue_t until ac6424b981bc (4.13)
  const type = kernel.types.find('struct wait_queue_entry') ?? kernel.types.find('struct __wait_queue');
  const headType = kernel.types.find('struct wait_queue_head') ?? kernel.types.find('struct __wait_queue_head');
  if (type === null || headType === null) return [];
  const func = offsetOf(type, 'func');
  // renamed by 2055da97389a (4.13)
  const link = linkOf(type, 'entry', 'task_list');
  const headLink = linkOf(headType, 'head', 'task_list');
  const textBefore = (node: VirtAddr): boolean => {
    const { bytes } = kernel.space.readUpTo(offsetBy(node, func - link), 8);
    return bytes.length === 8 && isFunction(kernel, wordOf(bytes));
  };
  const found: QueueEntry[] = [];
  for (const address of sleeper.structsWith(type, 'private', task.address)) {
    const node = offsetBy(address, link);
    if (!textBefore(node)) continue;
    const others = ring(kernel, node);
    if (others === null) continue;
    const heads = others.filter((at) => !textBefore(at));
    found.push({
      address,
      wakeFunction: kernel.place(kernel.space.pointer(offsetBy(address, func)))?.symbol.name ?? '',
      head: heads.length === 1 ? offsetBy(heads[0]!, -headLink) : null,
    });
  }
  return found;
}

/** Virtual addresses of the `struct swait_queue_head`s that a task is queued on, innermost first. */
export function simpleQueueHeads(sleeper: Sleeper): VirtAddr[] {
  const { kernel, task } = sleeper;
  const type = kernel.types.find('struct swait_queue');
  const headType = kernel.types.find('struct swait_queue_head');
  if (type === null || headType === null) return [];
  const taskOffset = offsetOf(type, 'task');
  const link = offsetOf(type, 'task_list');
  const headLink = offsetOf(headType, 'task_list');
  const heads: VirtAddr[] = [];
  for (const address of sleeper.structsWith(type, 'task', task.address)) {
    const others = ring(kernel, offsetBy(address, link));
    if (others === null) continue;
    const found = others.filter((node) => {
      const { bytes } = kernel.space.readUpTo(offsetBy(node, taskOffset - link), 8);
      return bytes.length === 8 && kernel.tasks.byAddress(wordOf(bytes)) === null;
    });
    if (found.length === 1) heads.push(offsetBy(found[0]!, -headLink));
  }
  return heads;
}

/** The other nodes of the ring that a list node is on; null where it is on none, or the ring is broken. */
export function ring(kernel: Kernel, node: VirtAddr): VirtAddr[] | null {
  const { space } = kernel;
  const nodes: VirtAddr[] = [];
  for (let before = node; ; ) {
    const { bytes } = space.readUpTo(before, 8);
    if (bytes.length < 8) return null;
    const next = wordOf(bytes);
    const back = space.readUpTo(offsetBy(next, 8), 8);
    if (back.bytes.length < 8 || wordOf(back.bytes) !== before) return null;
    if (next === node) return nodes.length === 0 ? null : nodes;
    if (nodes.length >= maxEntries) return null;
    nodes.push(next);
    before = next;
  }
}

function wordOf(bytes: Uint8Array): VirtAddr {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) as VirtAddr;
}

/** True for the address of a function, from where it starts. */
function isFunction(kernel: Kernel, address: VirtAddr): boolean {
  if (address < 0xff00_0000_0000_0000n) return false;
  const place = kernel.place(address);
  return place !== null && place.offset === 0 && /^[tTwW]$/.test(place.symbol.type);
}

/** Offset of the member that a type has of two names. @throws NotFoundError */
function linkOf(type: Type, newer: string, older: string): number {
  return findMember(type, newer) === null ? offsetOf(type, older) : offsetOf(type, newer);
}
