// pstore/zone: records on a block device (pstore/blk) or in flash (mtdpstore), in zones with a header of their own
// (fs/pstore/zone.c).
//
//   u32 signature "DBGC" ^ record type     u32 length     u32 start     data
//
// and for a death the data begins with psz_kmsg_header: u32 magic, time, whether compressed, counter, reason.
import type { Backend, RawRecord, RecordType } from './record.ts';

const signature = 0x43474244;
const kmsgMagic = 0x4dfc3ae5;
/** sizeof(struct psz_kmsg_header), padding at its end included, wherever 64-bit numbers are aligned. */
const kmsgHeader = 40;
/** enum pstore_type_id (include/linux/pstore.h). */
const types: Readonly<Record<number, RecordType>> = { 0: 'dmesg', 1: 'mce', 2: 'console', 3: 'ftrace', 7: 'pmsg' };
/** enum kmsg_dump_reason (include/linux/kmsg_dump.h); since 6.11 all but these are one. */
const reasons: Readonly<Record<number, string>> = { 1: 'Panic', 2: 'Oops', 3: 'Emergency', 4: 'Shutdown' };
const maxRecords = 4096;
/** Zones begin at multiples of it: record sizes are whole KiB. */
const alignment = 1024;

/** The records of an image of the device. */
export function readZones(image: Uint8Array, source: string, backend: Backend = 'blk'): RawRecord[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const starts: number[] = [];
  for (let at = 0; at + 12 <= image.length && starts.length < maxRecords; at += alignment) {
    if (types[(view.getUint32(at, true) ^ signature) >>> 0] !== undefined) starts.push(at);
  }
  return starts.flatMap((at, i) => {
    const zone = image.subarray(at, starts[i + 1] ?? image.length);
    const record = readOne(zone, types[(view.getUint32(at, true) ^ signature) >>> 0]!);
    return record === null ? [] : [{ source, offset: at, backend, ...record }];
  });
}

type ZoneRecord = Omit<RawRecord, 'source' | 'offset' | 'backend'>;

function readOne(zone: Uint8Array, type: RecordType): ZoneRecord | null {
  const view = new DataView(zone.buffer, zone.byteOffset, zone.byteLength);
  const length = view.getUint32(4, true);
  const start = view.getUint32(8, true);
  const room = zone.length - 12;
  if (length === 0) return null;
  const problems: string[] = [];
  if (length > room) problems.push(`its header says ${length} bytes, and there are ${room}`);
  const data = zone.subarray(12, 12 + Math.min(length, room));
  if (type !== 'dmesg') {
    // a ring: what is behind `start` is older
    const from = Math.min(start, data.length);
    const content = new Uint8Array(data.length);
    content.set(data.subarray(from));
    content.set(data.subarray(0, from), data.length - from);
    return { type, compressed: false, content, problems };
  }
  if (data.length < kmsgHeader || view.getUint32(12, true) !== kmsgMagic) return null;
  return {
    type,
    time: Number(view.getBigInt64(20, true)) + view.getUint32(28, true) / 1e9,
    compressed: zone[36] !== 0,
    count: view.getUint32(40, true),
    reason: reasons[view.getUint32(44, true)] ?? 'Unknown',
    content: data.subarray(kmsgHeader),
    problems,
  };
}

/** Whether an image has a zone with a death in it, or several zones where zones may begin. */
export function looksLikeZones(image: Uint8Array): boolean {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (let at = 0; at + 16 <= image.length; at += alignment)
    if (view.getUint32(at, true) === signature && view.getUint32(at + 12, true) === kmsgMagic) return true;
  return false;
}
