// Records of ACPI's error record serialization table, as pstore's erst backend writes them and as firmware does (UEFI
// specification, appendix N; drivers/acpi/apei/erst.c).
import type { RawRecord, RecordType } from './record.ts';

const signature = 0x52455043; // "CPER"
const headerSize = 128;
const sectionSize = 72;
const maxRecords = 4096;

/** Section types by their GUID, as it stands in memory (first three fields little endian). */
const sections: Readonly<Record<string, { readonly type: RecordType; readonly compressed: boolean }>> = {
  'c197e04e-d545-4a70-9c17-a5549419eb12': { type: 'dmesg', compressed: false },
  '4f118707-04dd-4055-b5dd-956d34ddfac6': { type: 'dmesg', compressed: true },
  'fe08ffbe-95e4-4be7-bc73-4096044a38fc': { type: 'mce', compressed: false },
};

/** A GUID as text, from 16 bytes as they stand in memory. */
export function guidText(bytes: Uint8Array, at: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');
  const tail = Array.from(bytes.subarray(at + 8, at + 16), (byte) => hex(byte, 2)).join('');
  return `${hex(view.getUint32(at, true), 8)}-${hex(view.getUint16(at + 4, true), 4)}-${hex(view.getUint16(at + 6, true), 4)}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}

/** Offsets of the records in an image: a record begins at a multiple of 8, or right behind another one. */
export function findCperRecords(image: Uint8Array): number[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const found: number[] = [];
  for (let at = 0; at + headerSize + sectionSize <= image.length && found.length < maxRecords; ) {
    const length = view.getUint32(at, true) === signature ? view.getUint32(at + 20, true) : 0;
    if (length >= headerSize + sectionSize && view.getUint32(at + 6, true) === 0xffff_ffff) {
      found.push(at);
      const end = at + Math.min(length, image.length - at);
      const follows = end + 4 <= image.length && view.getUint32(end, true) === signature;
      at = follows ? end : (end + 7) & ~7;
    } else at = (at + 8) & ~7;
  }
  return found;
}

/** pstore's records of an image; those that firmware wrote about hardware are left to `inquest mce`. */
export function readErst(image: Uint8Array, source: string): RawRecord[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return findCperRecords(image).flatMap((at) => {
    const length = Math.min(view.getUint32(at + 20, true), image.length - at);
    const count = view.getUint16(at + 10, true);
    const seconds = view.getBigUint64(at + 24, true);
    const records: RawRecord[] = [];
    for (let i = 0; i < Math.min(count, 16); i++) {
      const section = at + headerSize + i * sectionSize;
      if (section + sectionSize > at + length) break;
      const kind = sections[guidText(image, section + 16)];
      if (kind === undefined) continue;
      const from = view.getUint32(section, true);
      const size = view.getUint32(section + 4, true);
      const problems = from + size > length ? ['cut: the record is shorter than its section says'] : [];
      records.push({
        source,
        offset: at,
        backend: 'erst',
        ...kind,
        time: seconds > 0n && seconds < 1n << 40n ? Number(seconds) : null,
        content: image.subarray(at + Math.min(from, length), at + Math.min(from + size, length)),
        problems,
      });
    }
    return records;
  });
}
