// Writes x86_64 page tables from text, one mapping a line:
//
//   ffff888000000000 -> 40000000 1G rw
//   ffffffff81000000 -> 1000000  2M
//   7f0000001000     -> 5000     4K user rw nx
//   7f0000002000     -> 6000     4K protnone           (present bit clear, page number as it is)
//   7f0000003000     -> 6000     4K protnone inverted  (as since the L1TF fixes)
//   7f0000004000     swap 3 1234                       (type, offset)
import type { SyntheticMemory } from './synthetic_memory.ts';

export interface TableOptions {
  readonly levels: 4 | 5;
  /** Physical address of the top table. */
  readonly root: number;
  /** Physical address from which further tables are allocated. */
  readonly tables: number;
  readonly encryptionMask?: bigint;
}

const shifts: Record<string, number> = { '4K': 12, '2M': 21, '1G': 30 };

/** Writes the tables into memory. @returns physical address after the last table */
export function writePageTables(memory: SyntheticMemory, options: TableOptions, text: string): number {
  let nextTable = options.tables;
  const mask = options.encryptionMask ?? 0n;
  memory.write(options.root, new Uint8Array(4096));
  const tableAt = (entryAddress: number): number => {
    const entry = memory.readU64(entryAddress);
    if ((entry & 1n) !== 0n) return Number(entry & 0x000f_ffff_ffff_f000n & ~mask);
    const table = nextTable;
    nextTable += 4096;
    memory.write(table, new Uint8Array(4096));
    memory.writeU64(entryAddress, BigInt(table) | mask | 0x67n);
    return table;
  };
  const set = (address: bigint, shift: number, value: bigint): void => {
    let table = options.root;
    for (let level = options.levels === 5 ? 48 : 39; ; level -= 9) {
      const at = table + Number((address >> BigInt(level)) & 0x1ffn) * 8;
      if (level === shift) {
        memory.writeU64(at, value);
        return;
      }
      table = tableAt(at);
    }
  };
  for (const line of text.split('\n')) {
    const swap = /^\s*([0-9a-f]+)\s+swap\s+(\d+)\s+([0-9a-f]+)\s*$/.exec(line);
    if (swap !== null) {
      const value = (BigInt(swap[2]!) << 59n) | (BigInt.asUintN(50, ~BigInt(`0x${swap[3]}`)) << 9n);
      set(BigInt(`0x${swap[1]}`), 12, value & ~0x1n & ~0x100n);
      continue;
    }
    const map = /^\s*([0-9a-f]+)\s+->\s+([0-9a-f]+)\s+(4K|2M|1G)\s*(.*)$/.exec(line);
    if (map === null) continue;
    const flags = new Set(map[4]!.split(/\s+/));
    const shift = shifts[map[3]!]!;
    let address = BigInt(`0x${map[2]}`);
    let bits = 0x20n;
    if (flags.has('protnone')) bits |= 0x100n;
    else bits |= 1n;
    if (flags.has('rw')) bits |= 2n;
    if (flags.has('user')) bits |= 4n;
    if (flags.has('nx')) bits |= 1n << 63n;
    if (shift > 12) bits |= 0x80n;
    if (flags.has('inverted')) address = ~address & 0x000f_ffff_ffff_f000n;
    else address |= mask;
    set(BigInt(`0x${map[1]}`), shift, address | bits);
  }
  return nextTable;
}
