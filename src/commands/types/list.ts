// list: linked lists of any make.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { FormatError, MemoryFault, NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { memberText, valueText } from '../../debuginfo/c_value.ts';
import { KernelObject } from '../../debuginfo/object.ts';
import { strip } from '../../debuginfo/type.ts';
import { addressArgument } from '../address.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { type ParsedOptions, parseOptions } from '../options.ts';
import { evaluateAddress } from './expression.ts';
import { type ListEnd, type ListWalk, type Loop, walkList } from './list_walk.ts';
import { offsetArgument, type StructSpec, splitStructSpec, structSpec } from './struct_spec.ts';
import { asText, eachMember, type StructStyle, type StructValue, structValue, typeTitle } from './struct_value.ts';
import { valueData } from './value_data.ts';
import { chosenRadix, valueStyle } from './value_style.ts';

interface ListEntry {
  /** Of the struct; of the link itself with `-l` and without an offset. */
  readonly address: VirtAddr;
  /** One for each `-s` or `-S`; null where nothing of it can be read. */
  readonly structs?: readonly (StructValue | null)[];
}

interface ListData {
  readonly start: VirtAddr;
  readonly entries: readonly ListEntry[];
  readonly end: ListEnd;
  readonly loop: Loop | null;
}

export const list = defineCommand<ListData>({
  name: 'list',
  help: {
    summary: 'linked lists of any make',
    usage: [
      '[-rB] [[-o] OFFSET] [-e END] [-s STRUCT|-S STRUCT]... [-l OFFSET] [-x|-d] START',
      '[-rB] [[-o] OFFSET] [-e END] [-s STRUCT|-S STRUCT]... [-x|-d] -H START',
      '[-rB] [[-o] OFFSET] [-O OFFSET] [-e END] [-s STRUCT|-S STRUCT]... [-x|-d] -h START',
    ],
    description: `Prints the addresses of what is on a list, and ends at its start, at NULL, at END, or at a loop. START is a
symbol, hexadecimal digits, or an expression.

  START       is the first struct; OFFSET is where in it the pointer to the next one is (0 unless given)
  -H START    is a list_head of its own: the structs on it have theirs at OFFSET
  -h START    is a struct on the list with its list_head at OFFSET
  -O OFFSET   with -h: START is another kind of struct, which heads the list with a list_head at this offset
  -o OFFSET   bytes, or STRUCT.MEMBER; -o can be left out before the latter
  -e END      an address that ends the list
  -r          backwards, by prev
  -s STRUCT   shows each as a struct, or STRUCT.MEMBER,... some members of it
  -S STRUCT   the same with plain numbers and strings
  -l OFFSET   the addresses are those of members at this offset in the -s struct
  -B          finds loops without keeping what was seen: for very long lists
  -x, -d      values in hexadecimal or decimal`,
    examples: [
      ['list task_struct.tasks -H init_task.tasks -s task_struct.pid,comm', 'every process but the first'],
      ['list -H modules -o module.list -s module.name', 'every module'],
      ['list task_struct.parent init_task', 'from child to parent'],
    ],
  },
  collect: collectList,
  render: renderList,
});

/** One `-s` or `-S`. */
interface Shown {
  readonly spec: StructSpec;
  readonly plain: boolean;
}

function collectList(context: CommandContext, args: readonly string[]): ListData {
  const { kernel } = context;
  const { shown: shownWords, rest } = takeShown(args);
  const options = parseOptions(rest, 'HhBre:o:O:l:xd');
  const { startWord, offset } = startAndOffset(context, options);
  const shown = shownWords.map(({ word, plain }): Shown => ({ spec: structSpec(context, word, 'any'), plain }));
  const within = options.value('l') === null ? 0 : offsetArgument(context, options.value('l')!);
  if (options.value('l') !== null && shown.length === 0) throw new UsageError('-l needs -s or -S');
  const start = startAddress(context, startWord);

  const step = options.has('r') ? 8 : 0;
  const endWord = options.value('e');
  const end = endWord === null ? null : startAddress(context, endWord);
  const headed = options.has('H') || options.has('h');
  const headOffset = options.value('O') === null ? null : offsetArgument(context, options.value('O')!);
  if (headOffset !== null && !options.has('h')) throw new UsageError('-O needs -h');
  // links of a headed list point to the list_heads inside structs, those of a plain one to the structs
  const inStruct = headed ? offset : 0;
  const first = options.has('H') ? start : options.has('h') ? offsetBy(start, headOffset ?? offset) : start;
  const walk = walkList({
    space: kernel.space,
    start: first,
    includeStart: !options.has('H') && headOffset === null,
    next: headed ? step : offset + step,
    isEnd: (link) => end !== null && (link === end || offsetBy(link, -inStruct) === end),
    brent: options.has('B'),
  });
  recordEnd(context, walk);
  const radix = chosenRadix(context, options);
  const style: StructStyle = { ...valueStyle(context, radix), show: 'values' };
  const entries = walk.links.map((link): ListEntry => {
    const address = offsetBy(link, -inStruct);
    if (shown.length === 0) return { address };
    const object = offsetBy(address, -within);
    return { address, structs: shown.map((one) => show(context, one, object, style)) };
  });
  return { start, entries, end: walk.end, loop: walk.loop };
}

/** `-s` and `-S` may come several times, and their order counts. */
function takeShown(args: readonly string[]): { shown: { word: string; plain: boolean }[]; rest: string[] } {
  const shown: { word: string; plain: boolean }[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const match = /^-([sS])(.*)$/.exec(args[i]!);
    if (match === null) {
      rest.push(args[i]!);
      continue;
    }
    const word = match[2] !== '' ? match[2] : args[++i];
    if (word === undefined) throw new UsageError(`-${match[1]} needs a struct`);
    shown.push({ word, plain: match[1] === 'S' });
  }
  return { shown, rest };
}

/** Of the words that are no options, one is the start, and another may be the offset, in either order. */
function startAndOffset(context: CommandContext, options: ParsedOptions): { startWord: string; offset: number } {
  const words = [...options.args];
  let offsetWord = options.value('o');
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

function startAddress(context: CommandContext, word: string): VirtAddr {
  if (parseHex(word) !== null || context.kernel.symbols.find(word) !== null) return addressArgument(context, word);
  try {
    return addressArgument(context, word);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    return evaluateAddress(context, word);
  }
}

/** Says what is wrong with a list that did not end as lists do. */
function recordEnd(context: CommandContext, { end, fault, loop, links }: ListWalk): void {
  const { faults } = context.kernel;
  if (fault !== null) faults.record('list', fault);
  if (loop !== null) {
    const more = loop.length === null ? '' : `: ${loop.length} entries round, after ${loop.before}`;
    faults.record('list', new FormatError('list', `goes in a circle through ${hex(loop.at)}${more}`));
  }
  if (end === 'limit') faults.record('list', new FormatError('list', `has more than ${links.length} entries`));
}

function show(
  context: CommandContext,
  { spec, plain }: Shown,
  address: VirtAddr,
  style: StructStyle,
): StructValue | null {
  const object = KernelObject.at(context.kernel, spec.type, address);
  try {
    if (!plain || spec.members.length === 0) return structValue(object, spec, style);
    const value = Object.fromEntries(spec.members.map((path) => [path, valueData(object.member(path))]));
    const text = eachMember(spec.members, (path) => plainMember(object, path, style)).join('');
    return { type: typeTitle(spec), address, value, [asText]: escapeTerminal(text) };
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    if (plain) context.kernel.faults.record(typeTitle(spec), error);
    return null; // (other values have recorded it)
  }
}

/** A member as `-S` shows it: unsigned numbers and strings, without what gdb adds. */
function plainMember(object: KernelObject, path: string, style: StructStyle): string {
  const member = object.member(path);
  const type = strip(member.type);
  const line = (value: string): string => `  ${path} = ${value}\n`;
  if (type.kind === 'pointer') {
    const address = member.pointer();
    const target = strip(type.target);
    if (target.kind !== 'int' || target.encoding !== 'char') return line(`0x${hex(address)}`);
    const text = valueText(member, style);
    const quote = text.indexOf('"');
    return line(`0x${hex(address)}${quote < 0 ? '' : `  ${text.slice(quote)}`}`);
  }
  if (type.kind === 'array') {
    const element = strip(type.element);
    if (element.kind === 'int' && element.encoding === 'char') return line(`"${escapeTerminal(member.string())}"`);
  }
  if (type.kind === 'int' && [1, 2, 4, 8].includes(type.size) && member.bitSize === 0) {
    const value = BigInt.asUintN(type.size * 8, member.bigint());
    return line(style.radix === 16 ? `0x${hex(value)}` : String(value));
  }
  return `${memberText(object, path, style) ?? ''}\n`;
}

function renderList({ entries }: ListData): string {
  if (entries.length === 0) return '(empty)\n';
  return entries
    .map(({ address, structs }) => {
      const texts = (structs ?? []).map((struct) => struct?.[asText] ?? '');
      return `${hex(address)}\n${texts.join('')}`;
    })
    .join('');
}
