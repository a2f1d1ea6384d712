// What a file is that somebody wants a report on: a dump, a log, a folder with some of them, or something packed.
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError, InquestError } from '../base/errors.ts';
import { objectKind } from '../debuginfo/files/object_kind.ts';
import { isDump } from '../dump/open.ts';

export type InputKind =
  | { readonly kind: 'dump' }
  | { readonly kind: 'log' }
  /** Paths of the dumps and logs in it. */
  | { readonly kind: 'directory'; readonly dumps: readonly string[]; readonly logs: readonly string[] }
  /** `unpack`: the command that unpacks it, as a shell takes it. */
  | { readonly kind: 'packed'; readonly how: string; readonly unpack: string };

/** First bytes of what is packed, and how to unpack it. */
const packers: readonly (readonly [magic: string, how: string, command: string])[] = [
  ['1f8b', 'gzip', 'gunzip -k'],
  ['28b52ffd', 'zstd', 'zstd -d'],
  ['fd377a585a00', 'xz', 'xz -dk'],
  ['425a68', 'bzip2', 'bunzip2 -k'],
  ['04224d18', 'lz4', 'lz4 -d'],
  ['504b0304', 'zip', 'unzip'],
];

/** Bytes at the start of a file that are looked at, and where a tar archive says that it is one. */
const headSize = 4096;
const tarMagicAt = 257;

/** Most entries of a folder that are looked into, with those of its own folders. */
const maxEntries = 2000;

/** @throws FormatError where there is no such file, or it cannot be read, or is neither of these */
export function inputKind(path: string): InputKind {
  if (!existsSync(path)) throw new FormatError(path, 'no such file');
  const stat = statSync(path);
  if (stat.isDirectory()) return inFolder(path);
  if (!stat.isFile()) return { kind: 'dump' };
  const head = headOf(path);
  const hex = head.subarray(0, 8).toString('hex');
  for (const [magic, how, command] of packers)
    if (hex.startsWith(magic)) return { kind: 'packed', how, unpack: `${command} ${quoted(path)}` };
  if (head.subarray(tarMagicAt, tarMagicAt + 5).toString('latin1') === 'ustar')
    return { kind: 'packed', how: 'tar', unpack: `tar xf ${quoted(path)}` };
  return !isDump(path) && isText(head) ? { kind: 'log' } : { kind: 'dump' };
}

function headOf(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(headSize);
    return buffer.subarray(0, readSync(fd, buffer, 0, headSize, 0));
  } finally {
    closeSync(fd);
  }
}

/** Console logs hold an escape or a stray byte now and then; what is no text has many. */
function isText(head: Buffer): boolean {
  if (head.length === 0) return false;
  const odd = head.filter(
    (byte) => byte === 0 || (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 27),
  );
  return odd.length * 50 <= head.length;
}

/** What is in a folder, and in its own folders: /var/crash has one for each death. */
function inFolder(path: string): InputKind {
  const dumps: string[] = [];
  const logs: string[] = [];
  let left = maxEntries;
  const look = (folder: string, depth: number): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (left-- <= 0) return;
      const file = join(folder, entry.name);
      if (entry.isDirectory() && depth > 0) look(file, depth - 1);
      if (!entry.isFile()) continue;
      if (/dmesg|\.log$|console|messages|kern/i.test(entry.name)) logs.push(file);
      else if (isDumpFile(file)) dumps.push(file);
    }
  };
  look(path, 2);
  return { kind: 'directory', dumps, logs };
}

/** Whether a file is a dump (a kernel or module with debug information is ELF, too); what cannot be read, or is packed, is none. */
function isDumpFile(file: string): boolean {
  try {
    return objectKind(file) === null && isDump(file);
  } catch (error) {
    if (error instanceof InquestError || (error as NodeJS.ErrnoException).code !== undefined) return false;
    throw error;
  }
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./+:@%-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
