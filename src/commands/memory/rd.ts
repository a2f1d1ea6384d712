// rd: memory as words, characters or symbols.
import { closeSync, openSync, writeSync } from 'node:fs';
import { type AddressSpace, PhysicalSpace } from '../../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { MemoryFault, messageOf, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { fileSpace } from '../../kernel/file_space.ts';
import { userMemory } from '../../kernel/mm_types.ts';
import { isPerCpuSymbol } from '../../kernel/percpu_symbols.ts';
import { slabCacheOf } from '../../kernel/slab.ts';
import { addressArgument, cpusOf, splitCpuSpec } from '../address.ts';
import { type Answer, defineStream, noItems } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { counted, flag, type Options, optional, required, valued, values } from '../params.ts';
import { crashPlace } from '../place_name.ts';
import { startAddress } from '../types/expression.ts';
import { backwards, readWords, type WordFormat, type WordRow, type WordSize, wordRowsText } from './memory_words.ts';

/** What a word points to: the text that `-s` or `-S` shows in its place. */
export interface WordName {
  readonly word: bigint;
  readonly symbol: string | null;
  readonly cache: string | null;
}

/** A row of words, or a line of characters (`-a`). */
export type RdItem =
  | {
      readonly kind: 'words';
      /** CPU whose copy this is; null unless CPUs were asked for. */
      readonly cpu: number | null;
      /** First row of its CPU's. */
      readonly first: boolean;
      readonly row: WordRow;
      /** With `-s` and `-S`: the words that mean something. */
      readonly names: readonly WordName[] | null;
    }
  | { readonly kind: 'text'; readonly address: VirtAddr; readonly text: string };

export type RdHead =
  | {
      readonly kind: 'words';
      readonly space: SpaceName;
      readonly size: WordSize;
      readonly show: WordFormat['show'];
      readonly ascii: boolean;
    }
  | { readonly kind: 'text'; readonly space: SpaceName }
  | {
      readonly kind: 'raw';
      readonly space: SpaceName;
      readonly address: VirtAddr;
      readonly bytes: number;
      readonly file: string;
    };

export type SpaceName = 'kernel' | 'user' | 'physical' | 'file';

/** Characters in a line of `-a`. */
const textWidth = 60;
/** Longest text of `-a` without a count, in bytes. */
const maxText = 1 << 20;
/** Bytes read at a time. */
const window = 64 * 1024;

const size = (bits: string) => flag(bits, `words of ${bits} bits${bits === '64' ? ', as without it' : ''}`);

const params = {
  physical: flag('p', 'the address is physical'),
  user: flag('u', "the address is in the current task's user memory; taken as such anyway below the kernel's half"),
  file: flag('f', 'the address is an offset in the dump file'),
  machine: flag('m', ''),
  size8: size('8'),
  size16: size('16'),
  size32: size('32'),
  size64: size('64'),
  signed: flag('d', 'words in decimal, signed; bytes and 16-bit words are unsigned'),
  unsigned: flag('D', 'words in decimal, unsigned'),
  bare: flag('x', 'without the characters at the end of lines'),
  network: flag('N', 'words in network byte order, for 16 and 32 bits'),
  symbols: flag('s', "words that point into the kernel's image or modules as symbols"),
  slabs: counted('S', 'and those that point to slab objects as [cache]; -SS as [address:cache]'),
  text: flag(
    'a',
    'characters: to the first that is not printable or, with a count, every printable run among as many bytes',
  ),
  backwards: flag('R', 'backwards: the words that end with the one at the address'),
  offset: valued('o', 'offset', values.word, 'begins this many bytes (decimal, or 0x) after the address'),
  end: valued('e', 'end', values.place, 'up to this hexadecimal address, in place of a count'),
  raw: valued('r', 'file', values.file, 'writes as many bytes to a file as they are'),
  where: required('address[:cpus]', values.place),
  count: optional('count', values.count),
};

type RdOptions = Options<typeof params>;

export const rd = defineStream({
  name: 'rd',
  help: {
    summary: 'memory as words, characters or symbols',
    usage: [
      '[-puf] [-8|-16|-32|-64] [-dDxN] [-s|-S|-SS] [-o offset] [-e end] [-R] address[:cpus] [count]',
      '-a [-puf] [-o offset] [-e end] address [count]',
      '-r file [-puf] [-o offset] [-e end] address [count]',
    ],
    description: `Reads words (1 unless a count is given) from an address: a symbol, hexadecimal digits, or a sum such as
init_task+0x10. SYMBOL:CPUS reads each CPU's copy of a per-CPU variable.`,
    examples: [
      ['rd jiffies', 'one 64-bit word'],
      ['rd -a linux_banner', 'a string'],
      ['rd -SS ff19dc67012208b0 8', 'eight words, with what they point to'],
      ['rd runqueues:1 4', 'the runqueue of CPU 1'],
    ],
  },
  params,
  items: 'rows',
  collect: collectRd,
  text: {
    head: (head) =>
      head.kind === 'raw'
        ? `${head.bytes} bytes copied from 0x${hex(head.address)} to ${escapeTerminal(head.file)}\n`
        : '',
    item: (item, { options }, head) => itemText(item, head, options.slabs > 1),
  },
});

function collectRd(context: CommandContext, options: RdOptions): Answer<RdHead, RdItem, null> {
  const bits: WordSize = options.size8 ? 8 : options.size16 ? 16 : options.size32 ? 32 : 64;
  const named = options.symbols || options.slabs > 0;
  if (named && bits !== 64) throw new UsageError('-s and -S need 64-bit words');

  const places = startAddresses(context, options);
  const { space, name } = chooseSpace(context, options, places[0]!.address);
  if (options.raw !== null) {
    return { head: writeRaw(options, { space, name }, places[0]!.address, options.raw), items: noItems(null) };
  }
  if (options.text) {
    return {
      head: { kind: 'text', space: name },
      items: readText(context, options, { space, name }, places[0]!.address),
    };
  }
  const show = options.signed ? 'signed' : options.unsigned ? 'unsigned' : 'hex';
  const head: RdHead = {
    kind: 'words',
    space: name,
    size: bits,
    show,
    ascii: show === 'hex' && !options.bare && !named,
  };
  const swap = options.network && (bits === 16 || bits === 32);
  function* rows(): Generator<RdItem, null> {
    for (const { cpu, address } of places) {
      const count = wordCount(options, address, bits / 8);
      const start = options.backwards ? backwards(address, count, bits) : address;
      let first = true;
      for (const row of rowsFrom(context, { space, name }, start, count, bits, swap)) {
        yield { kind: 'words', cpu, first, row, names: named ? namesOf(context, row, options.slabs > 0) : null };
        first = false;
      }
    }
    return null;
  }
  return { head, items: rows() };
}

/** Rows of words, a window of memory at a time; a page that cannot be read ends them. @throws MemoryFault for the first */
function* rowsFrom(
  { kernel }: CommandContext,
  { space, name }: Reader,
  start: VirtAddr,
  count: number,
  bits: WordSize,
  swap: boolean,
): Generator<WordRow> {
  const perWindow = (window * 8) / bits;
  for (let done = 0; done < count; done += perWindow) {
    kernel.work.charge('bytes', window);
    const from = offsetBy(start, done * (bits / 8));
    const { rows, fault } = inSpace(name, () =>
      readWords(space, from, Math.min(perWindow, count - done), bits, swap, done > 0),
    );
    yield* rows;
    if (fault === null) continue;
    kernel.faults.record('memory', asPhysical(name, fault));
    return;
  }
}

/** An address space with the name that tells it in messages. */
interface Reader {
  readonly space: AddressSpace;
  readonly name: SpaceName;
}

function startAddresses(
  context: CommandContext,
  options: RdOptions,
): { readonly cpu: number | null; readonly address: VirtAddr }[] {
  const { where } = options;
  const offset = options.offset === null ? 0 : offsetArgument(options.offset);
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
  const literal = options.physical || options.file ? parseHex(where) : null;
  return [{ cpu: null, address: offsetBy(literal ?? startAddress(context, where), offset) }];
}

function offsetArgument(word: string): number {
  const match = /^(-?)(0x[0-9a-fA-F]{1,12}|\d{1,15})$/.exec(word);
  if (match === null) throw new UsageError(`not a valid number: ${escapeTerminal(word)}`);
  return Number(match[2]) * (match[1] === '-' ? -1 : 1);
}

function chooseSpace(context: CommandContext, options: RdOptions, address: VirtAddr): Reader {
  const { kernel } = context;
  if (options.physical) return { space: new PhysicalSpace(kernel.dump.memory), name: 'physical' };
  if (options.file) return { space: fileSpace(kernel.dump), name: 'file' };
  if (options.user || !kernel.arch.isKernelAddress(address)) {
    return { space: userMemory(kernel, context.task), name: 'user' };
  }
  return { space: kernel.space, name: 'kernel' };
}

/** Words asked for by a count or by where they end. */
function wordCount({ end: endWord, count }: RdOptions, address: VirtAddr, unit: number): number {
  if (endWord === null) return count ?? 1;
  const end = parseHex(endWord);
  if (end === null || end <= address) throw new UsageError(`invalid ending address: ${escapeTerminal(endWord)}`);
  const words = Number((end - address) / BigInt(unit));
  if (words === 0) throw new UsageError('invalid count request: 0');
  return words;
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

function namesOf({ kernel }: CommandContext, { words }: WordRow, slabs: boolean): WordName[] {
  const names: WordName[] = [];
  for (const word of words) {
    if (!kernel.arch.isKernelAddress(word) || names.some((name) => name.word === word)) continue;
    const place = kernel.place(word as VirtAddr);
    const symbol = place === null ? null : crashPlace(kernel.symbols, place);
    const cache = symbol === null && slabs ? slabCacheOf(kernel, word as VirtAddr) : null;
    if (symbol !== null || cache !== null) names.push({ word, symbol, cache });
  }
  return names;
}

function* readText(
  { kernel }: CommandContext,
  options: RdOptions,
  { space, name }: Reader,
  address: VirtAddr,
): Generator<RdItem, null> {
  const limited = options.count !== null || options.end !== null;
  const length = limited ? wordCount(options, address, 1) : maxText;
  let run = '';
  let start = 0;
  function* flush(): Generator<RdItem> {
    if (run !== '') yield { kind: 'text', address: offsetBy(address, start), text: run };
    run = '';
  }
  const { pageSize } = space.memory;
  let done = false;
  for (let at = 0; at < length && !done; ) {
    kernel.work.charge('bytes', pageSize);
    const from = offsetBy(address, at);
    const { bytes, fault } = space.readUpTo(from, Math.min(length - at, pageSize - Number(from % BigInt(pageSize))));
    for (const [i, byte] of bytes.entries()) {
      const isText = byte >= 0x20 && byte < 0x7f;
      if (isText && run === '') start = at + i;
      if (isText) run += String.fromCharCode(byte);
      if (!isText || run.length === textWidth) yield* flush();
      if (!isText && !limited) {
        done = true;
        break;
      }
    }
    if (fault !== null) {
      if (at === 0 && bytes.length === 0) throw asPhysical(name, fault);
      kernel.faults.record('memory', asPhysical(name, fault));
      break;
    }
    at += bytes.length;
  }
  yield* flush();
  return null;
}

function writeRaw(options: RdOptions, { space, name }: Reader, address: VirtAddr, file: string): RdHead {
  if (options.count === null && options.end === null) throw new UsageError('-r needs a count or -e');
  const count = wordCount(options, address, 1);
  let done = 0;
  try {
    const fd = openSync(file, 'w');
    try {
      while (done < count) {
        const bytes = inSpace(name, () => space.read(offsetBy(address, done), Math.min(window, count - done)));
        writeSync(fd, bytes);
        done += bytes.length;
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof MemoryFault) throw error;
    throw new UsageError(`${file} cannot be written: ${messageOf(error)}`);
  }
  return { kind: 'raw', space: name, address, bytes: count, file };
}

function itemText(item: RdItem, head: RdHead, verbose: boolean): string {
  if (item.kind === 'text') return `${hex(item.address).padStart(16)}:  ${item.text}\n`;
  if (head.kind !== 'words') return '';
  const { cpu, first, row, names } = item;
  const nameOf = (word: bigint): string | null => {
    const found = names?.find((name) => name.word === word);
    if (found === undefined) return null;
    if (found.symbol !== null) return escapeTerminal(found.symbol);
    const cache = escapeTerminal(found.cache ?? '');
    return verbose ? `[${hex(word)}:${cache}]` : `[${cache}]`;
  };
  const { size, show, ascii } = head;
  const format: WordFormat = { size, show, ascii, ...(names === null ? {} : { name: nameOf }) };
  const header = cpu === null || !first ? '' : `[${cpu}]: ${hex(row.address)}\n`;
  return header + wordRowsText([row], format);
}
