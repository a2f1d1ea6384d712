// Finds a kernel in physical memory where nothing says where it is: no VMCOREINFO, or one without phys_base.
//
// The kernel's image is mapped by tables that are part of it (arch/x86/kernel/head_64.S), and whose shape is
// like no other's:
//
//   init_top_pgt [511] --> (level4_kernel_pgt [511] -->) level3_kernel_pgt [510] --> level2_kernel_pgt
//                                                        nothing below 510            the image, 2 MiB a piece
//
// A CPU's CR3, which hypervisors' dumps have, leads to them at once. Otherwise the image is looked for where it may
// start (2 MiB boundaries), and then, in all that the time allows.
import { type PhysAddr, pfn, physAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { Dump, PhysicalMemory } from '../../dump/dump.ts';
import { START_KERNEL_MAP, type X86Layout } from './kernel_space.ts';
import { X86PageTables } from './paging.ts';

const pageSize = 4096;
const pmdSize = 0x20_0000;
const imageSize = 0x4000_0000;
/** Where the image is linked to start (CONFIG_PHYSICAL_START): what KASLR's offset is counted from. */
const linkedStart = START_KERNEL_MAP + 0x100_0000n;
/** Bytes of an image in which its page tables are looked for. */
const maxImage = 128 * 1024 * 1024;
/** Pages looked at in all: some seconds' worth of inflating. */
const maxPages = 400_000;
/** Milliseconds that the search may take: a header may describe any amount of memory without content. */
const maxTime = 3000;
/** AMD's memory-encryption bit is one of these (CPUID 8000001F). */
const encryptionMasks: readonly bigint[] = [0n, 1n << 47n, 1n << 51n];

/** Where a kernel's page tables and image were found. */
interface Found {
  readonly root: PhysAddr;
  readonly levels: 4 | 5;
  readonly encryptionMask: bigint;
  /** First mapped address of the image, and the physical address that it is mapped to. */
  readonly virtual: bigint;
  readonly physical: number;
}

/** The kernel's layout by search, or null. Takes some seconds at most. */
export function locateX86Kernel(dump: Dump): X86Layout | null {
  const { memory } = dump;
  if (memory.pageSize !== pageSize) return null;
  const byRegisters = fromRegisters(dump);
  const found = byRegisters ?? scan(memory);
  if (found === null) return null;
  const how = byRegisters !== null ? "by a CPU's CR3 register" : 'by searching physical memory';
  return {
    pageTableRoot: found.root,
    levels: found.levels,
    encryptionMask: found.encryptionMask,
    physBase: found.physical - Number(found.virtual - START_KERNEL_MAP),
    imageSize,
    kaslrOffset: found.virtual - linkedStart,
    stext: virtAddr(found.virtual),
    note: `no VMCOREINFO tells where the kernel is: its page tables were found ${how}, at physical 0x${found.root.toString(16)}`,
  };
}

function fromRegisters(dump: Dump): Found | null {
  const tried = new Set<number>();
  for (const { registers } of dump.notes.cpus) {
    const cr3 = registers.cr3;
    if (cr3 === undefined) continue;
    // Bits 0-11 are flags or PCID. With page-table isolation, the page above the kernel's table is the user's.
    const table = Number(cr3 & 0x000f_ffff_ffff_f000n);
    const la57 = registers.cr4 === undefined ? null : (registers.cr4 & 0x1000n) !== 0n;
    for (const root of [table & 0x1000 ? table - 0x1000 : table, table]) {
      if (tried.has(root)) continue;
      tried.add(root);
      for (const levels of la57 === null ? ([4, 5] as const) : ([la57 ? 5 : 4] as const)) {
        const found = kernelAt(dump.memory, root, levels);
        if (found !== null) return found;
      }
    }
  }
  return null;
}

function scan(memory: PhysicalMemory): Found | null {
  let budget = maxPages;
  let frames = 0;
  const deadline = performance.now() + maxTime;
  const isPresent = (address: number): boolean => {
    if (++frames % 256 === 0 && performance.now() > deadline) budget = 0;
    if (memory.pageState(pfn(address / pageSize)) !== 'present') return false;
    budget--;
    return true;
  };
  const inRange = (start: number, end: number, wanted: (found: Found) => boolean): Found | null => {
    for (let address = start; address < end && budget > 0; address += pageSize) {
      if (!isPresent(address) || !looksLikeTopTable(memory, address)) continue;
      for (const levels of [5, 4] as const) {
        const found = kernelAt(memory, address, levels);
        if (found !== null && wanted(found)) return found;
      }
    }
    return null;
  };
  const ranges = memory.ramRanges();
  for (const { start, end } of ranges) {
    for (let head = Math.ceil(start / pmdSize) * pmdSize; head < end && budget > 0; head += pmdSize) {
      if (!isPresent(head) || !looksLikeHead(memory, head)) continue;
      const found = inRange(head, Math.min(head + maxImage, end), ({ physical }) => physical === head);
      if (found !== null) return found;
    }
  }
  for (const { start, end } of ranges) {
    const found = inRange(Math.ceil(start / pageSize) * pageSize, end, () => true);
    if (found !== null) return found;
  }
  return null;
}

/** The first instructions of startup_64: a `lea` of %rsp or %rbp relative to %rip, perhaps behind a `mov`. */
function looksLikeHead(memory: PhysicalMemory, address: number): boolean {
  const page = pageAt(memory, address);
  if (page === null) return false;
  for (let i = 0; i < 8; i++) {
    if (page[i] === 0x48 && page[i + 1] === 0x8d && (page[i + 2] === 0x25 || page[i + 2] === 0x2d)) return true;
  }
  return false;
}

/** Whether the last entry of a page is a present table entry (P, RW, A, D), not NX and not PSE. */
function looksLikeTopTable(memory: PhysicalMemory, address: number): boolean {
  const page = pageAt(memory, address);
  return page !== null && (page[4088]! & 0xe3) === 0x63 && (page[4088]! & 0x18) === 0 && (page[4095]! & 0x80) === 0;
}

/** The kernel whose top table lies at a physical address; null if that does not map a kernel's image. */
function kernelAt(memory: PhysicalMemory, root: number, levels: 4 | 5): Found | null {
  for (const encryptionMask of encryptionMasks) {
    const image = imageTables(memory, root, levels, encryptionMask);
    if (image === null) continue;
    const tables = new X86PageTables(memory, physAddr(root), { levels, encryptionMask });
    for (let index = 0; index < 512; index++) {
      if ((image[index]! & 1n) === 0n) continue;
      // the first page mapped: a whole 2 MiB, or by a table of 4 KiB pages
      const virtual = START_KERNEL_MAP + BigInt(index * pmdSize);
      const { physical } = tables.walk(virtAddr(virtual));
      if (physical === null || physical % pmdSize !== 0) break;
      return { root: physAddr(root), levels, encryptionMask, virtual, physical };
    }
  }
  return null;
}

/** Entries of level2_kernel_pgt, if the tables above it have their shape. */
function imageTables(
  memory: PhysicalMemory,
  root: number,
  levels: 4 | 5,
  encryptionMask: bigint,
): BigUint64Array | null {
  let top = entriesAt(memory, root);
  // the direct map and others beside the image
  if (top === null || !top.subarray(256, 511).some((entry) => (entry & 1n) !== 0n)) return null;
  const next = (entry: bigint): BigUint64Array | null => {
    if ((entry & 0x81n) !== 1n) return null;
    const address = entry & 0x000f_ffff_ffff_f000n & ~encryptionMask;
    return address / 4096n < BigInt(memory.maxPfn) ? entriesAt(memory, Number(address)) : null;
  };
  if (levels === 5) {
    top = next(top[511]!);
    if (top === null) return null;
  }
  const third = next(top[511]!);
  if (third === null || third.subarray(0, 510).some((entry) => entry !== 0n)) return null;
  return next(third[510]!);
}

function entriesAt(memory: PhysicalMemory, address: number): BigUint64Array | null {
  const page = pageAt(memory, address);
  return page === null ? null : new BigUint64Array(page.slice().buffer);
}

function pageAt(memory: PhysicalMemory, address: number): Uint8Array | null {
  try {
    return memory.page(pfn(Math.floor(address / pageSize)));
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}
