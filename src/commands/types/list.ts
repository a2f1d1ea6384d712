// list: linked lists of any make.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { FormatError, UsageError } from '../../base/errors.ts';
import { hex } from '../../base/text.ts';
import { type Answer, defineStream } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, radixOf, radixParams, rest, valued, values } from '../params.ts';
import { startAddress } from './expression.ts';
import { type ListEnd, type Loop, type WalkEnd, walkList } from './list_walk.ts';
import { readStructs, shownStructs, structParams, structTexts } from './shown_structs.ts';
import { offsetArgument, splitStructSpec } from './struct_spec.ts';
import type { StructValue } from './struct_value.ts';
import { valueReading } from './value_reading.ts';

export interface ListEntry {
  /** Of the struct; of the link itself with `-l` and without an offset. */
  readonly address: VirtAddr;
  /** One for each `-s` or `-S`, null where nothing of it can be read; null without these. */
  readonly structs: readonly (StructValue | null)[] | null;
}

export interface ListHead {
  readonly start: VirtAddr;
}

/** How the list ended. */
export interface ListTail {
  readonly count: number;
  readonly end: ListEnd;
  readonly loop: Loop | null;
}

const params = {
  backwards: flag('r', 'backwards, by prev'),
  brent: flag('B', 'finds loops without keeping what was seen: for very long lists'),
  isHead: flag('H', 'the start is a list_head of its own: the structs on it have theirs at the offset', {
    excludes: ['h'],
  }),
  isOnList: flag('h', 'the start is a struct on the list with its list_head at the offset', { excludes: ['H'] }),
  headOffset: valued(
    'O',
    'offset',
    values.member,
    'with -h: the start is another kind of struct, which heads the list with a list_head at this offset',
  ),
  offset: valued(
    'o',
    'offset',
    values.member,
    'where in a struct its link is: bytes, or struct.member; -o can be left out before the latter',
  ),
  end: valued('e', 'end', values.place, 'an address that ends the list'),
  ...structParams,
  back: valued('l', 'offset', values.member, 'the addresses are those of members at this offset in the -s struct'),
  ...radixParams,
  words: rest('start', values.place),
};

type ListOptions = Options<typeof params>;

export const list = defineStream({
  name: 'list',
  help: {
    summary: 'linked lists of any make',
    usage: [
      '[-rB] [[-o] offset] [-e end] [-s struct|-S struct]... [-l offset] [-x|-d] start',
      '[-rB] [[-o] offset] [-e end] [-s struct|-S struct]... [-x|-d] -H start',
      '[-rB] [[-o] offset] [-O offset] [-e end] [-s struct|-S struct]... [-x|-d] -h start',
    ],
    description: `Prints the addresses of what is on a list, and ends at its start, at NULL, at the end given, or at a loop. The start
is a symbol, hexadecimal digits, or an expression: the first struct, in which the pointer to the next one is at the
offset (0 unless given).`,
    examples: [
      ['list task_struct.tasks -H init_task.tasks -s task_struct.pid,comm', 'every process but the first'],
      ['list -H modules -o module.list -s module.name', 'every module'],
      ['list task_struct.parent init_task', 'from child to parent'],
    ],
  },
  params,
  items: 'entries',
  collect: collectList,
  text: {
    item: ({ address, structs }, view) => `${hex(address)}\n${structTexts(structs, radixOf(view, view.options))}`,
    tail: ({ count }) => (count === 0 ? '(empty)\n' : ''),
  },
});

function collectList(context: CommandContext, options: ListOptions): Answer<ListHead, ListEntry, ListTail> {
  const { kernel } = context;
  const { startWord, offset } = startAndOffset(context, options);
  const shown = shownStructs(context, options);
  const within = options.back === null ? 0 : offsetArgument(context, options.back);
  if (options.back !== null && shown.length === 0) throw new UsageError('-l needs -s or -S');
  const start = startAddress(context, startWord);

  const step = options.backwards ? 8 : 0;
  const end = options.end === null ? null : startAddress(context, options.end);
  const headed = options.isHead || options.isOnList;
  const headOffset = options.headOffset === null ? null : offsetArgument(context, options.headOffset);
  if (headOffset !== null && !options.isOnList) throw new UsageError('-O needs -h');
  // links of a headed list point to the list_heads inside structs, those of a plain one to the structs
  const inStruct = headed ? offset : 0;
  const first = options.isHead ? start : options.isOnList ? offsetBy(start, headOffset ?? offset) : start;
  const walk = walkList({
    space: kernel.space,
    work: kernel.work,
    start: first,
    includeStart: !options.isHead && headOffset === null,
    next: headed ? step : offset + step,
    isEnd: (link) => end !== null && (link === end || offsetBy(link, -inStruct) === end),
    brent: options.brent,
  });
  const reading = valueReading(context);
  function* entries(): Generator<ListEntry, ListTail> {
    let count = 0;
    for (;;) {
      const next = walk.next();
      if (next.done) {
        recordEnd(context, next.value, count);
        return { count, end: next.value.end, loop: next.value.loop };
      }
      count++;
      const address = offsetBy(next.value, -inStruct);
      const object = offsetBy(address, -within);
      const structs = shown.length === 0 ? null : readStructs(kernel, shown, object, reading);
      yield { address, structs };
    }
  }
  return { head: { start }, items: entries() };
}

/** Of the words that are no options, one is the start, and another may be the offset, in either order. */
function startAndOffset(context: CommandContext, options: ListOptions): { startWord: string; offset: number } {
  const words = [...options.words];
  let offsetWord = options.offset;
  if (offsetWord === null) {
    const isOffset = (word: string): boolean =>
      context.kernel.symbols.find(word) === null &&
      (isMemberOfStruct(context, word) || (words.length > 1 && /^(0x)?[0-9a-f]{1,5}$/i.test(word)));
    const at = words.findIndex(isOffset);
    if (at >= 0) offsetWord = words.splice(at, 1)[0]!;
  }
  // an expression may have blanks
  const startWord = words.length > 1 && words[0]!.startsWith('(') ? words.join(' ') : words[0];
  if (startWord === undefined) throw new UsageError('a start is needed');
  if (words.length > 1 && startWord === words[0]) throw new UsageError('too many arguments');
  return { startWord, offset: offsetWord === null ? 0 : offsetArgument(context, offsetWord) };
}

/** `struct.member`; a word that begins with a symbol and no struct's name is an expression. */
function isMemberOfStruct(context: CommandContext, word: string): boolean {
  const { name, members } = splitStructSpec(word);
  if (members.length !== 1 || !/^[A-Za-z_]\w*$/.test(name)) return false;
  const { symbols, types } = context.kernel;
  return symbols.find(name) === null || types.find(`struct ${name}`) !== null || types.find(`union ${name}`) !== null;
}

/** Says what is wrong with a list that did not end as lists do. */
function recordEnd(context: CommandContext, { end, fault, loop }: WalkEnd, count: number): void {
  const { faults } = context.kernel;
  if (fault !== null) faults.record('list', fault);
  if (loop !== null) {
    const more = loop.length === null ? '' : `: ${loop.length} entries round, after ${loop.before}`;
    faults.record('list', new FormatError('list', `goes in a circle through ${hex(loop.at)}${more}`));
  }
  if (end === 'limit') faults.record('list', new FormatError('list', `has more than ${count} entries`));
}
