// Places in code as the analysis gives them: address, symbol, offset, module.
import type { VirtAddr } from '../base/address.ts';
import { addressText, bareAddress, hex } from '../base/text.ts';
import { sourceName } from '../debuginfo/source_name.ts';
import type { Frame } from '../kernel/backtrace.ts';
import type { GuiltyFrame } from '../oops/incident.ts';
import type { Place } from './analysis.ts';
import type { Facts } from './facts.ts';

/** An address as symbol, offset and module. */
export function placeAt(facts: Facts, address: VirtAddr): Place {
  const place = facts.kernel.place(address);
  return {
    address: addressIn(facts, address, place !== null),
    symbol: place?.symbol.name ?? null,
    offset: place?.offset ?? null,
    module: place?.symbol.module ?? null,
  };
}

export function framePlace(facts: Facts, frame: Frame): Place {
  const offset = frame.place === null ? null : Number(frame.address - frame.place.symbol.address);
  return {
    ...placeAt(facts, frame.address),
    symbol: frame.place?.symbol.name ?? null,
    offset,
    module: frame.place?.symbol.module ?? null,
  };
}

/** An address as it is shown; null for one that stands for a function of a log. */
function addressIn({ told }: Facts, address: VirtAddr, isNamed: boolean): string | null {
  return told !== null && isNamed ? null : addressText(address);
}

/** The log's guilty function, found among the symbols. */
export function guiltyPlace(facts: Facts, guilty: GuiltyFrame): Place {
  const symbol =
    facts.kernel.symbols.findAll(guilty.symbol).find((s) => (s.module ?? null) === guilty.module) ??
    facts.kernel.symbols.find(guilty.symbol);
  const { offset } = guilty;
  return {
    address:
      symbol === null || symbol === undefined || facts.told !== null
        ? null
        : addressText(symbol.address + BigInt(offset ?? 0)),
    symbol: guilty.symbol,
    offset,
    module: guilty.module,
  };
}

/** `widget_write+0x1c [widget]`; names of Rust and C++ as their source has them */
export function shortPlace({ symbol, offset, module, address }: Place): string {
  if (symbol === null) return `unnamed code at ${bareAddress(address ?? '?')}`;
  return `${sourceName(symbol)}${offset === null || offset === 0 ? '' : `+0x${hex(offset)}`}${module === null ? '' : ` [${module}]`}`;
}
