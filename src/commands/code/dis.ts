// dis: machine code as text.
import type { Decoder } from '../../arch/decoder.ts';
import type { VirtAddr } from '../../base/address.ts';
import { MemoryFault, NotFoundError, UnsupportedError, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import type { KernelSymbol } from '../../debuginfo/symbol.ts';
import { userMemory } from '../../kernel/mm_types.ts';
import { addressArgument, alternatives, countArgument } from '../address.ts';
import { defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { parseOptions } from '../options.ts';
import { type SymbolEntry, symbolEntry, symbolLine } from './symbol_line.ts';

interface InstructionLine {
  readonly address: VirtAddr;
  readonly symbol: string | null;
  /** Bytes from the symbol. */
  readonly offset: number;
  /** The instruction's bytes in hexadecimal. */
  readonly bytes: string;
  readonly text: string;
}

type DisData =
  | { readonly kind: 'code'; readonly instructions: readonly InstructionLine[]; readonly radix: 10 | 16 }
  | { readonly kind: 'ambiguous'; readonly name: string; readonly symbols: readonly SymbolEntry[] }
  | { readonly kind: 'unknown'; readonly name: string; readonly alternatives: readonly SymbolEntry[] }
  | { readonly kind: 'bug-bytes'; readonly bytes: number };

/** Most instructions of one command, and largest function, in bytes. */
const maxInstructions = 1_000_000;
const maxFunction = 4 * 1024 * 1024;

export const dis = defineCommand<DisData>({
  name: 'dis',
  help: {
    summary: 'machine code as text',
    usage: ['[-r|-f] [-l] [-s] [-u] [-x|-d] ADDRESS [COUNT]', '-b [BYTES]'],
    description: `Disassembles COUNT instructions at ADDRESS: a symbol, hexadecimal digits, or a sum such as vfs_write+20 or
(schedule + 7). Without COUNT: the whole function if ADDRESS is its name, else one instruction.

  -r   from the start of the function up to the instruction at ADDRESS; with COUNT, the last COUNT of them
  -f   from ADDRESS to the end of the function
  -u   ADDRESS is in the current task's user memory
  -l   with source lines, where debuginfo has them
  -s   the source line alone, where debuginfo has it
  -x, -d  offsets in hexadecimal or decimal
  -b   how many bytes behind a BUG's ud2 instruction are taken for data; kernels since 2.6.20 have none`,
    examples: [
      ['dis schedule', 'a whole function'],
      ['dis -r ffffffffa834a0ec', 'how the kernel got to an instruction'],
      ['dis vfs_write+20 5', 'five instructions'],
    ],
  },
  collect: collectDis,
  render: renderDis,
});

function collectDis(context: CommandContext, args: readonly string[]): DisData {
  if (args[0] === '-b') {
    if (args.length > 2) throw new UsageError('');
    return { kind: 'bug-bytes', bytes: args[1] === undefined ? 0 : countArgument(args[1]) };
  }
  const options = parseOptions(args, 'rflsuxdU');
  const { kernel } = context;
  const { decoder } = kernel.arch;
  if (decoder === null) throw new UnsupportedError('machine', `code of ${kernel.arch.name} cannot be disassembled`);
  const { where, countWord } = whereAndCount(options.args);
  if (options.has('l') || options.has('s')) {
    kernel.faults.record('source lines', new NotFoundError('line information', 'of the kernel', 'it is in debuginfo'));
  }
  if (options.has('s')) return { kind: 'code', instructions: [], radix: 10 };
  const count = countWord === undefined ? null : countArgument(countWord);
  const radix = options.has('x') ? 16 : options.has('d') ? 10 : context.radix;

  const named = kernel.symbols.findAll(where).filter(isText);
  if (named.length > 1) {
    return { kind: 'ambiguous', name: where, symbols: named.map((symbol) => symbolEntry(symbol)) };
  }
  if (kernel.symbols.find(where) === null && /^[A-Za-z_.$][\w.$]*$/.test(where) && !/^[0-9a-fA-F]{1,16}$/.test(where)) {
    const others = alternatives(context, where).filter(isText);
    return { kind: 'unknown', name: where, alternatives: others.map((symbol) => symbolEntry(symbol)) };
  }
  const address = named[0]?.address ?? addressArgument(context, where);
  const isUser = options.has('u');
  const range = isUser ? null : functionAround(context, address);
  const isFunction = named.length === 1 && count === null;
  const wanted = count ?? (isFunction || options.has('r') || options.has('f') ? maxInstructions : 1);
  if (wanted > maxInstructions) throw new UsageError(`invalid count argument: ${countWord}`);

  const list = (start: VirtAddr, length: number, limit: number): InstructionLine[] =>
    instructionsAt(context, decoder, start, length, limit, isUser, radix);
  if ((options.has('r') || options.has('f')) && range === null && !isUser) {
    throw new NotFoundError('function', `around ${hex(address)}`);
  }
  if (options.has('r') && range !== null) {
    // to the end of the instruction that holds the address
    const length = Number(address - range.start) + 1;
    const lines = list(range.start, Math.min(length + decoder.longest, range.length), maxInstructions);
    const upTo = lines.filter((line) => line.address <= address);
    // an address inside an instruction shows the one behind it, too, as crash(8) does
    const last = upTo.at(-1);
    if (last !== undefined && last.address !== address && lines[upTo.length] !== undefined)
      upTo.push(lines[upTo.length]!);
    return { kind: 'code', instructions: count === null ? upTo : upTo.slice(-count), radix };
  }
  const toEnd = range !== null && (isFunction || options.has('f'));
  const length = toEnd
    ? Number(range.start - address) + range.length
    : Math.min(wanted, maxInstructions) * decoder.longest;
  return { kind: 'code', instructions: list(address, Math.min(length, maxFunction), wanted), radix };
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

/** The function that an address lies in: from its symbol to the next one at another address. */
function functionAround(context: CommandContext, address: VirtAddr): { start: VirtAddr; length: number } | null {
  const { symbols } = context.kernel;
  const place = symbols.at(address);
  if (place === null) return null;
  const next = symbols.next(address);
  const start = place.symbol.address;
  const room = next === null ? place.symbol.size : Number(next.address - start);
  return { start, length: Math.min(Math.max(room, place.offset + 1), maxFunction) };
}

function instructionsAt(
  context: CommandContext,
  decoder: Decoder,
  start: VirtAddr,
  length: number,
  limit: number,
  isUser: boolean,
  radix: 10 | 16,
): InstructionLine[] {
  const { kernel } = context;
  const space = isUser ? userMemory(kernel, context.task) : kernel.space;
  const { bytes, fault } = space.readUpTo(start, length);
  if (bytes.length === 0 && fault !== null) throw fault;
  const describe = (address: VirtAddr): string | null => {
    const place = isUser ? null : kernel.place(address);
    if (place === null) return null;
    const { symbol, offset } = place;
    return offset === 0 ? symbol.name : `${symbol.name}+${radix === 16 ? `0x${hex(offset)}` : offset}`;
  };
  const lines: InstructionLine[] = [];
  for (const instruction of decoder.text(bytes, start, describe)) {
    if (lines.length >= limit) break;
    const end = Number(instruction.address - start) + instruction.bytes.length;
    // an instruction cut by a page that is not there is not shown as a bad one
    if (fault !== null && instruction.flow === 'invalid' && bytes.length - end < decoder.longest) {
      kernel.faults.record('code', fault);
      break;
    }
    const place = isUser ? null : kernel.place(instruction.address);
    lines.push({
      address: instruction.address,
      symbol: place?.symbol.name ?? null,
      offset: place?.offset ?? 0,
      bytes: Buffer.from(instruction.bytes).toString('hex'),
      text: instruction.text + (place?.offset === 0 && decoder.isTracerNop(instruction.bytes) ? ' [FTRACE NOP]' : ''),
    });
  }
  if (fault !== null && lines.length < limit && !(fault instanceof MemoryFault && lines.length === 0)) {
    kernel.faults.record('code', fault);
  }
  return lines;
}

function renderDis(data: DisData, context: CommandContext): string {
  switch (data.kind) {
    case 'bug-bytes':
      return `encoded bytes being skipped after ud2a: ${data.bytes}\n`;
    case 'ambiguous': {
      const lines = data.symbols.map((symbol) => symbolLine(symbol, context.radix)).join('');
      return `dis: ${escapeTerminal(data.name)}: duplicate text symbols found:\n${lines}`;
    }
    case 'unknown': {
      const lines = data.alternatives.map((symbol) => `  ${symbolLine(symbol, context.radix)}`).join('');
      return `symbol not found: ${escapeTerminal(data.name)}\npossible alternatives:\n${lines === '' ? '  (none found)\n' : lines}`;
    }
    case 'code':
      return data.instructions
        .map((line) => `${placeText(line, data.radix)}:\t${escapeTerminal(line.text)}\n`)
        .join('');
  }
}

function placeText({ address, symbol, offset }: InstructionLine, radix: 10 | 16): string {
  if (symbol === null) return `   0x${hex(address)}`;
  const behind = offset === 0 ? '' : radix === 16 ? `+0x${hex(offset)}` : `+${offset}`;
  return `0x${hex(address)} <${escapeTerminal(symbol)}${behind}>`;
}
