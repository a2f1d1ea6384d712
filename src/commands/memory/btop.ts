// btop, ptob: from byte addresses to page frame numbers and back.
import { UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { eachWord } from '../each_word.ts';
import { rest, values } from '../params.ts';

/** One number and what it is. */
export interface Converted {
  /** What was given. */
  readonly given: bigint;
  readonly result: bigint;
}

function convert(
  context: CommandContext,
  words: readonly string[],
  parse: (word: string) => bigint | null,
  how: (value: bigint) => bigint,
): Converted[] {
  if (words.length === 0) throw new UsageError('');
  return eachWord(context, words, (word) => {
    const given = parse(word);
    if (given === null) throw new UsageError(`not a number: ${escapeTerminal(word)}`);
    return { given, result: BigInt.asUintN(64, how(given)) };
  });
}

/** crash(8) takes numbers of page frames, unlike addresses, for decimal ones where their digits allow it. */
function frameNumber(word: string): bigint | null {
  return /^\d{1,20}$/.test(word) ? BigInt(word) : parseHex(word);
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
  collect: (context, { addresses }): readonly Converted[] =>
    convert(context, addresses, parseHex, (value) => value / pageSize(context)),
  render,
});

export const ptob = defineCommand({
  name: 'ptob',
  help: {
    summary: 'page frame number to byte address',
    description:
      'The physical address at which a page frame begins. A number is decimal unless it has 0x before it, or one of a to f in it.',
    examples: [
      ['ptob 512a', '512a: 512a000'],
      ['ptob 20778', '512a: 512a000'],
    ],
  },
  params: { pages: rest('page-number', values.word) },
  collect: (context, { pages }): readonly Converted[] =>
    convert(context, pages, frameNumber, (value) => value * pageSize(context)),
  render,
});
