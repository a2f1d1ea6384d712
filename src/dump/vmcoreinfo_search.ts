// VMCOREINFO of a dump without the note (a virtual machine stopped from outside): the kernel keeps the text
// in a page of its own from boot on, and a finished ELF note of it in another (kernel/vmcore_info.c,
// vmcoreinfo_data and vmcoreinfo_note; kernel/crash_core.c before 6.9).
//
//   page:  "OSRELEASE=..."                                      vmcoreinfo_data
//   page:  { 11, size, 0 } "VMCOREINFO\0\0" "OSRELEASE=..."     vmcoreinfo_note; with CRASHTIME= after a panic
//
// The page cache may hold the same words in other files, so a text must look whole to be believed.
import { physAddr, pfn as toPfn } from '../base/address.ts';
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
  let best: { text: string; rank: number } | null = null;
  for (const { start, end } of memory.ramRanges()) {
    const last = Math.ceil(end / memory.pageSize);
    for (let pfn = Math.floor(start / memory.pageSize); pfn < last; pfn++) {
      if (pfn % 256 === 0 && performance.now() > deadline) return best?.text ?? null;
      const found = inPage(memory, pfn);
      if (found === null || (best !== null && best.rank >= found.rank)) continue;
      if (found.rank === finished) return found.text;
      best = found;
    }
  }
  return best?.text ?? null;
}

const finished = 3;

/** The best text in one page, ranked: the note of a panic, the kernel's own pages, anything else. */
function inPage(memory: PhysicalMemory, pfn: number): { text: string; rank: number } | null {
  const frame = toPfn(pfn);
  if (memory.pageState(frame) !== 'present') return null;
  let offset: number;
  let ownPage: boolean;
  try {
    const view = memory.page(frame);
    const page = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    offset = page.indexOf(textStart);
    if (offset < 0) return null;
    const note = page.indexOf(noteStart);
    if (note >= 0) offset = note + noteStart.length - textStart.length;
    ownPage = offset === 0 || note === 12;
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
  const text = textAt(memory, pfn * memory.pageSize + offset);
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
