// Where the tables of kallsyms lie. VMCOREINFO names most of them since 6.0 (5fd8fea935a1, f213a6c84c17), but neither
// the markers nor the names' order: those follow from how scripts/kallsyms.c lays the tables out, one behind another
// (aligned to 8 bytes; to 4 since 7.0):
//
//   4.6   offsets|addresses [relative_base] num_syms names markers token_table token_index
//   6.2   offsets|addresses [relative_base] num_syms names markers seqs_of_names token_table token_index  (60443c88f3a8)
//   6.4   num_syms names markers token_table token_index offsets|addresses [relative_base] seqs_of_names  (404bad70fcf7)
//   7.0   num_syms names markers token_table token_index offsets seqs_of_names
//
// Markers are 4 bytes each, before 5.0 8 (80ffbaa5b1bd).

import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, MemoryFault } from '../base/errors.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import type { AddressEncoding } from './kallsyms_addresses.ts';
import { groupSize, groupsByWalk, groupsFromMarkers, type NameGroups } from './kallsyms_names.ts';

/** Most symbols that are believed. Large kernels have some 300,000. */
export const maxSymbols = 2 * 1024 * 1024;

/** Everything needed to open the tables; virtual addresses. */
export interface KallsymsTables {
  readonly count: number;
  readonly names: VirtAddr;
  readonly groups: NameGroups;
  readonly tokenTable: VirtAddr;
  readonly tokenIndex: VirtAddr;
  /** Encodings that the layout allows, likeliest first. */
  readonly encodings: readonly AddressEncoding[];
  /** Where kallsyms_seqs_of_names may be, likeliest first. */
  readonly sequences: readonly VirtAddr[];
}

/**
 * The tables that VMCOREINFO names; null if it names none.
 * @throws FormatError, MemoryFault where it names some that cannot be
 */
export function tablesFromKeys(space: AddressSpace, info: Vmcoreinfo): KallsymsTables | null {
  const names = info.symbol('kallsyms_names');
  const numSyms = info.symbol('kallsyms_num_syms');
  const tokenTable = info.symbol('kallsyms_token_table');
  const tokenIndex = info.symbol('kallsyms_token_index');
  if (names === null || numSyms === null || tokenTable === null || tokenIndex === null) return null;
  const offsets = info.symbol('kallsyms_offsets');
  const relativeBase = info.symbol('kallsyms_relative_base');
  const addresses = info.symbol('kallsyms_addresses');

  const count = space.u32(numSyms);
  if (count === 0 || count > maxSymbols) throw new FormatError('kallsyms', `${count} symbols is out of range`);
  const encodings: AddressEncoding[] = [];
  if (offsets !== null && relativeBase !== null) encodings.push(...relativeEncodings(space, offsets, relativeBase));
  else if (offsets !== null) encodings.push({ kind: 'place', table: offsets });
  if (addresses !== null) encodings.push({ kind: 'absolute', table: addresses });
  if (encodings.length === 0) throw new FormatError('kallsyms', 'VMCOREINFO names no table of addresses');

  // Behind the tables of addresses since 6.4; between markers and tokens before.
  const sequences: VirtAddr[] = [];
  if (relativeBase !== null) sequences.push(offsetBy(relativeBase, 8));
  else if (offsets !== null) sequences.push(offsetBy(offsets, 4 * count));
  if (addresses !== null) sequences.push(offsetBy(addresses, 8 * count));
  sequences.push(offsetBy(tokenTable, -align(3 * count, 8)));
  const groups = findGroups(space, names, count, tokenTable);
  return { count, names, groups, tokenTable, tokenIndex, encodings, sequences };
}

/** Both encodings that use a base; none if the base cannot be read. */
export function relativeEncodings(space: AddressSpace, table: VirtAddr, relativeBase: VirtAddr): AddressEncoding[] {
  try {
    const base = space.pointer(relativeBase);
    return [
      { kind: 'relative', table, base },
      { kind: 'relative-percpu', table, base },
    ];
  } catch (error) {
    if (error instanceof MemoryFault) return [];
    throw error;
  }
}

export function align(size: number, to: number): number {
  return Math.ceil(size / to) * to;
}

/** The groups by the markers, wherever the layouts put them before the token table; by walking where none fit. */
function findGroups(space: AddressSpace, names: VirtAddr, count: number, tokenTable: VirtAddr): NameGroups {
  const markers = Math.ceil(count / groupSize);
  const places: [behind: number, entrySize: 4 | 8][] = [
    [0, 4],
    [align(3 * count, 8), 4],
    [0, 8],
  ];
  const tried = new Set<VirtAddr>();
  for (const alignment of [8, 4]) {
    for (const [behind, entrySize] of places) {
      const at = offsetBy(tokenTable, -(behind + align(markers * entrySize, alignment)));
      if (tried.has(at)) continue;
      tried.add(at);
      const { bytes, fault } = space.readUpTo(at, markers * entrySize);
      if (fault !== null) continue;
      const words = new Uint32Array(bytes.buffer);
      const values = entrySize === 4 ? words : words.filter((_, i) => i % 2 === 0);
      const groups = groupsFromMarkers(space, names, count, values);
      if (groups !== null) return groups;
    }
  }
  return groupsByWalk(space, names, count);
}
