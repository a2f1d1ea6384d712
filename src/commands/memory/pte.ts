// pte: what the contents of a page table entry say.
import { UsageError } from '../../base/errors.ts';
import { escapeTerminal } from '../../base/text.ts';
import { swapFileName } from '../../kernel/swap.ts';
import { swapSlotOf } from '../../kernel/swapped_pages.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { eachWord } from '../each_word.ts';
import { rest, values } from '../params.ts';
import { type EntryData, entryText } from './page_rows.ts';

export const pte = defineCommand({
  name: 'pte',
  help: {
    summary: 'contents of a page table entry',
    description: `Takes apart the hexadecimal contents of an entry of a last-level page table: the physical address of the page and
the flags or, for a page that was swapped out, the swap area and the offset in it (in pages).`,
    examples: [['pte d8e067', 'PHYSICAL d8e000 (PRESENT|RW|USER|ACCESSED|DIRTY)']],
  },
  params: { contents: rest('contents', values.word) },
  collect(context, { contents }): readonly EntryData[] {
    if (contents.length === 0) throw new UsageError('');
    return eachWord(context, contents, (word) => describe(context, word));
  },
  render: (entries) => entries.map(entryText).join(''),
});

function describe({ kernel }: CommandContext, word: string): EntryData {
  const value = parseHex(word);
  if (value === null) throw new UsageError(`not a hexadecimal number: ${escapeTerminal(word)}`);
  const { present, physical, flags } = kernel.arch.describeEntry(value, 'PTE');
  const swap = present || physical !== null ? null : swapSlotOf(kernel, value);
  return { value, present, physical, flags, swap, swapFile: swap === null ? null : swapFileName(kernel, swap.type) };
}
