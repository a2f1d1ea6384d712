// Maple trees as the kernel builds them: leaves of ranges under nodes of gaps.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import type { SyntheticKernel } from './synthetic_kernel.ts';

export const mapleTypes = `
  enum maple_type { maple_dense, maple_leaf_64, maple_range_64, maple_arange_64 };
  struct maple_metadata { u8 end; u8 gap; };
  struct maple_range_64 { void *parent; unsigned long pivot[15];
    union { void *slot[16]; struct { void *pad[15]; struct maple_metadata meta; }; }; };
  struct maple_arange_64 { void *parent; unsigned long pivot[9]; void *slot[10]; unsigned long gap[10];
    struct maple_metadata meta; };
  struct maple_node { union { struct { void *parent; void *slot[31]; }; struct maple_range_64 mr64;
    struct maple_arange_64 ma64; }; };
  struct maple_tree { unsigned ma_flags; void *ma_root; };
`;

/** [first, last, entry]: what the indices from first to last, both included, lead to. */
export type MapleRange = readonly [first: bigint, last: bigint, entry: bigint];

/** Tells a tree to hold ranges, which ascend and do not overlap. @param perLeaf slots used of a leaf, at most 15 */
export function writeMapleTree(
  kernel: SyntheticKernel,
  tree: KernelObject,
  ranges: readonly MapleRange[],
  perLeaf = 15,
): void {
  const end = 0xffff_ffff_ffff_ffffn;
  // what lies between the ranges is a slot, too: of nothing
  const whole: MapleRange[] = [];
  let next = 0n;
  for (const range of [...ranges]) {
    if (range[0] > next) whole.push([next, range[0] - 1n, 0n]);
    whole.push(range);
    next = range[1] + 1n;
  }
  if (next <= end) whole.push([next, end, 0n]);
  let level = build(kernel, whole, perLeaf, 'leaf');
  while (level.length > 1) level = build(kernel, level, 9, 'arange');
  kernel.set(tree, 'ma_root', level[0]![2]);
}

/** Nodes over ranges; what each covers, with the link to it. */
function build(
  kernel: SyntheticKernel,
  ranges: readonly MapleRange[],
  perNode: number,
  kind: 'leaf' | 'arange',
): MapleRange[] {
  const nodes: MapleRange[] = [];
  const member = kind === 'leaf' ? 'mr64' : 'ma64';
  for (let from = 0; from < ranges.length; from += perNode) {
    const held = ranges.slice(from, from + perNode);
    const node = kernel.allocate('struct maple_node');
    for (const [i, [, last, entry]] of held.entries()) {
      kernel.set(node, `${member}.slot[${i}]`, entry);
      kernel.set(node, `${member}.pivot[${i}]`, last);
    }
    kernel.set(node, `${member}.meta.end`, held.length - 1);
    nodes.push([held[0]![0], held.at(-1)![1], node.address | (kind === 'leaf' ? 0xan : 0x1an) | 4n]);
  }
  return nodes;
}
