// kmem: kernel memory, in its many views. Each view is a file beside this one.
import { type Pfn, pfn } from '../../../base/address.ts';
import { assertNever, UsageError } from '../../../base/errors.ts';
import { escapeTerminal } from '../../../base/text.ts';
import { identify } from '../../../kernel/identify.ts';
import { addressArgument } from '../../address.ts';
import { type Answer, defineStream, noItems } from '../../command.ts';
import { type CommandContext, parseCpus, parseHex } from '../../context.ts';
import { eachWord } from '../../each_word.ts';
import { absent, attached, flag, type Options, rest, valued, values } from '../../params.ts';
import { type AddressesHead, addressesText, collectAddresses } from './address.ts';
import {
  type CountersHead,
  collectCounters,
  collectZones,
  countersText,
  type ZonesHead,
  zonesText,
} from './counters.ts';
import {
  collectFree,
  type FreeHead,
  type FreeListItem,
  type FreeTail,
  type FreeZoneItem,
  freeItemText,
  freeTailText,
} from './free.ts';
import { collectNodes, type NodesHead, nodesText } from './nodes.ts';
import { collectPages, type PageItem, type PagesHead, pageItemText, pagesHeader } from './pages.ts';
import {
  type CacheItem,
  collectSlabs,
  type IgnoredItem,
  type SlabItem,
  type SlabsHead,
  slabItemText,
} from './slabs.ts';
import {
  collectFlags,
  collectHuge,
  collectPerCpu,
  type FlagsHead,
  flagsText,
  type HugeHead,
  hugeText,
  type PerCpuHead,
  perCpuText,
} from './small.ts';
import { collectUse, type UseHead, useText } from './use.ts';
import { collectVmalloc, type VmallocHead, type VmallocItem, vmallocHeader, vmallocText } from './vmalloc.ts';

export type KmemHead =
  | AddressesHead
  | CountersHead
  | FlagsHead
  | FreeHead
  | HugeHead
  | NodesHead
  | PagesHead
  | PerCpuHead
  | SlabsHead
  | UseHead
  | VmallocHead
  | ZonesHead;
export type KmemItem = CacheItem | SlabItem | IgnoredItem | FreeZoneItem | FreeListItem | PageItem | VmallocItem;
export type KmemTail = FreeTail | null;

const views = { group: 'views' };
const slabGroup = { group: 'slab caches' };
const pageGroup = { group: 'pages' };

const params = {
  use: attached(
    'i',
    'shared',
    'how much memory is used for what; =shared: and how much is shared (looks at every page)',
    views,
  ),
  counters: flag('V', 'counters of zones and nodes, and of what happened since boot', views),
  zones: flag('z', 'each zone: its size, watermarks and counters', views),
  nodes: flag('n', 'memory nodes, sections of memory and blocks of memory', views),
  perCpu: flag('o', 'what each CPU adds to a per-CPU address', views),
  huge: flag('h', 'pools of huge pages', views),
  vmalloc: flag('v', 'areas of vmalloc() and its like, or the one of an address', views),
  flags: flag('g', 'names of page flags, or of those in a flags word', views),
  slabs: flag(
    's',
    'slab caches, or those named; list: only where each is; an address: the slab that it lies in',
    slabGroup,
  ),
  objects: attached(
    'S',
    'cpus',
    'and every slab of CPUs and nodes with its objects; =cpus: of these CPUs alone',
    slabGroup,
  ),
  roots: flag('r', 'slab caches by their root cache, each with those of memory cgroups', slabGroup),
  ignored: valued('I', 'slab,...', values.word, 'leaves these slab caches out', slabGroup),
  free: flag('f', 'lists of free blocks, counted; or the list that the page of an address is on', pageGroup),
  freeBlocks: flag('F', 'and every block', pageGroup),
  pages: flag('p', 'the struct page of every page frame, or of that of an address', pageGroup),
  members: valued('m', 'member,...', values.word, 'chosen members of struct page', pageGroup),
  physical: flag('P', 'the address is physical', pageGroup),
  active: absent('l', 'kernels since 2.6 have no active_list'),
  inactive: absent('L', 'kernels since 2.6 have no inactive_list'),
  hash: flag('c', ''),
  hashPages: flag('C', ''),
  words: rest('address|slab|flags', values.place),
};

type KmemOptions = Options<typeof params>;

export const kmem = defineStream({
  name: 'kmem',
  help: {
    summary: 'kernel memory: use, counters, zones, slab caches, free lists, pages, what an address is',
    usage: [
      '[-i[=shared]|-V|-z|-n|-o|-h]',
      '[-s|-S[=cpus]|-r] [-I slab,...] [slab|list|address]...',
      '[-f|-F|-v|-p|-m member,...] [-P] [address]...',
      '-g [flags]',
      '[-P] address...',
    ],
    description: `Looks at kernel memory. With an address and no option, says what it is: its symbol, the task whose task_struct or
stack it lies in, the slab object that it lies in and whether that is in use ([brackets]), the area of vmalloc(), and
the page.

Objects that a CPU keeps for its next allocation, or has in a sheaf, are free: they are marked with the CPU. Where the
dump lacks pages, what is free may not be known for some objects: these are marked, too.`,
    examples: [
      ['kmem -i', 'what memory is used for'],
      ['kmem -s dentry', 'one slab cache'],
      ['kmem ffff8880012208b0', 'what this address is'],
      ['kmem -S task_struct', 'slabs of a cache with their objects'],
    ],
  },
  params,
  items: 'entries',
  collect: collectKmem,
  text: {
    head: headText,
    item: itemText,
    tail: (tail) => (tail === null ? '' : freeTailText(tail)),
  },
});

function collectKmem(context: CommandContext, options: KmemOptions): Answer<KmemHead, KmemItem, KmemTail> {
  const { words } = options;
  const whole = (head: KmemHead): Answer<KmemHead, KmemItem, KmemTail> => ({
    head,
    items: noItems<KmemItem, KmemTail>(null),
  });
  if (options.hash || options.hashPages) {
    throw new UsageError(
      `-${options.hash ? 'c' : 'C'} option not supported or applicable on this architecture or kernel: no kernel since 2.6 has a page hash`,
    );
  }
  const view = chosenView(options);
  switch (view) {
    case 'use':
      if (options.use !== '' && options.use !== 'shared') throw new UsageError('');
      return whole(collectUse(context, options.use === 'shared'));
    case 'counters':
      return whole(collectCounters(context));
    case 'zones':
      return whole(collectZones(context));
    case 'nodes':
      return whole(collectNodes(context));
    case 'perCpu':
      return whole(collectPerCpu(context));
    case 'huge':
      return whole(collectHuge(context));
    case 'flags':
      return whole(collectFlags(context, words[0]));
    case 'slabs':
    case 'objects':
    case 'roots':
      return slabView(context, options);
    case 'vmalloc':
      return collectVmalloc(
        context,
        eachWord(context, words, (word) => addressArgument(context, word)),
      );
    case 'free':
    case 'freeBlocks':
      return collectFree(context, view === 'freeBlocks', framesOf(context, options)?.[0] ?? null);
    case 'pages':
    case 'members':
      return collectPages(context, framesOf(context, options), options.members?.split(',') ?? null);
    case null:
      if (words.length === 0) throw new UsageError('');
      return whole(collectAddresses(context, words, options.physical));
    default:
      return assertNever(view);
  }
}

const viewNames = [
  'use',
  'counters',
  'zones',
  'nodes',
  'perCpu',
  'huge',
  'vmalloc',
  'flags',
  'slabs',
  'objects',
  'roots',
  'free',
  'freeBlocks',
  'pages',
  'members',
] as const;

/** The one view that is asked for; null for none. @throws UsageError for several */
function chosenView(options: KmemOptions): (typeof viewNames)[number] | null {
  const chosen = viewNames.filter((name) => options[name] !== false && options[name] !== null);
  if (chosen.length > 1) throw new UsageError('only one view can be shown at a time');
  return chosen[0] ?? null;
}

function slabView(context: CommandContext, options: KmemOptions): Answer<KmemHead, KmemItem, KmemTail> {
  const { objects, words } = options;
  const names = words[0] === 'list';
  return collectSlabs(context, {
    show: names ? 'names' : objects === null ? 'caches' : 'lists',
    cpus: objects === null || objects === '' ? null : parseCpus(context, objects),
    wanted: names ? [] : words,
    ignored: options.ignored?.split(',') ?? [],
  });
}

/** The page frames of the addresses that were given; null if there are none. @throws UsageError */
function framesOf(context: CommandContext, { words, physical }: KmemOptions): Pfn[] | null {
  const { kernel } = context;
  if (words.length === 0) return null;
  return eachWord(context, words, (word) => {
    const address = physical ? parseHex(word) : addressArgument(context, word);
    if (address === null) throw new UsageError(`invalid address: ${escapeTerminal(word)}`);
    if (physical || !kernel.arch.isKernelAddress(address)) {
      const { maxPfn, pageSize } = kernel.dump.memory;
      if (address >= BigInt(maxPfn * pageSize))
        throw new UsageError(`no such physical address: ${escapeTerminal(word)}`);
      return pfn(Math.floor(Number(address) / pageSize));
    }
    const found = identify(kernel, address);
    const frame = found.pageStruct ?? found.page?.pfn ?? null;
    if (frame === null) throw new UsageError(`no page belongs to ${escapeTerminal(word)}`);
    return frame;
  });
}

function headText(head: KmemHead): string {
  switch (head.kind) {
    case 'addresses':
      return addressesText(head);
    case 'counters':
      return countersText(head);
    case 'flags':
      return flagsText(head);
    case 'huge':
      return hugeText(head);
    case 'nodes':
      return nodesText(head);
    case 'per-cpu':
      return perCpuText(head);
    case 'use':
      return useText(head);
    case 'zones':
      return zonesText(head);
    case 'pages':
      return pagesHeader(head);
    case 'vmalloc':
      return vmallocHeader;
    case 'free':
    case 'slabs':
      return '';
    default:
      return assertNever(head);
  }
}

function itemText(item: KmemItem, _view: unknown, head: KmemHead, index: number): string {
  switch (item.kind) {
    case 'cache':
    case 'slab':
    case 'ignored':
      return head.kind === 'slabs' ? slabItemText(item, head, index) : '';
    case 'free zone':
    case 'free list':
      return head.kind === 'free' ? freeItemText(item, head) : '';
    case 'page':
      return head.kind === 'pages' ? pageItemText(item, head) : '';
    case 'vmalloc':
      return vmallocText(item);
    default:
      return assertNever(item);
  }
}
