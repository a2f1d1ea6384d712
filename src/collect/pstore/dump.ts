// The ramoops region of a dead kernel, out of its dump: what it had kept of itself, and what the kernel before it left
// (fs/pstore/ram.c: struct ramoops_context).
import { physAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type RamoopsGeometry, readRamoops } from './ramoops.ts';
import { type PstoreRecord, readRecord } from './record.ts';

/** Larger regions than anybody reserves. */
const maxRegion = 64 * 1024 * 1024;

export interface RamoopsRegion {
  /** Physical address, `0x...`. */
  readonly address: string;
  /** In bytes. */
  readonly size: number;
  readonly geometry: RamoopsGeometry;
  /** Why its memory is not in the dump; null: it is. */
  readonly missing: string | null;
  readonly records: readonly PstoreRecord[];
}

/** The region of the dump's kernel; null: it had none, or its types do not tell. */
export function ramoopsOf(kernel: Kernel, source: string): RamoopsRegion | null {
  const symbol = kernel.ownSymbol('oops_cxt');
  if (symbol === null) return null;
  const context = kernel.object('ramoops_context', symbol.address);
  const size = context.member('size').number();
  const start = context.member('phys_addr').number();
  if (size <= 0 || size > maxRegion) return null;
  const number = (name: string): number => (context.has(name) ? context.member(name).number() : 0);
  const geometry: RamoopsGeometry = {
    recordSize: number('record_size'),
    consoleSize: number('console_size'),
    ftraceSize: number('ftrace_size'),
    pmsgSize: number('pmsg_size'),
    ecc: context.has('ecc_info') ? context.member('ecc_info').member('ecc_size').number() : 0,
  };
  const region = { address: `0x${start.toString(16)}`, size, geometry };
  const image = new Uint8Array(size);
  try {
    kernel.dump.memory.read(physAddr(start), image);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    return { ...region, missing: error.message, records: [] };
  }
  const at = `${source}:${region.address}`;
  return { ...region, missing: null, records: readRamoops(image, at, geometry).map(readRecord) };
}
