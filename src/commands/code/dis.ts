// dis: machine code as text.
import type { Decoder } from '../../arch/decoder.ts';
import type { VirtAddr } from '../../base/address.ts';
import { assertNever, NotFoundError, UnsupportedError, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import type { KernelSymbol, SymbolPlace } from '../../debuginfo/symbol.ts';
import { generatedCodeAt } from '../../kernel/generated_code.ts';
import { userMemory } from '../../kernel/mm_types.ts';
import { hasLines, sourceLine } from '../../kernel/source_line.ts';
import { addressArgument, alternatives, countArgument } from '../address.ts';
import { type Answer, defineStream, noItems } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, radixOf, radixParamsOrH, rest, values } from '../params.ts';
import { crashSymbol, isNameless, symbolsNamed, withoutClone } from '../place_name.ts';
import { type SourcePlace, sourcePlace, placeText as sourceText } from '../source_place.ts';
import { listingText, type SourceListing, sourceListing } from './source_listing.ts';
import { type SymbolEntry, symbolEntry, symbolLine } from './symbol_line.ts';

export interface InstructionLine {
  readonly address: VirtAddr;
  readonly symbol: string | null;
  /** Bytes from the symbol. */
  readonly offset: number;
  /** The instruction's bytes in hexadecimal. */
  readonly bytes: string;
  readonly text: string;
  /** Where it is in the source, with -l; null where that is not told. */
  readonly source: SourcePlace | null;
  /** True where `source` is another than that of the instruction before. */
  readonly newSource: boolean;
}

export type DisHead =
  | { readonly kind: 'code'; readonly radix: 10 | 16 }
  | SourceListing
  | { readonly kind: 'ambiguous'; readonly name: string; readonly symbols: readonly SymbolEntry[] }
  | { readonly kind: 'unknown'; readonly name: string; readonly alternatives: readonly SymbolEntry[] }
  | { readonly kind: 'bug-bytes'; readonly bytes: number };

type DisAnswer = Answer<DisHead, InstructionLine, null>;

/** Most instructions of one command, and largest function, in bytes. */
const maxInstructions = 1_000_000;
const maxFunction = 4 * 1024 * 1024;

const params = {
  reverse: flag(
    'r',
    'from the start of the function up to the instruction at the address; with a count, the last of them',
    { excludes: ['f'] },
  ),
  forward: flag('f', 'from the address to the end of the function', { excludes: ['r'] }),
  lines: flag('l', 'with source lines, where debuginfo has them'),
  source: flag('s', 'the source line, with the rest of its function where the source is there (see `--src`)'),
  user: flag('u', "the address is in the current task's user memory"),
  ...radixParamsOrH,
  unfiltered: flag('U', ''),
  bugBytes: flag(
    'b',
    "how many bytes behind a BUG's ud2 instruction are taken for data; kernels since 2.6.20 have none",
  ),
  words: rest('address [count]', values.place),
};

export const dis = defineStream({
  name: 'dis',
  help: {
    summary: 'machine code as text',
    usage: ['[-r|-f] [-lsu] [-x|-d] address [count]', '-b [bytes]'],
    description: `Disassembles instructions at an address: a symbol, hexadecimal digits, or a sum such as vfs_write+20 or
(schedule + 7). Without a count: the whole function if the address is its name, else one instruction.`,
    examples: [
      ['dis schedule', 'a whole function'],
      ['dis -r ffffffffa834a0ec', 'how the kernel got to an instruction'],
      ['dis vfs_write+20 5', 'five instructions'],
    ],
  },
  params,
  items: 'instructions',
  collect: collectDis,
  text: {
    head: (head, { radix }) => renderHead(head, radix),
    item: (line, _view, head) => `${sourceAbove(line)}${instructionText(line, head)}\n`,
    lines: (line, _view, head) => [
      ...(line.newSource && line.source !== null ? [{ text: sourceText(line.source), at: null }] : []),
      { text: instructionText(line, head), at: `instruction ${hex(line.address)}` },
    ],
  },
  failed: (head) => head.kind === 'unknown' || head.kind === 'ambiguous',
});

function collectDis(context: CommandContext, options: Options<typeof params>): DisAnswer {
  if (options.bugBytes) {
    const [bytes, ...more] = options.words;
    // no kernel has such bytes any more: with an address the option means nothing
    if (more.length > 0) return collectDis(context, { ...options, bugBytes: false, words: more });
    const isCount = bytes !== undefined && /^\d+$/.test(bytes);
    if (bytes !== undefined && !isCount) return collectDis(context, { ...options, bugBytes: false, words: [bytes] });
    return only({ kind: 'bug-bytes', bytes: bytes === undefined ? 0 : countArgument(bytes) });
  }
  const { kernel } = context;
  const { decoder } = kernel.arch;
  if (decoder === null) throw new UnsupportedError('machine', `code of ${kernel.arch.name} cannot be disassembled`);
  const { where, countWord } = whereAndCount(options.words);
  if ((options.lines || options.source) && !hasLines(kernel)) {
    kernel.faults.record('lines', new NotFoundError('debug information', 'of the kernel', 'name its vmlinux'));
  }
  const radix = radixOf(context, options);
  const count = countWord === undefined ? null : countArgument(countWord);

  const known = symbolsNamed(kernel.symbols, where);
  const named = known.filter(isText);
  if (named.length > 1) {
    const symbols = named.toSorted((a, b) => (a.address < b.address ? -1 : 1)).map((symbol) => symbolEntry(symbol));
    return only({ kind: 'ambiguous', name: where, symbols });
  }
  if (known.length === 0 && /^[A-Za-z_.$][\w.$]*$/.test(where) && !/^[0-9a-fA-F]{1,16}$/.test(where)) {
    const others = alternatives(context, where).filter(isText);
    return only({ kind: 'unknown', name: where, alternatives: others.map((symbol) => symbolEntry(symbol)) });
  }
  const address = named[0]?.address ?? addressArgument(context, where);
  const isUser = options.user;
  const range = isUser ? null : functionAround(context, address);
  if (options.source) return only(sourceListing(context, where, address, range, count));
  const isFunction = named.length === 1 && count === null;
  const wanted = count ?? (isFunction || options.reverse || options.forward ? maxInstructions : 1);
  if (wanted > maxInstructions) throw new UsageError(`invalid count argument: ${countWord}`);
  if ((options.reverse || options.forward) && range === null && !isUser) {
    throw new NotFoundError('function', `around ${hex(address)}`);
  }
  const list = (start: VirtAddr, length: number, limit: number): Generator<InstructionLine, null> =>
    instructionsAt(context, decoder, start, length, limit, isUser, radix, options.lines);
  const head: DisHead = { kind: 'code', radix };
  if (options.reverse && range !== null) {
    // to the end of the instruction that holds the address
    const length = Number(address - range.start) + 1;
    const lines = list(range.start, Math.min(length + decoder.longest, range.length), maxInstructions);
    return { head, items: upTo(lines, address, count) };
  }
  const toEnd = range !== null && (isFunction || options.forward);
  if (options.forward && range !== null && count === null && address > range.start) {
    // where an instruction begins is known from the function's start alone
    const items = from(list(range.start, range.length, maxInstructions), address);
    return { head, items: range.padded ? items : withoutPadding(items) };
  }
  const length = toEnd
    ? Number(range.start - address) + range.length
    : Math.min(wanted, maxInstructions) * decoder.longest;
  const items = list(address, Math.min(length, maxFunction), wanted);
  return { head, items: toEnd && !range.padded ? withoutPadding(items) : items };
}

function only(head: DisHead): DisAnswer {
  return { head, items: noItems(null) };
}

/** What assemblers and linkers fill with up to the next function's start. */
const filler = /^(?:(?:data16|cs) )*(?:nop[wl]?\b|xchg +%ax,%ax$)/;

/**
 * The instructions of a function but for those behind its end, which fill up to the next one's start: nops, and int3
 * behind an object file's last function (arch/x86/kernel/vmlinux.lds.S). What a `ret` was patched with where there had
 * been a jump of five bytes, and what stops speculation, belongs to it. All, if none does anything.
 */
function* withoutPadding(lines: Generator<InstructionLine, null>): Generator<InstructionLine, null> {
  const held: InstructionLine[] = [];
  let last: InstructionLine | null = null;
  for (const line of lines) {
    if (filler.test(line.text) || line.text === 'int3') {
      held.push(line);
      continue;
    }
    yield* held.splice(0);
    yield line;
    last = line;
  }
  if (last === null) yield* held;
  else {
    const nop = held.findIndex(({ text }) => text !== 'int3');
    yield* held.slice(0, Math.min(stops(last.text), nop < 0 ? held.length : nop));
  }
  return null;
}

/** How many int3 behind a function's last instruction are its own: of a patched `ret`, and of a jump without a fixed target. */
function stops(text: string): number {
  if (/^ret\b/.test(text)) return 4;
  return /^jmp +\*|<__x86_indirect_thunk_/.test(text) ? 1 : 0;
}

/** The instructions up to an address; an address inside an instruction shows the one behind it, too, as crash(8) does. */
function* upTo(
  lines: Generator<InstructionLine, null>,
  address: VirtAddr,
  count: number | null,
): Generator<InstructionLine, null> {
  const last: InstructionLine[] = [];
  for (const line of lines) {
    const reached = line.address >= address;
    if (count === null) yield line;
    else {
      last.push(line);
      if (last.length > count) last.shift();
    }
    if (reached) break;
  }
  yield* last;
  return null;
}

/** The instructions at an address and behind. */
function* from(lines: Generator<InstructionLine, null>, address: VirtAddr): Generator<InstructionLine, null> {
  for (const line of lines) if (line.address >= address) yield line;
  return null;
}

/** The words of an address, which may have blanks inside parentheses, and of a count. */
function whereAndCount(words: readonly string[]): { where: string; countWord: string | undefined } {
  if (words.length === 0) throw new UsageError('');
  if (!words[0]!.startsWith('(')) {
    if (words.length > 2) throw new UsageError('');
    return { where: words[0]!, countWord: words[1] };
  }
  const last = words.findIndex((word) => word.endsWith(')'));
  if (last < 0 || words.length > last + 2) throw new UsageError('');
  return { where: words.slice(0, last + 1).join(' '), countWord: words[last + 1] };
}

function isText(symbol: KernelSymbol): boolean {
  return /^[tw]$/i.test(symbol.type);
}

interface FunctionRange {
  readonly start: VirtAddr;
  /** Bytes. */
  readonly length: number;
  /** True where what fills up to the next function belongs to the listing: crash(8) knows the sizes of the kernel's own alone. */
  readonly padded: boolean;
}

/** The function that an address lies in: from its symbol to the next one at another address; generated code is as long as it is. */
function functionAround(context: CommandContext, address: VirtAddr): FunctionRange | null {
  const { symbols } = context.kernel;
  const place = symbols.at(address);
  if (place === null) return null;
  const start = place.symbol.address;
  const made = generatedCodeAt(context.kernel, address);
  if (made !== null) return { start, length: Math.min(made.size, maxFunction), padded: true };
  const next = symbols.next(address);
  const room = next === null ? place.symbol.size : Number(next.address - start);
  const length = Math.min(Math.max(room, place.offset + 1), maxFunction);
  return { start, length, padded: place.symbol.module !== null };
}

function* instructionsAt(
  context: CommandContext,
  decoder: Decoder,
  start: VirtAddr,
  length: number,
  limit: number,
  isUser: boolean,
  radix: 10 | 16,
  lines: boolean,
): Generator<InstructionLine, null> {
  const { kernel } = context;
  const space = isUser ? userMemory(kernel, context.task) : kernel.space;
  const { bytes, fault } = space.readUpTo(start, length);
  if (bytes.length === 0 && fault !== null) throw fault;
  const named = (address: VirtAddr): SymbolPlace | null => {
    const place = isUser ? null : kernel.place(address);
    if (place === null) return null;
    const symbol = crashSymbol(kernel.symbols, place);
    return { symbol: { ...symbol, name: withoutClone(symbol.name) }, offset: place.offset };
  };
  const describe = (address: VirtAddr): string | null => {
    const place = named(address);
    if (place === null || isNameless(kernel.symbols, place)) return null;
    const { symbol, offset } = place;
    return offset === 0 ? symbol.name : `${symbol.name}+${radix === 16 ? `0x${hex(offset)}` : offset}`;
  };
  let shown = 0;
  let before = '';
  for (const instruction of decoder.text(bytes, start, describe)) {
    if (shown >= limit) break;
    const end = Number(instruction.address - start) + instruction.bytes.length;
    // an instruction cut by a page that is not there is not shown as a bad one
    if (fault !== null && instruction.flow === 'invalid' && bytes.length - end < decoder.longest) {
      kernel.faults.record('code', fault);
      break;
    }
    const place = named(instruction.address);
    shown++;
    const source = lines && !isUser ? sourcePlace(sourceLine(kernel, instruction.address, 'statement')) : null;
    const now = source === null ? '' : `${source.file}:${source.line}`;
    const newSource = now !== before;
    before = now;
    yield {
      address: instruction.address,
      symbol: place?.symbol.name ?? null,
      offset: place?.offset ?? 0,
      bytes: Buffer.from(instruction.bytes).toString('hex'),
      text: instruction.text + (place?.offset === 0 && decoder.isTracerNop(instruction.bytes) ? ' [FTRACE NOP]' : ''),
      source,
      newSource,
    };
  }
  if (fault !== null && shown < limit && shown > 0) kernel.faults.record('code', fault);
  return null;
}

/** The line of the source that begins here, on a line of its own. */
function sourceAbove({ source, newSource }: InstructionLine): string {
  return newSource && source !== null ? `${sourceText(source)}\n` : '';
}

function renderHead(head: DisHead, radix: 10 | 16): string {
  switch (head.kind) {
    case 'bug-bytes':
      return `encoded bytes being skipped after ud2a: ${head.bytes}\n`;
    case 'ambiguous': {
      const lines = head.symbols.map((symbol) => symbolLine(symbol, radix)).join('');
      return `dis: ${escapeTerminal(head.name)}: duplicate text symbols found:\n${lines}`;
    }
    case 'unknown': {
      const lines = head.alternatives.map((symbol) => `  ${symbolLine(symbol, radix)}`).join('');
      return `symbol not found: ${escapeTerminal(head.name)}\npossible alternatives:\n${lines === '' ? '  (none found)\n' : lines}`;
    }
    case 'code':
      return '';
    case 'source':
      return listingText(head);
    default:
      return assertNever(head);
  }
}

function instructionText(line: InstructionLine, head: DisHead): string {
  return `${placeText(line, head.kind === 'code' ? head.radix : 10)}:\t${escapeTerminal(line.text)}`;
}

function placeText({ address, symbol, offset }: InstructionLine, radix: 10 | 16): string {
  if (symbol === null) return `   0x${hex(address)}`;
  const behind = offset === 0 ? '' : radix === 16 ? `+0x${hex(offset)}` : `+${offset}`;
  return `0x${hex(address)} <${escapeTerminal(symbol)}${behind}>`;
}
