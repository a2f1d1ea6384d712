// mtdoops: pages of flash, one a death, with a sequence number that tells the newest (drivers/mtd/mtdoops.c).
//
//   u32 sequence   u32 magic   [i64 time since boot, ns]   text, then 0xff
import type { RawRecord } from './record.ts';

const magicOld = 0x5d005d00;
const magicTimed = 0x5d005e00;
/** Pages are whole blocks of 4 KiB (mtdoops.record_size). */
const alignment = 4096;
const maxPages = 65536;

export interface MtdoopsPage {
  readonly offset: number;
  readonly sequence: number;
  /** Nanoseconds since boot; null: kernels before 5.17 do not say. */
  readonly uptimeNs: bigint | null;
}

/** The pages of an image, oldest first. */
export function findPages(image: Uint8Array): MtdoopsPage[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const pages: MtdoopsPage[] = [];
  for (let offset = 0; offset + 16 <= image.length && pages.length < maxPages; offset += alignment) {
    const sequence = view.getUint32(offset, true);
    const magic = view.getUint32(offset + 4, true);
    if (sequence === 0xffff_ffff || (magic !== magicOld && magic !== magicTimed)) continue;
    pages.push({ offset, sequence, uptimeNs: magic === magicTimed ? view.getBigInt64(offset + 8, true) : null });
  }
  // sequence numbers wrap (find_next_position()): the largest gap separates the newest from the oldest
  const sorted = pages.sort((a, b) => a.sequence - b.sequence);
  const gaps = sorted.map((page, i) => (sorted[i + 1]?.sequence ?? sorted[0]!.sequence + 2 ** 32) - page.sequence);
  const newest = gaps.indexOf(Math.max(...gaps, 0));
  return [...sorted.slice(newest + 1), ...sorted.slice(0, newest + 1)];
}

/** The records of an image, oldest first: whole logs, each of one death. */
export function readMtdoops(image: Uint8Array, source: string): RawRecord[] {
  const pages = findPages(image);
  const starts = pages.map(({ offset }) => offset).sort((a, b) => a - b);
  const ends = new Map(starts.map((start, i) => [start, starts[i + 1] ?? image.length]));
  return pages.map(({ offset, sequence, uptimeNs }) => {
    const from = offset + (uptimeNs === null ? 8 : 16);
    const page = image.subarray(from, ends.get(offset));
    const end = page.indexOf(0xff);
    return {
      source,
      offset,
      backend: 'mtdoops',
      type: 'dmesg',
      compressed: false,
      count: sequence,
      content: end < 0 ? page : page.subarray(0, end),
    };
  });
}
