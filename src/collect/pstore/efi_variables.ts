// EFI variables in which the kernel left its log: files of efivarfs, or a dump of the store that firmware keeps them in
// (drivers/firmware/efi/efi-pstore.c; for the store: MdeModulePkg's VariableFormat.h, the PI specification's firmware volume).
import { guidText } from './cper_record.ts';
import type { RawRecord, RecordType } from './record.ts';

/** LINUX_EFI_CRASH_GUID. */
export const crashGuid = 'cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0';
/** enum pstore_type_id. */
const types: Readonly<Record<number, RecordType>> = { 0: 'dmesg', 1: 'mce', 2: 'console', 3: 'ftrace', 7: 'pmsg' };

interface VariableName {
  readonly type: RecordType;
  readonly part: number;
  readonly count: number | null;
  readonly time: number;
  readonly compressed: boolean | null;
}

/** `dump-type0-1-3-1717236180-C`: type, part, count, seconds since 1970, compressed; older names have less. */
export function parseVariableName(name: string): VariableName | null {
  const m = /^dump-type(\d{1,3})-(\d{1,10})-(\d{1,12})(?:-(\d{1,14}))?(?:-([CD]))?$/.exec(name);
  if (m === null) return null;
  const [, type, part, third, fourth, mark] = m;
  return {
    type: types[Number(type)] ?? 'other',
    part: Number(part),
    count: fourth === undefined ? null : Number(third),
    time: Number(fourth ?? third),
    compressed: mark === undefined ? null : mark === 'C',
  };
}

/** A file of efivarfs: its name has the variable's and its GUID, its content begins with four bytes of attributes. */
export function readVariableFile(name: string, content: Uint8Array, source: string): RawRecord | null {
  const m = new RegExp(`^(.{1,80})-${crashGuid}$`).exec(name);
  const parsed = m === null ? null : parseVariableName(m[1]!);
  return parsed === null ? null : { source, offset: 0, backend: 'efi', ...parsed, content: content.subarray(4) };
}

const variableStart = 0x55aa;
/** VAR_ADDED and VAR_HEADER_VALID_ONLY cleared no further: the variable is valid, or about to be replaced. */
const validStates = [0x3f, 0x3e];
const maxVariables = 65536;

/** The kernel's variables in a dump of the store (OVMF_VARS.fd, a flash image): those with a timestamp, as they are today. */
export function readVariableStore(image: Uint8Array, source: string): RawRecord[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const records: RawRecord[] = [];
  let seen = 0;
  for (let at = 0; at + 60 <= image.length && seen < maxVariables; ) {
    if (view.getUint16(at, true) !== variableStart) {
      at += 4;
      continue;
    }
    // AUTHENTICATED_VARIABLE_HEADER: id, state, reserved, attributes, count, time, key, name size, data size, GUID
    const state = image[at + 2]!;
    const nameSize = view.getUint32(at + 36, true);
    const dataSize = view.getUint32(at + 40, true);
    const nameAt = at + 60;
    if (nameSize < 2 || nameSize > 2048 || nameAt + nameSize + dataSize > image.length) {
      at += 4;
      continue;
    }
    seen++;
    const name = Buffer.from(image.subarray(nameAt, nameAt + nameSize - 2)).toString('utf16le');
    const parsed = guidText(image, at + 44) === crashGuid ? parseVariableName(name) : null;
    if (parsed !== null && validStates.includes(state)) {
      const from = nameAt + nameSize;
      records.push({ source, offset: at, backend: 'efi', ...parsed, content: image.subarray(from, from + dataSize) });
    }
    at = (nameAt + nameSize + dataSize + 3) & ~3;
  }
  return records;
}

/** Whether an image is a firmware volume: `_FVH` stands 40 bytes into it. */
export function looksLikeVariableStore(image: Uint8Array): boolean {
  return image.length > 0x48 && Buffer.from(image.subarray(0x28, 0x2c)).toString('latin1') === '_FVH';
}
