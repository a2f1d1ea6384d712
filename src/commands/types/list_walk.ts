// Walks linked lists of any make for `list`: the nodes of a list, and why it ended.
//
//   start   A ---next---> B ---next---> ...      addresses of structs, the first one too
//   -H      head -> [node in A] -> [node in B]   a list_head of its own, back to itself
//   -h      A [node] -> B [node] -> ... A        a list_head inside each struct, the first one's too
import type { AddressSpace } from '../../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { Work } from '../../base/work.ts';

/** Most entries followed. */
const maxEntries = 10_000_000;

/**
 * Why a list ended: back at its start or head, at a NULL pointer, at the address given as its end, at an entry
 * seen before that is not the start (`loop`), at memory that cannot be read, or at more entries than are followed.
 */
export type ListEnd = 'start' | 'null' | 'end' | 'loop' | 'fault' | 'limit';

export interface Loop {
  /** Where the walk came to an entry for the second time. */
  readonly at: VirtAddr;
  /** Entries in the loop, and before it; null unless Brent's way found it. */
  readonly length: number | null;
  readonly before: number | null;
}

/** How a walk ended. */
export interface WalkEnd {
  readonly end: ListEnd;
  readonly fault: MemoryFault | null;
  readonly loop: Loop | null;
}

export interface WalkOptions {
  readonly space: AddressSpace;
  readonly work: Work;
  /** Link that the walk begins at, and whether it is itself an entry. */
  readonly start: VirtAddr;
  readonly includeStart: boolean;
  /** Byte offset, in what a link points to, of the pointer to the next. */
  readonly next: number;
  /** True for an address that ends the list in place of an entry. */
  readonly isEnd: (link: VirtAddr) => boolean;
  /** Finds loops by Brent's algorithm, without memory, in place of a table of what was seen. */
  readonly brent: boolean;
}

/**
 * Follows a list: gives its links, the addresses that the pointers hold. A list that begins at a struct may come back
 * to it, or to the second entry; so may one whose last entry points to itself. What Brent's way finds to be a loop
 * has been given twice in part by then.
 * @throws MemoryFault if not even the start can be read
 */
export function* walkList({
  space,
  work,
  start,
  includeStart,
  next,
  isEnd,
  brent,
}: WalkOptions): Generator<VirtAddr, WalkEnd> {
  const follow = (from: VirtAddr): VirtAddr => space.pointer(offsetBy(from, next));
  const done = (end: ListEnd, rest: Partial<WalkEnd> = {}): WalkEnd => ({ end, fault: null, loop: null, ...rest });
  const seen = new Set<bigint>([start]);
  let link = follow(start);
  if (includeStart) yield start;
  let count = includeStart ? 1 : 0;
  const second = link;
  let previous: VirtAddr = start;
  // Brent: the tortoise waits at a power of two for the hare to come by
  let tortoise: VirtAddr = start;
  let power = 1;
  let steps = 1;
  for (;;) {
    work.charge('nodes', 1);
    if (link === 0n) return done('null');
    if (link === start || link === previous || (includeStart && count > 1 && link === second)) return done('start');
    if (isEnd(link)) return done('end');
    if (brent) {
      if (link === tortoise) return done('loop', { loop: measureLoop(includeStart ? start : second, follow, steps) });
      if (steps === power) {
        tortoise = link;
        power *= 2;
        steps = 0;
      }
      steps++;
    } else {
      if (seen.has(link)) return done('loop', { loop: { at: link, length: null, before: null } });
      seen.add(link);
    }
    if (count >= maxEntries) return done('limit');
    yield link;
    count++;
    previous = link;
    try {
      link = follow(link);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      return done('fault', { fault: error });
    }
  }
}

/** Where a loop of `length` entries begins, by two walkers that far apart. @param first the first entry */
function measureLoop(first: VirtAddr, follow: (from: VirtAddr) => VirtAddr, length: number): Loop {
  let ahead = first;
  for (let i = 0; i < length; i++) ahead = follow(ahead);
  let behind = first;
  let before = 0;
  while (behind !== ahead) {
    behind = follow(behind);
    ahead = follow(ahead);
    before++;
  }
  return { at: behind, length, before };
}
