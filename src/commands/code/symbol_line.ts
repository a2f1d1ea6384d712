// A symbol as `sym` prints it: `ffffffffc0419a30 (t) widget_write [widget]`.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import type { KernelSymbol } from '../../debuginfo/symbol.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { sourceLine } from '../../kernel/source_line.ts';
import { placeText, type SourcePlace, sourcePlace } from '../source_place.ts';

/** A symbol, or a place behind one. */
export interface SymbolEntry {
  readonly address: VirtAddr;
  /** nm(1)'s letter. */
  readonly type: string;
  readonly name: string;
  /** Bytes behind the symbol. */
  readonly offset: number;
  readonly module: string | null;
  /** Where code is in the source; null for data, where it is not told, and in long lists. */
  readonly source: SourcePlace | null;
}

export function symbolEntry(symbol: KernelSymbol, offset = 0): SymbolEntry {
  const { address, type, name, module } = symbol;
  return { address: offsetBy(address, offset), type, name, offset, module, source: null };
}

/** As `symbolEntry`, with the line that the code comes from. */
export function codeEntry(kernel: Kernel, symbol: KernelSymbol, offset = 0): SymbolEntry {
  const entry = symbolEntry(symbol, offset);
  return /^[tw]$/i.test(symbol.type) ? { ...entry, source: sourcePlace(sourceLine(kernel, entry.address)) } : entry;
}

export function symbolLine({ address, type, name, offset, module, source }: SymbolEntry, radix: 10 | 16 = 10): string {
  const behind = offset === 0 ? '' : radix === 16 ? `+0x${hex(offset)}` : `+${offset}`;
  const owner = module === null ? '' : ` [${escapeTerminal(module)}]`;
  return `${hex(address)} (${type}) ${escapeTerminal(name)}${behind}${owner}${source === null ? '' : ` ${placeText(source)}`}\n`;
}
