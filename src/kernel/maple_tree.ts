// include/linux/maple_tree.h (6.1): ranges of indices to pointers, what a process's VMAs are kept in.
//
//   maple_tree.ma_root --> node { pivot[], slot[] } --> ... --> entry
//                          slot[i] is for indices up to pivot[i], from where slot[i - 1] ended
//
// A link to a node has 10 in its low bits as an xarray's, its type in bits 3 to 6, and nodes lie at 256 bytes.
// The root may be a single entry, for index 0.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { AddressSet } from '../base/address_set.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import type { KernelObject, ObjectContext } from '../debuginfo/object.ts';
import { findMember, memberOf, sizeOf, strip, type Type } from '../debuginfo/type.ts';
import type { FaultLog } from './faults.ts';

/** MAPLE_HEIGHT_MAX. */
const maxDepth = 31;
/** Most nodes visited: a process has at most some hundred thousand VMAs, of which a node holds ten or so. */
const maxNodes = 1_000_000;
const maxIndex = 0xffff_ffff_ffff_ffffn;

/** What the tree has for the indices from `first` to `last`, both included. */
export interface MapleEntry {
  readonly kind: 'entry';
  readonly first: bigint;
  readonly last: bigint;
  /** What the slot holds: a pointer, a value (low bit set), a reserved mark (10, below 4096), or 0 for nothing. */
  readonly entry: VirtAddr;
  /** Nodes above it. */
  readonly depth: number;
  /** The way from the root, by slots: `root/2/0`; empty for an entry that is the root. */
  readonly position: string;
}

/** A node of the tree, that covers the indices from `first` to `last`, both included. */
export interface MapleNode {
  readonly kind: 'node';
  readonly first: bigint;
  readonly last: bigint;
  readonly depth: number;
  /** Virtual address of the `struct maple_node`. */
  readonly address: VirtAddr;
  /** `enum maple_type`. */
  readonly type: number;
  readonly parent: VirtAddr;
  readonly slots: readonly VirtAddr[];
  readonly pivots: readonly bigint[];
  /** Longest gaps below each slot, and the metadata after them; null for a type of node that has none. */
  readonly gaps: { readonly sizes: readonly bigint[]; readonly end: number; readonly largest: number } | null;
}

/**
 * Entries of a `struct maple_tree` by ascending index, without those that stand for nothing. A node that cannot be
 * read, or that is no node, costs its own entries and is recorded.
 * @throws NotFoundError for kernels without maple trees; MemoryFault for the root
 */
export function* mapleEntries(tree: KernelObject, faults: FaultLog): Generator<MapleEntry> {
  const root = tree.member('ma_root').pointer();
  for (const step of mapleSteps(tree.context, root, faults)) {
    if (step.kind === 'entry' && step.entry !== 0n && !isReserved(step.entry)) yield step;
  }
}

/**
 * Every node and every slot of a tree, a node before what is below it, faults as `mapleEntries`.
 * @param root what `ma_root` holds, or a slot: a link to a node, or an entry
 * @throws NotFoundError for kernels without maple trees
 */
export function* mapleSteps(
  context: ObjectContext,
  root: VirtAddr,
  faults: FaultLog,
  name = 'root',
): Generator<MapleNode | MapleEntry> {
  if (!isNode(root)) {
    yield { kind: 'entry', first: 0n, last: 0n, entry: root, depth: 0, position: '' };
    return;
  }
  const reader = new NodeReader(context);
  const seen = new AddressSet();

  function* walk(
    link: VirtAddr,
    first: bigint,
    last: bigint,
    depth: number,
    position: string,
  ): Generator<MapleNode | MapleEntry> {
    const node = faults.attempt(
      'maple tree node',
      () => {
        const address = link & ~0xffn;
        if (seen.has(address)) throw new FormatError('maple tree', `comes to ${address.toString(16)} twice`);
        if (seen.size >= maxNodes) throw new FormatError('maple tree', `more than ${maxNodes} nodes`);
        if (depth > maxDepth) throw new FormatError('maple tree', `is deeper than ${maxDepth} nodes`);
        seen.add(address);
        context.space.memory.work.charge('nodes', 1);
        return reader.read(link, first, last, depth);
      },
      null,
    );
    if (node === null) return;
    yield node;
    for (const { from, to, index, problem } of reader.ranges(node)) {
      if (problem !== null) {
        faults.record('maple tree node', new FormatError(`maple node ${node.address.toString(16)}`, problem));
        return;
      }
      const slot = node.slots[index]!;
      const place = `${position}/${index}`;
      if (reader.isLeaf(node.type)) {
        yield { kind: 'entry', first: from, last: to, entry: slot, depth: depth + 1, position: place };
      } else if (slot !== 0n) yield* walk(slot, from, to, depth + 1, place);
    }
  }
  yield* walk(root, 0n, maxIndex, 0, name);
}

/** Whether a slot links to a node. */
function isNode(entry: VirtAddr): boolean {
  return (entry & 3n) === 2n && entry > 4096n;
}

/** Whether a slot holds a mark of the tree's own, such as XA_ZERO_ENTRY: no entry. */
function isReserved(entry: VirtAddr): boolean {
  return (entry & 3n) === 2n && entry < 4096n;
}

interface Range {
  readonly from: bigint;
  readonly to: bigint;
  readonly index: number;
  readonly problem: string | null;
}

interface Layout {
  readonly slot: { readonly offset: number; readonly count: number };
  readonly pivot: { readonly offset: number; readonly count: number };
}

class NodeReader {
  private readonly context: ObjectContext;
  private readonly size: number;
  private readonly dense: Layout;
  private readonly range: Layout;
  private readonly arange: Layout;
  private readonly gap: { readonly offset: number; readonly count: number };
  /** Byte offset of the metadata of a node with gaps; null where the type has none. */
  private readonly meta: { readonly end: number; readonly gap: number } | null;
  private readonly types: {
    readonly dense: number;
    readonly leaf: number;
    readonly range: number;
    readonly arange: number;
  };

  constructor(context: ObjectContext) {
    const node = context.types.find('struct maple_node');
    if (node === null) throw new NotFoundError('type', 'struct maple_node');
    this.context = context;
    this.size = sizeOf(node);
    const none = { offset: 0, count: 0 };
    this.dense = { slot: words(node, 'slot'), pivot: none };
    this.range = { slot: words(node, 'mr64.slot'), pivot: words(node, 'mr64.pivot') };
    this.arange = { slot: words(node, 'ma64.slot'), pivot: words(node, 'ma64.pivot') };
    this.gap = words(node, 'ma64.gap');
    const [end, gap] = [findMember(node, 'ma64.meta.end'), findMember(node, 'ma64.meta.gap')];
    this.meta = end === null || gap === null ? null : { end: end.bitOffset / 8, gap: gap.bitOffset / 8 };
    const kinds = enumerators(context.types.find('enum maple_type'));
    const value = (name: string, usual: number) => kinds.find((e) => e.name === name)?.value ?? usual;
    this.types = {
      dense: value('maple_dense', 0),
      leaf: value('maple_leaf_64', 1),
      range: value('maple_range_64', 2),
      arange: value('maple_arange_64', 3),
    };
  }

  isLeaf(type: number): boolean {
    return type === this.types.dense || type === this.types.leaf;
  }

  read(link: VirtAddr, first: bigint, last: bigint, depth: number): MapleNode {
    const type = Number((link >> 3n) & 0xfn);
    const address = virtAddr(link & ~0xffn);
    const layout = this.layout(type, address);
    const bytes = this.context.space.read(address, this.size);
    const view = new DataView(bytes.buffer);
    const list = ({ offset, count }: { offset: number; count: number }): bigint[] =>
      Array.from({ length: count }, (_, i) => view.getBigUint64(offset + i * 8, true));
    const { meta } = this;
    const gaps =
      type !== this.types.arange
        ? null
        : {
            sizes: list(this.gap),
            end: meta === null ? 0 : bytes[meta.end]!,
            largest: meta === null ? 0 : bytes[meta.gap]!,
          };
    return {
      kind: 'node',
      first,
      last,
      depth,
      address,
      type,
      parent: virtAddr(view.getBigUint64(0, true)),
      slots: list(layout.slot) as VirtAddr[],
      pivots: list(layout.pivot),
      gaps,
    };
  }

  /** Which indices each slot is for, until the node's own end (as `mt_dump_range64` in lib/maple_tree.c). */
  *ranges(node: MapleNode): Generator<Range> {
    const { slots, pivots, first, last } = node;
    let from = first;
    for (const [index, slot] of slots.entries()) {
      if (node.type === this.types.dense) {
        if (from > last) return;
        yield { from, to: from, index, problem: null };
        from += 1n;
        continue;
      }
      const pivot = pivots[index];
      // the last slot has no pivot: it reaches to the end, if it is used
      if (pivot === undefined && slot === 0n && (node.gaps !== null || last !== maxIndex)) return;
      const to = pivot ?? last;
      if (to === 0n && index > 0) return;
      if (to > last || to < from) {
        const problem = `slot ${index} is for ${from.toString(16)} to ${to.toString(16)}, the node to ${last.toString(16)}`;
        yield { from, to, index, problem };
        return;
      }
      yield { from, to, index, problem: null };
      if (to === last) return;
      from = to + 1n;
    }
  }

  private layout(type: number, address: VirtAddr): Layout {
    switch (type) {
      case this.types.dense:
        return this.dense;
      case this.types.leaf:
      case this.types.range:
        return this.range;
      case this.types.arange:
        return this.arange;
      default:
        throw new FormatError(`maple node ${address.toString(16)}`, `is of the unknown type ${type}`);
    }
  }
}

/** An array of words in a node. @throws NotFoundError, FormatError */
function words(node: Type, path: string): { offset: number; count: number } {
  const { type, bitOffset } = memberOf(node, path);
  const count = sizeOf(type) / 8;
  const offset = bitOffset / 8;
  if (!Number.isInteger(count) || offset + count * 8 > sizeOf(node)) throw new FormatError('maple node', `.${path}`);
  return { offset, count };
}

function enumerators(type: Type | null): { name: string; value: number }[] {
  const t = type === null ? null : strip(type);
  return t?.kind === 'enum' ? t.values.map(({ name, value }) => ({ name, value: Number(value) })) : [];
}
