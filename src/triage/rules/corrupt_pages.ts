// A struct page that something was written over: the kernel printed it when it met it, and memory still has it.
import { pfn as toPfn } from '../../base/address.ts';
import { hex, hex16 } from '../../base/text.ts';
import { memoryModel } from '../../kernel/memory_model.ts';
import type { Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';

/** Pages in the log that are looked at. */
const maxPages = 64;

/** What dump_page() begins with (mm/debug.c); its words follow in lines of their own. */
const dumped = /\bpage: ?(?:[0-9a-f]{8,16} )?refcount:.*\bpfn:(?:0x)?([0-9a-f]{1,13})\b/;

/** Each struct page that the log shows and that is one word over and over again: no page is like that. */
export function corruptPages(facts: Facts): Finding[] {
  const { kernel } = facts;
  const model = memoryModel(kernel);
  if (model === null) return [];
  const frames = new Set<number>();
  for (const line of facts.logLines) {
    const pfn = dumped.exec(line)?.[1];
    if (pfn !== undefined && frames.size < maxPages) frames.add(Number.parseInt(pfn, 16));
  }
  return [...frames].flatMap((pfn) => {
    const page = kernel.faults.attempt('struct page', () => model.pageStruct(toPfn(pfn)), null);
    const word = page === null ? null : repeatedWord(kernel.space.readUpTo(page, model.pageStructSize).bytes);
    if (page === null || word === null) return [];
    return [
      {
        title: `The struct page of page frame 0x${hex(BigInt(pfn))} was overwritten: all its words are 0x${hex(word)}`,
        explanation:
          'Nothing that the kernel says of that page is true, nor what it did with it. Whoever wrote there went by a wrong address, or past the memory map: the same pattern around it, and elsewhere (search -k), may tell who.',
        confidence: 'certain',
        evidence: present(
          evidence(facts, `rd ${hex16(page)} 8`, 'The struct page as it is.'),
          logEvidence(facts, `pfn:0x${hex(BigInt(pfn))}`, 'What the kernel said when it met it.', 4),
        ),
      } satisfies Finding,
    ];
  });
}

/** The word that bytes are made of again and again; null for others, and for zeros and ones, which mean something. */
function repeatedWord(bytes: Uint8Array): bigint | null {
  if (bytes.length < 32) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const first = view.getBigUint64(0, true);
  if (first === 0n || first === 0xffff_ffff_ffff_ffffn) return null;
  for (let at = 8; at + 8 <= bytes.length; at += 8) if (view.getBigUint64(at, true) !== first) return null;
  return first;
}
