// rd: memory as words, characters or symbols.
import { writeFileSync } from 'node:fs';
import { type AddressSpace, PhysicalSpace } from '../../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { MemoryFault, messageOf, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { fileSpace } from '../../kernel/file_space.ts';
import { userMemory } from '../../kernel/mm_types.ts';
import { isPerCpuSymbol } from '../../kernel/percpu_symbols.ts';
import { slabCacheOf } from '../../kernel/slab.ts';
import { addressArgument, countArgument, cpusOf, splitCpuSpec } from '../address.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { type ParsedOptions, parseOptions } from '../options.ts';
import { backwards, readWords, type WordFormat, type WordRow, type WordSize, wordRowsText } from './memory_words.ts';

interface WordBlock {
  /** CPU whose copy this is; null unless CPUs were asked for. */
  readonly cpu: number | null;
  readonly address: VirtAddr;
  readonly rows: readonly WordRow[];
}

interface TextLine {
  readonly address: VirtAddr;
  readonly text: string;
}

/** What a word points to: the text that `-s` or `-S` shows in its place. */
interface WordName {
  readonly word: bigint;
  readonly symbol: string | null;
  readonly cache: string | null;
}

type RdData =
  | {
      readonly kind: 'words';
      readonly space: SpaceName;
      readonly size: WordSize;
      readonly show: WordFormat['show'];
      readonly ascii: boolean;
      readonly blocks: readonly WordBlock[];
      /** With `-s` and `-S`: the words that mean something. */
      readonly names: readonly WordName[] | null;
      /** `-SS`: slab objects with their address. */
      readonly verbose: boolean;
    }
  | { readonly kind: 'text'; readonly space: SpaceName; readonly lines: readonly TextLine[] }
  | {
      readonly kind: 'raw';
      readonly space: SpaceName;
      readonly address: VirtAddr;
      readonly bytes: number;
      readonly file: string;
    };

type SpaceName = 'kernel' | 'user' | 'physical' | 'file';

/** Characters in a line of `-a`. */
const textWidth = 60;
/** Longest text of `-a`, and largest file of `-r`, in bytes. */
const maxText = 1 << 20;
const maxRaw = 256 * 1024 * 1024;

export const rd = defineCommand<RdData>({
  name: 'rd',
  help: {
    summary: 'memory as words, characters or symbols',
    usage: [
      '[-puf] [-8|-16|-32|-64] [-dDxN] [-s|-S|-SS] [-o OFFSET] [-e END] [-R] ADDRESS [COUNT]',
      '-a [-puf] [-o OFFSET] [-e END] ADDRESS [COUNT]',
      '-r FILE [-puf] [-o OFFSET] [-e END] ADDRESS [COUNT]',
    ],
    description: `Reads COUNT words (1 unless given) from ADDRESS: a symbol, hexadecimal digits, or a sum such as
init_task+0x10. SYMBOL:CPUS reads each CPU's copy of a per-CPU variable.

  -p         ADDRESS is physical
  -u         ADDRESS is in the current task's user memory; taken as such anyway below the kernel's half
  -f         ADDRESS is an offset in the dump file
  -8 ... -64 bits of a word; 64 unless given
  -d, -D     words in decimal, signed or unsigned; bytes and 16-bit words are unsigned in both
  -x         without the characters at the end of lines
  -N         words in network byte order, for 16 and 32 bits
  -s         words that point into the kernel's image or modules as symbols
  -S, -SS    and those that point to slab objects as [cache] or [address:cache]
  -a         characters: to the first that is not printable or, with COUNT, every printable run among COUNT bytes
  -R         backwards: the COUNT words that end with the one at ADDRESS
  -o OFFSET  begins OFFSET bytes (decimal, or 0x) after ADDRESS
  -e END     up to the hexadecimal address END, in place of COUNT
  -r FILE    writes COUNT bytes to FILE as they are`,
    examples: [
      ['rd jiffies', 'one 64-bit word'],
      ['rd -a linux_banner', 'a string'],
      ['rd -SS ff19dc67012208b0 8', 'eight words, with what they point to'],
      ['rd runqueues:1 4', 'the runqueue of CPU 1'],
    ],
  },
  collect: collectRd,
  render: renderRd,
});

function collectRd(context: CommandContext, args: readonly string[]): RdData {
  // `-o -8` is an offset
  const isSize = (word: string, i: number): boolean =>
    /^-(8|16|32|64)$/.test(word) && !/^-[A-Za-z]*[oer]$/.test(args[i - 1] ?? '');
  const size = Number(args.findLast(isSize)?.slice(1) ?? 64) as WordSize;
  const options = parseOptions(
    args.filter((word, i) => !isSize(word, i)),
    'pufdDsSxNaRo:e:r:',
  );
  const [where, countWord, ...more] = options.args;
  if (where === undefined || more.length > 0) throw new UsageError('');
  const named = options.has('s') || options.has('S');
  if (named && size !== 64) throw new UsageError('-s and -S need 64-bit words');

  const places = startAddresses(context, options, where);
  const { space, name } = chooseSpace(context, options, places[0]!.address);
  const reader = { space, name };
  if (options.value('r') !== null) return writeRaw(options, reader, places[0]!.address, countWord);
  if (options.has('a')) return readText(context, options, reader, places[0]!.address, countWord);

  const swap = options.has('N') && (size === 16 || size === 32);
  const blocks = places.map(({ cpu, address }): WordBlock => {
    const count = wordCount(options, address, countWord, size / 8);
    const start = options.has('R') ? backwards(address, count, size) : address;
    const { rows, fault } = inSpace(name, () => readWords(space, start, count, size, swap));
    if (fault !== null) context.kernel.faults.record('rd', asPhysical(name, fault));
    return { cpu, address: start, rows };
  });
  const show = options.has('d') ? 'signed' : options.has('D') ? 'unsigned' : 'hex';
  return {
    kind: 'words',
    space: name,
    size,
    show,
    ascii: show === 'hex' && !options.has('x') && !named,
    blocks,
    names: named ? namesOf(context, blocks, options.has('S')) : null,
    verbose: options.count('S') > 1,
  };
}

function startAddresses(
  context: CommandContext,
  options: ParsedOptions,
  where: string,
): { cpu: number | null; address: VirtAddr }[] {
  const offset = options.value('o') === null ? 0 : offsetArgument(options.value('o')!);
  const { base, cpus } = splitCpuSpec(where);
  if (cpus !== null) {
    const symbol = context.kernel.symbols.find(base);
    if (symbol !== null && !isPerCpuSymbol(context.kernel, symbol)) {
      throw new UsageError(`${escapeTerminal(base)} is not a per-CPU variable`);
    }
    const address = addressArgument(context, base);
    return cpusOf(context, cpus).map((cpu) => ({
      cpu,
      address: offsetBy(address, context.kernel.perCpuOffset(cpu) + BigInt(offset)),
    }));
  }
  // a physical address or a file offset is never a symbol
  const literal = options.has('p') || options.has('f') ? parseHex(where) : null;
  return [{ cpu: null, address: offsetBy(literal ?? addressArgument(context, where), offset) }];
}

function offsetArgument(word: string): number {
  const match = /^(-?)(0x[0-9a-fA-F]{1,12}|\d{1,15})$/.exec(word);
  if (match === null) throw new UsageError(`not a valid number: ${escapeTerminal(word)}`);
  return Number(match[2]) * (match[1] === '-' ? -1 : 1);
}

function chooseSpace(
  context: CommandContext,
  options: ParsedOptions,
  address: VirtAddr,
): { space: AddressSpace; name: SpaceName } {
  const { kernel } = context;
  if (options.has('p')) return { space: new PhysicalSpace(kernel.dump.memory), name: 'physical' };
  if (options.has('f')) return { space: fileSpace(kernel.dump), name: 'file' };
  if (options.has('u') || !kernel.arch.isKernelAddress(address)) {
    return { space: userMemory(kernel, context.task), name: 'user' };
  }
  return { space: kernel.space, name: 'kernel' };
}

/** Words asked for by a count or by where they end. */
function wordCount(options: ParsedOptions, address: VirtAddr, countWord: string | undefined, unit: number): number {
  const endWord = options.value('e');
  if (endWord === null) return countWord === undefined ? 1 : countArgument(countWord);
  const end = parseHex(endWord);
  if (end === null || end <= address) throw new UsageError(`invalid ending address: ${escapeTerminal(endWord)}`);
  const count = Number((end - address) / BigInt(unit));
  if (count === 0) throw new UsageError('invalid count request: 0');
  return count;
}

/** Runs a read; what it throws of physical memory is said to be physical. */
function inSpace<T>(name: SpaceName, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof MemoryFault ? asPhysical(name, error) : error;
  }
}

function asPhysical(name: SpaceName, fault: MemoryFault): MemoryFault {
  return name === 'physical' ? new MemoryFault('physical', fault.address, fault.reason) : fault;
}

function namesOf(context: CommandContext, blocks: readonly WordBlock[], slabs: boolean): WordName[] {
  const { kernel } = context;
  const names = new Map<bigint, WordName>();
  for (const { rows } of blocks) {
    for (const { words } of rows) {
      for (const word of words) {
        if (!kernel.arch.isKernelAddress(word) || names.has(word)) continue;
        const place = kernel.place(word as VirtAddr);
        const symbol = place === null ? null : `${place.symbol.name}${place.offset === 0 ? '' : `+${place.offset}`}`;
        const cache = symbol === null && slabs ? slabCacheOf(kernel, word as VirtAddr) : null;
        if (symbol !== null || cache !== null) names.set(word, { word, symbol, cache });
      }
    }
  }
  return [...names.values()];
}

function readText(
  context: CommandContext,
  options: ParsedOptions,
  { space, name }: { space: AddressSpace; name: SpaceName },
  address: VirtAddr,
  countWord: string | undefined,
): RdData {
  const limited = countWord !== undefined || options.value('e') !== null;
  const length = limited ? Math.min(wordCount(options, address, countWord, 1), maxText) : maxText;
  const lines: TextLine[] = [];
  let run = '';
  let start = 0;
  const flush = (): void => {
    if (run !== '') lines.push({ address: offsetBy(address, start), text: run });
    run = '';
  };
  const { pageSize } = space.memory;
  let done = false;
  for (let at = 0; at < length && !done; ) {
    const from = offsetBy(address, at);
    const { bytes, fault } = space.readUpTo(from, Math.min(length - at, pageSize - Number(from % BigInt(pageSize))));
    for (const [i, byte] of bytes.entries()) {
      const isText = byte >= 0x20 && byte < 0x7f;
      if (isText && run === '') start = at + i;
      if (isText) run += String.fromCharCode(byte);
      if (!isText || run.length === textWidth) flush();
      if (!isText && !limited) {
        done = true;
        break;
      }
    }
    if (fault !== null) {
      if (at === 0 && bytes.length === 0) throw asPhysical(name, fault);
      context.kernel.faults.record('rd', asPhysical(name, fault));
      break;
    }
    at += bytes.length;
  }
  flush();
  return { kind: 'text', space: name, lines };
}

function writeRaw(
  options: ParsedOptions,
  { space, name }: { space: AddressSpace; name: SpaceName },
  address: VirtAddr,
  countWord: string | undefined,
): RdData {
  if (countWord === undefined && options.value('e') === null) {
    throw new UsageError('-r needs a count or -e');
  }
  const count = wordCount(options, address, countWord, 1);
  if (count > maxRaw) throw new UsageError(`${count} bytes are too many for one file`);
  const file = options.value('r')!;
  const bytes = inSpace(name, () => space.read(address, count));
  try {
    writeFileSync(file, bytes);
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${messageOf(error)}`);
  }
  return { kind: 'raw', space: name, address, bytes: count, file };
}

function renderRd(data: RdData): string {
  switch (data.kind) {
    case 'raw':
      return `${data.bytes} bytes copied from 0x${hex(data.address)} to ${escapeTerminal(data.file)}\n`;
    case 'text':
      return data.lines.map(({ address, text }) => `${hex(address).padStart(16)}:  ${text}\n`).join('');
    case 'words': {
      const names = new Map((data.names ?? []).map((name) => [name.word, name]));
      const nameOf = (word: bigint): string | null => {
        const found = names.get(word);
        if (found === undefined) return null;
        if (found.symbol !== null) return escapeTerminal(found.symbol);
        const cache = escapeTerminal(found.cache ?? '');
        return data.verbose ? `[${hex(word)}:${cache}]` : `[${cache}]`;
      };
      const format: WordFormat = {
        size: data.size,
        show: data.show,
        ascii: data.ascii,
        ...(data.names === null ? {} : { name: nameOf }),
      };
      return data.blocks
        .map(({ cpu, address, rows }) => {
          const header = cpu === null ? '' : `[${cpu}]: ${hex(address)}\n`;
          return header + wordRowsText(rows, format);
        })
        .join('');
    }
  }
}
