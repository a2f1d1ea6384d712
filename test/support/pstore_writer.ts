// Makes what kernels leave in pstore: the images of ramoops, pstore/blk and mtdoops, EFI variables and their store, ERST
// records. Written after the kernel's own writers, not after our readers.
import { parityOf } from '../../src/collect/pstore/reed_solomon.ts';

const sig = 0x43474244;

export interface ZoneOptions {
  /** Parity bytes a block; 0: none. */
  readonly ecc?: number;
  /** What the signature is changed by. */
  readonly type?: number;
}

/** A zone as persistent_ram_write() leaves it after `text` was written to it: a ring if it is longer than the zone. */
export function ramZone(size: number, text: Uint8Array | string, { ecc = 0, type = 0 }: ZoneOptions = {}): Buffer {
  const zone = Buffer.alloc(size);
  let bufferSize = size - 12;
  const blocks = ecc === 0 ? 0 : Math.ceil((bufferSize - ecc) / (128 + ecc));
  if (ecc > 0) bufferSize -= (blocks + 1) * ecc;
  let start = 0;
  let used = 0;
  for (const byte of Buffer.from(text as string)) {
    zone[12 + start] = byte;
    start = (start + 1) % bufferSize;
    if (used < bufferSize) used++;
  }
  zone.writeUInt32LE((sig ^ type) >>> 0, 0);
  zone.writeUInt32LE(used < bufferSize ? used : start, 4);
  zone.writeUInt32LE(used, 8);
  if (used < bufferSize) zone.writeUInt32LE(used % bufferSize, 4);
  if (ecc > 0) {
    for (let block = 0; block < blocks; block++) {
      const from = 12 + block * 128;
      const to = Math.min(from + 128, 12 + bufferSize);
      if (from < to) zone.set(parityOf(zone.subarray(from, to), ecc), 12 + bufferSize + block * ecc);
    }
    zone.set(parityOf(zone.subarray(0, 12), ecc), 12 + bufferSize + blocks * ecc);
  }
  return zone;
}

/** ramoops_write_kmsg_hdr() and what follows it. */
export function ramDeath(time: string, content: Uint8Array | string, compressed: boolean): Buffer {
  return Buffer.concat([Buffer.from(`====${time}-${compressed ? 'C' : 'D'}\n`), Buffer.from(content as string)]);
}

/** psz_zone_write() for a death. */
export function blkDeath(
  zoneSize: number,
  content: Uint8Array | string,
  { time = 1717236180, compressed = false, counter = 1, reason = 1 } = {},
): Buffer {
  const zone = Buffer.alloc(zoneSize);
  const data = Buffer.from(content as string);
  zone.writeUInt32LE(sig, 0);
  zone.writeUInt32LE(40 + data.length, 4);
  zone.writeUInt32LE(0x4dfc3ae5, 12);
  zone.writeBigInt64LE(BigInt(time), 20);
  zone.writeUInt32LE(compressed ? 1 : 0, 36);
  zone.writeUInt32LE(counter, 40);
  zone.writeUInt32LE(reason, 44);
  data.copy(zone, 52);
  return zone;
}

/** A ring of pstore/zone. `type`: enum pstore_type_id. */
export function blkRing(zoneSize: number, type: number, text: string): Buffer {
  const zone = Buffer.alloc(zoneSize);
  const room = zoneSize - 12;
  const data = Buffer.from(text);
  const start = data.length % room;
  for (const [i, byte] of data.entries()) zone[12 + (i % room)] = byte;
  zone.writeUInt32LE((sig ^ type) >>> 0, 0);
  zone.writeUInt32LE(Math.min(data.length, room), 4);
  zone.writeUInt32LE(data.length < room ? 0 : start, 8);
  return zone;
}

/** mtdoops_write(). */
export function mtdPage(size: number, sequence: number, text: string, uptimeNs: bigint | null = null): Buffer {
  const page = Buffer.alloc(size, 0xff);
  page.writeUInt32LE(sequence, 0);
  page.writeUInt32LE(uptimeNs === null ? 0x5d005d00 : 0x5d005e00, 4);
  if (uptimeNs !== null) page.writeBigInt64LE(uptimeNs, 8);
  page.write(text, uptimeNs === null ? 8 : 16, 'latin1');
  return page;
}

/** A GUID as it stands in memory. */
export function guidBytes(text: string): Buffer {
  const [a, b, c, d, e] = text.split('-') as [string, string, string, string, string];
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(Number.parseInt(a, 16), 0);
  bytes.writeUInt16LE(Number.parseInt(b, 16), 4);
  bytes.writeUInt16LE(Number.parseInt(c, 16), 6);
  Buffer.from(d + e, 'hex').copy(bytes, 8);
  return bytes;
}

/** A firmware volume with variables, as OVMF keeps them. */
export function variableStore(
  variables: readonly { name: string; guid: string; data: Uint8Array; state?: number }[],
): Buffer {
  const header = Buffer.alloc(0x64);
  header.write('_FVH', 0x28, 'latin1');
  const parts: Buffer[] = [header];
  for (const { name, guid, data, state = 0x3f } of variables) {
    const utf16 = Buffer.from(`${name}\0`, 'utf16le');
    const head = Buffer.alloc(60);
    head.writeUInt16LE(0x55aa, 0);
    head[2] = state;
    head.writeUInt32LE(7, 4);
    head.writeUInt32LE(utf16.length, 36);
    head.writeUInt32LE(data.length, 40);
    guidBytes(guid).copy(head, 44);
    const body = Buffer.concat([head, utf16, data]);
    parts.push(body, Buffer.alloc((4 - (body.length % 4)) % 4, 0xff));
  }
  return Buffer.concat([...parts, Buffer.alloc(256, 0xff)]);
}

/** erst_writer(). */
export function cperRecord(section: string, time: number, data: Uint8Array | string): Buffer {
  const body = Buffer.from(data as string);
  const record = Buffer.alloc(200 + body.length);
  record.write('CPER', 0, 'latin1');
  record.writeUInt16LE(0x100, 4);
  record.writeUInt32LE(0xffff_ffff, 6);
  record.writeUInt16LE(1, 10);
  record.writeUInt32LE(1, 12);
  record.writeUInt32LE(2, 16);
  record.writeUInt32LE(record.length, 20);
  record.writeBigUInt64LE(BigInt(time), 24);
  guidBytes('75a574e3-5052-4b29-8a8e-be2c6490b89d').copy(record, 64);
  record.writeUInt32LE(200, 128);
  record.writeUInt32LE(body.length, 132);
  guidBytes(section).copy(record, 144);
  body.copy(record, 200);
  return record;
}
