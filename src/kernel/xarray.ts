// include/linux/xarray.h: sparse arrays of pointers. Also radix trees and IDRs, which are xarrays since 4.20 and
// were built the same before.
//
//   xarray.xa_head --> xa_node { shift, slots[64] } --> ... --> entry
//
// The low two bits of a slot tell what it holds: 00 a pointer, 01 a value or a tagged pointer, 10 internal (a node,
// or a sibling or retry mark below 4096). Before 01e99fecc11a (4.20) 01 marked a node, and 10 an exceptional entry.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import { layout } from '../debuginfo/layout.ts';
import type { KernelObject, ObjectContext } from '../debuginfo/object.ts';
import { offsetOf, sizeOf, strip } from '../debuginfo/type.ts';
import type { FaultLog } from './faults.ts';

export interface XarrayEntry {
  readonly index: number;
  /** What the slot holds: a pointer, or a value with its low bit set. */
  readonly entry: VirtAddr;
  /** Indices from `index` on that the entry is for: more than one for entries of an order, as folios are. */
  readonly count: number;
  /** The way from the root, by slots: of the node that holds it, and which slot of that; null for an entry that is the root. */
  readonly node: string;
  readonly slot: number | null;
}

/** Most nodes visited: 64 entries each. */
const maxNodes = 4_000_000;

/**
 * Entries of a `struct xarray` (or `radix_tree_root`) by ascending index; empty slots are left out. A node that
 * cannot be read, or that is no node, costs its own entries and is recorded.
 * @throws NotFoundError, MemoryFault for the root
 */
export function xarrayEntries(root: KernelObject, faults: FaultLog): Generator<XarrayEntry> {
  return xarrayEntriesBelow(root.context, root.memberAmong('xa_head', 'rnode').pointer(), faults);
}

/**
 * As `xarrayEntries`.
 * @param head what the root holds, or a slot: a link to a node, or an entry; @param name what ways begin with
 * @throws NotFoundError
 */
export function* xarrayEntriesBelow(
  context: ObjectContext,
  head: VirtAddr,
  faults: FaultLog,
  name = 'root',
): Generator<XarrayEntry> {
  const newNode = context.types.find('struct xa_node');
  const nodeType = newNode ?? context.types.find('struct radix_tree_node');
  if (nodeType === null) throw new NotFoundError('type', 'struct xa_node');
  const old = newNode === null;
  const nodeTag = old ? 1n : 2n;
  const nodeLayout = layout(nodeType, { shift: 'shift', slots: 'slots' });
  const slotCount = slotsOf(nodeType);
  const bits = Math.log2(slotCount);
  let visited = 0;

  const isNode = (entry: bigint): boolean => (entry & 3n) === nodeTag && entry > 4096n;
  const isSibling = (entry: bigint): boolean => !old && (entry & 3n) === 2n && entry < BigInt(slotCount - 1) << 2n;
  function* walk(entry: VirtAddr, start: number, below: number, position: string): Generator<XarrayEntry> {
    const address = offsetBy(entry, -nodeTag);
    const node = faults.attempt(
      'xarray node',
      () => {
        context.space.memory.work.charge('nodes', 1);
        if (++visited > maxNodes) throw new FormatError('xarray', `more than ${maxNodes} nodes`);
        const node = nodeLayout.read(context.space, address, 1);
        if (node.fault !== null) throw node.fault;
        const shift = (node.words[nodeLayout.at.shift]! >>> nodeLayout.shift.shift) & 0xff;
        // each level down covers fewer indices, so no chain of nodes is endless
        if (shift >= below || shift % bits !== 0) throw new FormatError('xarray node', `shift ${shift} below ${below}`);
        return { shift, slot: (i: number) => node.u64(0, nodeLayout.at.slots + 2 * i) as VirtAddr };
      },
      null,
    );
    if (node === null) return;
    for (let i = 0; i < slotCount; i++) {
      const slot = node.slot(i);
      if (slot === 0n) continue;
      const index = start + i * 2 ** node.shift;
      if (isNode(slot)) {
        if (node.shift > 0) yield* walk(slot, index, node.shift, `${position}/${i}`);
      } else if (old || (slot & 3n) !== 2n) {
        let end = i + 1;
        while (end < slotCount && isSibling(node.slot(end))) end++;
        yield { index, entry: slot, count: (end - i) * 2 ** node.shift, node: position, slot: i };
      }
    }
  }

  if (head === 0n) return;
  if (isNode(head)) yield* walk(head, 0, 64, name);
  else if (old || (head & 3n) !== 2n) yield { index: 0, entry: head, count: 1, node: name, slot: null };
}

/**
 * The entry at an index; null for none. Of an entry that takes several indices, any of them finds it.
 * @throws NotFoundError, MemoryFault; FormatError for a node that is none
 */
export function xarrayEntry(root: KernelObject, index: number): VirtAddr | null {
  const { context } = root;
  const nodeTag = root.has('xa_head') ? 2n : 1n;
  const nodeType = context.types.find('struct xa_node') ?? context.types.find('struct radix_tree_node');
  if (nodeType === null) throw new FormatError('xarray', 'the type of its nodes is not known');
  const slots = offsetOf(nodeType, 'slots');
  const shiftAt = offsetOf(nodeType, 'shift');
  const slotCount = slotsOf(nodeType);
  const isNode = (entry: bigint): boolean => (entry & 3n) === nodeTag && entry > 4096n;
  let entry = root.memberAmong('xa_head', 'rnode').pointer();
  if (!isNode(entry)) return index === 0 && entry !== 0n ? entry : null;
  for (let below = 64; ; ) {
    const node = offsetBy(entry, -nodeTag);
    const shift = context.space.u8(offsetBy(node, shiftAt));
    if (shift >= below) throw new FormatError('xarray node', `shift ${shift} below ${below}`);
    if (below === 64 && index >= slotCount * 2 ** shift) return null;
    const slot = (at: number): VirtAddr => context.space.pointer(offsetBy(node, slots + at * 8));
    let found = slot(Math.floor(index / 2 ** shift) % slotCount);
    // a sibling: the slot of the same node that has the entry
    if (nodeTag === 2n && (found & 3n) === 2n && found >> 2n < BigInt(slotCount)) found = slot(Number(found >> 2n));
    if (found === 0n) return null;
    if (shift === 0 || !isNode(found)) return found;
    entry = found;
    below = shift;
  }
}

/** XA_CHUNK_SIZE: 64, or 16 with CONFIG_BASE_SMALL. */
function slotsOf(nodeType: Parameters<typeof sizeOf>[0]): number {
  const t = strip(nodeType);
  const member = t.kind === 'struct' ? t.members.find((m) => m.name === 'slots') : undefined;
  const count = member === undefined ? 0 : sizeOf(member.type) / 8;
  if (count !== 16 && count !== 64) throw new FormatError('xarray node', `has ${count} slots`);
  return count;
}
