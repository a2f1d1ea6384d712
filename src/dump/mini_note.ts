// The note of inquest in a mini dump, which holds just the pages that some commands read. Owner `INQUEST`, type 1, text:
//
//   holds report, bt, ps, ...
//   ram 1000-9f000 100000-7ffe0000         physical addresses [start, end), hexadecimal
//
// The bitmap of RAM of a large machine would be larger than all the pages: a mini dump need not have it.
import { physAddr } from '../base/address.ts';
import type { MiniNote } from './dump.ts';

export const miniNoteOwner = 'INQUEST';
export const miniNoteType = 1;

/** Null for text that is no such note's. Ranges that make no sense are left out. */
export function parseMiniNote(text: string): MiniNote | null {
  const holds = /^holds (.+)$/m.exec(text)?.[1];
  if (holds === undefined) return null;
  const ram: { start: ReturnType<typeof physAddr>; end: ReturnType<typeof physAddr> }[] = [];
  for (const word of /^ram (.+)$/m.exec(text)?.[1]?.split(' ') ?? []) {
    const [start = Number.NaN, end = Number.NaN] = word.split('-').map((digits) => Number.parseInt(digits, 16));
    if (!(start < end) || end > Number.MAX_SAFE_INTEGER || start < (ram.at(-1)?.end ?? 0)) continue;
    ram.push({ start: physAddr(start), end: physAddr(end) });
  }
  return { holds, ram };
}

/** The note's text. */
export function miniNoteText({ holds, ram }: MiniNote): string {
  const ranges = ram.map(({ start, end }) => `${start.toString(16)}-${end.toString(16)}`);
  return `holds ${holds}\nram ${ranges.join(' ')}\n`;
}
