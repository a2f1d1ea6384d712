// drivers/block/zram/zram_drv.h: disks of compressed memory, which machines swap to.
//
//   gendisk.private_data --> zram { table, ... } --> table[page] { handle, flags } --> object of zsmalloc
//
// zram is a module, and on many kernels modules have no types. What is needed of it has stood in the same place since it
// was written: the table is zram's first member; an entry is a handle (or the word that fills the page), then flags, whose
// low 13 bits are the size of what is stored. What the data was compressed with is found out from the data.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, messageOf } from '../base/errors.ts';
import { findMember, sizeOf } from '../debuginfo/type.ts';
import { pageCodecs } from './crypto_compress.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';
import { vmallocAreaAt } from './vmalloc.ts';
import { zsmallocObject } from './zsmalloc.ts';

/** A zram disk. */
export interface ZramDisk {
  /** Virtual address of its `struct zram`. */
  readonly address: VirtAddr;
  /** Virtual address of its table of pages. */
  readonly table: VirtAddr;
  /** Bytes from one entry of the table to the next. */
  readonly entrySize: number;
  /** Bytes from an entry's start to its flags. */
  readonly flagsOffset: number;
  /** Pages that it can hold. */
  readonly pages: number;
}

/** Sizes that an entry of the table has had. */
const entrySizes = [16, 24, 32, 40];
/** Bits of an entry's flags that are a size, in bytes: a page of 64 KiB has 17. */
const sizeBits = (pageSize: number): number => pageSize * 2 - 1;

/**
 * The zram disk of a block device; null for any other disk.
 * @param device virtual address of the `struct block_device`
 * @throws MemoryFault, NotFoundError; FormatError where its table cannot be understood
 */
export function zramDisk(kernel: Kernel, device: VirtAddr): ZramDisk | null {
  const block = kernel.object('struct block_device', device);
  const disk = block.member('bd_disk');
  if (disk.isNull || !/^zram\d+$/.test(disk.member('disk_name').string(32))) return null;
  const address = disk.member('private_data').pointer();
  const type = kernel.types.find('struct zram');
  const tableAt = (type === null ? null : findMember(type, 'table'))?.bitOffset ?? 0;
  const table = kernel.space.pointer(offsetBy(address, tableAt / 8));
  if (table === 0n) return null; // not set up
  const entry = kernel.types.find('struct zram_table_entry');
  const flags = entry === null ? null : (findMember(entry, 'attr.flags') ?? findMember(entry, 'flags'));
  // sectors have 512 bytes; in a struct of the partition before 5.11 (15e3d2c5cd53)
  const sectors = block.optional('bd_nr_sectors')?.number() ?? block.member('bd_part').member('nr_sects').number();
  const pages = Math.floor((sectors * 512) / kernel.dump.memory.pageSize);
  return {
    address,
    table,
    entrySize: entry === null ? entrySizeBy(kernel, table, pages) : sizeOf(entry),
    flagsOffset: flags === null ? 8 : flags.bitOffset / 8,
    pages,
  };
}

/** Bytes of an entry by how much vmalloc() gave for so many. */
function entrySizeBy(kernel: Kernel, table: VirtAddr, pages: number): number {
  const area = vmallocAreaAt(kernel, table);
  const { pageSize } = kernel.dump.memory;
  if (area === null) throw new FormatError('zram', 'its table is in no area of vmalloc()');
  const bytes = Number(area.end - table) - pageSize; // less the guard page
  const size = entrySizes.find((one) => Math.ceil((pages * one) / pageSize) * pageSize === bytes);
  if (size === undefined) throw new FormatError('zram', `a table of ${bytes} bytes for ${pages} pages`);
  return size;
}

/**
 * A page of a zram disk.
 * @throws MemoryFault; FormatError for a page that the disk has not, and for data that cannot be decompressed
 */
export function zramPage(kernel: Kernel, disk: ZramDisk, index: number): Uint8Array {
  const { pageSize } = kernel.dump.memory;
  if (!(index >= 0 && index < disk.pages)) throw new FormatError('zram', `page ${index} of ${disk.pages}`);
  const entry = offsetBy(disk.table, index * disk.entrySize);
  const handle = kernel.space.pointer(entry);
  const size = kernel.space.u32(offsetBy(entry, disk.flagsOffset)) & sizeBits(pageSize);
  if (size === 0) {
    // filled with one word; or a page of the disk behind it, whose number cannot be told from such a word
    if (handle !== 0n && handle < 1n << 32n && hasBackingDisk(kernel, disk)) {
      throw new FormatError('zram', `page ${index} may have been written to the disk behind it`);
    }
    const page = new BigUint64Array(pageSize / 8).fill(handle);
    return new Uint8Array(page.buffer);
  }
  const data = zsmallocObject(kernel, handle, size);
  return size === pageSize ? data : decompressed(kernel, data);
}

/** Whether a zram disk writes what it cannot compress to another disk (CONFIG_ZRAM_WRITEBACK). */
function hasBackingDisk(kernel: Kernel, disk: ZramDisk): boolean {
  const type = kernel.types.find('struct zram');
  if (type === null || findMember(type, 'backing_dev') === null) return type === null;
  return !kernel.object(type, disk.address).member('backing_dev').isNull;
}

/** The codec that the last page was made with: the others most likely were, too. */
const lastCodec = perKernel(() => ({ codec: pageCodecs[0]! }));

/** @throws FormatError where no codec makes a page of the data */
function decompressed(kernel: Kernel, data: Uint8Array): Uint8Array {
  const { pageSize } = kernel.dump.memory;
  const last = lastCodec(kernel);
  const problems: string[] = [];
  for (const codec of [last.codec, ...pageCodecs.filter((one) => one !== last.codec)]) {
    const page = new Uint8Array(pageSize);
    try {
      if (codec.decompress(data, page) !== pageSize) continue;
      last.codec = codec;
      return page;
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  throw new FormatError('zram', `nothing decompresses ${data.length} bytes to a page (${problems[0] ?? 'too short'})`);
}
