// mm/zswap.c: pages that are kept compressed in memory instead of being written to swap.
//
//   zswap_trees[type] --> tree, by the slot's offset --> zswap_entry { pool, handle, length } --> object of the pool's allocator
//
// The tree is an rbtree of the whole swap area; since 44c7c734a513 (6.9) there is an array, one tree for each 64 MiB of the
// area, and they are xarrays since 796c2c23e14e (6.10).
import type { SwapSlot } from '../arch/page_walk.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError, messageOf } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember, offsetOf, sizeOf } from '../debuginfo/type.ts';
import { pageCodec } from './crypto_compress.ts';
import type { Kernel } from './kernel.ts';
import { xarrayEntry } from './xarray.ts';
import { z3foldObject } from './z3fold.ts';
import { zsmallocObject } from './zsmalloc.ts';

/** Slots that one tree has: ZSWAP_ADDRESS_SPACE_SHIFT, SWAP_ADDRESS_SPACE_SHIFT before 6.18. */
const treeShift = 14n;
/** No path of an rbtree is longer. */
const maxDepth = 128;
/** The offset in a swp_entry_t: the bits below its type. */
const entryOffset = (1n << 58n) - 1n;

/**
 * The page that zswap has of a swap slot; null where it has none.
 * @throws MemoryFault, NotFoundError; FormatError for an allocator or a compressor that is not known, and for data that does
 *   not decompress
 */
export function zswapPage(kernel: Kernel, slot: SwapSlot): Uint8Array | null {
  const entry = zswapEntry(kernel, slot);
  if (entry === null) return null;
  const { pageSize } = kernel.dump.memory;
  const length = entry.member('length').number();
  // a page filled with one word has that instead of a handle, until 20a5532ffa53 (6.12)
  if (length === 0 && entry.has('value')) {
    return new Uint8Array(new BigUint64Array(pageSize / 8).fill(entry.member('value').bigint()).buffer);
  }
  if (length < 1 || length > pageSize) throw new FormatError('zswap', `an entry of ${length} bytes`);
  const pool = entry.member('pool').deref();
  const data = objectOf(kernel, pool, virtAddr(entry.member('handle').bigint()), length);
  if (length === pageSize) return data; // incompressible: kept as it is since 6.18
  const algorithm = pool.member('tfm_name').string(128);
  const codec = pageCodec(algorithm);
  if (codec === null) throw new FormatError('zswap', `its compressor ${JSON.stringify(algorithm)} is not known`);
  const page = new Uint8Array(pageSize);
  let problem = 'too short';
  try {
    if (codec.decompress(data, page) === pageSize) return page;
  } catch (error) {
    problem = messageOf(error);
  }
  throw new FormatError('zswap', `${algorithm} does not decompress ${length} bytes to a page (${problem})`);
}

/** The `struct zswap_entry` of a swap slot; null for none. */
function zswapEntry(kernel: Kernel, { type, offset }: SwapSlot): KernelObject | null {
  const trees = kernel.ownSymbol('zswap_trees');
  if (trees === null) return null; // no CONFIG_ZSWAP
  const first = kernel.space.pointer(offsetBy(trees.address, type * 8));
  if (first === 0n) return null;
  const isSplit = kernel.ownSymbol('nr_zswap_trees') !== null;
  const tree = (name: string): KernelObject => {
    const treeType = kernel.type(name);
    return kernel.object(treeType, isSplit ? offsetBy(first, (offset >> treeShift) * BigInt(sizeOf(treeType))) : first);
  };
  if (kernel.types.find('struct zswap_tree') !== null) return entryOfTree(kernel, tree('struct zswap_tree'), offset);
  const entry = xarrayEntry(tree('struct xarray'), Number(offset));
  return entry === null ? null : kernel.object('struct zswap_entry', entry);
}

function entryOfTree(kernel: Kernel, tree: KernelObject, offset: bigint): KernelObject | null {
  const node = kernel.type('struct rb_node');
  const [left, right] = [offsetOf(node, 'rb_left'), offsetOf(node, 'rb_right')];
  const entry = kernel.type('struct zswap_entry');
  const nodeAt = offsetOf(entry, 'rbnode');
  // `offset` until 0bb488498c98 (6.5), the whole swap entry since
  const keyAt = findMember(entry, 'offset') === null ? offsetOf(entry, 'swpentry') : offsetOf(entry, 'offset');
  let at = tree.member('rbroot.rb_node').pointer();
  for (let depth = 0; at !== 0n; depth++) {
    if (depth > maxDepth) throw new FormatError('zswap', `its tree is deeper than ${maxDepth} nodes`);
    kernel.work.charge('nodes', 1);
    const address = offsetBy(at, -nodeAt);
    const found = kernel.space.u64(offsetBy(address, keyAt)) & entryOffset;
    if (found === offset) return kernel.object(entry, address);
    at = kernel.space.pointer(offsetBy(at, offset < found ? left : right));
  }
  return null;
}

/** How an object is read of each allocator that zswap has had (mm/zpool.c), by its handle and its size in bytes. */
const allocators: ReadonlyMap<string, (kernel: Kernel, handle: VirtAddr, size: number) => Uint8Array> = new Map([
  ['zbud', (kernel, handle, size) => kernel.space.read(handle, size)], // the address of the data
  ['z3fold', z3foldObject],
  ['zsmalloc', zsmallocObject],
]);

/** What a pool's allocator keeps, without what zswap put before it. */
function objectOf(kernel: Kernel, pool: KernelObject, handle: VirtAddr, length: number): Uint8Array {
  // zsmalloc alone, called directly, since 6.18
  if (pool.has('zs_pool')) return zsmallocObject(kernel, handle, length);
  // several of one kind from 6.7 to 6.10 (ZSWAP_NR_ZPOOLS)
  const zpool = pool.has('zpool') ? pool.member('zpool').deref() : pool.member('zpools').index(0).deref();
  // the swap entry, for allocators that write pages to disk by themselves, until 0bb488498c98 (6.5)
  const header = zpool.optional('evictable')?.number() ? sizeOf(kernel.type('struct zswap_header')) : 0;
  const kind = zpool.member('driver').member('type').string(32);
  const read = allocators.get(kind);
  if (read === undefined) throw new FormatError('zswap', `its allocator ${JSON.stringify(kind)} is not known`);
  return read(kernel, handle, header + length).subarray(header);
}
