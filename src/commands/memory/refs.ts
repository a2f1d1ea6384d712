// refs: who points to an address, over all of the kernel's memory.
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault, UsageError } from '../../base/errors.ts';
import { hex, hex16 } from '../../base/text.ts';
import { identify } from '../../kernel/identify.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { slabObjectAt } from '../../kernel/slab_object.ts';
import { searchKernel } from '../../kernel/virtual_search.ts';
import { type Answer, defineStream } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, required, valued, values } from '../params.ts';
import { type Identity, identityOf, identitySummary } from './identity.ts';

export interface RefsHead {
  /** Pointers into [start, end) are looked for. */
  readonly start: VirtAddr;
  readonly end: VirtAddr;
  readonly target: Identity;
}

/** A pointer. */
export interface RefsItem {
  /** Where it is. */
  readonly at: VirtAddr;
  readonly value: VirtAddr;
  /** What that place is. */
  readonly in: Identity;
}

export interface RefsTail {
  readonly count: number;
}

/** Pointers that are told: a page or a lock of everybody's may have very many. */
const maxReferences = 100_000;

const params = {
  object: flag('o', 'pointers to anywhere in the slab object that the address lies in', { excludes: ['l'] }),
  length: valued('l', 'length', values.count, 'pointers to anywhere in this many bytes from the address on'),
  address: required('address', values.address),
};

export const refs = defineStream({
  name: 'refs',
  help: {
    summary: 'who points to an address',
    description: `Looks through all of the kernel's memory, as far as the dump has it, for words that are the address, and says of each
place what it is: a variable, a member of a slab object, a stack and the frame there.`,
    examples: [
      ['refs ffff8880012208b0', 'every pointer to it'],
      ['refs -o ffff8880012208b0', 'every pointer into the object that it lies in'],
    ],
  },
  unlimited: true,
  params,
  items: 'references',
  collect: collectRefs,
  text: {
    head: ({ start, end, target }) =>
      `${hex16(start)}${end - start === 1n ? '' : ` - ${hex16(end)}`}: ${identitySummary(target)}\n`,
    item: ({ at, value, in: place }, _view, { start }) =>
      `${hex16(at)}: ${hex16(value)}${value === start ? '' : ` (+${hex(value - start)})`}  ${identitySummary(place)}\n`,
    tail: ({ count }) => `${count} ${count === 1 ? 'reference' : 'references'}\n`,
  },
});

function collectRefs(context: CommandContext, options: Options<typeof params>): Answer<RefsHead, RefsItem, RefsTail> {
  const { kernel } = context;
  const { start, end } = targetOf(kernel, options);
  const head: RefsHead = { start, end, target: identityOf(kernel, identify(kernel, start)) };
  function* items(): Generator<RefsItem, RefsTail> {
    const places = referencesTo(kernel, start, end);
    for (const [at, value] of places) {
      kernel.work.charge('nodes', 1);
      yield { at, value, in: identityOf(kernel, identify(kernel, at)) };
    }
    return { count: places.length };
  }
  return { head, items: items() };
}

function targetOf(
  kernel: Kernel,
  { object, length, address }: Options<typeof params>,
): { readonly start: VirtAddr; readonly end: VirtAddr } {
  if (length !== null) return { start: address, end: offsetBy(address, length) };
  if (!object) return { start: address, end: offsetBy(address, 1) };
  const place = slabObjectAt(kernel, address);
  if (place === null) throw new UsageError('the address lies in no slab object');
  const start = place.object.address;
  return { start, end: offsetBy(start, place.object.cache.objectSize) };
}

/** Where pointers into [start, end) are, with their values, each physical place once: by its telling address. */
function referencesTo(kernel: Kernel, start: VirtAddr, end: VirtAddr): (readonly [at: VirtAddr, value: VirtAddr])[] {
  // low bits that differ within the range do not matter to the search; what is outside is sorted out after it
  const difference = start ^ (end - 1n);
  const ignore = (1n << BigInt(difference.toString(2).length)) - 1n;
  const pattern = {
    kind: 'words',
    size: 8,
    values: [start],
    ignore: difference === 0n ? 0n : ignore,
  } as const;
  const byPlace = new Map<number, readonly [VirtAddr, VirtAddr]>();
  const parts = new Set(['direct-map', 'vmalloc', 'image'] as const);
  for (const { address } of searchKernel(kernel, pattern, {
    start: virtAddr(0n),
    end: (1n << 64n) as VirtAddr,
    parts,
  })) {
    const value = kernel.faults.attempt('reference', () => kernel.space.pointer(address), null);
    if (value === null || value < start || value >= end) continue;
    // what is mapped elsewhere too is told by that address, which says more: stacks, modules, the kernel's image
    const physical = physicalOf(kernel, address);
    if (physical !== null) byPlace.set(physical, [address, value]);
    if (byPlace.size >= maxReferences) break;
  }
  return [...byPlace.values()].sort(([a], [b]) => (a < b ? -1 : 1));
}

function physicalOf(kernel: Kernel, address: VirtAddr): number | null {
  try {
    return kernel.space.translate(address);
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}
