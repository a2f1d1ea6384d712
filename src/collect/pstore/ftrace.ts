// pstore's function trace: which functions each CPU ran before it stopped (fs/pstore/ftrace.c, include/linux/pstore.h).
//
//   unsigned long ip, parent_ip; u64 ts           the CPU in the lowest bits: of ts, or of ip where there is room
import { type KnownName, nameAt } from './symbol_names.ts';

export interface TracedCall {
  /** Address of the function, `0x...`, and of where it was called. */
  readonly address: string;
  readonly parent: string;
  /** Names with offsets; null: no symbols were given, or none is there. */
  readonly name: string | null;
  readonly parentName: string | null;
  readonly cpu: number;
  /** The trace clock's count; null: the record is of a kernel that kept none. */
  readonly time: number | null;
}

const recordSize = 24;
/** Bits of ts that are the CPU's (TS_CPU_SHIFT). */
const cpuBits = 8;

/**
 * Reads a trace of a 64-bit kernel.
 * @param names symbols in order of their addresses
 */
export function decodeFtrace(content: Uint8Array, names: readonly KnownName[]): TracedCall[] {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const calls: TracedCall[] = [];
  for (let at = 0; at + recordSize <= content.length; at += recordSize) {
    const ip = view.getBigUint64(at, true);
    const parent = view.getBigUint64(at + 8, true);
    const stamp = view.getBigUint64(at + 16, true);
    if (ip === 0n && parent === 0n) continue;
    calls.push({
      address: `0x${ip.toString(16)}`,
      parent: `0x${parent.toString(16)}`,
      name: nameAt(names, ip),
      parentName: nameAt(names, parent),
      cpu: Number(stamp & 0xffn),
      time: Number(stamp >> BigInt(cpuBits)),
    });
  }
  // several CPUs' buffers stand one after another
  return calls.sort((a, b) => (a.time ?? 0) - (b.time ?? 0));
}
