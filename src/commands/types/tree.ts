// tree: red-black trees, radix trees, xarrays and maple trees.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { assertNever, NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeLine, hex } from '../../base/text.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type MapleEntry, type MapleNode, mapleSteps } from '../../kernel/maple_tree.ts';
import { rbNodes, rbTop } from '../../kernel/rbtree.ts';
import { xarrayEntriesBelow } from '../../kernel/xarray.ts';
import { type Answer, defineStream } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, radixOf, radixParams, required, valued, values } from '../params.ts';
import { startAddress } from './expression.ts';
import { readStructs, type ShownStruct, shownStructs, structParams, structTexts } from './shown_structs.ts';
import { offsetArgument } from './struct_spec.ts';
import type { StructValue } from './struct_value.ts';
import { valueReading } from './value_reading.ts';

const treeTypes = ['rbtree', 'radix', 'xarray', 'maple'] as const;
export type TreeType = (typeof treeTypes)[number];

/** An entry of a tree. */
export interface TreeEntry {
  readonly kind: 'entry';
  /** Virtual address of the struct; of a radix tree, xarray or maple tree what the slot holds, which may be a value. */
  readonly address: VirtAddr;
  /** `root/l/r`, `root/0/3`. */
  readonly position: string;
  /** Index of a radix tree's or xarray's entry; of a maple tree's, its number from 1 on; null for a red-black tree's. */
  readonly index: number | null;
  /** Of a maple tree: the range that leads to it, both ends included. */
  readonly range: { readonly first: bigint; readonly last: bigint } | null;
  /** Nodes above it, of a maple tree. */
  readonly depth: number;
  /** One for each `-s` or `-S`; null without these. */
  readonly structs: readonly (StructValue | null)[] | null;
}

export interface TreeHead {
  readonly type: TreeType;
  readonly start: VirtAddr;
  /** With -v: the root of a maple tree. */
  readonly maple: { readonly flags: number; readonly root: VirtAddr } | null;
}

const params = {
  type: valued(
    't',
    'type',
    values.word,
    'rbtree (unless told), radix, xarray or maple, or as much as tells them apart',
  ),
  rootOffset: valued(
    'r',
    'offset',
    values.member,
    'where in the struct at the start the root is: bytes, or struct.member',
  ),
  offset: valued('o', 'offset', values.member, 'of a red-black tree: where in a struct its rb_node is'),
  ...structParams,
  sorted: flag('l', 'of a red-black tree: ascending, not from the root down'),
  positions: flag('p', 'where in the tree each is, by the ways from the root; and its index'),
  nodes: flag('v', 'of a maple tree: every node with all of its slots'),
  isNode: flag('N', 'the start is a node (of a radix tree, xarray or maple tree, the word that leads to it)', {
    excludes: ['r'],
  }),
  ...radixParams,
  start: required('start', values.place),
};

type TreeOptions = Options<typeof params>;

export const tree = defineStream({
  name: 'tree',
  help: {
    summary: 'red-black trees, radix trees, xarrays and maple trees',
    description: `Prints the addresses of what a tree holds. The start is the tree's root: rb_root, radix_tree_root, xarray or
maple_tree; a struct that has one with -r, a node with -N. A red-black tree is shown from its root down, left before right.`,
    examples: [
      ['tree -t maple -r mm_struct.mm_mt ff27ec815fb7e880 -s vm_area_struct.vm_start', 'the VMAs of a process'],
      ['tree -o mount.mnt_node -r mnt_namespace.mounts ff27ec8140056a00 -l', 'the mounts of a namespace, by id'],
      ['tree -t xarray -r address_space.i_pages ff27ec81419a2718 -p', 'the cached pages of a file, with their index'],
    ],
  },
  params,
  items: 'entries',
  collect: collectTree,
  text: {
    head: ({ start, maple }) =>
      maple === null
        ? ''
        : `maple_tree(${hex(start)}) flags ${hex(maple.flags).toUpperCase()}, height ${heightOf(maple.flags)} root 0x${hex(maple.root)}\n\n`,
    item: (item, view, { type }) =>
      item.kind === 'node' ? nodeText(item) : entryText(item, view.options, radixOf(view, view.options), type),
  },
});

function collectTree(
  context: CommandContext,
  options: TreeOptions,
): Answer<TreeHead, TreeEntry | MapleNode, { readonly count: number }> {
  const { kernel } = context;
  const type = treeType(options.type);
  if (type !== 'rbtree' && (options.sorted || options.offset !== null)) {
    throw new UsageError('-l and -o are for red-black trees');
  }
  if (options.nodes && type !== 'maple') throw new UsageError('-v is for maple trees');
  const within = options.offset === null ? 0 : offsetOption(context, 'o', options.offset);
  const given = startAddress(context, options.start);
  if (!kernel.arch.isKernelAddress(given)) throw new UsageError(`invalid start argument: ${escapeLine(options.start)}`);
  const start = offsetBy(given, options.rootOffset === null ? 0 : offsetOption(context, 'r', options.rootOffset));
  const shown = shownStructs(context, options);
  const maple = type === 'maple' && !options.isNode ? kernel.object('struct maple_tree', start) : null;
  const head: TreeHead = {
    type,
    start,
    maple:
      maple === null || !options.nodes
        ? null
        : { flags: maple.member('ma_flags').number(), root: maple.member('ma_root').pointer() },
  };
  return { head, items: entries(context, walk(kernel, type, start, within, options), shown) };
}

/** A tree's type by as much of its name as tells it apart. @throws UsageError */
function treeType(word: string | null): TreeType {
  if (word === null) return 'rbtree';
  const found = treeTypes.filter((type) => type.startsWith(word));
  if (found.length !== 1) throw new UsageError(`invalid tree type: ${escapeLine(word)}`);
  return found[0]!;
}

function offsetOption(context: CommandContext, letter: string, word: string): number {
  try {
    return offsetArgument(context, word);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new UsageError(`invalid -${letter} argument: ${escapeLine(word)}`);
  }
}

function heightOf(flags: number): number {
  return (flags & 0x7c) >> 2; // MT_FLAGS_HEIGHT_MASK (include/linux/maple_tree.h)
}

type Step = Omit<TreeEntry, 'structs'> | MapleNode;

function* entries(
  context: CommandContext,
  steps: Generator<Step>,
  shown: readonly ShownStruct[],
): Generator<TreeEntry | MapleNode, { readonly count: number }> {
  const { kernel } = context;
  const reading = valueReading(context);
  let count = 0;
  for (const step of steps) {
    kernel.work.charge('nodes', 1);
    if (step.kind === 'node') {
      yield step;
      continue;
    }
    count++;
    const holdsStruct = shown.length > 0 && kernel.arch.isKernelAddress(step.address);
    yield { ...step, structs: holdsStruct ? readStructs(kernel, shown, step.address, reading) : null };
  }
  return { count };
}

function* walk(
  kernel: Kernel,
  type: TreeType,
  start: VirtAddr,
  within: number,
  { isNode, sorted, nodes }: TreeOptions,
): Generator<Step> {
  const plain = { kind: 'entry', range: null, depth: 0 } as const;
  switch (type) {
    case 'rbtree': {
      const top = isNode ? start : rbTop(kernel.object('struct rb_root', start));
      for (const { address, position } of rbNodes(kernel, top, kernel.faults, sorted ? 'ascending' : 'root-first')) {
        yield { ...plain, address: offsetBy(address, -within), position, index: null };
      }
      return;
    }
    case 'radix':
    case 'xarray': {
      const head = isNode ? start : rootOf(kernel, start);
      for (const one of xarrayEntriesBelow(kernel, head, kernel.faults, isNode ? 'direct' : 'root')) {
        const { index, entry, node, slot } = one;
        yield { ...plain, address: entry, position: slot === null ? node : `${node}/${slot}`, index };
      }
      return;
    }
    case 'maple': {
      const head = isNode ? start : kernel.object('struct maple_tree', start).member('ma_root').pointer();
      let number = 0;
      for (const step of mapleSteps(kernel, head, kernel.faults, isNode ? 'direct' : 'root')) {
        if (step.kind === 'node') {
          if (nodes) yield step;
        } else if (nodes || isEntry(step)) {
          if (isEntry(step)) number++;
          const { entry, position, first, last, depth } = step;
          yield { kind: 'entry', address: entry, position, index: number, range: { first, last }, depth };
        }
      }
      return;
    }
    default:
      assertNever(type);
  }
}

/** The word that the root of a radix tree or xarray holds. @throws NotFoundError, MemoryFault */
function rootOf(kernel: Kernel, start: VirtAddr): VirtAddr {
  const type = kernel.types.find('struct xarray') ?? kernel.type('struct radix_tree_root');
  return kernel.object(type, start).memberAmong('xa_head', 'rnode').pointer();
}

/** Whether a slot holds something, and no mark of the tree's own. */
function isEntry({ entry }: MapleEntry): boolean {
  return entry !== 0n && ((entry & 3n) !== 2n || entry >= 4096n);
}

function entryText(
  { address, position, index, range, depth, structs }: TreeEntry,
  { positions, nodes }: TreeOptions,
  radix: 10 | 16,
  type: TreeType,
): string {
  const line = nodes && range !== null ? `${rangeText(range, depth)}${slotText(address)}\n` : `${hex(address)}\n`;
  const isHeld = address !== 0n;
  const where =
    type === 'rbtree' ? `  position: ${position}\n` : `  index: ${index?.toString(radix)}  position: ${position}\n`;
  return `${line}${positions && isHeld ? where : ''}${structTexts(structs, radix)}`;
}

function rangeText({ first, last }: { readonly first: bigint; readonly last: bigint }, depth: number): string {
  return `${'  '.repeat(depth)}${first === last ? first : `${first}-${last}`}: `;
}

/** What a slot of a maple tree holds, as the kernel's mt_dump tells it. */
function slotText(entry: VirtAddr): string {
  if ((entry & 1n) === 1n) return `value ${entry >> 1n} (0x${hex(entry >> 1n)}) [0x${hex(entry)}]`;
  if (entry === 0x406n) return `zero (${entry >> 2n})`; // XA_ZERO_ENTRY
  if ((entry & 3n) === 2n && entry < 4096n) return `UNKNOWN ENTRY (0x${hex(entry)})`;
  return `0x${hex(entry)}`;
}

function nodeText({ address, depth, type, parent, first, last, slots, pivots, gaps }: MapleNode): string {
  const pointer = (value: bigint): string => (value === 0n ? '(nil)' : `0x${hex(value)}`);
  const byte = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');
  const held = slots.map((slot, i) => (pivots[i] === undefined ? pointer(slot) : `${pointer(slot)} ${pivots[i]}`));
  const before = gaps === null ? '' : `${gaps.sizes.join(' ')} | ${byte(gaps.end)} ${byte(gaps.largest)}| `;
  const node = `node 0x${hex(address)} depth ${depth} type ${type} parent ${pointer(parent)}`;
  return `${rangeText({ first, last }, depth)}${node} contents: ${before}${held.join(' ')}\n`;
}
