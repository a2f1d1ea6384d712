// find: what an address is.
import type { VirtAddr } from '../../base/address.ts';
import { offsetBy, physAddr } from '../../base/address.ts';
import { UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex, hex16 } from '../../base/text.ts';
import { identify } from '../../kernel/identify.ts';
import { isPerCpuSymbol } from '../../kernel/percpu_symbols.ts';
import { addressArgument, cpusOf, splitCpuSpec } from '../address.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { eachWord } from '../each_word.ts';
import { flag, rest, values } from '../params.ts';
import { type Identity, identityLines, identityOf } from './identity.ts';

export const find = defineCommand({
  name: 'find',
  help: {
    summary: 'what an address is',
    description: `Says everything that is known of an address: symbol, per-CPU variable, task_struct, stack and the frame there, object of
a slab cache with its state, its member and its neighbours, area of vmalloc(), VMA of the current task, page and what
it is used for.`,
    examples: [
      ['find ffff8880012208b0', 'what this is'],
      ['find runqueues', "each CPU's copy of a variable; runqueues:1 is that of CPU 1"],
      ['find -p 1fba8000', 'what is at this physical address'],
    ],
  },
  params: {
    physical: flag('p', 'the address is physical'),
    addresses: rest('address', values.place),
  },
  collect(context, { physical, addresses }): readonly Identity[] {
    if (addresses.length === 0) throw new UsageError('');
    const { kernel } = context;
    const places = eachWord(context, addresses, (word) => (physical ? [linear(context, word)] : named(context, word)));
    return places.flat().map((address) => {
      const task = kernel.arch.isKernelAddress(address) ? null : context.task;
      return identityOf(kernel, identify(kernel, address, task));
    });
  },
  render: (found) => found.map(identityText).join('\n'),
});

/** The address that a word names; of a per-CPU variable those of its copies, of all CPUs unless it says which. */
function named(context: CommandContext, word: string): VirtAddr[] {
  const { kernel } = context;
  const { base, cpus } = splitCpuSpec(word);
  const symbol = kernel.symbols.find(base);
  if (symbol === null || !isPerCpuSymbol(kernel, symbol)) return [addressArgument(context, word)];
  return cpusOf(context, cpus ?? 'a').map((cpu) => offsetBy(symbol.address, kernel.perCpuOffset(cpu)));
}

function linear({ kernel }: CommandContext, word: string): VirtAddr {
  const given = parseHex(word);
  const virtual =
    given === null || given > BigInt(Number.MAX_SAFE_INTEGER)
      ? null
      : kernel.space.linearAddress(physAddr(Number(given)));
  if (virtual === null) throw new UsageError(`not a physical address: ${escapeTerminal(word)}`);
  return virtual;
}

function identityText(found: Identity): string {
  const lines = identityLines(found);
  const address = found.address >> 48n === 0n ? hex(found.address) : hex16(found.address);
  if (lines.length === 0) return `${address}: nothing is known of it\n`;
  return `${address}\n${lines.map(([what, text]) => `${what.padStart(12)}  ${text}\n`).join('')}`;
}
