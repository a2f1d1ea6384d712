// A zone of ramoops: memory that keeps its content over a warm reset, with a header, a ring of data and, if so configured,
// parity for both (fs/pstore/ram_core.c).
//
//   u32 signature  "DBGC" ^ type      u32 start      u32 size
//   data .......................................  buffer_size
//   parity of each block of data, parity of the header          only with ECC
import { ByteReader } from '../../base/byte_reader.ts';
import type { Ecc } from './record.ts';
import { correct } from './reed_solomon.ts';

export const zoneSignature = 0x43474244;
const headerSize = 12;
/** Data bytes that share a set of parity bytes: ramoops' default, which nobody changes. */
const blockSize = 128;

export interface Zone {
  /** Difference of the signature to the plain one: 0, or what tells a kind of zone. */
  readonly type: number;
  /** Oldest byte first; of a ring that has wrapped the oldest bytes are gone. */
  readonly content: Uint8Array;
  /** null: the zone has no parity. */
  readonly ecc: Ecc | null;
  readonly problem: string | null;
}

/** Bytes of data in a zone. Null: the zone is too small for so many parity bytes. */
export function dataSize(zone: number, parity: number): number | null {
  const room = zone - headerSize;
  if (parity === 0) return room > 0 ? room : null;
  const blocks = Math.ceil((room - parity) / (blockSize + parity));
  const size = room - (blocks + 1) * parity;
  return size > 0 ? size : null;
}

/** A copy: a Buffer's own slice() is a view. */
function copy(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return Uint8Array.from(bytes.subarray(from, to));
}

/**
 * Reads a zone. Null: it was never written, or is no zone.
 * @param bytes of the whole zone
 * @param parity bytes of parity a block; 0: none
 */
export function readZone(bytes: Uint8Array, parity: number): Zone | null {
  const size = dataSize(bytes.length, parity);
  if (size === null) return null;
  const header = copy(bytes, 0, headerSize);
  let corrected = 0;
  let unrecoverable = 0;
  const blocks = parity === 0 ? 0 : Math.ceil((bytes.length - headerSize - parity) / (blockSize + parity));
  const parityAt = headerSize + size;
  if (parity > 0) {
    const at = parityAt + blocks * parity;
    const fixed = correct(header, copy(bytes, at, at + parity));
    if (fixed === null) unrecoverable++;
    else corrected += fixed;
  }
  const reader = new ByteReader(header, 'ramoops zone');
  const type = (reader.u32() ^ zoneSignature) >>> 0;
  const start = reader.u32();
  const used = reader.u32();
  // other signatures than the plain one are a version number (ftrace): what the kernel runs on has few high bits
  if (type > 0xff_ffff) return null;
  const ecc = (): Ecc | null => (parity === 0 ? null : { corrected, unrecoverable });
  if (used > size || start > used)
    return { type, content: new Uint8Array(0), ecc: ecc(), problem: 'its header contradicts itself' };
  if (used === 0) return null;
  const data = copy(bytes, headerSize, headerSize + size);
  if (parity > 0)
    for (let block = 0; block * blockSize < used; block++) {
      const at = parityAt + block * parity;
      const from = block * blockSize;
      const fixed = correct(data.subarray(from, Math.min(from + blockSize, size)), copy(bytes, at, at + parity));
      if (fixed === null) unrecoverable++;
      else corrected += fixed;
    }
  const content = new Uint8Array(used);
  content.set(data.subarray(start, used));
  content.set(data.subarray(0, start), used - start);
  return { type, content, ecc: ecc(), problem: type > 0 && type < 0x2_0000 ? 'its signature is damaged' : null };
}

/** Whether the zone's header fits the parity that stands where it would with so many bytes of it. */
export function hasParity(bytes: Uint8Array, parity: number): boolean {
  const size = dataSize(bytes.length, parity);
  if (size === null) return false;
  const at = bytes.length - parity;
  const header = copy(bytes, 0, headerSize);
  const stored = copy(bytes, at, at + parity);
  if (stored.every((byte) => byte === 0)) return false;
  return correct(header, stored) !== null;
}
