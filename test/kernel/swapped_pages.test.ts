// Memory of a process that was swapped out and is still in memory: it must read as what the process wrote, or not at all.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as zlib from 'node:zlib';
import { pfn, virtAddr } from '../../src/base/address.ts';
import { FormatError, MemoryFault } from '../../src/base/errors.ts';
import { swappedPage } from '../../src/kernel/swapped_pages.ts';
import { xarrayEntry } from '../../src/kernel/xarray.ts';
import { zsmallocObject } from '../../src/kernel/zsmalloc.ts';
import { lzo1xCompress } from '../support/dump_writers/lzo.ts';
import { MappedKernel } from '../support/mapped_kernel.ts';
import { storeZsmalloc } from '../support/zsmalloc_object.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct vm_struct { struct vm_struct *next; void *addr; u64 size; u64 flags; void *pages; unsigned int nr_pages; u64 phys_addr; void *caller; };
  struct vmap_area { u64 va_start; u64 va_end; struct list_head list; struct vm_struct *vm; };
  struct xarray { u64 lock; void *xa_head; };
  struct xa_node { u8 shift; u8 offset; u8 count; u8 values; void *slots[64]; };
  struct address_space { struct xarray i_pages; };
  struct gendisk { char disk_name[32]; void *private_data; };
  struct block_device { u64 bd_nr_sectors; struct gendisk *bd_disk; };
  struct file { u64 f_flags; };
  struct page { u64 flags; struct list_head lru; void *mapping; u64 index; u64 private; u64 rest[2]; };
`;
const before = `${types}
  struct swap_cluster_info { u64 data; };
  struct swap_info_struct { u64 flags; short prio; unsigned int pages; unsigned int inuse_pages; struct file *swap_file; struct block_device *bdev; struct swap_cluster_info *cluster_info; };
`;
const withTables = `${types}
  struct swap_cluster_info { u64 data; void *table; };
  struct swap_info_struct { u64 flags; short prio; unsigned int pages; unsigned int inuse_pages; struct file *swap_file; struct block_device *bdev; struct swap_cluster_info *cluster_info; };
`;

const pages = 1023;
const entrySize = 16;

/** A kernel that swaps to one zram disk of 1023 pages. */
class Swapping {
  readonly kernel: MappedKernel;
  readonly area;
  readonly table: bigint;
  private readonly areas: bigint[] = [];

  constructor(declarations: string) {
    this.kernel = new MappedKernel(declarations);
    const { kernel } = this;
    kernel.allocate('struct list_head', 'vmap_area_list');
    const disk = kernel.allocate('struct gendisk');
    kernel.set(disk, 'disk_name', 'zram0');
    const zram = kernel.reserve(64);
    this.table = kernel.reserve(pages * entrySize);
    kernel.space.words(zram, this.table);
    kernel.set(disk, 'private_data', zram);
    this.vmalloc(this.table, pages * entrySize);
    const device = kernel.allocate('struct block_device');
    kernel.set(device, 'bd_nr_sectors', pages * 8);
    kernel.set(device, 'bd_disk', disk);
    this.area = kernel.allocate('struct swap_info_struct');
    kernel.set(this.area, 'flags', 67);
    kernel.set(this.area, 'pages', pages - 1);
    kernel.set(this.area, 'swap_file', kernel.allocate('struct file'));
    kernel.set(this.area, 'bdev', device);
    kernel.set(this.area, 'cluster_info', kernel.reserve(64));
    kernel.define('swap_info', kernel.reserve(8), 8);
    kernel.space.words(kernel.address('swap_info'), this.area.address);
    kernel.space.words(kernel.allocate('unsigned int', 'nr_swapfiles').address, 1n);
  }

  vmalloc(start: bigint, size: number): void {
    const { kernel } = this;
    const area = kernel.allocate('struct vmap_area');
    kernel.set(area, 'va_start', start);
    kernel.set(area, 'va_end', start + BigInt(Math.ceil(size / 4096) * 4096 + 4096));
    this.areas.push(area.member('list').address);
    kernel.link(kernel.address('vmap_area_list'), ...this.areas);
  }

  /** Stores data as zsmalloc does, at an offset in a page. @returns its handle */
  store(data: Uint8Array, offset = 64, bits = 52): bigint {
    return storeZsmalloc(this.kernel, data, { offset, bits });
  }

  /** Makes a slot of the disk. @param flags above the size */
  slot(index: number, handle: bigint, size: number, flags = 0n): void {
    this.kernel.space.words(this.table + BigInt(index * entrySize), handle, (flags << 13n) | BigInt(size));
  }

  read(offset: number): Uint8Array | null {
    return swappedPage(this.kernel, { type: 0, offset: BigInt(offset) });
  }

  /** A page of memory with a `struct page` that says which slot its folio begins with. */
  cached(bytes: Uint8Array, firstSlot: number): { memory: bigint; page: bigint } {
    const memory = this.kernel.reserve(bytes.length - 1);
    this.kernel.space.write(memory, bytes);
    const page = this.kernel.structPage(memory);
    this.kernel.set(this.kernel.object('struct page', page), 'private', firstSlot);
    return { memory, page };
  }
}

/** LZ4 of runs of 16 bytes: a literal and a match for each, literals at the end. */
function lz4Runs(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let i = 0; i < bytes.length - 16; i += 16) out.push(0x1b, bytes[i]!, 1, 0);
  return Uint8Array.from([...out, 0xf0, 1, ...bytes.subarray(-16)]);
}

const page = (seed: number): Uint8Array => Uint8Array.from({ length: 4096 }, (_, i) => ((i >> 4) * seed) & 0xff);

describe('a page on a zram disk', () => {
  for (const [name, pack] of [
    ['lzo', lzo1xCompress],
    ['zstd', (bytes: Uint8Array) => zlib.zstdCompressSync(bytes)],
    ['deflate', (bytes: Uint8Array) => zlib.deflateRawSync(bytes)],
    ['lz4', lz4Runs],
  ] as const) {
    test(`${name}, told by the data alone, in one page or across two`, () => {
      const swapping = new Swapping(before);
      const packed = pack(page(7));
      if (packed.length < 4000) swapping.slot(5, swapping.store(packed), packed.length);
      swapping.slot(6, swapping.store(packed, 4096 - 64), packed.length);
      if (packed.length < 4000) assert.deepEqual(swapping.read(5), page(7));
      assert.deepEqual(swapping.read(6), page(7));
    });
  }
  test('one that could not be compressed, one that is filled with a word, and one that was never written', () => {
    const swapping = new Swapping(before);
    swapping.slot(1, swapping.store(page(3)), 4096);
    swapping.slot(2, 0x4142_4344_4546_4748n, 0, 2n);
    assert.deepEqual(swapping.read(1), page(3));
    assert.equal(Buffer.from(swapping.read(2)!.subarray(0, 10)).toString('latin1'), 'HGFEDCBAHG');
    assert.deepEqual(swapping.read(3), new Uint8Array(4096));
  });
  test('one that may be on the disk behind it is not made up', () => {
    const swapping = new Swapping(before);
    swapping.slot(4, 77n, 0, 4n);
    assert.throws(() => swapping.read(4), FormatError);
  });
  test('objects of kernels that leave less room for memory', () => {
    const packed = lzo1xCompress(page(9));
    for (const [i, bits] of [52, 48, 46].entries()) {
      const swapping = new Swapping(before);
      swapping.slot(10 + i, swapping.store(packed, 64, bits), packed.length);
      assert.deepEqual(swapping.read(10 + i), page(9), `${bits} bits`);
    }
  });
  test('data that nothing decompresses, an object that is not there, a page left out: each an error', () => {
    const swapping = new Swapping(before);
    swapping.slot(1, swapping.store(Uint8Array.from([9, 9, 9, 9, 9])), 5);
    assert.throws(() => swapping.read(1), /nothing decompresses/);
    const handle = swapping.store(lzo1xCompress(page(1)));
    assert.throws(() => zsmallocObject(swapping.kernel, virtAddr(handle + 0x100000n), 8), MemoryFault);
    swapping.kernel.space.words(handle, 0x1234n << 24n);
    assert.throws(() => zsmallocObject(swapping.kernel, virtAddr(handle), 8));
  });
  test('a slot that the area has not, and an area that there is not, have nothing', () => {
    const swapping = new Swapping(before);
    assert.equal(swapping.read(5000), null);
    assert.equal(swappedPage(swapping.kernel, { type: 3, offset: 1n }), null);
  });
});

describe('a page in the swap cache comes before what the disk has', () => {
  test('by the xarray of folios, of large ones the page of the slot', () => {
    const swapping = new Swapping(before);
    const { kernel } = swapping;
    const small = swapping.cached(page(1), 5);
    const large = swapping.cached(Buffer.concat([page(2), page(3)]), 8);
    const node = kernel.allocate('struct xa_node');
    kernel.set(node, 'slots[5]', small.page);
    kernel.set(node, 'slots[8]', large.page);
    kernel.set(node, 'slots[9]', (8n << 2n) | 2n);
    const spaces = kernel.allocate('struct address_space');
    kernel.set(spaces, 'i_pages.xa_head', node.address | 2n);
    const array = kernel.reserve(8);
    kernel.space.words(array, spaces.address);
    kernel.define('swapper_spaces', array, 8);
    assert.deepEqual(swapping.read(5), page(1));
    assert.deepEqual(swapping.read(8), page(2));
    assert.deepEqual(swapping.read(9), page(3));
    assert.deepEqual(swapping.read(10), new Uint8Array(4096));
  });
  test('by the table of its cluster: a page frame, or a folio; not a shadow', () => {
    const swapping = new Swapping(withTables);
    const { kernel } = swapping;
    const one = swapping.cached(page(1), 5);
    const other = swapping.cached(page(2), 6);
    const table = kernel.reserve(4096);
    kernel.space.words(swapping.area.member('cluster_info').pointer() + 8n, table);
    kernel.space.words(
      table + 40n,
      (3n << 60n) | (BigInt(pfn(kernel.frameOf(one.memory))) << 2n) | 2n,
      other.page,
      0x1235n,
    );
    assert.deepEqual(swapping.read(5), page(1));
    assert.deepEqual(swapping.read(6), page(2));
    assert.deepEqual(swapping.read(7), new Uint8Array(4096));
  });
  test('a folio that says it is of other slots is not believed', () => {
    const swapping = new Swapping(withTables);
    const { kernel } = swapping;
    const one = swapping.cached(page(1), 500);
    const table = kernel.reserve(4096);
    kernel.space.words(swapping.area.member('cluster_info').pointer() + 8n, table);
    kernel.space.words(table + 40n, (BigInt(kernel.frameOf(one.memory)) << 2n) | 2n);
    assert.deepEqual(swapping.read(5), new Uint8Array(4096));
  });
});

test('a page of the swap cache that the dump leaves out: what is behind it, unless that may be older', () => {
  const flags = 'enum pageflags { PG_locked, PG_writeback, PG_dirty = 4, __NR_PAGEFLAGS = 20 };';
  const read = (declarations: string, set: bigint): Uint8Array | null => {
    const swapping = new Swapping(withTables + declarations);
    const { kernel } = swapping;
    const one = swapping.cached(page(1), 5);
    kernel.set(kernel.object('struct page', virtAddr(one.page)), 'flags', set);
    const table = kernel.reserve(4096);
    kernel.space.words(swapping.area.member('cluster_info').pointer() + 8n, table);
    kernel.space.words(table + 40n, (BigInt(kernel.frameOf(one.memory)) << 2n) | 2n);
    const packed = lzo1xCompress(page(1));
    swapping.slot(5, swapping.store(packed), packed.length);
    kernel.space.exclude(one.memory);
    return swapping.read(5);
  };
  assert.deepEqual(read(flags, 1n << 10n), page(1));
  for (const set of [1n, 2n, 16n]) assert.throws(() => read(flags, set), MemoryFault, `flags ${set}`);
  assert.throws(() => read('', 0n), MemoryFault);
});

describe('a page that was full of zeroes is on no disk', () => {
  const withMap = withTables.replace('short prio;', 'short prio; u64 *zeromap;');
  const written = (swapping: Swapping, slot: number): void =>
    swapping.slot(slot, swapping.store(lzo1xCompress(page(3))), lzo1xCompress(page(3)).length);
  test('by the bitmap of its area, where that has one', () => {
    const swapping = new Swapping(withMap);
    const { kernel } = swapping;
    for (const slot of [9, 10, 11]) written(swapping, slot);
    kernel.space.words(swapping.area.member('zeromap').address, kernel.reserve(128));
    kernel.space.words(swapping.area.member('zeromap').pointer(), 1n << 10n);
    assert.deepEqual(swapping.read(9), page(3));
    assert.deepEqual(swapping.read(10), new Uint8Array(4096));
    assert.deepEqual(swapping.read(11), page(3));
  });
  test('by a flag in the table of its cluster; not by that bit of a pointer', () => {
    const swapping = new Swapping(withTables);
    const { kernel } = swapping;
    for (const slot of [5, 6, 7, 8]) written(swapping, slot);
    const table = kernel.reserve(4096);
    kernel.space.words(swapping.area.member('cluster_info').pointer() + 8n, table);
    kernel.space.words(table + 40n, (1n << 60n) | (1n << 59n) | 1n, (1n << 60n) | 1n, 0n, (1n << 59n) | 4n);
    assert.deepEqual(swapping.read(5), new Uint8Array(4096));
    for (const slot of [6, 7, 8]) assert.deepEqual(swapping.read(slot), page(3), `slot ${slot}`);
  });
});

test('an xarray finds an entry by its index, through nodes, at the head, and nothing beyond', () => {
  const kernel = new MappedKernel(types);
  const root = kernel.allocate('struct xarray');
  assert.equal(xarrayEntry(root, 0), null);
  kernel.set(root, 'xa_head', 0x1000n);
  assert.equal(xarrayEntry(root, 0), 0x1000n);
  assert.equal(xarrayEntry(root, 1), null);
  const [top, low] = [kernel.allocate('struct xa_node'), kernel.allocate('struct xa_node')];
  kernel.set(top, 'shift', 6);
  kernel.set(top, 'slots[2]', low.address | 2n);
  kernel.set(low, 'slots[3]', 0x2000n);
  kernel.set(root, 'xa_head', top.address | 2n);
  assert.equal(xarrayEntry(root, 2 * 64 + 3), 0x2000n);
  assert.equal(xarrayEntry(root, 3), null);
  assert.equal(xarrayEntry(root, 64 * 64 + 131), null);
  kernel.set(low, 'shift', 6);
  assert.throws(() => xarrayEntry(root, 2 * 64 + 3), FormatError);
});
