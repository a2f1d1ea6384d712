// Memory of processes that zswap keeps: it must read as what the process wrote, by every tree, allocator and compressor that
// kernels have had, or be said to be unreadable.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as zlib from 'node:zlib';
import { virtAddr } from '../../src/base/address.ts';
import { FormatError, MemoryFault } from '../../src/base/errors.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { zswapPage } from '../../src/kernel/zswap.ts';
import { lzo1xCompress } from '../support/dump_writers/lzo.ts';
import { MappedKernel } from '../support/mapped_kernel.ts';
import { storeZsmalloc } from '../support/zsmalloc_object.ts';

const common = `
  struct list_head { struct list_head *next, *prev; };
  struct page { u64 flags; struct list_head lru; void *mapping; u64 index; u64 private; u64 rest[2]; };
  struct rb_node { u64 __rb_parent_color; struct rb_node *rb_right, *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
  struct xarray { u64 lock; void *xa_head; };
  struct xa_node { u8 shift; u8 offset; u8 count; u8 values; void *slots[64]; };
  typedef struct { u64 val; } swp_entry_t;
`;
const pools = `
  struct zpool_driver { char *type; };
  struct spinlock { u32 lock; };
  struct kref { int refcount; };
  struct work_struct { u64 data; struct list_head entry; void *func; };
  struct z3fold_header {
    struct list_head buddy; struct spinlock page_lock; struct kref refcount; struct work_struct work; void *slots, *pool;
    short cpu; unsigned short first_chunks, middle_chunks, last_chunks, start_middle; unsigned short first_num:2, mapped_count:2;
  };
`;
/** 6.1: a tree of each area, and allocators that write pages to disk. */
const oldest = `${common}${pools}
  struct zswap_header { swp_entry_t swpentry; };
  struct zswap_tree { struct rb_root rbroot; u64 lock; };
  struct zpool { struct zpool_driver *driver; bool evictable; };
  struct zswap_pool { struct zpool *zpool; char tfm_name[128]; };
  struct zswap_entry { struct rb_node rbnode; u64 offset; unsigned int length; struct zswap_pool *pool; union { u64 handle; u64 value; }; };
`;
/** 6.9: a tree for each 64 MiB, and several pools of one kind. */
const split = `${common}${pools}
  struct zswap_tree { struct rb_root rbroot; u64 lock; };
  struct zpool { struct zpool_driver *driver; };
  struct zswap_pool { struct zpool *zpools[32]; char tfm_name[128]; };
  struct zswap_entry { struct rb_node rbnode; swp_entry_t swpentry; unsigned int length; struct zswap_pool *pool; union { u64 handle; u64 value; }; };
`;
/** 6.18: xarrays, and zsmalloc alone. */
const newest = `${common}
  struct zs_pool { char *name; };
  struct zswap_pool { struct zs_pool *zs_pool; char tfm_name[128]; };
  struct zswap_entry { swp_entry_t swpentry; unsigned int length; struct zswap_pool *pool; u64 handle; };
`;

const type = 2;
const page = (seed: number): Uint8Array => Uint8Array.from({ length: 4096 }, (_, i) => ((i >> 4) * seed) & 0xff);

/** A kernel with zswap before its swap area 2. */
class Zswapping {
  readonly kernel: MappedKernel;
  /** The area's tree, or its first. */
  readonly tree: bigint;

  constructor(declarations: string) {
    this.kernel = new MappedKernel(declarations);
    const { kernel } = this;
    kernel.define('zswap_trees', kernel.reserve(8 * 32));
    this.tree = kernel.reserve(4096);
    kernel.space.words(kernel.address('zswap_trees') + BigInt(type * 8), this.tree);
    if (declarations !== oldest) kernel.define('nr_zswap_trees', kernel.reserve(4 * 32));
  }

  /** A pool by its allocator and its compressor. */
  pool(allocator: string, algorithm: string, evictable = false): KernelObject {
    const { kernel } = this;
    const pool = kernel.allocate('struct zswap_pool');
    kernel.set(pool, 'tfm_name', algorithm);
    if (pool.has('zs_pool')) return pool;
    const driver = kernel.allocate('struct zpool_driver');
    const name = kernel.reserve(32);
    kernel.space.write(name, Buffer.from(`${allocator}\0`));
    kernel.set(driver, 'type', name);
    const zpool = kernel.allocate('struct zpool');
    kernel.set(zpool, 'driver', driver);
    if (evictable) kernel.set(zpool, 'evictable', 1);
    kernel.set(pool, pool.has('zpool') ? 'zpool' : 'zpools[0]', zpool);
    return pool;
  }

  entry(offset: number, pool: KernelObject | null, handle: bigint, length: number): KernelObject {
    const { kernel } = this;
    const entry = kernel.allocate('struct zswap_entry');
    kernel.set(entry, 'length', length);
    kernel.set(entry, 'handle', handle);
    if (pool !== null) kernel.set(entry, 'pool', pool);
    if (entry.has('offset')) kernel.set(entry, 'offset', offset);
    else kernel.set(entry, 'swpentry.val', (BigInt(type) << 58n) | BigInt(offset));
    return entry;
  }

  /** Makes an rbtree, in the order in which it is to be searched. @param chunk which 64 MiB it is of */
  plant(entries: readonly KernelObject[], chunk = 0): void {
    const { kernel } = this;
    const key = (entry: KernelObject): bigint =>
      entry.has('offset') ? entry.member('offset').bigint() : entry.member('swpentry.val').bigint();
    const { size } = kernel.object('struct zswap_tree', virtAddr(this.tree));
    const tree = kernel.object('struct zswap_tree', virtAddr(this.tree + BigInt(chunk * size)));
    for (const entry of entries) {
      const at = tree.member('rbroot.rb_node');
      if (at.isNull) {
        kernel.set(tree, 'rbroot.rb_node', entry.member('rbnode'));
        continue;
      }
      let parent = at.deref().containerOf('struct zswap_entry', 'rbnode');
      for (;;) {
        const side = key(entry) < key(parent) ? 'rbnode.rb_left' : 'rbnode.rb_right';
        if (parent.member(side).isNull) {
          kernel.set(parent, side, entry.member('rbnode'));
          break;
        }
        parent = parent.member(side).deref().containerOf('struct zswap_entry', 'rbnode');
      }
    }
  }

  /** Puts an entry into the xarray of its 64 MiB. */
  put(entry: KernelObject, offset: number): void {
    const { kernel } = this;
    let link = this.tree + BigInt((offset >> 14) * 16 + 8);
    for (const shift of [18, 12, 6, 0]) {
      if (kernel.space.u64(virtAddr(link)) === 0n) {
        const node = kernel.allocate('struct xa_node');
        kernel.set(node, 'shift', shift);
        kernel.space.words(link, node.address | 2n);
      }
      const node = kernel.object('struct xa_node', virtAddr(kernel.space.u64(virtAddr(link)) - 2n));
      link = node.member(`slots[${(offset >> shift) & 63}]`).address;
    }
    kernel.space.words(link, entry.address);
  }

  read(offset: number): Uint8Array | null {
    return zswapPage(this.kernel, { type, offset: BigInt(offset) });
  }

  /** Memory that begins with some bytes, at an offset in its page. */
  bytes(data: Uint8Array, offset = 0): bigint {
    const memory = this.kernel.reserve(4095);
    this.kernel.space.write(memory + BigInt(offset), data);
    return memory + BigInt(offset);
  }
}

const lzo = lzo1xCompress(page(7));

describe('the entry of a slot', () => {
  test('in the one rbtree of its area, wherever in it; a slot without has none', () => {
    const zswap = new Zswapping(oldest);
    const pool = zswap.pool('zbud', 'lzo');
    zswap.plant(
      [40_000, 5, 90_000, 7, 3].map((offset, i) =>
        zswap.entry(offset, pool, zswap.bytes(lzo1xCompress(page(i + 1))), lzo1xCompress(page(i + 1)).length),
      ),
    );
    for (const [i, offset] of [40_000, 5, 90_000, 7, 3].entries()) assert.deepEqual(zswap.read(offset), page(i + 1));
    assert.equal(zswap.read(6), null);
  });
  test('in the rbtree of its 64 MiB', () => {
    const zswap = new Zswapping(split);
    const pool = zswap.pool('zbud', 'lzo-rle');
    const [near, far] = [4, 2 * 16_384 + 4].map((offset) => zswap.entry(offset, pool, zswap.bytes(lzo), lzo.length));
    zswap.plant([near!]);
    zswap.plant([far!], 2);
    assert.deepEqual(zswap.read(4), page(7));
    assert.deepEqual(zswap.read(2 * 16_384 + 4), page(7));
    assert.equal(zswap.read(16_384 + 4), null);
  });
  test('in the xarray of its 64 MiB', () => {
    const zswap = new Zswapping(newest);
    const pool = zswap.pool('zsmalloc', 'lzo');
    for (const offset of [4, 16_384 + 9]) {
      zswap.put(zswap.entry(offset, pool, storeZsmalloc(zswap.kernel, lzo), lzo.length), offset);
    }
    assert.deepEqual(zswap.read(4), page(7));
    assert.deepEqual(zswap.read(16_384 + 9), page(7));
    assert.equal(zswap.read(9), null);
  });
  test('of a kernel without zswap, and of an area that it does not stand before: none', () => {
    assert.equal(zswapPage(new MappedKernel(newest), { type, offset: 1n }), null);
    assert.equal(zswapPage(new Zswapping(newest).kernel, { type: 1, offset: 1n }), null);
  });
  test('a tree that goes in a circle is an error, and no endless walk', () => {
    const zswap = new Zswapping(oldest);
    const [one, other] = [10, 20].map((offset) => zswap.entry(offset, null, 0n, 1));
    zswap.plant([one!, other!]);
    zswap.kernel.set(other!, 'rbnode.rb_left', one!.member('rbnode'));
    zswap.kernel.set(one!, 'rbnode.rb_right', other!.member('rbnode'));
    assert.throws(() => zswap.read(15), FormatError);
  });
});

describe('the data of an entry', () => {
  const one = (zswap: Zswapping, pool: KernelObject | null, handle: bigint, length: number): Uint8Array | null => {
    const entry = zswap.entry(5, pool, handle, length);
    if (entry.has('rbnode')) zswap.plant([entry]);
    else zswap.put(entry, 5);
    return zswap.read(5);
  };

  test('a page that is filled with one word has nothing else', () => {
    const filled = one(new Zswapping(oldest), null, 0x4142_4344_4546_4748n, 0)!;
    assert.equal(Buffer.from(filled).toString('latin1'), 'HGFEDCBA'.repeat(512));
  });
  test('zbud: behind the swap entry, where the allocator writes pages to disk itself', () => {
    const zswap = new Zswapping(oldest);
    const handle = zswap.bytes(Buffer.concat([Buffer.alloc(8, 0xee), lzo]), 64);
    assert.deepEqual(one(zswap, zswap.pool('zbud', 'lzo', true), handle, lzo.length), page(7));
  });
  test('z3fold: first, middle and last of a page, and one that has a page for itself', () => {
    const packed = zlib.deflateRawSync(page(7));
    const bit = (number: number, zhdr: bigint, first: number, chunks = 0): bigint =>
      zhdr | BigInt((number + first) & 3) | (BigInt(chunks) << 2n);
    for (const [first, name] of [
      [0, 'z3fold_header'],
      [3, 'z3fold_header'],
      [2, 'named_otherwise'], // a module without types, as all are in 5.10
    ] as const) {
      const chunks = Math.ceil(packed.length / 64);
      for (const [number, at] of [
        [1, 128], // the header's size, up to a whole chunk
        [2, 20 * 64],
        [3, 4096 - chunks * 64],
      ] as const) {
        const zswap = new Zswapping(oldest.replace('z3fold_header', name));
        const { kernel } = zswap;
        const zhdr = kernel.reserve(4095);
        const header = kernel.object(`struct ${name}`, zhdr);
        kernel.set(header, 'mapped_count', 1);
        kernel.set(header, 'start_middle', 20);
        kernel.set(header, 'first_num', first);
        kernel.space.write(zhdr + BigInt(at), packed);
        const slot = kernel.reserve(32);
        kernel.space.words(slot, bit(number, zhdr, first, number === 3 ? chunks : 0));
        const pool = zswap.pool('z3fold', 'deflate');
        assert.deepEqual(
          one(zswap, pool, slot, packed.length),
          page(7),
          `object ${number}, the first is ${first}, ${name}`,
        );
      }
    }
    const zswap = new Zswapping(oldest);
    const handle = zswap.bytes(packed) | 1n;
    assert.deepEqual(one(zswap, zswap.pool('z3fold', 'deflate'), handle, packed.length), page(7));
  });
  test('z3fold: a number of no object, and an object that goes beyond its page', () => {
    for (const [word, length] of [
      [0n, 20],
      [2n, 200],
    ] as const) {
      const zswap = new Zswapping(oldest);
      const zhdr = zswap.kernel.reserve(4095);
      zswap.kernel.set(zswap.kernel.object('struct z3fold_header', zhdr), 'start_middle', 62);
      const slot = zswap.kernel.reserve(32);
      zswap.kernel.space.words(slot, zhdr | word);
      assert.throws(() => one(zswap, zswap.pool('z3fold', 'lzo'), slot, length), /z3fold object/);
    }
  });
  test('zsmalloc: in a page, across two, and with a page for itself', () => {
    for (const place of [{}, { offset: 4096 - 64 }, { huge: true }]) {
      const zswap = new Zswapping(split);
      const handle = storeZsmalloc(zswap.kernel, lzo, place);
      assert.deepEqual(one(zswap, zswap.pool('zsmalloc', 'lzo'), handle, lzo.length), page(7), JSON.stringify(place));
    }
  });
  test('what could not be compressed is kept as it is', () => {
    const zswap = new Zswapping(newest);
    assert.deepEqual(one(zswap, zswap.pool('', 'zstd'), storeZsmalloc(zswap.kernel, page(3)), 4096), page(3));
  });
  test('zstd, also by the name of a driver for it', () => {
    const packed = zlib.zstdCompressSync(page(9));
    const zswap = new Zswapping(newest);
    const handle = storeZsmalloc(zswap.kernel, packed);
    assert.deepEqual(one(zswap, zswap.pool('', 'zstd-generic'), handle, packed.length), page(9));
  });
  test('an unknown compressor or allocator, broken data, a length beyond a page: each is told', () => {
    const of =
      (allocator: string, algorithm: string, data: Uint8Array, length = data.length) =>
      () => {
        const zswap = new Zswapping(oldest);
        return one(zswap, zswap.pool(allocator, algorithm), zswap.bytes(data), length);
      };
    assert.throws(of('zbud', '842', lzo), /compressor "842" is not known/);
    assert.throws(of('constructor', 'lzo', lzo), /allocator "constructor" is not known/);
    assert.throws(of('zbud', 'lzo', Uint8Array.of(9, 9, 9)), /lzo does not decompress 3 bytes to a page/);
    assert.throws(of('zbud', 'deflate', zlib.deflateRawSync(Buffer.alloc(9))), /\(too short\)/);
    assert.throws(of('zbud', 'lzo', lzo, 5000), /an entry of 5000 bytes/);
    assert.throws(
      of('zsmalloc', 'lzo', Buffer.alloc(8)),
      (error) => error instanceof FormatError || error instanceof MemoryFault,
    );
  });
});
