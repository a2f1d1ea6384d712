// Files out of a mounted pstore (fs/pstore/inode.c names them `TYPE-BACKEND-ID[.enc.z]`), out of an archive of those, and
// out of efivarfs.
import { readVariableFile } from './efi_variables.ts';
import type { Backend, RawRecord, RecordType } from './record.ts';

const backends: Readonly<Record<string, Backend>> = {
  ramoops: 'ramoops',
  efi: 'efi',
  efi_pstore: 'efi',
  erst: 'erst',
  pstore_blk: 'blk',
  mtdpstore: 'mtdpstore',
  nvram: 'nvram',
  opal: 'opal',
};
const types: Readonly<Record<string, RecordType>> = {
  dmesg: 'dmesg',
  console: 'console',
  ftrace: 'ftrace',
  pmsg: 'pmsg',
  mce: 'mce',
  rtas: 'other',
  'powerpc-ofw': 'other',
  'powerpc-common': 'other',
  'powerpc-opal': 'other',
};

const fileName =
  /^(dmesg|console|ftrace|pmsg|mce|rtas|powerpc-ofw|powerpc-common|powerpc-opal)-([a-z_]{1,32})-(\d{1,20})(\.enc\.z)?$/;

/** Whether a file's name is one that pstore or efivarfs gives. */
export function isPstoreName(name: string): boolean {
  return fileName.test(name) || /^dump-type.{1,80}-cfc8fc79-/.test(name);
}

/**
 * Reads a file by its name; null: the name is not one of pstore's.
 * @param time of the file's last change, in seconds since 1970: pstore gives it the record's
 */
export function readNamedFile(name: string, content: Uint8Array, source: string, time: number): RawRecord | null {
  const variable = readVariableFile(name, content, source);
  if (variable !== null) return variable;
  const m = fileName.exec(name);
  if (m === null) return null;
  const backend = backends[m[2]!] ?? 'pstore';
  const id = efiId(backend, m[3]!);
  return {
    source,
    offset: 0,
    backend,
    type: types[m[1]!]!,
    compressed: m[4] !== undefined,
    time: id?.time ?? time,
    part: id?.part ?? null,
    count: id?.count ?? null,
    content,
  };
}

/** An EFI record's id is made of when it was written: (time * 100 + part) * 1000 + count (efi-pstore.c: generic_id()). */
function efiId(backend: Backend, id: string): { time: number; part: number; count: number } | null {
  if (backend !== 'efi' || id.length < 14) return null;
  const value = BigInt(id);
  const time = Number(value / 100_000n);
  // an id that is no time: somebody else's
  if (time < 946_684_800 || time > 4_102_444_800) return null;
  return { time, part: Number((value / 1000n) % 100n), count: Number(value % 1000n) };
}
