// include/linux/rbtree.h: red-black trees. A node is embedded in what the tree holds:
//
//   rb_root.rb_node --> rb_node { __rb_parent_color, rb_right, rb_left } --> ...
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { AddressSet } from '../base/address_set.ts';
import { assertNever, FormatError, NotFoundError } from '../base/errors.ts';
import { KernelObject, type ObjectContext } from '../debuginfo/object.ts';
import { offsetOf, type Type } from '../debuginfo/type.ts';
import type { FaultLog } from './faults.ts';

/** Most nodes visited: a machine of many terabytes has some millions of vmap areas. */
const maxNodes = 16_000_000;
/** No path is more than twice as long as the shortest, and there are at most 2^64 nodes. */
const maxDepth = 128;

export interface RbNode {
  /** Virtual address of the `struct rb_node`. */
  readonly address: VirtAddr;
  /** The way from the root: `root`, `root/l`, `root/l/r`. */
  readonly position: string;
}

/** `ascending`: as the tree sorts them. `root-first`: a node before what is below it, left before right. */
export type RbOrder = 'ascending' | 'root-first';

/**
 * Nodes of the tree below a node, that one included. A node that cannot be read, or that the walk met before,
 * costs itself and what is below it, and is recorded.
 * @param top virtual address of the topmost `struct rb_node`; 0 for an empty tree
 * @throws NotFoundError when the type of nodes is not known
 */
export function* rbNodes(
  context: ObjectContext,
  top: VirtAddr,
  faults: FaultLog,
  order: RbOrder = 'ascending',
): Generator<RbNode> {
  const { space } = context;
  const type = nodeType(context);
  const left = offsetOf(type, 'rb_left');
  const right = offsetOf(type, 'rb_right');
  const seen = new AddressSet();
  // what is still to do, the next last: nodes to be read, and nodes that were read and come after what is left of them
  const work: { readonly node: RbNode; readonly depth: number; readonly isRead: boolean }[] = [];
  const plan = (address: VirtAddr, position: string, depth: number): void => {
    if (address !== 0n) work.push({ node: { address, position }, depth, isRead: false });
  };
  plan(top, 'root', 0);
  for (let step = work.pop(); step !== undefined; step = work.pop()) {
    const { node, depth, isRead } = step;
    if (isRead) {
      yield node;
      continue;
    }
    const below = faults.attempt(
      'rbtree node',
      () => {
        if (seen.has(node.address)) throw new FormatError('rbtree', `comes to ${node.address.toString(16)} twice`);
        if (seen.size >= maxNodes) throw new FormatError('rbtree', `more than ${maxNodes} nodes`);
        if (depth > maxDepth) throw new FormatError('rbtree', `is deeper than ${maxDepth} nodes`);
        seen.add(node.address);
        space.memory.work.charge('nodes', 1);
        return {
          left: space.pointer(offsetBy(node.address, left)),
          right: space.pointer(offsetBy(node.address, right)),
        };
      },
      null,
    );
    if (below === null) continue;
    plan(below.right, `${node.position}/r`, depth + 1);
    switch (order) {
      case 'root-first':
        plan(below.left, `${node.position}/l`, depth + 1);
        yield node;
        break;
      case 'ascending':
        work.push({ node, depth, isRead: true });
        plan(below.left, `${node.position}/l`, depth + 1);
        break;
      default:
        assertNever(order);
    }
  }
}

/**
 * The structs of a `struct rb_root` or `struct rb_root_cached` in the tree's order, each found from its `member`.
 * Faults as `rbNodes`.
 * @throws NotFoundError for an unknown type or member; MemoryFault for the root
 */
export function* rbEntries(
  root: KernelObject,
  type: Type | string,
  member: string,
  faults: FaultLog,
): Generator<KernelObject> {
  const { context } = root;
  const node = nodeType(context);
  for (const { address } of rbNodes(context, rbTop(root), faults)) {
    yield KernelObject.at(context, node, address).containerOf(type, member);
  }
}

/** Virtual address of a tree's topmost node; 0 for an empty tree. @throws NotFoundError, MemoryFault */
export function rbTop(root: KernelObject): VirtAddr {
  // rb_root_cached (cd9e61ed1eeb, 4.14) has the root as a member
  return root.memberAmong('rb_node', 'rb_root.rb_node').pointer();
}

function nodeType(context: ObjectContext): Type {
  const type = context.types.find('struct rb_node');
  if (type === null) throw new NotFoundError('type', 'struct rb_node');
  return type;
}
