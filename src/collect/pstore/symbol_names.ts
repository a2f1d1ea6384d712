// Names of addresses, out of a System.map or /proc/kallsyms.

export interface KnownName {
  readonly address: bigint;
  readonly name: string;
}

const maxSymbols = 2_000_000;

/** Reads lines of `ADDRESS TYPE NAME [MODULE]`; others are passed over. In order of addresses. */
export function parseSystemMap(text: string): KnownName[] {
  const names: KnownName[] = [];
  for (const line of text.split('\n', maxSymbols)) {
    const m = /^([0-9a-f]{8,16}) [TtWw] (\S{1,512})/.exec(line);
    if (m !== null) names.push({ address: BigInt(`0x${m[1]}`), name: m[2]! });
  }
  return names.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

/** `name+0x1c`; null: no symbol is at or before the address within a megabyte. */
export function nameAt(names: readonly KnownName[], address: bigint): string | null {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle]!.address <= address) low = middle + 1;
    else high = middle;
  }
  const found = names[low - 1];
  if (found === undefined || address - found.address > 0x10_0000n) return null;
  const offset = address - found.address;
  return offset === 0n ? found.name : `${found.name}+0x${offset.toString(16)}`;
}
