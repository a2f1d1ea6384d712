// search: where in memory values or strings are.
import type { AddressSpace } from '../../arch/address_space.ts';
import { PhysicalSpace } from '../../arch/address_space.ts';
import { offsetBy, pfn, type VirtAddr, virtAddr } from '../../base/address.ts';
import { UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { type SearchPattern, searchMemory } from '../../dump/search.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { userMemory, vmAreas } from '../../kernel/mm_types.ts';
import { taskStack } from '../../kernel/sched.ts';
import type { Task } from '../../kernel/task.ts';
import { overlap, type SearchedPart, searchKernel, searchRange } from '../../kernel/virtual_search.ts';
import { addressArgument } from '../address.ts';
import { type Answer, defineStream } from '../command.ts';
import { type CommandContext, parseHex, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { flag, type Options, rest, type ValueKind, valued, values } from '../params.ts';
import { readWords, type WordRow, type WordSize, wordRowsText } from './memory_words.ts';

/** One place where something was found. */
export interface SearchItem {
  /** Virtual, or physical with -p. */
  readonly address: VirtAddr;
  /** The word that is there; null for a string. */
  readonly value: bigint | null;
  /** What is there, unprintable characters as dots; null for a word. */
  readonly text: string | null;
  /** Which of the values or strings that were asked for. */
  readonly which: number;
  /** What the value was called, where it was not given as a number: a symbol, a sum. */
  readonly name: string | null;
  /** With -x: the words around it. */
  readonly context: {
    readonly before: readonly WordRow[];
    readonly word: readonly WordRow[];
    readonly after: readonly WordRow[];
  } | null;
  /** With -t and -T: whose stack it is on. With -U: whose memory it is in. */
  readonly task: TaskLabel | null;
  /** The first of its task's. */
  readonly first: boolean;
}

export interface SearchHead {
  /** Bits of a word; null for strings. */
  readonly size: WordSize | null;
}

/** Characters shown of a string. */
const textLength = 56;

const number: ValueKind<bigint> = {
  kind: 'number',
  parse(word) {
    const value = parseHex(word);
    if (value === null) throw new UsageError(`not a hexadecimal number: ${escapeTerminal(word)}`);
    return value;
  },
};

/** A number of bytes: decimal, but for `0x` or a hexadecimal letter in it. */
const byteCount: ValueKind<bigint> = {
  kind: 'number',
  parse(word, context) {
    if (!/^\d{1,20}$/.test(word)) return number.parse(word, context);
    return BigInt(word);
  },
};

const where = { group: 'where' };
const what = { group: 'what' };

const params = {
  start: valued('s', 'start', values.place, 'from this address or symbol on', where),
  kernel: flag('k', 'in kernel virtual memory, as without it', {
    ...where,
    excludes: ['K', 'V', 'u', 'U', 'p', 't', 'T'],
  }),
  plain: flag('K', 'of that, not vmalloc() areas, modules and the memory map', {
    ...where,
    excludes: ['V', 'u', 'U', 'p', 't', 'T'],
  }),
  mapped: flag('V', "of that, neither the map of all memory nor the kernel's image", {
    ...where,
    excludes: ['u', 'U', 'p', 't', 'T'],
  }),
  user: flag('u', "in the current task's user memory", { ...where, excludes: ['U', 'p', 't', 'T'] }),
  task: valued('U', 'pid|task', values.task, "in that task's user memory", { ...where, excludes: ['p', 't', 'T'] }),
  physical: flag('p', 'in physical memory', { ...where, excludes: ['t', 'T'] }),
  stacks: flag('t', 'on the kernel stacks of all tasks', { ...where, excludes: ['T'] }),
  activeStacks: flag('T', 'on those of the tasks that CPUs ran', where),
  end: valued('e', 'end', values.place, 'up to this address or symbol', where),
  length: valued('l', 'length', byteCount, 'as many bytes, decimal or 0x..., in place of an end', {
    ...where,
    excludes: ['e'],
  }),
  mask: valued('m', 'mask', number, 'bits that do not matter, hexadecimal', { ...what, excludes: ['c'] }),
  context: valued('x', 'count', values.count, 'shows this many words before and after each as well', {
    ...what,
    excludes: ['c'],
  }),
  strings: flag('c', 'strings in place of values', { ...what, excludes: ['w', 'h'] }),
  words: flag('w', 'words of 32 bits', { ...what, excludes: ['h'] }),
  halfWords: flag('h', 'words of 16 bits', what),
  wanted: rest('value|symbol|(expression)|string', values.place),
};

type SearchOptions = Options<typeof params>;

export const search = defineStream({
  name: 'search',
  help: {
    summary: 'memory that holds given values or strings',
    usage: [
      '[-s start] [-e end|-l length] [-k|-K|-V|-u|-U task|-p|-t|-T] [-m mask] [-x count] [-w|-h] value|symbol|(sum)...',
      '[-s start] [-e end|-l length] [-k|-K|-V|-u|-U task|-p|-t|-T] -c string...',
    ],
    description: `Looks for words or strings in memory, as far as the dump has it. Values are hexadecimal, symbols, or sums such as
(init_task+0x10). What physical memory holds is told by every address at which the kernel has it mapped: in the map of
all memory, in vmalloc() areas and modules, in the kernel's image.`,
    examples: [
      ['search deadbeef', 'in all of kernel memory'],
      ['search -u -c hello', "a string in the current task's memory"],
      ['foreach user search -u -c hello', 'in the memory of every process'],
      ['search -m ffff ffffffff81000000', 'any address in that 64 KiB'],
      ['search -t mutex_lock', 'the address of a function on any stack'],
    ],
  },
  params,
  unlimited: true,
  items: 'hits',
  collect: collectSearch,
  text: { item: itemText },
  forTask: (options, task) => ({ ...options, user: false, task }),
});

function collectSearch(context: CommandContext, options: SearchOptions): Answer<SearchHead, SearchItem, null> {
  const { kernel } = context;
  if (options.wanted.length === 0) throw new UsageError('');
  const pattern = patternOf(context, options);
  const size = pattern.kind === 'words' ? ((pattern.size * 8) as WordSize) : null;
  function* items(): Generator<SearchItem, null> {
    for (const [space, task, hits] of places(context, options, pattern)) {
      let first = task !== null;
      for (const hit of hits) {
        const name = size === null ? null : named(options.wanted[hit.which] ?? '');
        yield { ...found(kernel, space, hit, size, options.context), name, task, first };
        first = false;
      }
    }
    return null;
  }
  return { head: { size }, items: items() };
}

function patternOf(context: CommandContext, options: SearchOptions): SearchPattern {
  if (options.strings) {
    return { kind: 'strings', strings: options.wanted.map((word) => Buffer.from(word, 'latin1')) };
  }
  const size = options.halfWords ? 2 : options.words ? 4 : 8;
  const found = options.wanted.map((word) => addressArgument(context, word));
  const tooLarge = found.find((value) => value >> BigInt(size * 8) !== 0n);
  if (tooLarge !== undefined) throw new UsageError(`${hex(tooLarge)} has more than ${size * 8} bits`);
  return { kind: 'words', size, values: found, ignore: options.mask ?? 0n };
}

/** A word that is no number; a sum without its parentheses. */
function named(word: string): string | null {
  return parseHex(word) === null ? word.replace(/^\((.*)\)$/s, '$1') : null;
}

type Hit = { readonly address: VirtAddr; readonly which: number };
/** Where to look: an address space, the task whose stack it is, what is found there. */
type Place = readonly [space: AddressSpace, task: TaskLabel | null, hits: Iterable<Hit>];

function* places(context: CommandContext, options: SearchOptions, pattern: SearchPattern): Generator<Place> {
  const { kernel } = context;
  if (options.stacks || options.activeStacks) {
    const { all } = context.tasks;
    for (const task of options.stacks ? all : all.filter(({ active }) => active)) {
      const hits = stackHits(kernel, task, pattern);
      if (hits.length > 0) yield [kernel.space, taskLabel(task), hits];
    }
    return;
  }
  const { start, end } = rangeOf(context, options);
  if (options.physical) {
    const { pageSize } = kernel.dump.memory;
    const hits = function* (): Generator<Hit> {
      const found = searchMemory(kernel.dump, pattern, {
        from: pfn(Math.floor(Number(start) / pageSize)),
        to: pfn(Math.ceil(Number(end) / pageSize)),
        work: kernel.work,
        failed: (_frame, fault) => kernel.faults.record('search', fault),
      });
      for (const { address, which } of found) {
        if (BigInt(address) >= start && BigInt(address) < end) yield { address: virtAddr(BigInt(address)), which };
      }
    };
    yield [new PhysicalSpace(kernel.dump.memory), null, hits()];
    return;
  }
  const isUser =
    options.user || options.task !== null || (options.start !== null && !kernel.arch.isKernelAddress(start));
  if (!isUser) {
    const parts: readonly SearchedPart[] = options.plain
      ? ['direct-map', 'image']
      : options.mapped
        ? ['vmalloc', 'vmemmap']
        : ['direct-map', 'vmalloc', 'vmemmap', 'image'];
    yield [kernel.space, null, searchKernel(kernel, pattern, { start, end, parts: new Set(parts) })];
    return;
  }
  const task = options.task ?? context.task;
  // one of many tasks, that has given its memory up: there is nothing to find in it
  if (options.task !== null && task.object.member('mm').isNull) return;
  const space = userMemory(kernel, task);
  const hits = function* (): Generator<Hit> {
    for (const area of vmAreas(kernel, task.object.member('mm').deref())) {
      const range = overlap(area, { start, end });
      if (range !== null) yield* searchRange(kernel, space, pattern, range);
    }
  };
  yield [space, options.task === null ? null : taskLabel(task), hits()];
}

function stackHits(kernel: Kernel, task: Task, pattern: SearchPattern): Hit[] {
  return kernel.faults.attempt('stack of a task', () => {
    const stack = taskStack(kernel, task);
    if (stack === null) return [];
    const { start, size } = stack;
    return [...searchRange(kernel, kernel.space, pattern, { start, end: offsetBy(start, size) })];
  }, []);
}

/** @throws UsageError for an end before the start */
function rangeOf(
  context: CommandContext,
  options: SearchOptions,
): { readonly start: VirtAddr; readonly end: VirtAddr } {
  const { kernel } = context;
  const { maxPfn, pageSize } = kernel.dump.memory;
  const place = (word: string): VirtAddr =>
    (options.physical ? parseHex(word) : null) ?? addressArgument(context, word);
  const start = options.start === null ? virtAddr(0n) : place(options.start);
  const top = options.physical ? BigInt(maxPfn * pageSize) : 1n << 64n;
  let end = options.end === null ? top : BigInt(place(options.end));
  if (options.length !== null) end = start + options.length;
  if (end > top) end = top;
  if (end <= start) throw new UsageError('the range to search ends before it starts');
  return { start, end: end as VirtAddr };
}

function found(
  kernel: Kernel,
  space: AddressSpace,
  { address, which }: Hit,
  size: WordSize | null,
  around: number | null,
): Omit<SearchItem, 'task' | 'first' | 'name'> {
  if (size === null) {
    const { bytes } = space.readUpTo(address, textLength);
    const text = Buffer.from(bytes)
      .toString('latin1')
      .replace(/[^\x20-\x7e]/g, '.');
    return { address, value: null, text, which, context: null };
  }
  const bytes = size / 8;
  const value = kernel.faults.attempt(
    'search',
    () => readWords(space, address, 1, size).rows[0]?.words[0] ?? null,
    null,
  );
  const context =
    around === null
      ? null
      : kernel.faults.attempt(
          'search',
          () => ({
            before: readWords(space, offsetBy(address, -around * bytes), around, size).rows,
            word: readWords(space, address, 1, size).rows,
            after: readWords(space, offsetBy(address, bytes), around, size).rows,
          }),
          null,
        );
  return { address, value, text: null, which, context };
}

function itemText(item: SearchItem, _view: unknown, { size }: SearchHead, index: number): string {
  const { address, value, text, context, task, first, name } = item;
  const header = first && task !== null ? `${index > 0 ? '\n' : ''}${taskHeader(task)}\n` : '';
  if (context !== null && size !== null) {
    const around = (rows: readonly WordRow[]): string => wordRowsText(rows, { size, show: 'hex', ascii: true });
    const word = wordRowsText(context.word, { size, show: 'hex', ascii: false });
    return `${header}${around(context.before)}${word}${around(context.after)}\n`;
  }
  const shown = text ?? (value === null ? '' : `${hex(value).padStart((size ?? 64) / 4, '0')} `);
  return `${header}${hex(address)}: ${shown}${name === null ? '' : `(${escapeTerminal(name)})`}\n`;
}
