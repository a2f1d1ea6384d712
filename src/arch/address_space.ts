// Reading a dead machine's virtual memory: one kernel or process address space over physical memory.
// Architectures supply `translate`; everything else here is common to them.
import { lowHalf, offsetBy, type Pfn, type PhysAddr, pfn, physAddr, type VirtAddr, virtAddr } from '../base/address.ts';
import { latin1 } from '../base/byte_reader.ts';
import { FormatError, MemoryFault } from '../base/errors.ts';
import type { PhysicalMemory } from '../dump/dump.ts';

/** Longest single read, in bytes: a length from a corrupt structure must not take all memory. */
const maxRead = 256 * 1024 * 1024;

/** Reads of so many pages and more are looked at for stretches that are contiguous in physical memory. */
const longRead = 32;

/**
 * The content of the page that holds an address and was swapped out; null where it is on no memory of the machine.
 * @throws MemoryFault where it is in memory that cannot be read
 */
export type SwapReader = (address: VirtAddr) => Uint8Array | null;

export abstract class AddressSpace {
  readonly memory: PhysicalMemory;
  /** `kernel`, or `user` for a process: says how faults are worded. */
  readonly space: 'kernel' | 'user';
  /** Bytes in a pointer. */
  readonly pointerSize = 8;
  private readonly scratch = new Uint8Array(8);
  private readonly scratchView = new DataView(this.scratch.buffer);
  private readonly pageMask: number;

  constructor(memory: PhysicalMemory, space: 'kernel' | 'user') {
    this.memory = memory;
    this.space = space;
    this.pageMask = memory.pageSize - 1;
  }

  /**
   * Physical address of a virtual one.
   * @throws MemoryFault `not-mapped` or `swapped`, or the fault of a page-table page that cannot be read
   */
  abstract translate(address: VirtAddr): PhysAddr;

  /** Gives pages that were swapped out; null where there is no way to them. */
  private swap: SwapReader | null = null;

  /** Lets pages that were swapped out be read by whoever knows where they are. Their addresses still do not translate. */
  useSwap(reader: SwapReader): void {
    this.swap = reader;
  }

  /** Drops the translations that were kept: to be called where page tables change. */
  forget(): void {}

  /** Where the kernel's linear map has a physical address: __va(); null where that is not known. */
  linearAddress(_physical: PhysAddr): VirtAddr | null {
    return null;
  }

  /**
   * Fills `into` from a virtual address; may cross pages.
   * @throws MemoryFault at the first byte that cannot be read; `into` is then filled up to there
   */
  readInto(address: VirtAddr, into: Uint8Array): void {
    const pageSize = this.memory.pageSize;
    if (into.length >= longRead * pageSize && this.swap === null) {
      this.readLong(address, into);
      return;
    }
    let done = 0;
    while (done < into.length) {
      const at = offsetBy(address, done);
      const inPage = lowHalf(at) & this.pageMask;
      const n = Math.min(pageSize - inPage, into.length - done);
      const page = this.pageAt(at);
      into.set(page.subarray(inPage, inPage + n), done);
      done += n;
    }
  }

  /** A fresh copy of `length` bytes. @throws MemoryFault as `readInto`; FormatError for an absurd length */
  read(address: VirtAddr, length: number): Uint8Array {
    checkLength(address, length);
    const bytes = new Uint8Array(length);
    this.readInto(address, bytes);
    return bytes;
  }

  /**
   * The bytes from `address` that can be read, at most `length`, up to the first fault.
   * @throws FormatError for an absurd length
   */
  readUpTo(address: VirtAddr, length: number): { bytes: Uint8Array; fault: MemoryFault | null } {
    const pageSize = this.memory.pageSize;
    checkLength(address, length);
    const first = Math.min(pageSize - (lowHalf(address) & this.pageMask), length);
    // room for all is made once there is something: most of what is read so may have been left out of the dump
    let bytes = new Uint8Array(first);
    let done = 0;
    while (done < length) {
      const at = offsetBy(address, done);
      const n = done === 0 ? first : Math.min(pageSize, length - done);
      try {
        this.readInto(at, bytes.subarray(done, done + n));
      } catch (error) {
        if (!(error instanceof MemoryFault)) throw error;
        return { bytes: bytes.subarray(0, done), fault: error };
      }
      done += n;
      if (done === first && first < length) {
        const all = new Uint8Array(length);
        all.set(bytes);
        bytes = all;
      }
    }
    return { bytes, fault: null };
  }

  u8(address: VirtAddr): number {
    return this.pageAt(address)[lowHalf(address) & this.pageMask]!;
  }

  u16(address: VirtAddr): number {
    this.fill(address, 2);
    return this.scratchView.getUint16(0, true);
  }

  u32(address: VirtAddr): number {
    this.fill(address, 4);
    return this.scratchView.getUint32(0, true);
  }

  i32(address: VirtAddr): number {
    this.fill(address, 4);
    return this.scratchView.getInt32(0, true);
  }

  u64(address: VirtAddr): bigint {
    this.fill(address, 8);
    return this.scratchView.getBigUint64(0, true);
  }

  /** A pointer stored at `address`. */
  pointer(address: VirtAddr): VirtAddr {
    return this.untagged(this.u64(address));
  }

  /** The address that a pointer's value stands for: without a tag, where the kernel's pointers carry some. */
  untagged(value: bigint): VirtAddr {
    return value as VirtAddr;
  }

  /** Bytes up to a NUL as Latin-1 text, at most `max` bytes. A page that cannot be read ends the text, unless it is the first. */
  cString(address: VirtAddr, max = 4096): string {
    const { bytes, fault } = this.readUpTo(address, max);
    const nul = bytes.indexOf(0);
    if (fault !== null && bytes.length === 0) throw fault;
    return latin1(bytes, 0, nul < 0 ? bytes.length : nul);
  }

  /** True when the byte at `address` can be read. */
  isReadable(address: VirtAddr): boolean {
    try {
      this.u8(address);
      return true;
    } catch (error) {
      if (error instanceof MemoryFault) return false;
      throw error;
    }
  }

  /** `readInto` of many pages: what is contiguous in physical memory too is read at once. */
  private readLong(address: VirtAddr, into: Uint8Array): void {
    const { pageSize } = this.memory;
    const firstPage = pageSize - (lowHalf(address) & this.pageMask);
    for (let start = 0; start < into.length; ) {
      const physical = this.translate(offsetBy(address, start));
      let end = start === 0 ? firstPage : start + pageSize;
      let fault: unknown = null;
      while (end < into.length && fault === null) {
        try {
          if (this.translate(offsetBy(address, end)) !== physical + (end - start)) break;
          end += pageSize;
        } catch (error) {
          fault = error;
        }
      }
      end = Math.min(end, into.length);
      try {
        this.memory.read(physical, into.subarray(start, end));
      } catch (error) {
        throw this.asVirtual(error, offsetBy(address, start), physical);
      }
      if (fault !== null) throw fault;
      start = end;
    }
  }

  /** View of the page that holds `address`, valid until the next read. Physical faults are told by their virtual address. */
  private pageAt(address: VirtAddr): Uint8Array {
    if (this.swap !== null) {
      const page = this.swappedPage(address, this.swap);
      if (page !== null) return page;
    }
    const physical = this.translate(address);
    try {
      return this.memory.page(pfn(Math.floor(physical / this.memory.pageSize)) as Pfn);
    } catch (error) {
      throw this.asVirtual(error, address, physical);
    }
  }

  /** The page of an address that was swapped out; null for any other, and where it cannot be had. */
  private swappedPage(address: VirtAddr, reader: SwapReader): Uint8Array | null {
    try {
      this.translate(address);
      return null;
    } catch (error) {
      if (error instanceof MemoryFault && error.reason === 'swapped') return reader(address);
      throw error;
    }
  }

  /** A fault of a physical read that began at `physical`, told by the virtual addresses it was made for; other errors as they are. */
  private asVirtual(error: unknown, address: VirtAddr, physical: PhysAddr): unknown {
    if (!(error instanceof MemoryFault && error.space === 'physical')) return error;
    const before = Math.max(0, Number(error.address) - physical); // the fault's address is the start of its page
    const detail = `physical ${(physical + before).toString(16)}${error.detail === '' ? '' : `, ${error.detail}`}`;
    return new MemoryFault(this.space, offsetBy(address, before), error.reason, detail);
  }

  private fill(address: VirtAddr, length: number): void {
    const inPage = lowHalf(address) & this.pageMask;
    if (inPage + length <= this.memory.pageSize) {
      const page = this.pageAt(address);
      for (let i = 0; i < length; i++) this.scratch[i] = page[inPage + i]!;
    } else {
      this.readInto(address, this.scratch.subarray(0, length));
    }
  }
}

/** @throws FormatError for an absurd length */
function checkLength(address: VirtAddr, length: number): void {
  if (!Number.isInteger(length) || length < 0 || length > maxRead) {
    throw new FormatError(`read at ${address.toString(16)}`, `length ${length} is out of range`);
  }
}

/** Physical memory as an address space: `address` is a physical address. For `rd -p` and page-table walks. */
export class PhysicalSpace extends AddressSpace {
  constructor(memory: PhysicalMemory) {
    super(memory, 'kernel');
  }

  override translate(address: VirtAddr): PhysAddr {
    if (address > BigInt(Number.MAX_SAFE_INTEGER)) throw new MemoryFault('physical', address, 'not-in-dump');
    return physAddr(Number(virtAddr(address)));
  }
}
