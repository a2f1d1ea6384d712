// include/linux/rhashtable.h: hash tables that grow: netlink's sockets, IPC's keys, ...
//
//   rhashtable.tbl --> bucket_table { size, nest, buckets[] } --> rhash_head --> ... --> a word with bit 0 set
//
// Bit 0 of a bucket is its lock; while a table is being moved, future_tbl has what went over.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import { KernelObject } from '../debuginfo/object.ts';
import type { Type } from '../debuginfo/type.ts';
import type { FaultLog } from './faults.ts';

/** Most buckets and most entries that are followed. */
const maxBuckets = 1 << 24;
const maxEntries = 8_000_000;

/**
 * The structs of a `struct rhashtable`, each found from its `member`. Buckets that cannot be read are faults.
 * @throws NotFoundError, MemoryFault for the table itself; FormatError for one of nested buckets, as memory pressure
 *   makes them
 */
export function* rhashEntries(
  table: KernelObject,
  type: Type | string,
  member: string,
  faults: FaultLog,
): Generator<KernelObject> {
  const { context } = table;
  const seen = new Set<bigint>();
  for (const name of ['tbl', 'tbl.future_tbl']) {
    const buckets = name === 'tbl' ? table.member('tbl') : table.member('tbl').member('future_tbl');
    if (buckets.isNull) continue;
    const size = buckets.member('size').number();
    if (buckets.member('nest').number() !== 0) throw new FormatError('rhashtable', 'has nested buckets');
    if (size > maxBuckets) throw new FormatError('rhashtable', `has ${size} buckets`);
    const first = buckets.member('buckets').address;
    for (let bucket = 0; bucket < size; bucket++) {
      let at = faults.attempt(
        'rhashtable bucket',
        () => (context.space.pointer(offsetBy(first, bucket * 8)) & ~1n) as VirtAddr,
        0n as VirtAddr,
      );
      // before 149212f07856 (5.2) an empty bucket held a mark made of its own address
      if (at === first + BigInt(bucket * 8)) continue;
      while (at !== 0n && (at & 1n) === 0n) {
        if (seen.has(at) || seen.size >= maxEntries) {
          faults.record('rhashtable', new FormatError('rhashtable', `loops at ${at.toString(16)}`));
          break;
        }
        seen.add(at);
        const node = at;
        const next = faults.attempt('rhashtable entry', () => context.space.pointer(node), null);
        if (next === null) break;
        yield KernelObject.at(context, 'struct rhash_head', node).containerOf(type, member);
        at = next;
      }
    }
  }
}
