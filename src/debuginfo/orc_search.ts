// Where the kernel's ORC tables are, without symbols: by their shape (include/asm-generic/vmlinux.lds.h, ORC_UNWIND_TABLE).
//
//   .orc_header       20 bytes, since b9f174c811e3 (6.5)
//   .orc_unwind_ip    s32 each: the distance from itself to an instruction; the instructions ascend
//   .orc_unwind       6 bytes each, as many
//   .orc_lookup       u32 each: positions in the tables, for every 256 bytes of text; they ascend
import { offsetBy, type VirtAddr } from '../base/address.ts';
import type { ImageBytes } from './image_bytes.ts';
import { isOrcHeader, orcEntrySize, orcHeaderSize } from './orc.ts';

/** Entries that a kernel's tables have at least: real ones have some 300,000. */
const minEntries = 2000;
/** Entries of the lookup table that are looked at. */
const lookups = 256;
/** Entries by which the end of a table may be mistaken for the start of the next. */
const maxOverrun = 4;

export interface OrcPlace {
  /** `.orc_header`; null where there is none that is known. */
  readonly header: VirtAddr | null;
  readonly ips: VirtAddr;
  readonly entries: VirtAddr;
  readonly count: number;
}

/** @param text where the kernel's code starts: the first instruction that the tables tell of is not before it */
export function findOrc(image: ImageBytes, text: VirtAddr): OrcPlace | null {
  const { bytes, start } = image;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const first = Number(text - start);
  let from = 0;
  let last = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= words.length; i++) {
    const ip = i < words.length ? i * 4 + words[i]! : Number.NEGATIVE_INFINITY;
    const goesOn = ip >= last && ip < bytes.length;
    if (!goesOn) {
      if (i - from >= minEntries) {
        const found = placeOf(image, from, i - from);
        if (found !== null) return found;
      }
      from = i;
    }
    // a run starts at an instruction of the kernel
    last = goesOn || (ip >= first && ip < bytes.length) ? ip : Number.POSITIVE_INFINITY;
    if (last === Number.POSITIVE_INFINITY) from = i + 1;
  }
  return null;
}

/** The tables, if what lies behind a run of ascending instructions is theirs. */
function placeOf(image: ImageBytes, from: number, run: number): OrcPlace | null {
  for (let count = run; count > run - maxOverrun; count--) {
    const entries = (from + count) * 4;
    if (!isLookup(image, entries + count * orcEntrySize, count)) continue;
    const ips = image.address(from * 4);
    const header = from * 4 < orcHeaderSize ? null : image.bytes.subarray(from * 4 - orcHeaderSize, from * 4);
    return {
      header: header !== null && isOrcHeader(header) ? offsetBy(ips, -orcHeaderSize) : null,
      ips,
      entries: image.address(entries),
      count,
    };
  }
  return null;
}

/** Whether positions in tables of `count` entries are at an offset, or behind what aligns them. */
function isLookup({ bytes }: ImageBytes, offset: number, count: number): boolean {
  const at = Math.ceil(offset / 4) * 4;
  if (at + lookups * 4 > bytes.length) return false;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, lookups);
  let last = 0;
  for (const word of words) {
    if (word < last || word >= count) return false;
    last = word;
  }
  return last > 0;
}
