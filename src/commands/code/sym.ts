// sym: symbols to addresses and back.
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import type { ModuleRange } from '../../kernel/module.ts';
import { alternatives } from '../address.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { parseOptions } from '../options.ts';
import { type SymbolEntry, symbolEntry, symbolLine } from './symbol_line.ts';

interface ModuleBlock {
  readonly module: string;
  /** A part of its memory, and `text`, `data`, ... where a kernel keeps them apart (since 6.4). */
  readonly part: string | null;
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  readonly symbols: readonly SymbolEntry[];
}

/** What one argument stands for. */
interface Answer {
  readonly wanted: string;
  readonly symbols: readonly SymbolEntry[];
  /** Symbols whose names contain what was asked for, where none is called so; null for an address. */
  readonly alternatives: readonly SymbolEntry[] | null;
}

type SymData =
  | { readonly kind: 'list'; readonly symbols: readonly SymbolEntry[] }
  | { readonly kind: 'modules'; readonly modules: readonly ModuleBlock[] }
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] };

export const sym = defineCommand<SymData>({
  name: 'sym',
  help: {
    summary: 'symbols to addresses and back',
    usage: ['[-p] [-n] SYMBOL|ADDRESS...', '-q STRING', '-l', '-M', '-m MODULE'],
    description: `Translates symbols to addresses, and hexadecimal addresses to symbols and offsets. Several symbols of one
name are all shown. The letter is nm(1)'s: t text, d data, b bss, r read-only; capital for global ones.

  -p         with the symbol before
  -n         with the symbol behind
  -q STRING  every symbol whose name contains STRING
  -l         every symbol
  -M         the symbols of all modules
  -m MODULE  the symbols of one module`,
    examples: [
      ['sym jiffies', 'where jiffies is'],
      ['sym ffffffffa8a070d5', 'what is there'],
      ['sym -q tcp_rcv', 'all that have to do with receiving'],
    ],
  },
  collect: collectSym,
  render: renderSym,
});

function collectSym(context: CommandContext, args: readonly string[]): SymData {
  const { symbols } = context.kernel;
  const options = parseOptions(args, 'lLMm:pnq:');
  if (options.has('l') || options.has('L')) {
    return { kind: 'list', symbols: Array.from(symbols.all(), (symbol) => symbolEntry(symbol)) };
  }
  if (options.has('M')) return { kind: 'modules', modules: moduleBlocks(context, null) };
  const module = options.value('m');
  if (module !== null) return { kind: 'modules', modules: moduleBlocks(context, module) };
  const text = options.value('q');
  if (text !== null) return { kind: 'list', symbols: symbols.search(text).map((symbol) => symbolEntry(symbol)) };
  if (options.args.length === 0) throw new UsageError('');
  const answers = options.args.map((word) => answer(context, word, options.has('p'), options.has('n')));
  return { kind: 'answers', answers };
}

function moduleBlocks(context: CommandContext, only: string | null): ModuleBlock[] {
  const { kernel } = context;
  const chosen = kernel.modules.filter(({ name }) => only === null || name === only);
  if (only !== null && chosen.length === 0) throw new NotFoundError('module', escapeTerminal(only));
  const blocks = chosen.flatMap(({ name, ranges, object }) => {
    const apart = object.has('mem');
    const symbols = [...(kernel.symbols.ofModule(name) ?? [])];
    return (apart ? ranges : wholeOf(ranges)).map((range): ModuleBlock => {
      const { start } = range;
      const end = start + BigInt(range.size);
      return {
        module: name,
        part: apart ? range.name : null,
        start,
        end,
        symbols: symbols
          .filter(({ address }) => address >= start && address < end)
          .map((symbol) => ({ ...symbolEntry(symbol), module: null })),
      };
    });
  });
  return blocks.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
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
  const { symbols } = context.kernel;
  const named = symbols.findAll(word);
  if (named.length > 0) {
    const [first] = named;
    const previous = before ? symbols.previous(first!.address) : null;
    const next = after ? symbols.next(first!.address) : null;
    const found = before || after ? [previous, first!, next] : named;
    return {
      wanted: word,
      symbols: found.filter((symbol) => symbol !== null).map((symbol) => symbolEntry(symbol)),
      alternatives: [],
    };
  }
  const address = parseHex(word);
  if (address === null) {
    return { wanted: word, symbols: [], alternatives: alternatives(context, word).map((s) => symbolEntry(s)) };
  }
  const place = symbols.at(address);
  const found: SymbolEntry[] = [];
  if (place !== null) {
    const previous = before ? symbols.previous(place.symbol.address) : null;
    const next = after ? symbols.next(address) : null;
    if (previous !== null) found.push(symbolEntry(previous));
    found.push(symbolEntry(place.symbol, place.offset));
    if (next !== null) found.push(symbolEntry(next));
  }
  return { wanted: word, symbols: found, alternatives: null };
}

function renderSym(data: SymData, context: CommandContext): string {
  const line = (symbol: SymbolEntry): string => symbolLine(symbol, context.radix);
  switch (data.kind) {
    case 'list':
      return data.symbols.length === 0 ? '(none found)\n' : data.symbols.map(line).join('');
    case 'modules':
      return data.modules
        .map(({ module, part, start, end, symbols }) => {
          const what = `MODULE${part === null ? '' : ` ${part.toUpperCase().replaceAll('_', ' ')}`}`;
          const name = escapeTerminal(module);
          return `${hex(start)} ${what} START: ${name}\n${symbols.map(line).join('')}${hex(end)} ${what} END: ${name}\n`;
        })
        .join('');
    case 'answers':
      return data.answers.map(renderAnswer).join('');
  }

  function renderAnswer({ wanted, symbols, alternatives: others }: Answer): string {
    if (symbols.length > 0) return symbols.map(line).join('');
    if (others === null) return `sym: invalid address: ${escapeTerminal(wanted)}\n`;
    const list = others.length === 0 ? '  (none found)\n' : others.map((other) => `  ${line(other)}`).join('');
    return `symbol not found: ${escapeTerminal(wanted)}\npossible alternatives:\n${list}`;
  }
}
