// A sound vmcore made hostile: words and bytes changed by virtual address, memory added behind what the machine had, and
// mapped as often as one likes. What a few pages of file can claim to be is without end:
//
//   PGD slot of ours --> PUD x 512 --> PMD x 512 --> PTE x 512 --> a page     each x may be the same table once more
//
// The file is the sound one with other page descriptors; what was changed or added stands behind it, not compressed.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { physAddr, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { FileSource } from '../../src/dump/byte_source.ts';
import { readKdumpHeader } from '../../src/dump/kdump_header.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';

const pageSize = 4096;
const entries = 512;
const presentTable = 0x67n; // PRESENT, RW, USER, ACCESSED, DIRTY: a table
const presentPage = 0x63n;
const descriptorSize = 24;

export class HostileDump {
  /** The kernel of the sound dump: for names, types and addresses. */
  readonly kernel: Kernel;
  private readonly path: string;
  private readonly frames = new Map<bigint, number>();
  private readonly symbols = new Map<string, bigint>();
  private readonly changed = new Map<number, Buffer>();
  private readonly added: Buffer[] = [];
  private readonly firstNew: number;
  /** Frame of the table with an entry for each 512 GiB. */
  private readonly root: number;
  private readonly freeSlots: number[];
  /** Where the next allocation goes, and the tables of the slot that it is in. */
  private next = 0n;
  private readonly tables = new Map<string, number>();

  /** @param path a kdump-compressed dump of x86_64 */
  constructor(path: string) {
    this.path = path;
    this.kernel = openKernel(openDump([path]));
    this.firstNew = Math.ceil(this.kernel.dump.memory.maxPfn / 8) * 8;
    const { space, vmcoreinfo, dump } = this.kernel;
    const top = space.translate(this.kernel.address('init_top_pgt'));
    const word = (physical: number): bigint => {
      const bytes = Buffer.alloc(8);
      dump.memory.read(physAddr(physical), bytes);
      return bytes.readBigUInt64LE();
    };
    // with five levels, the table of the addresses that four levels have, too, is one below
    const isDeep = vmcoreinfo.number('pgtable_l5_enabled') === 1n;
    const root = isDeep ? Number(word(top + 511 * 8) & 0x000f_ffff_ffff_f000n) : top;
    this.root = root / pageSize;
    const isFree = (slot: number): boolean => word(root + slot * 8) === 0n;
    this.freeSlots = Array.from({ length: 256 }, (_, i) => 256 + i).filter((slot) => slot > 0x140 && isFree(slot));
    this.next = this.takeSlot();
  }

  /** Changes bytes of the kernel's memory, old or added. */
  write(address: bigint, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = virtAddr(address + BigInt(done));
      const inPage = Number(at % BigInt(pageSize));
      const length = Math.min(pageSize - inPage, bytes.length - done);
      this.page(this.frameOf(at)).set(bytes.subarray(done, done + length), inPage);
      done += length;
    }
  }

  u64(address: bigint, ...values: readonly bigint[]): void {
    const bytes = Buffer.alloc(8 * values.length);
    for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt.asUintN(64, value), 8 * i);
    this.write(address, bytes);
  }

  u32(address: bigint, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    this.write(address, bytes);
  }

  /** Bytes from a type's start to a member. */
  offset(type: string, member: string): bigint {
    return this.kernel.object(type, virtAddr(0n)).member(member).address;
  }

  size(type: string): number {
    return this.kernel.object(type, virtAddr(0n)).size;
  }

  address(name: string): bigint {
    return this.kernel.address(name);
  }

  /** New memory with this content, from a page's start on. @returns its virtual address */
  place(content: Uint8Array): VirtAddr {
    const at = this.next;
    for (let done = 0; done < content.length; done += pageSize) {
      this.map(at + BigInt(done), this.addPage(content.subarray(done, done + pageSize)));
    }
    this.next += BigInt(Math.ceil(content.length / pageSize) * pageSize);
    return virtAddr(at);
  }

  /** Memory of so many pages: `head`, a page, and then one page again and again. @returns its virtual address */
  stretch(head: Uint8Array, body: Uint8Array, pages: number): VirtAddr {
    const [first, rest] = [this.addPage(head), this.addPage(body)];
    const at = this.next;
    for (let i = 0; i < pages; i++) this.map(at + BigInt(i * pageSize), i === 0 ? first : rest);
    this.next += BigInt(pages * pageSize);
    return virtAddr(at);
  }

  /** Changes where VMCOREINFO says that a symbol is. */
  vmcoreinfo(symbol: string, address: bigint): void {
    this.symbols.set(symbol, address);
  }

  /** 512 GiB of virtual memory that repeats a content of at most 2 MiB, whose length divides that. @returns where it starts */
  repeat(made: Uint8Array | ((start: bigint) => Uint8Array)): VirtAddr {
    const start = this.takeSlot();
    const content = typeof made === 'function' ? made(start) : made;
    const frames: number[] = [];
    for (let done = 0; done < content.length; done += pageSize) {
      frames.push(this.addPage(content.subarray(done, done + pageSize)));
    }
    const last = this.addPage(table((i) => entry(frames[i % frames.length]!, presentPage)));
    const middle = this.addPage(table(() => entry(last, presentTable)));
    const upper = this.addPage(table(() => entry(middle, presentTable)));
    this.rootEntry(start, upper);
    return virtAddr(start);
  }

  /** 512 GiB of virtual memory whose tables lead to themselves: what is read there is tables. */
  selfMapped(): VirtAddr {
    const frame = this.addPage(new Uint8Array(pageSize));
    this.page(frame).set(table(() => entry(frame, presentTable)));
    const start = this.takeSlot();
    this.rootEntry(start, frame);
    return virtAddr(start);
  }

  /** Writes the dump. */
  save(path: string): void {
    const source = new FileSource(this.path);
    const header = readKdumpHeader(source);
    source.close();
    const old = readFileSync(this.path);
    const oneBitmap = header.bitmap.size / 2;
    const maxPfn = this.firstNew + this.added.length;
    const bitmapSize = Math.max(oneBitmap, Math.ceil(maxPfn / 8 / pageSize) * pageSize);
    const [ram, dumped] = [Buffer.alloc(bitmapSize), Buffer.alloc(bitmapSize)];
    old.copy(ram, 0, header.bitmap.offset, header.bitmap.offset + oneBitmap);
    old.copy(dumped, 0, header.bitmap.offset + oneBitmap, header.bitmap.offset + 2 * oneBitmap);
    const frames = framesOf(dumped);
    const isNew = [...this.changed.keys()].filter((pfn) => !frames.has(pfn));
    for (const pfn of [...isNew, ...this.added.map((_, i) => this.firstNew + i)]) {
      ram[pfn >> 3]! |= 1 << (pfn & 7);
      dumped[pfn >> 3]! |= 1 << (pfn & 7);
    }
    const all = [...framesOf(dumped).keys()];
    const headers = old.subarray(0, header.bitmap.offset);
    const oldDescriptors = header.descriptors;
    const oldData = oldDescriptors + frames.size * descriptorSize;
    const dataAt = headers.length + 2 * bitmapSize + all.length * descriptorSize;
    const descriptors = Buffer.alloc(all.length * descriptorSize);
    const behind: Buffer[] = [];
    let end = dataAt + (old.length - oldData);
    for (const [i, pfn] of all.entries()) {
      const page = this.changed.get(pfn) ?? this.added[pfn - this.firstNew];
      const at = i * descriptorSize;
      if (page === undefined) {
        const from = oldDescriptors + frames.get(pfn)! * descriptorSize;
        old.copy(descriptors, at, from, from + descriptorSize);
        descriptors.writeBigUInt64LE(old.readBigUInt64LE(from) + BigInt(dataAt - oldData), at);
      } else {
        descriptors.writeBigUInt64LE(BigInt(end), at);
        descriptors.writeUInt32LE(pageSize, at + 8);
        behind.push(page);
        end += pageSize;
      }
    }
    const changedHeader = Buffer.from(headers);
    changedHeader.writeUInt32LE((2 * bitmapSize) / pageSize, 436);
    changedHeader.writeUInt32LE(maxPfn, 440);
    changedHeader.writeBigUInt64LE(BigInt(maxPfn), pageSize + 96);
    for (const [symbol, address] of this.symbols) {
      const key = `SYMBOL(${symbol})=`;
      const at = changedHeader.indexOf(key);
      if (at < 0) throw new Error(`VMCOREINFO does not tell ${symbol}`);
      changedHeader.write(address.toString(16).padStart(16, '0'), at + key.length, 'latin1');
    }
    const file = openSync(path, 'w');
    for (const piece of [changedHeader, ram, dumped, descriptors, old.subarray(oldData)]) writeSync(file, piece);
    for (let i = 0; i < behind.length; i += 4096) writeSync(file, Buffer.concat(behind.slice(i, i + 4096)));
    closeSync(file);
  }

  /** The frame that a virtual address of the kernel is in. @throws MemoryFault */
  frame(address: bigint): number {
    return this.frameOf(address);
  }

  /** Frames of the sound dump that are no longer what they were. */
  changedFrames(): ReadonlySet<number> {
    return new Set(this.changed.keys());
  }

  close(): void {
    this.kernel.close();
  }

  /** The page of a frame, to be changed. */
  private page(frame: number): Buffer {
    const added = this.added[frame - this.firstNew];
    if (added !== undefined) return added;
    let page = this.changed.get(frame);
    if (page === undefined) {
      page = Buffer.from(this.kernel.dump.memory.page(frame as never));
      this.changed.set(frame, page);
    }
    return page;
  }

  private addPage(content: Uint8Array): number {
    const page = Buffer.alloc(pageSize);
    page.set(content);
    return this.firstNew + this.added.push(page) - 1;
  }

  private frameOf(address: bigint): number {
    return this.frames.get(address >> 12n) ?? Math.floor(this.kernel.space.translate(virtAddr(address)) / pageSize);
  }

  /** Maps one page, with the tables that it takes. */
  private map(address: bigint, frame: number): void {
    this.frames.set(address >> 12n, frame);
    let above = -1;
    for (const shift of [39n, 30n, 21n]) {
      const key = `${shift} ${address >> shift}`;
      let below = this.tables.get(key);
      if (below === undefined) {
        below = this.addPage(new Uint8Array(0));
        this.tables.set(key, below);
        if (above < 0) this.rootEntry(address, below);
        else this.page(above).set(entry(below, presentTable), Number((address >> shift) & 0x1ffn) * 8);
      }
      above = below;
    }
    this.page(above).set(entry(frame, presentPage), Number((address >> 12n) & 0x1ffn) * 8);
  }

  private takeSlot(): bigint {
    const slot = this.freeSlots.shift();
    if (slot === undefined) throw new Error('no room for more mappings');
    return BigInt.asUintN(64, BigInt.asIntN(48, BigInt(slot) << 39n));
  }

  private rootEntry(address: bigint, frame: number): void {
    this.page(this.root).set(entry(frame, presentTable), Number((address >> 39n) & 0x1ffn) * 8);
  }
}

function entry(frame: number, flags: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE((BigInt(frame) << 12n) | flags);
  return bytes;
}

function table(at: (index: number) => Uint8Array): Uint8Array {
  return Buffer.concat(Array.from({ length: entries }, (_, i) => at(i)));
}

/** The frames whose bit is set, with their rank. */
function framesOf(bits: Uint8Array): Map<number, number> {
  const frames = new Map<number, number>();
  for (const [i, byte] of bits.entries()) {
    for (let bit = 0; byte >> bit !== 0; bit++) if ((byte >> bit) & 1) frames.set(i * 8 + bit, frames.size);
  }
  return frames;
}
