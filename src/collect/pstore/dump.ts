// The ramoops region of a dead kernel, out of its dump: what it had kept of itself, and what the kernel before it left
// (fs/pstore/ram.c: struct ramoops_context).
import { offsetBy, physAddr, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type RamoopsGeometry, readRamoops, zoneContent } from './ramoops.ts';
import { type PstoreRecord, RecordReader, type RecordType } from './record.ts';

/** Larger regions than anybody reserves. */
const maxRegion = 64 * 1024 * 1024;
const maxZones = 4096;

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
  // of the module, mostly
  const symbol = kernel.ownSymbol('oops_cxt') ?? kernel.symbols.find('oops_cxt');
  if (symbol === null || kernel.types.find('struct ramoops_context') === null) return null;
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
  const reader = new RecordReader();
  const before = earlierRecords(kernel, context, source, reader);
  try {
    kernel.dump.memory.read(physAddr(start), image);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    return { ...region, missing: error.message, records: before };
  }
  const at = `${source}:${region.address}`;
  const own = readRamoops(image, at, geometry).flatMap((raw) => reader.read(raw) ?? []);
  // a death of the boot before stays in its zone until another takes it
  const known = new Set(own.map(({ content }) => Buffer.from(content).toString('latin1')));
  return {
    ...region,
    missing: null,
    records: [...own, ...before.filter(({ content }) => !known.has(Buffer.from(content).toString('latin1')))],
  };
}

/**
 * What the kernel found in the region when it began: it keeps a copy of each zone (struct persistent_ram_zone, old_log), since
 * it writes into the region itself. So the log of the boot before is in a dump even where the region is not.
 */
function earlierRecords(kernel: Kernel, context: KernelObject, source: string, reader: RecordReader): PstoreRecord[] {
  const zones: [RecordType, VirtAddr][] = [];
  const one = (type: RecordType, member: string): void => {
    if (context.has(member)) zones.push([type, context.member(member).pointer()]);
  };
  const several = (type: RecordType, member: string, count: string): void => {
    if (!context.has(member) || !context.has(count)) return;
    const list = context.member(member).pointer();
    if (list === 0n) return;
    const number = Math.min(context.member(count).number(), maxZones);
    for (let n = 0; n < number; n++) zones.push([type, virtAddr(kernel.space.u64(offsetBy(list, n * 8)))]);
  };
  kernel.faults.attempt('zones of ramoops', () => several('dmesg', 'dprzs', 'max_dump_cnt'), undefined);
  one('console', 'cprz');
  one('pmsg', 'mprz');
  return zones.flatMap(([type, address], n) => {
    if (address === 0n) return [];
    const record = kernel.faults.attempt(
      'log of the boot before',
      () => {
        const zone = kernel.object('persistent_ram_zone', address);
        const log = zone.member('old_log').pointer();
        const size = zone.member('old_log_size').number();
        if (log === 0n || size <= 0 || size > maxRegion) return null;
        const content = kernel.space.read(log, size);
        return reader.read({
          source: `${source}, the boot before`,
          offset: n,
          backend: 'ramoops',
          ...zoneContent(type, content),
        });
      },
      null,
    );
    return record === null ? [] : [record];
  });
}
