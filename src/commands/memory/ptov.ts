// ptov: where the kernel has physical memory mapped, and each CPU's copy of per-CPU memory.
import { offsetBy, physAddr, type VirtAddr } from '../../base/address.ts';
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex, hex16 } from '../../base/text.ts';
import { cpusOf, splitCpuSpec } from '../address.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { eachWord } from '../each_word.ts';
import { rest, values } from '../params.ts';

export type PtovAnswer =
  | { readonly kind: 'physical'; readonly physical: bigint; readonly virtual: VirtAddr }
  | {
      readonly kind: 'per-cpu';
      readonly offset: bigint;
      readonly copies: readonly { readonly cpu: number; readonly virtual: VirtAddr }[];
    };

export const ptov = defineCommand({
  name: 'ptov',
  help: {
    summary: 'physical address, or per-CPU offset, to kernel virtual address',
    description: `The kernel virtual address at which physical memory is mapped. OFFSET:CPUS gives where each CPU's copy of
per-CPU memory lies. Numbers are hexadecimal, 0x or not.`,
    examples: [
      ['ptov 56e000', 'in the kernel’s map of all memory'],
      ['ptov 13ed4:a', 'the copies of every CPU'],
    ],
  },
  params: { addresses: rest('address|offset:cpus', values.place) },
  collect(context, { addresses }): readonly PtovAnswer[] {
    if (addresses.length === 0) throw new UsageError('');
    return eachWord(context, addresses, (word) => answer(context, word));
  },
  render: (answers) => answers.map(answerText).join('\n'),
});

function answer(context: CommandContext, word: string): PtovAnswer {
  const { kernel } = context;
  const { base, cpus } = splitCpuSpec(word);
  const value = parseHex(base);
  if (value === null) throw new UsageError(`invalid address: ${escapeTerminal(word)}`);
  if (cpus !== null) {
    const copies = cpusOf(context, cpus).map((cpu) => ({ cpu, virtual: offsetBy(value, kernel.perCpuOffset(cpu)) }));
    return { kind: 'per-cpu', offset: value, copies };
  }
  const virtual = value > BigInt(Number.MAX_SAFE_INTEGER) ? null : kernel.space.linearAddress(physAddr(Number(value)));
  if (virtual === null) throw new NotFoundError('kernel virtual address', `of physical ${hex(value)}`);
  return { kind: 'physical', physical: value, virtual };
}

function answerText(one: PtovAnswer): string {
  if (one.kind === 'physical') {
    return `${'VIRTUAL'.padEnd(16)}  ${'PHYSICAL'.padEnd(16)}\n${hex16(one.virtual)}  ${hex(one.physical).padEnd(16)}\n`;
  }
  const lines = one.copies.map(({ cpu, virtual }) => `  [${cpu}]  ${hex16(virtual)}\n`);
  return `PER-CPU OFFSET: ${hex(one.offset)}\n  CPU    VIRTUAL\n${lines.join('')}`;
}
