// Which ELF files are objects: code, data or debug information, and no core dump.
import { latin1 } from '../../base/byte_reader.ts';

export type ElfKind = 'relocatable' | 'executable' | 'shared';

/** By e_type. */
export const elfKinds: Readonly<Record<number, ElfKind>> = { 1: 'relocatable', 2: 'executable', 3: 'shared' };

/** True for the first bytes of an ELF file that is not a core dump. */
export function isElfObject(start: Uint8Array): boolean {
  if (start.length < 18 || start[0] !== 0x7f || latin1(start, 1, 4) !== 'ELF') return false;
  return elfKinds[start[5] === 2 ? start[17]! : start[16]!] !== undefined;
}
