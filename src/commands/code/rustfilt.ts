// rustfilt: names of Rust functions as their source has them.
import { UsageError } from '../../base/errors.ts';
import { escapeLine } from '../../base/text.ts';
import { demangleName } from '../../debuginfo/rust_symbol.ts';
import { defineCommand } from '../command.ts';
import { rest, values } from '../params.ts';

export interface RustfiltData {
  /** A name, and what its source calls it; null for one that Rust did not make. */
  readonly names: readonly { readonly symbol: string; readonly name: string | null }[];
}

export const rustfilt = defineCommand({
  name: 'rustfilt',
  help: {
    summary: 'names of Rust functions as their source has them',
    description: 'Prints what the names that the Rust compiler makes stand for; others as they are.',
    examples: [['rustfilt _RNvNtCs1234_7mycrate3foo3bar', 'mycrate::foo::bar']],
  },
  params: { symbols: rest('symbol', values.symbol) },
  collect(_context, { symbols }): RustfiltData {
    if (symbols.length === 0) throw new UsageError('');
    return { names: symbols.map((symbol) => ({ symbol, name: demangleName(symbol) })) };
  },
  render: ({ names }) => names.map(({ symbol, name }) => `${escapeLine(name ?? symbol)}\n`).join(''),
});
