// include/linux/xarray.h: sparse arrays of pointers. Also radix trees and IDRs, which are xarrays since 4.20 and
// were built the same before.
//
//   xarray.xa_head --> xa_node { shift, slots[64] } --> ... --> entry
//
// The low two bits of a slot tell what it holds: 00 a pointer, 01 a value or a tagged pointer, 10 internal (a node,
// or a sibling or retry mark below 4096). Before 01e99fecc11a (4.20) 01 marked a node, and 10 an exceptional entry.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { offsetOf, sizeOf, strip } from '../debuginfo/type.ts';
import type { FaultLog } from './faults.ts';

export interface XarrayEntry {
  readonly index: number;
  /** What the slot holds: a pointer, or a value with its low bit set. */
  readonly entry: VirtAddr;
}

/** Most nodes visited: 64 entries each. */
const maxNodes = 4_000_000;

/**
 * Entries of a `struct xarray` (or `radix_tree_root`) by ascending index; empty slots are left out. A node that
 * cannot be read, or that is no node, costs its own entries and is recorded.
 * @throws NotFoundError, MemoryFault for the root
 */
export function* xarrayEntries(root: KernelObject, faults: FaultLog): Generator<XarrayEntry> {
  const { context } = root;
  const old = !root.has('xa_head');
  const nodeTag = old ? 1n : 2n;
  const nodeType = context.types.find('struct xa_node') ?? context.types.find('struct radix_tree_node');
  if (nodeType === null) throw new FormatError('xarray', 'the type of its nodes is not known');
  const slots = offsetOf(nodeType, 'slots');
  const shiftAt = offsetOf(nodeType, 'shift');
  const slotCount = slotsOf(nodeType);
  const bits = Math.log2(slotCount);
  let visited = 0;

  const isNode = (entry: bigint): boolean => (entry & 3n) === nodeTag && entry > 4096n;
  function* walk(entry: VirtAddr, start: number, below: number): Generator<XarrayEntry> {
    const address = offsetBy(entry, -nodeTag);
    const node = faults.attempt(
      'xarray node',
      () => {
        if (++visited > maxNodes) throw new FormatError('xarray', `more than ${maxNodes} nodes`);
        const shift = context.space.u8(offsetBy(address, shiftAt));
        // each level down covers fewer indices, so no chain of nodes is endless
        if (shift >= below || shift % bits !== 0) throw new FormatError('xarray node', `shift ${shift} below ${below}`);
        return { shift, bytes: context.space.read(offsetBy(address, slots), slotCount * 8) };
      },
      null,
    );
    if (node === null) return;
    const view = new DataView(node.bytes.buffer);
    for (let i = 0; i < slotCount; i++) {
      const slot = view.getBigUint64(i * 8, true) as VirtAddr;
      if (slot === 0n) continue;
      const index = start + i * 2 ** node.shift;
      if (isNode(slot)) {
        if (node.shift > 0) yield* walk(slot, index, node.shift);
      } else if (old || (slot & 3n) !== 2n) yield { index, entry: slot };
    }
  }

  const head = root.memberAmong('xa_head', 'rnode').pointer();
  if (head === 0n) return;
  if (isNode(head)) yield* walk(head, 0, 64);
  else if (old || (head & 3n) !== 2n) yield { index: 0, entry: head };
}

/** XA_CHUNK_SIZE: 64, or 16 with CONFIG_BASE_SMALL. */
function slotsOf(nodeType: Parameters<typeof sizeOf>[0]): number {
  const t = strip(nodeType);
  const member = t.kind === 'struct' ? t.members.find((m) => m.name === 'slots') : undefined;
  const count = member === undefined ? 0 : sizeOf(member.type) / 8;
  if (count !== 16 && count !== 64) throw new FormatError('xarray node', `has ${count} slots`);
  return count;
}
