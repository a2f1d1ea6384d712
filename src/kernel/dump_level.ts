// What a filter leaves out of a dump: makedumpfile's -d (its manual page), five bits of kinds of page.
import { assertNever } from '../base/errors.ts';
import { kindBits, type PageUse, pageUse, wordLimit } from './page_kind.ts';

/** The bits of a dump level. `cache` is page cache without private data, `privateCache` all of it. */
export const dumpLevel = { zero: 1, cache: 2, privateCache: 4, user: 8, free: 16 } as const;

/** Whether a level takes a page of this use, whatever it holds. Pages that must not be read are taken by any. */
export function takenByLevel(use: PageUse, level: number): boolean {
  if (use.poisoned) return true;
  switch (use.kind) {
    case 'free':
      return (level & dumpLevel.free) !== 0;
    case 'cache':
      return (level & (use.private ? dumpLevel.privateCache : dumpLevel.cache | dumpLevel.privateCache)) !== 0;
    case 'anonymous':
    case 'hugetlb':
      return (level & dumpLevel.user) !== 0;
    case 'offline':
    case 'unaccepted':
      return true;
    case 'none':
    case 'slab':
    case 'table':
    case 'reserved':
    case 'kernel':
      return false;
    default:
      return assertNever(use.kind);
  }
}

/** Why a page is left out: the kinds that summaries tell apart. `memory map`: what of it tells of no page that is kept. */
export type DropKind = (typeof dropKinds)[number];

export const dropKinds = [
  'cache',
  'private cache',
  'anonymous',
  'hugetlb',
  'free',
  'offline',
  'unaccepted',
  'poisoned',
  'memory map',
] as const;

/** The kind under which a page is left out, if it is. */
export function dropKind({ kind, private: hasPrivate, poisoned }: PageUse): DropKind | null {
  if (poisoned) return 'poisoned';
  if (kind === 'cache') return hasPrivate ? 'private cache' : 'cache';
  return dropKinds.find((one) => one === kind) ?? null;
}

/** `takenByLevel` of every word that `PageFrames.classify` gives: 1 for taken. */
export function takenWords(level: number): Uint8Array {
  const taken = new Uint8Array(wordLimit);
  for (let word = 0; word < wordLimit; word++) {
    const same = word & kindBits; // which came before
    taken[word] = same === word ? Number(takenByLevel(pageUse(word), level)) : taken[same]!;
  }
  return taken;
}
