// Common platform error records (UEFI specification, appendix N) as bytes: records as ERST keeps them, and the blocks of
// generic error status that BERT and GHES have (ACPI specification, chapter 18). include/linux/cper.h.
import { findCperRecords, guidText } from '../pstore/cper_record.ts';
import { firmwareError } from './firmware_text.ts';
import { type HardwareError, type HardwareSeverity, hex } from './hardware_error.ts';

const kinds: Readonly<Record<string, string>> = {
  '9876ccad-47b4-4bdb-b65e-16f193c4f3db': 'general processor error',
  'dc3ea0b0-a144-4797-b95b-53fa242b6e1d': 'IA32/X64 processor error',
  'e19e3d16-bc11-11e4-9caa-c2051d5d46b0': 'ARM processor error',
  'a5bc1114-6f64-4ede-b863-3e83ed7c83b1': 'memory error',
  '61ec04fc-48e6-d813-25c9-8daa44750b12': 'memory error',
  'd995e954-bbc1-430f-ad91-b44dcb3c6f35': 'PCIe error',
  'c5753963-3b84-4095-bf78-eddad3f9c9dd': 'PCI bus error',
  'eb5e4685-ca66-4769-b6a2-26068b001326': 'PCI component error',
  '81212a96-09ed-4996-9471-8d729c8e69ed': 'firmware error',
  '80b9efb4-52b5-4de3-a777-68784b771048': 'CXL protocol error',
  'fbcd0a77-c260-417f-85a9-088b1621eba6': 'CXL memory error',
  '601dcbb3-9c06-4eab-b8af-4e9bfb5c9624': 'CXL memory error',
};
const severities: readonly HardwareSeverity[] = ['recoverable', 'fatal', 'corrected', 'corrected'];
const maxSections = 64;

/** Errors of all records in an image: those of hardware, not pstore's. */
export function cperErrors(image: Uint8Array): HardwareError[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return findCperRecords(image).flatMap((at) => {
    const length = Math.min(view.getUint32(at + 20, true), image.length - at);
    const time = (view.getUint32(at + 16, true) & 2) === 0 ? null : bcdTime(image.subarray(at + 24, at + 32));
    const count = Math.min(view.getUint16(at + 10, true), maxSections);
    const errors: HardwareError[] = [];
    for (let n = 0; n < count; n++) {
      const section = at + 128 + n * 72;
      if (section + 72 > at + length) break;
      const kind = kinds[guidText(image, section + 16)];
      const offset = view.getUint32(section, true);
      const size = view.getUint32(section + 4, true);
      if (kind === undefined || offset + size > length) continue;
      const valid = view.getUint8(section + 10);
      errors.push(
        sectionError(
          kind,
          view.getUint32(section + 48, true),
          image.subarray(at + offset, at + offset + size),
          (valid & 2) === 0 ? null : text(image, section + 52, 20),
          time,
          false,
        ),
      );
    }
    return errors;
  });
}

/** Whether bytes are a table or a region of boot errors. */
export function isBootErrors(image: Uint8Array): boolean {
  return bootErrors(image).length > 0;
}

/**
 * Errors of the boot before, as firmware left them: /sys/firmware/acpi/tables/data/BERT, which is a block of generic error
 * status (struct acpi_hest_generic_status), or several.
 */
export function bootErrors(image: Uint8Array): HardwareError[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const errors: HardwareError[] = [];
  for (let at = 0; at + 20 <= image.length; ) {
    const status = view.getUint32(at, true);
    const dataLength = view.getUint32(at + 12, true);
    const severity = view.getUint32(at + 16, true);
    if ((status & 0xf) === 0 || severity > 3 || dataLength === 0 || at + 20 + dataLength > image.length) break;
    const end = at + 20 + dataLength;
    for (let entry = at + 20, n = 0; entry + 64 <= end && n < maxSections; n++) {
      const revision = view.getUint16(entry + 20, true);
      const size = view.getUint32(entry + 24, true);
      // revision 3 has a time stamp behind
      const header = revision >= 0x300 ? 72 : 64;
      if (entry + header + size > end) break;
      const kind = kinds[guidText(image, entry)];
      const valid = view.getUint8(entry + 22);
      const time = header === 72 && (valid & 4) !== 0 ? bcdTime(image.subarray(entry + 64, entry + 72)) : null;
      if (kind !== undefined)
        errors.push(
          sectionError(
            kind,
            view.getUint32(entry + 16, true),
            image.subarray(entry + header, entry + header + size),
            (valid & 2) === 0 ? null : text(image, entry + 44, 20),
            time,
            true,
          ),
        );
      entry += header + size;
    }
    at = end;
  }
  return errors;
}

function sectionError(
  kind: string,
  severity: number,
  bytes: Uint8Array,
  fru: string | null,
  time: number | null,
  previousBoot: boolean,
): HardwareError {
  const fields: [string, string][] = [];
  if (fru !== null && fru !== '') fields.push(['fru_text', fru]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (kind === 'memory error') memoryFields(view, fields);
  else if (kind === 'PCIe error') pcieFields(view, fields);
  else if (kind === 'general processor error') processorFields(view, fields);
  else if (kind === 'ARM processor error') armFields(view, fields);
  return firmwareError(kind, severities[severity] ?? 'recoverable', fields, time, previousBoot);
}

const memoryTypes = [
  'unknown',
  'no error',
  'single-bit ECC',
  'multi-bit ECC',
  'single-symbol chipkill ECC',
  'multi-symbol chipkill ECC',
  'master abort',
  'target abort',
  'parity error',
  'watchdog timeout',
  'invalid address',
  'mirror broken',
  'memory sparing',
  'scrub corrected error',
  'scrub uncorrected error',
  'physical memory map-out event',
];

/** Table "memory error record": validation bits say which fields mean something. */
function memoryFields(view: DataView, fields: [string, string][]): void {
  if (view.byteLength < 73) return;
  const valid = Number(view.getBigUint64(0, true) & 0xffff_ffffn);
  const has = (n: number): boolean => ((valid >> n) & 1) === 1;
  if (has(1)) fields.push(['physical_address', hex(view.getBigUint64(16, true))]);
  const place: string[] = [];
  for (const [n, name, at] of [
    [3, 'node', 32],
    [4, 'card', 34],
    [5, 'module', 36],
    [6, 'bank', 38],
    [7, 'device', 40],
    [8, 'row', 42],
    [9, 'column', 44],
  ] as const)
    if (has(n)) place.push(`${name}: ${view.getUint16(at, true)}`);
  if (place.length > 0) fields.push(['place', place.join(' ')]);
  if (has(14)) fields.push(['error_type', memoryTypes[view.getUint8(72)] ?? 'unknown']);
}

function pcieFields(view: DataView, fields: [string, string][]): void {
  if (view.byteLength < 40) return;
  const valid = Number(view.getBigUint64(0, true) & 0xffn);
  if ((valid & 8) === 0) return;
  const two = (value: number): string => value.toString(16).padStart(2, '0');
  const device = view.getUint8(31);
  const bus = view.getUint8(35);
  const segment = view.getUint16(32, true).toString(16).padStart(4, '0');
  const vendor = view.getUint16(24, true).toString(16).padStart(4, '0');
  const id = view.getUint16(26, true).toString(16).padStart(4, '0');
  fields.push(
    ['device', `${segment}:${two(bus)}:${two(device)}.${view.getUint8(30) & 7}`],
    ['vendor and device', `${vendor}:${id}`],
  );
}

function processorFields(view: DataView, fields: [string, string][]): void {
  if (view.byteLength < 12) return;
  const valid = Number(view.getBigUint64(0, true) & 0xffffn);
  if ((valid & 4) !== 0) {
    const type = view.getUint8(10);
    const name =
      type & 1
        ? 'cache error'
        : type & 2
          ? 'TLB error'
          : type & 4
            ? 'bus error'
            : type & 8
              ? 'micro-architectural error'
              : 'unknown';
    fields.push(['error_type', name]);
  }
  if ((valid & 0x80) !== 0 && view.byteLength >= 168) fields.push(['processor', String(view.getBigUint64(160, true))]);
}

function armFields(view: DataView, fields: [string, string][]): void {
  if (view.byteLength < 40) return;
  fields.push(['MIDR', hex(view.getBigUint64(24, true))]);
  if ((view.getUint32(0, true) & 1) !== 0) fields.push(['MPIDR', hex(view.getBigUint64(16, true))]);
  // the first of its error information structures
  if (view.getUint16(4, true) === 0 || view.byteLength < 72) return;
  const at = 40;
  const type = view.getUint8(at + 4);
  fields.push([
    'error_type',
    type & 2
      ? 'cache error'
      : type & 4
        ? 'TLB error'
        : type & 8
          ? 'bus error'
          : type & 16
            ? 'micro-architectural error'
            : 'unknown',
  ]);
  const valid = view.getUint16(at + 2, true);
  if ((valid & 16) !== 0) fields.push(['physical_address', hex(view.getBigUint64(at + 24, true))]);
}

function text(image: Uint8Array, at: number, length: number): string {
  const bytes = Buffer.from(image.subarray(at, at + length)).toString('latin1');
  return bytes.split('\0')[0]!.trim();
}

/** Seconds since 1970 of a CPER time stamp: binary coded decimals, UTC taken. Null: none. */
function bcdTime(bytes: Uint8Array): number | null {
  const number = (at: number): number => (bytes[at]! >> 4) * 10 + (bytes[at]! & 15);
  const [second, minute, hour, day, month, year, century] = [0, 1, 2, 4, 5, 6, 7].map(number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return null;
  return Date.UTC(century * 100 + year, month - 1, day, hour, minute, second) / 1000;
}
