// include/linux/list.h: circular doubly linked lists, and hlists. Bounded and checked for cycles: a list
// in a dump may be half-written, corrupt or made to hang a reader.
import type { VirtAddr } from '../base/address.ts';
import { AddressSet } from '../base/address_set.ts';
import { FormatError } from '../base/errors.ts';
import { KernelObject } from '../debuginfo/object.ts';
import type { Type } from '../debuginfo/type.ts';

/** Longest list followed: more than any real machine's tasks, dentries of one bucket, or modules. */
const maxEntries = 4_000_000;

/**
 * Addresses of the `struct list_head` nodes on a list, without its head.
 * @throws MemoryFault when a node cannot be read, FormatError on a cycle that does not pass through the
 *   head; what came before has been yielded by then
 */
export function* listNodes(head: KernelObject, direction: 'next' | 'prev' = 'next'): Generator<VirtAddr> {
  const { space } = head.context;
  const step = direction === 'next' ? 0 : 8;
  const start = head.address;
  const seen = new AddressSet();
  let node = space.pointer((start + BigInt(step)) as VirtAddr);
  while (node !== start) {
    if (node === 0n)
      throw new FormatError(`list at ${start.toString(16)}`, 'a NULL link: never initialised, or corrupt');
    if (seen.has(node)) throw new FormatError(`list at ${start.toString(16)}`, `loops back to ${node.toString(16)}`);
    if (seen.size >= maxEntries)
      throw new FormatError(`list at ${start.toString(16)}`, `more than ${maxEntries} entries`);
    seen.add(node);
    space.memory.work.charge('nodes', 1);
    yield node;
    node = space.pointer((node + BigInt(step)) as VirtAddr);
  }
}

/** The structs on a list, each found from its `member`. Throws as `listNodes`. */
export function* listEntries(head: KernelObject, type: Type | string, member: string): Generator<KernelObject> {
  const listHead = head.type;
  for (const node of listNodes(head)) {
    yield KernelObject.at(head.context, listHead, node).containerOf(type, member);
  }
}

/** The structs on a `struct hlist_head` (or a single hlist_node chain), each found from its `member`. */
export function* hlistEntries(head: KernelObject, type: Type | string, member: string): Generator<KernelObject> {
  const seen = new AddressSet();
  let node = head.member('first').pointer();
  while (node !== 0n && (node & 1n) === 0n) {
    // hlist_nulls end with an odd marker (include/linux/list_nulls.h)
    if (seen.has(node) || seen.size >= maxEntries) {
      throw new FormatError(`hlist at ${head.address.toString(16)}`, `loops back to ${node.toString(16)}`);
    }
    seen.add(node);
    head.context.space.memory.work.charge('nodes', 1);
    yield KernelObject.at(head.context, 'struct hlist_node', node).containerOf(type, member);
    node = head.context.space.pointer(node);
  }
}
