// btop, ptob: from byte addresses to page frame numbers and back.
import { UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { rest, values } from '../params.ts';

/** One number and what it is. */
export interface Converted {
  /** What was given. */
  readonly given: bigint;
  readonly result: bigint;
}

function convert(words: readonly string[], how: (value: bigint) => bigint): Converted[] {
  if (words.length === 0) throw new UsageError('');
  return words.map((word) => {
    const given = parseHex(word);
    if (given === null) throw new UsageError(`not a hexadecimal number: ${escapeTerminal(word)}`);
    return { given, result: BigInt.asUintN(64, how(given)) };
  });
}

function render(data: readonly Converted[]): string {
  return data.map(({ given, result }) => `${hex(given)}: ${hex(result)}\n`).join('');
}

const pageSize = (context: CommandContext): bigint => BigInt(context.kernel.dump.memory.pageSize);

export const btop = defineCommand({
  name: 'btop',
  help: {
    summary: 'byte address to page frame number',
    description: 'The number of the page frame that a physical address lies in. Numbers are hexadecimal, 0x or not.',
    examples: [['btop 512a000', '512a000: 512a']],
  },
  params: { addresses: rest('address', values.word) },
  collect: (context, { addresses }): readonly Converted[] => convert(addresses, (value) => value / pageSize(context)),
  render,
});

export const ptob = defineCommand({
  name: 'ptob',
  help: {
    summary: 'page frame number to byte address',
    description: 'The physical address at which a page frame begins. Numbers are hexadecimal, 0x or not.',
    examples: [['ptob 512a', '512a: 512a000']],
  },
  params: { pages: rest('page-number', values.word) },
  collect: (context, { pages }): readonly Converted[] => convert(pages, (value) => value * pageSize(context)),
  render,
});
