// VMCOREINFO of a dump without the note (a virtual machine stopped from outside): the kernel keeps the text
// in a page of its own from boot on, and a finished ELF note of it in another (kernel/vmcore_info.c,
// vmcoreinfo_data and vmcoreinfo_note; kernel/crash_core.c before 6.9).
//
//   page:  "OSRELEASE=..."                                      vmcoreinfo_data
//   page:  { 11, size, 0 } "VMCOREINFO\0\0" "OSRELEASE=..."     vmcoreinfo_note; with CRASHTIME= after a panic
//
// The page cache may hold the same words in other files, so a text must look whole to be believed.
import { type Pfn, physAddr, pfn as toPfn } from '../base/address.ts';
import { latin1 } from '../base/byte_reader.ts';
import { MemoryFault } from '../base/errors.ts';
import type { PhysicalMemory } from './dump.ts';

const textStart = Buffer.from('OSRELEASE=');
const noteStart = Buffer.from('VMCOREINFO\0\0OSRELEASE=');
/** The kernel's limit: one page of text. */
const longestText = 64 * 1024;

/**
 * Looks through all pages that are present for VMCOREINFO's text; null if none is found in time. Reads (and
 * decompresses) every page until then, so ask only when the notes have none.
 * @param budget milliseconds after which the search gives up
 */
export function findVmcoreinfo(memory: PhysicalMemory, budget = 4000): string | null {
  const deadline = performance.now() + budget;
  const { pageSize } = memory;
  let best: Found | null = null;
  const visit = (first: Pfn, pages: Uint8Array): boolean => {
    if (performance.now() > deadline) return false;
    const window = Buffer.from(pages.buffer, pages.byteOffset, pages.byteLength);
    for (let at = window.indexOf(textStart); at >= 0; ) {
      const inPage = at % pageSize;
      const page = window.subarray(at - inPage, at - inPage + pageSize);
      const found = textIn(memory, page, first * pageSize + (at - inPage));
      if (found !== null && found.rank > (best?.rank ?? 0)) best = found;
      if (best?.rank === finished) return false;
      at = window.indexOf(textStart, at - inPage + pageSize);
    }
    return true;
  };
  memory.scan(toPfn(0), toPfn(memory.maxPfn), visit, () => undefined);
  return (best as Found | null)?.text ?? null;
}

interface Found {
  readonly text: string;
  /** The note of a panic, the kernel's own pages, anything else: 3, 2, 1. */
  readonly rank: number;
}

const finished = 3;

/** The text in a page that has its start somewhere, if it looks whole. @param address the page's, physical */
function textIn(memory: PhysicalMemory, page: Buffer, address: number): Found | null {
  const note = page.indexOf(noteStart);
  const offset = note >= 0 ? note + noteStart.length - textStart.length : page.indexOf(textStart);
  const ownPage = offset === 0 || note === 12;
  const text = textAt(memory, address + offset);
  // What every kernel since 2.6.24 writes; a format string or a cut copy has not all of it.
  if (!/^OSRELEASE=[^\n%]+\n/.test(text)) return null;
  if (!/^PAGESIZE=[0-9]+$/m.test(text) || !/^SYMBOL\(init_uts_ns\)=[0-9a-f]+$/m.test(text)) return null;
  return { text, rank: ownPage ? (/^CRASHTIME=/m.test(text) ? finished : 2) : 1 };
}

/** The text from a physical address to its NUL, as far as it can be read. */
function textAt(memory: PhysicalMemory, address: number): string {
  const bytes = new Uint8Array(longestText);
  try {
    memory.read(physAddr(address), bytes);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
  }
  return latin1(bytes);
}
