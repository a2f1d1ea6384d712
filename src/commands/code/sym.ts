// sym: symbols to addresses and back.
import { assertNever, NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import type { KernelSymbol } from '../../debuginfo/symbol.ts';
import type { ModuleRange } from '../../kernel/module.ts';
import { alternatives } from '../address.ts';
import { defineStream } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { absent, flag, type Options, rest, valued, values } from '../params.ts';
import { symbolsNamed } from '../place_name.ts';
import { codeEntry, type SymbolEntry, symbolEntry, symbolLine } from './symbol_line.ts';

/** What `sym` gives, in the order in which it prints it. */
export type SymItem =
  | ({ readonly kind: 'symbol' } & SymbolEntry)
  /** Where the memory of a module, or a part of it, starts or ends (exclusive). */
  | {
      readonly kind: 'start' | 'end';
      readonly module: string;
      /** `text`, `data`, ... where a kernel keeps them apart (since 6.4). */
      readonly part: string | null;
      readonly address: bigint;
    }
  /** How many were found, and the last of them. */
  | { readonly kind: 'count'; readonly count: number; readonly last: string | null }
  | Answer;

/** What one argument stands for. */
export interface Answer {
  readonly kind: 'answer';
  readonly wanted: string;
  readonly symbols: readonly SymbolEntry[];
  /** Symbols whose names contain what was asked for, where none is called so; null for an address. */
  readonly alternatives: readonly SymbolEntry[] | null;
}

const params = {
  before: flag('p', 'with the symbol before'),
  after: flag('n', 'with the symbol behind'),
  search: valued('q', 'string', values.word, 'every symbol whose name contains the string'),
  count: valued(
    'Q',
    'string',
    values.word,
    'how many symbols have names that contain the string, and the last of them',
  ),
  sections: absent('s', 'kallsyms does not tell sections'),
  all: flag('l', 'every symbol', { also: 'L' }),
  modules: flag('M', 'the symbols of all modules'),
  module: valued('m', 'module', values.module, 'the symbols of one module'),
  names: rest('symbol|address', values.symbol),
};

export const sym = defineStream({
  name: 'sym',
  help: {
    summary: 'symbols to addresses and back',
    usage: ['[-p] [-n] symbol|address...', '-q|-Q string', '-l', '-M', '-m module'],
    description: `Translates symbols to addresses, and hexadecimal addresses to symbols and offsets. Several symbols of one
name are all shown. The letter is nm(1)'s: t text, d data, b bss, r read-only; capital for global ones.`,
    examples: [
      ['sym jiffies', 'where jiffies is'],
      ['sym ffffffffa8a070d5', 'what is there'],
      ['sym -q tcp_rcv', 'all that have to do with receiving'],
    ],
  },
  params,
  items: 'entries',
  collect: (context, options) => ({ head: null, items: entries(context, options) }),
  text: {
    item: (item, { radix }) => renderItem(item, radix),
    tail: ({ empty }) => (empty ? '(none found)\n' : ''),
  },
  failed: (_head, { missing }) => missing > 0,
});

export interface SymTail {
  /** Nothing was found. */
  readonly empty: boolean;
  /** Arguments that are no symbol and no address of one. */
  readonly missing: number;
}

function* entries(context: CommandContext, options: Options<typeof params>): Generator<SymItem, SymTail> {
  const { symbols } = context.kernel;
  if (options.all) {
    const ranges = new Map(context.kernel.modules.map((module) => [module.name, module.ranges]));
    // a module's per-CPU variables are in none of its parts, and BPF programs are of no module
    const isInModule = ({ module, address }: KernelSymbol): boolean =>
      module !== null &&
      (ranges.get(module) ?? []).some(({ start, size }) => address >= start && address < start + BigInt(size));
    for (const symbol of symbols.all()) if (!isInModule(symbol)) yield { kind: 'symbol', ...symbolEntry(symbol) };
    yield* moduleItems(context, null);
    return { empty: false, missing: 0 };
  }
  if (options.search !== null) {
    const found = symbols.search(options.search);
    let empty = true;
    for (const symbol of found) {
      empty = false;
      yield { kind: 'symbol', ...symbolEntry(symbol) };
    }
    return { empty, missing: 0 };
  }
  if (options.count !== null) {
    let count = 0;
    let last: string | null = null;
    for (const { name } of symbols.search(options.count)) {
      count++;
      last = name;
    }
    yield { kind: 'count', count, last };
    return { empty: false, missing: 0 };
  }
  if (options.modules || options.module !== null) {
    yield* moduleItems(context, options.modules ? null : options.module);
    return { empty: false, missing: 0 };
  }
  if (options.names.length === 0) throw new UsageError('');
  let missing = 0;
  for (const word of options.names) {
    const found = answer(context, word, options.before, options.after);
    if (found.symbols.length === 0) missing++;
    yield found;
  }
  return { empty: false, missing };
}

function* moduleItems({ kernel }: CommandContext, only: string | null): Generator<SymItem> {
  const chosen = kernel.modules.filter(({ name }) => only === null || name === only);
  if (only !== null && chosen.length === 0) throw new NotFoundError('module', escapeTerminal(only));
  const blocks = chosen.flatMap(({ name, ranges, object }) => {
    const apart = object.has('mem');
    return (apart ? ranges : wholeOf(ranges)).map((range) => ({ name, range, part: apart ? range.name : null }));
  });
  blocks.sort((a, b) => (a.range.start < b.range.start ? -1 : a.range.start > b.range.start ? 1 : 0));
  for (const { name: module, range, part } of blocks) {
    const { start } = range;
    const end = start + BigInt(range.size);
    yield { kind: 'start', module, part, address: start };
    for (const symbol of kernel.symbols.ofModule(module) ?? []) {
      if (symbol.address < start || symbol.address >= end) continue;
      yield { kind: 'symbol', ...symbolEntry(symbol), module: null };
    }
    yield { kind: 'end', module, part, address: end };
  }
}

/** One range around all, as long as they follow one another: before 6.4 a module's parts did. */
function wholeOf(ranges: readonly ModuleRange[]): ModuleRange[] {
  const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
  const whole: ModuleRange[] = [];
  for (const range of sorted) {
    const last = whole.at(-1);
    if (last !== undefined && last.start + BigInt(last.size) === range.start) {
      whole[whole.length - 1] = { ...last, size: last.size + range.size };
    } else whole.push(range);
  }
  return whole;
}

function answer(context: CommandContext, word: string, before: boolean, after: boolean): Answer {
  const { kernel } = context;
  const { symbols } = kernel;
  const named = symbolsNamed(symbols, word);
  if (named.length > 0) {
    const [first] = named;
    const previous = before ? symbols.previous(first!.address) : null;
    const next = after ? symbols.next(first!.address) : null;
    const found = before || after ? [previous, first!, next] : named;
    return {
      kind: 'answer',
      wanted: word,
      symbols: found.filter((symbol) => symbol !== null).map((symbol) => codeEntry(kernel, symbol)),
      alternatives: [],
    };
  }
  const address = parseHex(word);
  if (address === null) {
    const others = alternatives(context, word).map((symbol) => symbolEntry(symbol));
    return { kind: 'answer', wanted: word, symbols: [], alternatives: others };
  }
  const place = symbols.at(address);
  const found: SymbolEntry[] = [];
  if (place !== null) {
    const previous = before ? symbols.previous(place.symbol.address) : null;
    const next = after ? symbols.next(address) : null;
    if (previous !== null) found.push(codeEntry(kernel, previous));
    found.push(codeEntry(kernel, place.symbol, place.offset));
    if (next !== null) found.push(codeEntry(kernel, next));
  }
  return { kind: 'answer', wanted: word, symbols: found, alternatives: null };
}

function renderItem(item: SymItem, radix: 10 | 16): string {
  switch (item.kind) {
    case 'symbol':
      return symbolLine(item, radix);
    case 'start':
    case 'end': {
      const part = item.part === null ? '' : ` ${item.part.toUpperCase().replaceAll('_', ' ')}`;
      return `${hex(item.address)} MODULE${part} ${item.kind.toUpperCase()}: ${escapeTerminal(item.module)}\n`;
    }
    case 'count':
      return `${item.count} found${item.last === null ? '' : ` (${escapeTerminal(item.last)})`}\n`;
    case 'answer': {
      const { wanted, symbols, alternatives: others } = item;
      if (symbols.length > 0) return symbols.map((symbol) => symbolLine(symbol, radix)).join('');
      if (others === null) return `sym: invalid address: ${escapeTerminal(wanted)}\n`;
      const list = others.map((other) => `  ${symbolLine(other, radix)}`).join('');
      return `symbol not found: ${escapeTerminal(wanted)}\npossible alternatives:\n${list === '' ? '  (none found)\n' : list}`;
    }
    default:
      return assertNever(item);
  }
}
