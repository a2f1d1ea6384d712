// A partition without a file system: a page that lists files, and the files behind it. Read back at the next boot.
//
//   0      INQUESTRAW1\n {"stamp":..., "hostname":..., "files":[{"name","offset","size","isWhole"}]} \0...
//   4096   the first file, and every file at the next multiple of 4096
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { FormatError, messageOf } from '../../base/errors.ts';
import { targetText } from '../config/capture_config.ts';
import type { PlannedTarget } from '../initramfs/capture_plan.ts';
import { waitForDevice } from './devices.ts';
import { type CrashName, type StreamTarget, TargetError } from './open_target.ts';

const magic = 'INQUESTRAW1\n';
const headerSize = 4096;

interface RawFile {
  readonly name: string;
  readonly offset: number;
  size: number;
  isWhole: boolean;
}

/**
 * @param seconds to wait for the device
 * @throws TargetError
 */
export async function openRaw(
  planned: PlannedTarget,
  { stamp, hostname }: CrashName,
  seconds: number,
): Promise<StreamTarget> {
  const name = targetText(planned.target);
  const device = planned.device === null ? null : await waitForDevice(planned.device, seconds);
  if (device === null) throw new TargetError(`${name}: it is not there`);
  const guarded = <T>(file: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw new TargetError(`${name}: ${file}: ${messageOf(error)}`);
    }
  };
  const fd = guarded('', () => openSync(device, 'r+'));
  const files: RawFile[] = [];
  const writeAt = (bytes: Uint8Array, at: number): void => {
    for (let done = 0; done < bytes.length; ) {
      const n = writeSync(fd, bytes, done, bytes.length - done, at + done);
      if (n === 0) throw new TargetError(`${name}: it is full`);
      done += n;
    }
  };
  const writeHeader = (): void => {
    const text = Buffer.from(`${magic}${JSON.stringify({ stamp, hostname: hostname.slice(0, 64), files })}`);
    if (text.length >= headerSize) throw new TargetError(`${name}: too many files`);
    writeAt(Buffer.concat([text, Buffer.alloc(headerSize - text.length)]), 0);
    fsyncSync(fd);
  };
  const begin = (file: string): RawFile => {
    const last = files.at(-1);
    const end = last === undefined ? headerSize : last.offset + last.size;
    const made = { name: file, offset: Math.ceil(end / headerSize) * headerSize, size: 0, isWhole: false };
    files.push(made);
    return made;
  };
  return {
    kind: 'stream',
    name,
    async put(file, bytes) {
      guarded(file, () => {
        const made = begin(file);
        writeAt(bytes, made.offset);
        made.size = bytes.length;
        made.isWhole = true;
        writeHeader();
      });
    },
    async send(file, from: Readable) {
      const made = begin(file);
      for await (const chunk of from as AsyncIterable<Buffer>) {
        guarded(file, () => writeAt(chunk, made.offset + made.size));
        made.size += chunk.length;
      }
      guarded(file, writeHeader);
    },
    async finish(file) {
      const last = files.findLast((made) => made.name === file); // one of that name before it failed
      if (last !== undefined) last.isWhole = true;
      guarded(file, writeHeader);
    },
    async close() {
      closeSync(fd);
    },
  };
}

/** What was read back. */
export interface Recovered {
  readonly folder: string;
  readonly files: readonly { readonly name: string; readonly size: number; readonly isWhole: boolean }[];
}

/**
 * Takes a crash out of a raw partition into a folder of its own, and marks the partition as empty once that is on the disk.
 * @returns null where no crash is in it
 * @throws FormatError where the list of files cannot be what was written; Error of the system where the folder cannot be written
 */
export function recoverRaw(device: string, into: string): Recovered | null {
  const fd = openSync(device, 'r+');
  try {
    const header = Buffer.alloc(headerSize);
    const size = readSync(fd, header, 0, headerSize, 0);
    const text = header.toString('utf8', 0, size).split('\0', 1)[0]!;
    if (!text.startsWith(magic)) return null;
    const list = parseHeader(text.slice(magic.length), device);
    const folder = `${into}/${list.stamp}`;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const file of list.files) copyOut(fd, file, `${folder}/${file.name}${file.isWhole ? '' : '.incomplete'}`);
    writeSync(fd, Buffer.alloc(headerSize), 0, headerSize, 0);
    fsyncSync(fd);
    return { folder, files: list.files };
  } finally {
    closeSync(fd);
  }
}

function parseHeader(json: string, device: string): { readonly stamp: string; readonly files: readonly RawFile[] } {
  const bad = (): FormatError => new FormatError(device, 'the list of its files is damaged');
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw bad();
  }
  if (typeof value !== 'object' || value === null || !('stamp' in value) || !('files' in value)) throw bad();
  const { stamp, files } = value;
  if (typeof stamp !== 'string' || !/^[\w-]{1,64}$/.test(stamp) || !Array.isArray(files) || files.length > 64)
    throw bad();
  return {
    stamp,
    files: files.map((file: unknown): RawFile => {
      if (typeof file !== 'object' || file === null) throw bad();
      const { name, offset, size, isWhole } = file as Readonly<Record<string, unknown>>;
      const isNumber = (n: unknown): n is number => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
      if (typeof name !== 'string' || !/^[\w-][\w.-]{0,99}$/.test(name) || !isNumber(offset) || !isNumber(size))
        throw bad();
      return { name, offset, size, isWhole: isWhole === true };
    }),
  };
}

function copyOut(from: number, { offset, size }: RawFile, path: string): void {
  const to = openSync(`${path}.part`, 'w', 0o600);
  try {
    const buffer = Buffer.alloc(1 << 20);
    for (let done = 0; done < size; ) {
      const n = readSync(from, buffer, 0, Math.min(buffer.length, size - done), offset + done);
      if (n === 0) throw new FormatError(path, 'the partition ends before it');
      for (let written = 0; written < n; ) written += writeSync(to, buffer, written, n - written);
      done += n;
    }
    fsyncSync(to);
  } finally {
    closeSync(to);
  }
  renameSync(`${path}.part`, path);
}
